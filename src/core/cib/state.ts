import { type Incarnation, type LogIndex, logIndex, type MemberId, PersistentMap } from "../base/index.ts";
import type { ActionSpec, FencingAction, FencingAttempt, IntentDraft, NodeGuarantee, OperationStatus, StopSpec } from "./commands.ts";
import { type ConfigurationEdit, SECTIONS, type Section } from "./edit.ts";
import type { Element } from "./element.ts";

/** Fencing records kept in the state; older ones are in the archive of applied entries. */
export const FENCING_HISTORY_MAX = 100;
/** Sessions open at once; the one unused for longest gives way. */
export const SESSIONS_MAX = 1024;
/** Answers remembered for one session; a client has at most this many commands under way. */
export const SESSION_WINDOW = 64;
/** A session unused for this long by the cluster clock is closed, milliseconds. */
export const SESSION_IDLE_MAX_MS = 3_600_000;
/** Staged uploads at once; the one unused for longest gives way. */
export const UPLOADS_MAX = 4;
/** Bytes of the parts of all staged uploads together; the ones unused for longest give way, then the part is refused. */
export const UPLOAD_BYTES_MAX = 32 * 1024 * 1024;
/** A staged upload that nobody goes on with is dropped after this long by the cluster clock, milliseconds. */
export const UPLOAD_IDLE_MAX_MS = 600_000;
/** Transient attributes of one node. */
export const ATTRIBUTES_MAX = 4096;
/** Resources with history on one node. */
export const HISTORY_MAX = 4096;
/** Join tokens kept; expired ones are dropped first. */
export const TOKENS_MAX = 256;
/** Intents in flight in the whole cluster. */
export const INTENTS_MAX = 4096;

/** An object of a section and its place: objects are shown in the order in which they were made. */
export type ConfigurationObject = { readonly ordinal: number; readonly element: Element };
export type SectionState = { readonly objects: PersistentMap<ConfigurationObject>; readonly nextOrdinal: number };

/**
 * `never`: known, not seen yet. `lost`: silent, not yet proven down. `fenced`: proven down. `offline`: left cleanly.
 * `detached`: the daemon is away on purpose until `detachedUntilMs`; everything it runs goes on.
 */
export type NodeMembership = "never" | "online" | "lost" | "detached" | "fenced" | "offline";

/** One recorded operation, the `lrm_rsc_op` of Pacemaker (policy/status.md 13.1). */
export type OperationRecord = {
  readonly id: string;
  readonly operation: string;
  readonly intervalMs: number;
  readonly callId: number;
  readonly rc: number;
  readonly expectedRc: number;
  readonly status: OperationStatus;
  readonly exitReason: string | null;
  /** Cluster clock. */
  readonly changedAtMs: number;
  readonly execTimeMs: number;
  readonly digest: string | null;
  readonly transition: number;
  readonly actionId: number;
  readonly migration: { readonly source: string; readonly target: string } | null;
};

/** A recurring operation that the node repeats until it is cancelled or the resource stops. */
export type RecurringOperation = {
  /** Key of the intent that began it. */
  readonly key: string;
  readonly task: string;
  readonly intervalMs: number;
  readonly expectedRc: number;
  readonly digest: string | null;
  readonly action: ActionSpec;
  readonly transition: number;
  readonly actionId: number;
  /** The last of its later runs that was recorded; absent: none was. */
  readonly lastRun?: { readonly member: MemberId; readonly run: number };
};

/** Everything known of one resource on one node. */
export type ResourceHistory = {
  readonly resource: string;
  readonly agentClass: string;
  readonly provider: string | null;
  readonly type: string;
  readonly operations: PersistentMap<OperationRecord>;
  readonly recurring: PersistentMap<RecurringOperation>;
  /** What runs now as far as the last result tells. */
  readonly active: boolean;
  /** Call id of the last successful start or of the probe that found it; a later start stops earlier. */
  readonly startedCall: number;
  /** Was it in the acknowledged stop plan when it started or was found? */
  readonly covered: boolean;
  readonly stop: { readonly action: ActionSpec; readonly spec: StopSpec } | null;
};

export type NodeStatus = {
  readonly name: string;
  /** The id of its `node` element: decimal, given at the join. */
  readonly id: string;
  readonly memberId: MemberId | null;
  /** Votes and stores, runs nothing; unknown to the policy engine (RAFT.md §4). */
  readonly witness?: boolean | undefined;
  /** Votes that the operators want it to have; absent: one. */
  readonly votesWanted?: number | undefined;
  readonly membership: NodeMembership;
  readonly incarnation: Incarnation | null;
  readonly sinceMs: number;
  /**
   * The guardian of this incarnation was promised its deadline until then. It stays when the daemon comes back early:
   * a deadline never moves back, so Tsafe counts from here until the incarnation ends (RAFT.md §7).
   */
  readonly detachedUntilMs: number | null;
  /** Cluster time of the latest such promise: with `detachedUntilMs` its length, which needs no clock to agree. */
  readonly detachedAtMs?: number | undefined;
  readonly guarantee: NodeGuarantee;
  /** What holds for resources with kernel state (RAFT.md §8); absent: as `guarantee`. */
  readonly kernelGuarantee?: NodeGuarantee | undefined;
  readonly greeting?: number | undefined;
  /** Log index just before this incarnation was first greeted. */
  readonly arrivedAt?: LogIndex | undefined;
  readonly clockDifferenceMs?: number | undefined;
  /** The largest Tself that a daemon of this incarnation has told of, milliseconds: its guardian may hold a deadline of it. */
  readonly selfFenceMs?: number | undefined;
  readonly stopBoundMs: number;
  /** Walks of the stop plan that this incarnation has told of; one more proves that everything had stopped. */
  readonly trips: number;
  readonly version: string;
  readonly featureLevelMax: number;
  readonly attributes: PersistentMap<string>;
  readonly history: PersistentMap<ResourceHistory>;
  readonly lastCallId: number;
};

/**
 * The node with every field, those that are absent undefined, and always in this order. Optional fields that appear as
 * they are learnt make dozens of forms of one type, each of which the engine must look up at every read.
 */
export function uniformNode(node: NodeStatus): NodeStatus {
  return {
    name: node.name,
    id: node.id,
    memberId: node.memberId,
    witness: node.witness,
    votesWanted: node.votesWanted,
    membership: node.membership,
    incarnation: node.incarnation,
    sinceMs: node.sinceMs,
    detachedUntilMs: node.detachedUntilMs,
    detachedAtMs: node.detachedAtMs,
    guarantee: node.guarantee,
    kernelGuarantee: node.kernelGuarantee,
    greeting: node.greeting,
    arrivedAt: node.arrivedAt,
    clockDifferenceMs: node.clockDifferenceMs,
    selfFenceMs: node.selfFenceMs,
    stopBoundMs: node.stopBoundMs,
    trips: node.trips,
    version: node.version,
    featureLevelMax: node.featureLevelMax,
    attributes: node.attributes,
    history: node.history,
    lastCallId: node.lastCallId,
    // An optional field that were left out here would be lost without a word.
  } satisfies Record<keyof NodeStatus, unknown>;
}

/** A committed decision to act, until its result is recorded or its incarnation ends. */
export type Intent = IntentDraft & {
  readonly key: string;
  readonly index: LogIndex;
  readonly transition: number;
  readonly committedAtMs: number;
};

export type RunningAttempt = FencingAttempt & { readonly key: string; readonly startedAtMs: number; readonly index: LogIndex };

/** A node that is to be fenced. One at a time per target; further requests join it. */
export type FencingRequest = {
  readonly id: number;
  readonly target: string;
  /** The incarnation it is about; null when the target was never seen. */
  readonly incarnation: Incarnation | null;
  readonly action: FencingAction;
  readonly reason: string;
  readonly source: "policy" | "operator";
  readonly requestedAtMs: number;
  readonly attempts: number;
  readonly current: RunningAttempt | null;
  /** Devices that failed in this round, `level/device`, and those of the present level that succeeded. */
  readonly failed: readonly string[];
  readonly succeeded: readonly string[];
  readonly lastFailure: string | null;
  readonly retryAtMs: number | null;
};

export type FencingRecord = {
  /** Number of the request that this was the end of; absent when there was none. */
  readonly request?: number;
  readonly target: string;
  readonly action: FencingAction;
  readonly reason: string;
  readonly source: "policy" | "operator";
  readonly by: string;
  readonly ok: boolean;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly detail: string | null;
};

export type Session = { readonly client: number; readonly lastUsedMs: number; readonly replies: PersistentMap<CommandResult> };

/** A part of a staged upload: its edits, the SHA-256 of their canonical text and that text's length. */
export type UploadPart = { readonly hash: string; readonly sizeBytes: number; readonly edits: readonly ConfigurationEdit[] };

/** A configuration change that arrives in parts (RAFT.md §6, limits). Nothing of it is in force. */
export type Upload = {
  readonly id: string;
  readonly lastUsedMs: number;
  readonly sizeBytes: number;
  readonly parts: readonly UploadPart[];
};

/** The answer to a command, kept with the session so that a repeated command gets the same one. */
export type CommandResult =
  | { readonly ok: true; readonly index: LogIndex; readonly epoch: number; readonly value: number | null }
  | { readonly ok: false; readonly index: LogIndex; readonly code: RefusalCode; readonly message: string };

/** Ordinary refusals of `apply`; each is listed in docs/errors.md. */
export type RefusalCode =
  | "CLUSTER_EXISTS"
  | "CLUSTER_MISSING"
  | "CIB_CONFLICT"
  | "CIB_INVALID"
  | "NODE_UNKNOWN"
  | "NODE_EXISTS"
  | "NODE_ACTIVE"
  | "NODE_NOT_ONLINE"
  | "MEMBERSHIP_REFUSED"
  | "INCARNATION_OLD"
  | "INCARNATION_FENCED"
  | "FENCING_UNDER_WAY"
  | "FENCING_UNKNOWN"
  | "PLAN_STALE"
  | "INTENT_CONFLICT"
  | "RESOURCE_UNKNOWN"
  | "SESSION_EXPIRED"
  | "REHEARSAL_FAILED"
  | "UPLOAD_INCOMPLETE"
  | "TOKEN_UNKNOWN"
  | "TOKEN_EXPIRED"
  | "TOKEN_USED"
  | "LIMIT_EXCEEDED"
  | "FEATURE_LEVEL";

export type TokenState = { readonly hash: string; readonly expiresMs: number; readonly usedBy: MemberId | null };

export type PolicyFailure = { readonly code: string; readonly message: string; readonly basedOn: LogIndex; readonly atMs: number };

/** Everything that is replicated. Plain immutable data: equal logs give equal states, whatever node applies them. */
export type CibState = {
  /** Index of the last applied entry. */
  readonly index: LogIndex;
  /** Index of the last change that may alter a decision of the policy engine: an older plan is made anew. */
  readonly changedAt: LogIndex;
  /**
   * Index of the last change but one of attributes that only say where things run best: what an older plan has not begun
   * is refused. Were attributes among them, a stream of them would leave no plan in time to begin anything.
   */
  readonly voidedAt: LogIndex;
  readonly clockMs: number;
  readonly cluster: { readonly id: string; readonly name: string; readonly forcedAtMs?: number } | null;
  readonly featureLevel: number;
  /** Counts configuration changes; shown to operators. */
  readonly epoch: number;
  readonly sections: Readonly<Record<Section, SectionState>>;
  readonly nodes: PersistentMap<NodeStatus>;
  readonly intents: PersistentMap<Intent>;
  readonly transition: number;
  /** Set while nothing is left to do: the state it was decided on and when to decide anew. Void once `changedAt` is later. */
  readonly settled: { readonly basedOn: LogIndex; readonly transition: number; readonly recheckAtMs: number | null } | null;
  readonly fencing: PersistentMap<FencingRequest>;
  readonly fencingHistory: readonly FencingRecord[];
  readonly sessions: PersistentMap<Session>;
  readonly tokens: PersistentMap<TokenState>;
  readonly uploads: PersistentMap<Upload>;
  readonly policyFailure: PolicyFailure | null;
  /**
   * The plan that last began actions, and the index at which it did: what another plan does not know of. Snapshots leave
   * it out while there is none; states always have it, so that all are of one shape to V8.
   */
  readonly lastPlan: { readonly transition: number; readonly basedOn: LogIndex; readonly at: LogIndex } | undefined;
};

type Dates = Pick<CibState, "index" | "clockMs" | "changedAt" | "voidedAt">;

/**
 * The state with other dates. Field by field, and once an entry: states that come out of spreads alone have many shapes,
 * and all that reads and copies them is several times slower then.
 */
export function dated(state: CibState, { index, clockMs, changedAt, voidedAt }: Dates): CibState {
  return {
    index,
    changedAt,
    voidedAt,
    clockMs,
    cluster: state.cluster,
    featureLevel: state.featureLevel,
    epoch: state.epoch,
    sections: state.sections,
    nodes: state.nodes,
    intents: state.intents,
    transition: state.transition,
    settled: state.settled,
    fencing: state.fencing,
    fencingHistory: state.fencingHistory,
    sessions: state.sessions,
    tokens: state.tokens,
    uploads: state.uploads,
    policyFailure: state.policyFailure,
    lastPlan: state.lastPlan,
  };
}

export function emptySection(): SectionState {
  return { objects: PersistentMap.empty(), nextOrdinal: 1 };
}

export function emptyState(): CibState {
  const sections: Partial<Record<Section, SectionState>> = {};
  for (const section of SECTIONS) sections[section] = emptySection();
  return {
    index: logIndex(0),
    changedAt: logIndex(0),
    voidedAt: logIndex(0),
    clockMs: 0,
    cluster: null,
    featureLevel: 1,
    epoch: 0,
    sections: sections as Record<Section, SectionState>,
    nodes: PersistentMap.empty(),
    intents: PersistentMap.empty(),
    transition: 0,
    settled: null,
    fencing: PersistentMap.empty(),
    fencingHistory: [],
    sessions: PersistentMap.empty(),
    tokens: PersistentMap.empty(),
    uploads: PersistentMap.empty(),
    policyFailure: null,
    lastPlan: undefined,
  };
}
