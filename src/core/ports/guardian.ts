import type { Incarnation, Term } from "../base/index.ts";
import type { AgentAction, AgentOutcome, IntentOrigin } from "./action.ts";

/**
 * The conversation between the daemon and its guardian over a Unix socket (RAFT.md §§7-8). Each message is one frame:
 * a 4-byte big-endian length and msgpack. All times named `...MonotonicMs` are the host's CLOCK_MONOTONIC in
 * milliseconds, which both processes read alike. Limits: frame 4 MiB, `GUARDIAN_QUEUE_MAX` unacknowledged results.
 */
export const GUARDIAN_PROTOCOL = 1;
export const GUARDIAN_QUEUE_MAX = 4096;

/** What is proven when this node falls silent (RAFT.md §8, last table). */
export type Guarantee = "watchdog" | "guardian" | "none";

/** One step of the stop plan, walked in order at the deadline. */
export type StopStep = {
  readonly resource: string;
  /** Exclusive: may run on one node only. Others are stopped too, after them. */
  readonly exclusive: boolean;
  readonly action: AgentAction;
  /** Steps of one stage run side by side; stages run one after the other. */
  readonly stage: number;
};

export type StopPlan = {
  /** Grows with every change; a start runs only after the guardian acknowledged a plan that covers it. */
  readonly version: number;
  /**
   * Tstop of this node in milliseconds, when the configured stop timeouts need more than the guardian's own bound (it
   * never shortens that bound). A larger value raises Tsafe, so commit it on all members before sending it here.
   */
  readonly stopMs?: number;
  readonly steps: readonly StopStep[];
};

/** A process of this host. `startTicks` (since boot) makes a pid unique within a boot. */
export type HostProcess = { readonly pid: number; readonly startTicks: number };

export type ToGuardian =
  /**
   * `daemonBoot` counts the starts of one member, and terms those of one cluster: a member that lost its memory and joined
   * again begins anew, so `memberId` and `cluster` say which counts are meant.
   */
  | {
      readonly kind: "hello";
      readonly protocol: number;
      readonly node: string;
      readonly daemonBoot: number;
      readonly memberId?: number;
      readonly cluster?: string;
    }
  /**
   * Runs an action. The same `key` again while it waits or runs is a no-op; while its result waits for `result.ack` the
   * result is sent again. Actions of one resource run one after the other (fence actions of a device beside its monitors).
   * `origin.term` is the term under which the daemon holds the intent valid; null: derived from state (monitors, probes).
   * `trips` = walks of the stop plan that the daemon has seen end: what was asked for before a walk does not begin after it,
   * because the cluster takes the walk as proof that nothing runs. Absent: a daemon that does not say.
   */
  | {
      readonly kind: "run";
      readonly key: string;
      readonly origin: IntentOrigin | null;
      readonly action: AgentAction;
      readonly planVersion: number;
      readonly trips?: number;
    }
  | { readonly kind: "cancel"; readonly key: string }
  | { readonly kind: "result.ack"; readonly key: string }
  | { readonly kind: "plan"; readonly plan: StopPlan }
  /**
   * Moves the deadline D. An older term, or an earlier deadline, is ignored: D never moves back. Infinity: no exclusive
   * resource; ignored while the plan holds an exclusive step. A finite D ends Infinity.
   */
  | { readonly kind: "deadline"; readonly term: Term; readonly atMonotonicMs: number }
  /** Answered by `pong`. Only for a guardian that has told by whom it is served: an older one takes it for a bad message. */
  | { readonly kind: "ping" }
  /** The daemon leaves on purpose and all resources were stopped: the guardian may let the watchdog go. */
  | { readonly kind: "release" }
  /** Reset the host now (fenced by order of the cluster, or a broken invariant). */
  | { readonly kind: "self-fence"; readonly reason: string };

export type FromGuardian =
  | {
      readonly kind: "welcome";
      readonly protocol: number;
      /** Which process of the host this is. Absent: not told. */
      readonly servedBy?: HostProcess;
      readonly incarnation: Incarnation;
      readonly guarantee: Guarantee;
      /** The same for resources with kernel state (addresses, mounts): `none` when the host cannot be reset. */
      readonly kernelGuarantee: Guarantee;
      /** Bound of S in Tsafe (RAFT.md §7): from D until everything here has certainly stopped, milliseconds. */
      readonly stopBoundMs: number;
      /** Tstop in force: the larger of the guardian's own and its plan's `stopMs`, milliseconds. Absent: not told. */
      readonly stopMs?: number;
      readonly planVersion: number;
      readonly deadlineMonotonicMs: number;
      readonly running: readonly { readonly key: string; readonly action: AgentAction; readonly startedMonotonicMs: number }[];
      readonly results: readonly ActionResult[];
      /** True once the deadline has passed and the stop plan was walked since this guardian started. */
      readonly tripped: boolean;
      /** How often the stop plan was walked in this incarnation, and what the last walk ended with. */
      readonly trips: number;
      readonly stopped: readonly { readonly resource: string; readonly proven: boolean }[];
    }
  | ({ readonly kind: "result" } & ActionResult)
  | { readonly kind: "plan.ack"; readonly version: number; readonly stopBoundMs: number }
  /**
   * Refused: an older term or incarnation than already seen, no covering plan, the deadline has passed, or an exclusive
   * resource without any deadline (D is Infinity). A queued action can be refused later, when its turn comes.
   */
  | {
      readonly kind: "refused";
      readonly key: string;
      readonly code: "OLD_TERM" | "OLD_INCARNATION" | "PLAN_MISSING" | "DEADLINE_PASSED" | "DEADLINE_MISSING" | "QUEUE_FULL";
    }
  /** Sent instead of `welcome`, then the guardian closes the link: another protocol, node, or a daemon replaced by a newer one. */
  | { readonly kind: "rejected"; readonly code: "PROTOCOL" | "WRONG_NODE" | "OLD_DAEMON" | "BAD_MESSAGE"; readonly reason: string }
  | { readonly kind: "pong" }
  | { readonly kind: "tripped"; readonly atMonotonicMs: number }
  /** End of one resource in the walk; not proven: kernel state may remain (only without a reset of the host). */
  | { readonly kind: "stopped"; readonly resource: string; readonly proven: boolean }
  /** The walk has ended; a new deadline allows starts again. */
  | { readonly kind: "walked"; readonly trips: number };

export type ActionResult = {
  readonly key: string;
  readonly origin: IntentOrigin | null;
  readonly action: AgentAction;
  readonly outcome: AgentOutcome;
  /** Wall clock of the host, milliseconds since 1970; shown to people, never compared between hosts. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
};
