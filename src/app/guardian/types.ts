import type { Incarnation, Term } from "../../core/base/index.ts";
import type {
  ActionResult,
  AgentAction,
  AgentOutcome,
  FromGuardian,
  HostProcess,
  IntentOrigin,
  StopPlan,
  ToGuardian,
} from "../../core/ports/index.ts";

/** What a guardian knows from its configuration and its host. */
export type GuardianFacts = {
  readonly node: string;
  readonly incarnation: Incarnation;
  /** Tstop, Tkill and g of RAFT.md §7, milliseconds. */
  readonly stopMs: number;
  readonly killMs: number;
  readonly pauseMs: number;
  readonly selfFence: "reset" | "kill";
  /** Timeout read back from the watchdog device, or null without one. */
  readonly watchdogMs: number | null;
  /** Absent: no process of a host, as in the simulator. */
  readonly servedBy?: HostProcess;
};

/** An action that was asked for. */
export type RunOrder = {
  readonly key: string;
  readonly origin: IntentOrigin | null;
  readonly action: AgentAction;
  readonly planVersion: number;
  readonly trips?: number;
};

/** What an earlier guardian of this incarnation left behind. */
export type Remembered = {
  /** The cluster that `term` belongs to; absent: not known. */
  readonly cluster?: string;
  readonly term: Term;
  readonly deadlineMs: number;
  readonly plan: StopPlan | null;
  /** Asked for and not ended; their processes, if any, are dead by now. */
  readonly unfinished: readonly RunOrder[];
  readonly results: readonly ActionResult[];
  readonly trips: number;
  readonly stopped: readonly { readonly resource: string; readonly proven: boolean }[];
};

export type GuardianInput =
  | { readonly kind: "message"; readonly link: number; readonly message: ToGuardian }
  | { readonly kind: "closed"; readonly link: number }
  | {
      readonly kind: "finished";
      readonly key: string;
      readonly outcome: AgentOutcome;
      readonly startedAtMs: number;
      readonly finishedAtMs: number;
    }
  | { readonly kind: "purged"; readonly key: string; readonly left: number }
  | { readonly kind: "tick" };

/** What must survive the guardian itself. Written before the effects that follow it in the list. */
export type JournalRecord =
  | ({ readonly kind: "run" } & RunOrder)
  | { readonly kind: "end"; readonly result: ActionResult }
  /** Refused when its turn came, or an action of a stop walk that has ended: nothing to remember. */
  | { readonly kind: "forget"; readonly key: string }
  | { readonly kind: "ack"; readonly key: string }
  | { readonly kind: "plan"; readonly plan: StopPlan }
  | {
      readonly kind: "trip";
      readonly trips: number;
      readonly stopped: readonly { readonly resource: string; readonly proven: boolean }[];
    };

export type GuardianEffect =
  | { readonly kind: "send"; readonly link: number; readonly message: FromGuardian }
  | { readonly kind: "close"; readonly link: number }
  | { readonly kind: "spawn"; readonly key: string; readonly action: AgentAction }
  | { readonly kind: "kill"; readonly key: string; readonly how: "term" | "kill" }
  | { readonly kind: "purge"; readonly key: string; readonly action: AgentAction; readonly timeoutMs: number }
  | { readonly kind: "journal"; readonly record: JournalRecord }
  /** Term and deadline changed: to the file that a restarted guardian reads first. */
  | { readonly kind: "mark"; readonly cluster: string | null; readonly term: Term; readonly deadlineMs: number }
  | { readonly kind: "reset"; readonly reason: string }
  | { readonly kind: "feed" }
  | { readonly kind: "watchdog.release" }
  | {
      readonly kind: "log";
      readonly level: "error" | "warn" | "info" | "debug";
      readonly message: string;
      readonly facts: Readonly<Record<string, unknown>>;
    };
