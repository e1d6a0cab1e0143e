import type { LogIndex, MemberId, Random, Term } from "../base/index.ts";
import type { CibState, CommandResult, Proposal } from "../cib/index.ts";
import type { AgentAction, ApiError, FromGuardian, IntentOrigin, StopPlan } from "../ports/index.ts";
import type {
  Configuration,
  CreateRaft,
  EntryId,
  EntryOf,
  Envelope,
  Message,
  Ready,
  Refusal,
  Restored,
  SnapshotChunk,
  SnapshotMeta,
  Timing,
  WriteTicket,
} from "../raft/index.ts";
import type { FromPlanner, ToPlanner } from "./planner.ts";

/** Settings of the node's timing, all in milliseconds (RAFT.md §7). */
export type NodeTiming = {
  /** F: silence after which a node is lost. */
  readonly nodeLossMs: number;
  /** Tself: how long a node may keep exclusive resources without proof of a quorum. */
  readonly tselfMs: number;
  /** Youngest acceptable age of the leader's heartbeat when a node acts on what it has applied. */
  readonly leaseMs: number;
};

export const DEFAULT_NODE_TIMING: NodeTiming = { nodeLossMs: 800, tselfMs: 5_000, leaseMs: 1_000 };

/** A request waits this long for its commit; afterwards its outcome is unknown (`TIMEOUT`). */
export const REQUEST_TIMEOUT_MS = 15_000;
/** A proposal made by the node itself is repeated after this long without an answer. */
export const PROPOSAL_TIMEOUT_MS = 3_000;
/** Requests that wait at once; above it `BUSY`. */
export const REQUESTS_MAX = 1_024;
/** Results in one proposal. */
export const RESULTS_BATCH_MAX = 256;
/** A guardian that is started again by its service manager is back within this; afterwards the cluster is told that it is gone. */
export const GUARDIAN_GONE_MS = 2_000;
/** Pause before something refused is tried again. */
export const RETRY_MS = 300;
/** The leader looks at its planner this often although nothing happened. */
export const PLANNER_BEAT_MS = 1_000;
/** The same when the cluster has settled: its next decision has a time of its own. */
export const PLANNER_QUIET_BEAT_MS = 5_000;
/** Even if nothing happens the cluster decides anew after this long (`cluster-recheck-interval`). */
export const RECHECK_INTERVAL_MS = 900_000;
/** Watch events kept for watches that resume. */
export const WATCH_HISTORY_MAX = 2_048;

/** Greetings (`node.hello`) of one start of the daemon: their numbers are this times the start's, and up. */
export const GREETINGS_PER_BOOT = 1_000_000;

export type NodeOptions = {
  readonly node: string;
  readonly memberId: MemberId;
  readonly boot: number;
  readonly version: string;
  readonly startMs: number;
  readonly random: Random;
  readonly restored: Restored<Proposal>;
  /** The state of `restored.snapshot`, or the empty state. */
  readonly state: CibState;
  readonly sizeOf: (proposal: Proposal) => number;
  /** Makes the entries that this node appends as the leader; default: plain ones. */
  readonly entryOf?: EntryOf<Proposal>;
  readonly createRaft: CreateRaft;
  readonly raftTiming?: Partial<Timing>;
  readonly timing?: Partial<NodeTiming>;
  /** A snapshot is taken when the log holds this much; default `SNAPSHOT_LOG_BYTES`. */
  readonly snapshotLogBytes?: number;
  /** First start of a cluster that nobody else can know: no need to wait for old leases (RAFT.md §2 feature 5). */
  readonly restartWait?: boolean;
  /** False: nobody reads lines of level `debug`, so none are made. There is one for each attribute that is set. */
  readonly logsDebug?: boolean;
};

/** Everything that reaches a node. Times are on the wrapper (`Step`), so that a run is a list of these. */
export type NodeEvent =
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly from: MemberId; readonly message: Message<Proposal> }
  | { readonly kind: "stored"; readonly ticket: WriteTicket }
  | { readonly kind: "snapshotVerified"; readonly last: EntryId; readonly ok: boolean }
  /** The bytes of the installed snapshot, decoded. */
  | { readonly kind: "snapshotLoaded"; readonly last: EntryId; readonly state: CibState }
  | { readonly kind: "snapshotTaken"; readonly snapshot: SnapshotMeta }
  /** `gone`: the peer's kernel answers for its host, but its daemon does not run. */
  | { readonly kind: "link"; readonly peer: MemberId; readonly change: "up" | "down" | "gone" }
  | {
      readonly kind: "guardian";
      readonly message: FromGuardian | ({ readonly kind: "connected" } & GuardianFacts) | { readonly kind: "disconnected" };
    }
  | { readonly kind: "planner"; readonly message: FromPlanner }
  /** The policy worker died (memory or time limit, defect); `restarted` ones must be loaded anew. */
  | { readonly kind: "plannerLost"; readonly reason: string }
  | { readonly kind: "plannerStarted" }
  | { readonly kind: "request"; readonly id: number; readonly method: string; readonly params: unknown }
  | { readonly kind: "requestGone"; readonly id: number }
  | { readonly kind: "admit"; readonly id: number; readonly admission: Admission }
  /** SIGTERM and its kin. */
  | { readonly kind: "shutdown"; readonly mode: "detach" | "shutdown" };

export type GuardianFacts = Omit<Extract<FromGuardian, { kind: "welcome" }>, "kind" | "protocol">;

/** A joining member whose certificate is being made: the token is taken and the member is brought in. */
export type Admission = {
  readonly tokenHash: string;
  readonly node: string;
  readonly memberId: MemberId;
  readonly addresses: readonly string[];
  readonly witness?: boolean;
};

export type Step = { readonly nowMs: number; readonly wallMs: number; readonly event: NodeEvent };
/** Several events at one time. */
export type Steps = { readonly nowMs: number; readonly wallMs: number; readonly events: readonly NodeEvent[] };

/** One synced write, then `sendAfter`, then the event `stored` with `ticket`. */
export type Persist = {
  readonly hard: Ready<Proposal>["hard"];
  readonly entries: Ready<Proposal>["entries"];
  readonly snapshot: Ready<Proposal>["snapshot"];
  readonly recovered: boolean;
  readonly chunks: readonly SnapshotChunk[];
  readonly sendAfter: readonly Envelope<Proposal>[];
  readonly ticket: WriteTicket | null;
};

/** Everything a node wants from the outside, in order. */
export type Effect =
  | { readonly kind: "send"; readonly envelopes: readonly Envelope<Proposal>[] }
  | { readonly kind: "persist"; readonly write: Persist }
  | { readonly kind: "verifySnapshot"; readonly snapshot: SnapshotMeta }
  | { readonly kind: "loadSnapshot"; readonly last: EntryId }
  | { readonly kind: "takeSnapshot"; readonly state: CibState; readonly last: EntryId; readonly configuration: Configuration }
  | { readonly kind: "compact"; readonly to: EntryId }
  /** `leaving`: members that the configuration no longer names, until its entry is committed. Links to them stay. */
  | { readonly kind: "peers"; readonly configuration: Configuration; readonly leaving: Configuration["members"] }
  | {
      readonly kind: "run";
      readonly key: string;
      readonly origin: IntentOrigin | null;
      readonly action: AgentAction;
      readonly planVersion: number;
      /** Walks of the stop plan that this node has seen end. */
      readonly trips: number;
    }
  | { readonly kind: "cancel"; readonly key: string }
  | { readonly kind: "ack"; readonly key: string }
  | { readonly kind: "stopPlan"; readonly plan: StopPlan }
  | { readonly kind: "deadline"; readonly term: Term; readonly atMs: number }
  | { readonly kind: "release" }
  | { readonly kind: "selfFence"; readonly reason: string }
  | { readonly kind: "planner"; readonly message: ToPlanner }
  | { readonly kind: "answer"; readonly id: number; readonly answer: { readonly result: unknown } | { readonly error: ApiError } }
  | { readonly kind: "watch"; readonly event: WatchEvent; readonly index: LogIndex }
  | {
      readonly kind: "log";
      readonly level: "error" | "warn" | "info" | "debug";
      readonly facts: Readonly<Record<string, unknown>>;
      readonly text: string;
    }
  /** The daemon ends: everything it owed has been said. */
  /** The daemon ends. `left`: its node has left the cluster, and whoever supervises the daemon shall not start it again. */
  | { readonly kind: "stop"; readonly reason: string; readonly left: boolean };

export type WatchEvent =
  | {
      readonly kind: "applied";
      readonly command: string;
      readonly summary: string;
      /** Names and numbers of the command, never values of parameters. */
      readonly facts: Readonly<Record<string, unknown>>;
      readonly atMs: number;
    }
  | { readonly kind: "reset" };

/** What a proposal came to. `unknown`: it may or may not happen. */
export type ProposeOutcome =
  | { readonly kind: "applied"; readonly result: CommandResult }
  | { readonly kind: "refused"; readonly reason: Refusal }
  | { readonly kind: "unknown"; readonly why: "timeout" | "overwritten" };
