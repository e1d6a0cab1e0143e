import type { Incarnation, LogIndex, MemberId } from "../base/index.ts";
import type { ConfigurationEdit } from "./edit.ts";

/**
 * What the log carries. The leader stamps `atMs` (its wall clock, never below the clock already applied: RAFT.md §7)
 * when it appends, so a command proposed by a follower has no time of its own. `origin` makes a client's command
 * happen at most once (RAFT.md §2 feature 18).
 */
export type Proposal = {
  readonly atMs: number;
  readonly origin: ProposalOrigin | null;
  readonly command: Command;
};

/** `client` is the log index of the client's `session.open`; `sequence` counts its commands from 1. */
export type ProposalOrigin = { readonly client: number; readonly sequence: number };

/** The highest feature level this build can apply; the replicated level says what may be proposed (STYLE.md §6). */
export const FEATURE_LEVEL_MAX = 1;

/** How sure we are that a silent node's exclusive resources stop (RAFT.md §8, last table). */
export type NodeGuarantee = "watchdog" | "guardian" | "none";

/** An action as the replicated state carries it; the same shape as `AgentAction` of `core/ports`, which `cib` may not import. */
export type ActionSpec = {
  readonly resource: string;
  readonly agentClass: "ocf" | "systemd" | "lsb" | "service" | "stonith";
  readonly provider: string | null;
  readonly type: string;
  readonly operation: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly params: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  readonly node: string;
  readonly target: string | null;
};

/**
 * One action the cluster has decided on. Its `key` is given by `apply` (`<log index>.<position>`), so that no two
 * leaders can give the same one. Void unless its node is in `incarnation`.
 */
export type IntentDraft = {
  /** Name in history: the configuration id, without instance number for anonymous clones. */
  readonly resource: string;
  readonly node: string;
  readonly incarnation: Incarnation;
  readonly task: string;
  readonly intervalMs: number;
  /** Result code that is no surprise; another one counts as a failure (Pacemaker Explained: OCF result codes). */
  readonly expectedRc: number;
  readonly action: ActionSpec;
  /** MD5 of the parameters (policy/status.md 20.1), or null where none is recorded. */
  readonly digest: string | null;
  /** `INFINITY` or `1`: what a failed start adds to the fail count (policy/status.md 19.2). */
  readonly startFailureFatal: boolean;
  /** How the guardian would stop it at the deadline; null: no exclusive resource comes from this action. */
  readonly stop: StopSpec | null;
  /** Number of the action in the graph that asked, for display and for the transition key. */
  readonly actionId: number;
};

export type StopSpec = {
  readonly timeoutMs: number;
  readonly stage: number;
  readonly exclusive: boolean;
  /**
   * The configuration asks for this timeout, so the guardian gives the stop that long and Tsafe of its node grows with
   * it (RAFT.md §7). Absent or false: the built-in default, which the guardian's own bound cuts short.
   */
  readonly configured?: boolean;
};

/** Status codes of an operation (policy/status.md 13.5). */
export type OperationStatus = -1 | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11;

/** The outcome of an intent or of a later run of a recurring monitor. */
export type OperationResult = {
  /** Key of the intent. For later runs of a recurring monitor: the key of the intent that began it. */
  readonly key: string;
  readonly rc: number;
  readonly status: OperationStatus;
  readonly exitReason: string | null;
  readonly execTimeMs: number;
  /** True when the guardian's acknowledged stop plan covers the resource (RAFT.md §7: Tsafe covers only these). */
  readonly covered: boolean;
  /** Which of the later runs of a recurring monitor it was: rises from run to run of one member, restarts of the daemon included. */
  readonly run?: number;
};

/** Selects history to forget. Null selects all. */
export type HistorySelection = {
  readonly resource: string | null;
  readonly node: string | null;
  /** With `operation`, only failures of that operation (and interval) are forgotten, and history stays otherwise. */
  readonly operation: string | null;
  readonly intervalMs: number | null;
  /** `failures`: only resources with failures (`cleanup`); `all`: everything, so that all is probed again (`refresh`). */
  readonly scope: "failures" | "all";
};

export type AttributeChange = { readonly node: string; readonly name: string; readonly value: string | null };

export type FencingAction = "off" | "reboot" | "on";

/** One run of one fencing device by one live node. */
export type FencingAttempt = {
  readonly device: string;
  readonly by: string;
  readonly byIncarnation: Incarnation;
  readonly level: number;
  readonly action: ActionSpec;
};

/** The replicated commands. Each is refused by value when it does not apply; none ever throws. */
export type Command =
  | {
      readonly kind: "cluster.create";
      readonly clusterId: string;
      readonly name: string;
      readonly node: string;
      readonly memberId: MemberId;
    }
  | { readonly kind: "session.open" }
  | { readonly kind: "session.close"; readonly client: number }
  /** Refused with this reason: a command that may be under way still and must not happen any more says so in its place. */
  | { readonly kind: "session.refuse"; readonly code: "CIB_CONFLICT" | "CIB_INVALID" | "REHEARSAL_FAILED"; readonly message: string }
  /** `ifEpoch`: only while the configuration is of this epoch (a plan that was looked at is carried out, or nothing). */
  | { readonly kind: "config.edit"; readonly edits: readonly ConfigurationEdit[]; readonly ifEpoch?: number }
  /** A part of a change that is too large for one entry; nothing of it is in force before `upload.commit`. */
  | { readonly kind: "upload.part"; readonly upload: string; readonly number: number; readonly edits: readonly ConfigurationEdit[] }
  /** Applies the edits of all parts as one change. `upload` is the hash of the parts' hashes, in their order. */
  | { readonly kind: "upload.commit"; readonly upload: string; readonly parts: number; readonly ifEpoch?: number }
  | { readonly kind: "upload.drop"; readonly upload: string }
  /** A witness votes and stores; it has no place in the configuration's nodes, so nothing is ever placed there. */
  | { readonly kind: "node.join"; readonly node: string; readonly memberId: MemberId; readonly witness?: boolean }
  /**
   * How many votes the operators want the node to have; 0: it stays a learner. `memberId`: the member that was meant; the
   * node may be another one's by the time this is committed.
   */
  | { readonly kind: "node.votes"; readonly node: string; readonly votes: number; readonly memberId?: MemberId }
  /** `force-new-cluster` was used: this member alone became the cluster by a human's decision (RAFT.md §6). */
  | { readonly kind: "cluster.forced"; readonly memberId: MemberId }
  | { readonly kind: "node.forget"; readonly node: string; readonly memberId?: MemberId }
  /** The node's guardian and daemon are up in this incarnation. `trips`: how often its stop plan was walked to a proven end. */
  | {
      readonly kind: "node.hello";
      readonly memberId: MemberId;
      readonly incarnation: Incarnation;
      readonly guarantee: NodeGuarantee;
      readonly stopBoundMs: number;
      /** The same for what outlives processes (addresses, mounts); absent: as `guarantee`. */
      readonly kernelGuarantee?: NodeGuarantee;
      /** Grows with every greeting of a member, over all its starts: a late one must not undo a newer one. */
      readonly greeting?: number;
      /** Own wall clock minus the cluster's as this member measured it last, milliseconds; absent: not measured yet. */
      readonly clockDifferenceMs?: number;
      /** Tself of this member's settings, milliseconds; absent: as the leader's. */
      readonly selfFenceMs?: number;
      readonly trips: number;
      readonly version: string;
      readonly featureLevelMax: number;
    }
  | { readonly kind: "node.lost"; readonly memberId: MemberId; readonly incarnation: Incarnation; readonly reason: string }
  | { readonly kind: "node.detach"; readonly memberId: MemberId; readonly incarnation: Incarnation; readonly untilMs: number }
  /** A clean goodbye: nothing runs there any more. */
  | { readonly kind: "node.leave"; readonly memberId: MemberId; readonly incarnation: Incarnation }
  | { readonly kind: "attribute.set"; readonly changes: readonly AttributeChange[] }
  /** Decided on the state at `basedOn`; refused when something that matters changed since (`state.voidedAt`). */
  | {
      readonly kind: "intents.commit";
      readonly basedOn: LogIndex;
      readonly transition: number;
      readonly intents: readonly IntentDraft[];
      /** Recurring operations to end, `{resource, node, task, intervalMs}`. */
      readonly cancels: readonly CancelDraft[];
    }
  | {
      readonly kind: "results.record";
      readonly memberId: MemberId;
      readonly incarnation: Incarnation;
      readonly results: readonly OperationResult[];
    }
  /** The node's guardian has acknowledged a stop plan with these resources, made of the state at `basedOn`. */
  | {
      readonly kind: "node.covers";
      readonly memberId: MemberId;
      readonly incarnation: Incarnation;
      readonly basedOn: LogIndex;
      readonly resources: readonly string[];
    }
  | { readonly kind: "history.delete"; readonly selection: HistorySelection }
  | {
      readonly kind: "failcount.set";
      readonly resource: string;
      readonly node: string;
      readonly operation: string | null;
      readonly intervalMs: number | null;
      /** 0 clears. Without an operation only 0 is allowed. */
      readonly value: number;
    }
  | {
      readonly kind: "fencing.request";
      readonly target: string;
      readonly action: FencingAction;
      readonly reason: string;
      readonly source: "policy" | "operator";
      /** For the policy engine's requests as in `intents.commit`; null for the operator's. */
      readonly basedOn: LogIndex | null;
    }
  | { readonly kind: "fencing.attempt"; readonly target: string; readonly request: number; readonly attempt: FencingAttempt }
  | {
      readonly kind: "fencing.result";
      readonly target: string;
      readonly request: number;
      readonly attemptKey: string;
      readonly ok: boolean;
      readonly reason: string | null;
    }
  /** Every device was tried and failed; tried again after `retryAtMs` of the cluster clock. */
  | {
      readonly kind: "fencing.failed";
      readonly target: string;
      readonly request: number;
      readonly reason: string;
      readonly retryAtMs: number;
    }
  /** The policy engine no longer asks for it, and no device is at work. */
  | { readonly kind: "fencing.withdraw"; readonly target: string; readonly request: number; readonly basedOn: LogIndex }
  /** Proof that nothing of this incarnation runs any more. `by`: device id, `tsafe`, or `operator` (confirmed by hand). */
  | {
      readonly kind: "node.fenced";
      readonly target: string;
      /** Null: a node that was never seen. */
      readonly incarnation: Incarnation | null;
      readonly by: string;
      readonly action: FencingAction;
    }
  /** A join token: only the hash of its secret is kept (`io/pki`, `tokenHash`). */
  | { readonly kind: "token.put"; readonly hash: string; readonly expiresMs: number }
  /** Takes the token for one join; refused when unknown, expired or used. */
  | { readonly kind: "token.use"; readonly hash: string; readonly memberId: MemberId }
  /** The leader has carried out everything that follows from the state at `basedOn`: the cluster is idle. */
  | { readonly kind: "transition.done"; readonly basedOn: LogIndex; readonly transition: number; readonly recheckAtMs: number | null }
  | { readonly kind: "policy.failed"; readonly basedOn: LogIndex; readonly code: string; readonly message: string }
  | { readonly kind: "feature.raise"; readonly level: number };

export type CancelDraft = { readonly resource: string; readonly node: string; readonly task: string; readonly intervalMs: number };
