import type { Incarnation, LogIndex, MemberId, Random, Term } from "../base/index.ts";

/** Position of an entry (Raft paper, figure 2). */
export type EntryId = { readonly term: Term; readonly index: LogIndex };

/** A member's row in the configuration. */
export type Member = { readonly name: string; readonly addresses: readonly string[]; readonly incarnation: Incarnation | null };

/** The replicated configuration (RAFT.md §9). Votes are data; `outgoing` is empty outside a joint change. */
export type Configuration = {
  readonly voters: ReadonlyMap<MemberId, number>;
  readonly outgoing: ReadonlyMap<MemberId, number>;
  readonly learners: ReadonlySet<MemberId>;
  readonly learnersNext: ReadonlySet<MemberId>;
  readonly witnesses: ReadonlySet<MemberId>;
  readonly autoLeave: boolean;
  readonly members: ReadonlyMap<MemberId, Member>;
};

export type Entry<C> = EntryId &
  (
    | { readonly kind: "empty" }
    /** `sizeBytes`: what `RaftOptions.sizeOf` would say of `data`, where the host knows it without looking. */
    | { readonly kind: "data"; readonly data: C; readonly sizeBytes?: number }
    | { readonly kind: "config"; readonly configuration: Configuration }
  );

export type EntryOf<C> = (id: EntryId, command: C) => Entry<C>;

/** What survives a restart beside the log (Raft paper, figure 2; RAFT.md §6 key `h`). `vote` null: none in this term. */
export type HardState = { readonly term: Term; readonly vote: MemberId | null; readonly commit: LogIndex };

/** A snapshot as the core knows it; its bytes are the host's (RAFT.md §5). `configuration` holds both halves. */
export type SnapshotMeta = {
  readonly last: EntryId;
  readonly configuration: Configuration;
  readonly sizeBytes: number;
  /** SHA-256 of the bytes, lower-case hex. The host computes and verifies it; the core compares it only. */
  readonly hash: string;
};

/** What the store found at start-up, after its own verification (RAFT.md §6). */
export type Restored<C> = {
  readonly hard: HardState;
  /** The log mark: position just before the first kept entry; index 0 of term 0 when nothing was ever deleted. */
  readonly mark: EntryId;
  /**
   * The newest installed or taken snapshot; null before the first. `mark.index` <= `snapshot.last.index`. If the entries
   * end before it (a damaged log) the core starts from the snapshot alone: the host must first drop the stored entries
   * and move the stored mark to `snapshot.last`, or the next write would leave a gap.
   */
  readonly snapshot: SnapshotMeta | null;
  /** Contiguous, `entries[0].index` = `mark.index` + 1. */
  readonly entries: readonly Entry<C>[];
  /** The log was damaged or is shorter than the watermark: no votes, no acks that count, until repaired (RAFT.md §6). */
  readonly recovering: boolean;
};

/** Changes of the membership, applied together as one joint change. `votes` 0 in `voter` means learner. */
export type ConfigChange =
  | { readonly op: "voter"; readonly id: MemberId; readonly votes: number; readonly witness?: boolean; readonly member?: Member }
  | { readonly op: "learner"; readonly id: MemberId; readonly member?: Member }
  | { readonly op: "remove"; readonly id: MemberId }
  /** Replaces a member's row (name, addresses, incarnation) and nothing else. */
  | { readonly op: "member"; readonly id: MemberId; readonly member: Member };

/**
 * `joint`: leaves by itself (the only mode used in production). `joint-explicit`: waits for a `leave`. `simple` and
 * `auto` are etcd's one-step changes; refused unless `RaftOptions.simpleChanges` (conformance data only). `force`
 * is not a mode: `force-new-cluster` is a restored state with a rewritten configuration (`forceNewCluster`).
 */
export type ChangeRequest =
  | { readonly kind: "change"; readonly mode: "joint" | "joint-explicit" | "simple" | "auto"; readonly changes: readonly ConfigChange[] }
  | { readonly kind: "leave" };

/** Every message carries its sender's current term and daemon start counter (RAFT.md §9). */
type Header = { readonly term: Term; readonly boot: number };

/** Health of a member as it says itself; only `normal` voters are counted. */
export type MemberState = "normal" | "recovering" | "learner";

/** Why a request was not accepted. `busy`, `no-leader`, `transferring` and `not-leader` may be retried. */
export type Refusal =
  | "not-leader"
  | "no-leader"
  | "busy"
  | "too-large"
  | "transferring"
  | "removed"
  | "not-ready"
  | "change-pending"
  | "change-invalid"
  | "change-not-joint"
  | "simple-disabled"
  | "catch-up-failed"
  | "limit-members"
  | "limit-voters"
  | "lost-leadership"
  | "target-unknown"
  | "target-behind"
  | "timed-out"
  | "cancelled";

/** Messages between members (RAFT.md §9). All times are the sender's monotonic milliseconds and only echoed to it. */
export type Message<C> =
  /** `forTerm` = the term that would be asked for: the sender's own plus one. */
  | (Header & {
      readonly kind: "preVote";
      readonly forTerm: Term;
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
      readonly configIndex: LogIndex;
    })
  | (Header & { readonly kind: "preVoteReply"; readonly forTerm: Term; readonly granted: boolean; readonly reason: VoteReason | null })
  | (Header & {
      readonly kind: "vote";
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
      readonly configIndex: LogIndex;
      /** The old leader asked for this election: stickiness does not apply. */
      readonly transfer: boolean;
    })
  | (Header & { readonly kind: "voteReply"; readonly granted: boolean; readonly reason: VoteReason | null })
  | (Header & {
      readonly kind: "append";
      readonly prevIndex: LogIndex;
      readonly prevTerm: Term;
      readonly commit: LogIndex;
      readonly entries: readonly Entry<C>[];
    })
  | (Header & {
      readonly kind: "appendReply";
      readonly ok: boolean;
      /** `ok`: last index that equals the leader's and is durable here. Refused: 0. */
      readonly match: LogIndex;
      /** The `prevIndex` that this answers. */
      readonly prevIndex: LogIndex;
      /** Refused: the best position that could match, to skip a whole term at once (Raft paper §5.3). */
      readonly hintIndex: LogIndex;
      readonly hintTerm: Term;
      readonly storeAgeMs: number;
      readonly state: MemberState;
    })
  | (Header & {
      readonly kind: "heartbeat";
      /** min(leader's commit, the peer's match). */
      readonly commit: LogIndex;
      /** The leader's whole commit index, for members that compare their applied state with it (STYLE.md §1, levels). */
      readonly leaderCommit: LogIndex;
      readonly round: number;
      /** Age of the leader's last quorum-confirmed round at sending, ms; null before the first in this term. */
      readonly quorumAgeMs: number | null;
      /** The last `nonceMs` that the leader got from this peer in this term; null before the first. */
      readonly echoMs: number | null;
      /** The peer's boot that the echo came from: a clock of an earlier boot proves nothing. */
      readonly echoBoot: number;
    })
  | (Header & {
      readonly kind: "heartbeatReply";
      readonly round: number;
      /** The replier's own clock at sending; comes back as `echoMs`. */
      readonly nonceMs: number;
      readonly storeAgeMs: number;
      readonly applied: LogIndex;
      readonly state: MemberState;
    })
  | (Header & {
      readonly kind: "snapChunk";
      readonly snapshot: SnapshotMeta;
      readonly offset: number;
      readonly length: number;
      /** In `Ready.sendNow` null: the host fills it from its stored snapshot just before encoding. Received: the bytes. */
      readonly data: Uint8Array | null;
    })
  | (Header & {
      readonly kind: "snapReply";
      readonly last: EntryId;
      readonly nextOffset: number;
      /** The snapshot is durable and in force; the sender's log now starts there. */
      readonly done: boolean;
      readonly reason: "hash" | "stale" | "busy" | null;
    })
  | (Header & { readonly kind: "timeoutNow"; readonly lastIndex: LogIndex })
  | (Header & { readonly kind: "readIndex"; readonly context: number })
  | (Header & {
      readonly kind: "readIndexReply";
      readonly context: number;
      readonly forBoot: number;
      readonly index: LogIndex;
      readonly reason: Refusal | null;
    })
  | (Header & { readonly kind: "propose"; readonly context: number; readonly commands: readonly C[] })
  | (Header & {
      readonly kind: "proposeReply";
      readonly context: number;
      readonly forBoot: number;
      /** Position of the first appended entry; null when refused. */
      readonly first: EntryId | null;
      readonly reason: Refusal | null;
      readonly leader: MemberId | null;
    })
  | (Header & { readonly kind: "change"; readonly context: number; readonly request: ChangeRequest })
  | (Header & { readonly kind: "changeReply"; readonly context: number; readonly forBoot: number; readonly outcome: ChangeOutcome })
  | (Header & { readonly kind: "removed"; readonly configIndex: LogIndex });

/** Why a vote was refused; for people and tests. A sticky or just restarted voter gives no answer at all. */
export type VoteReason = "log" | "voted" | "term" | "recovering";

export type Envelope<C> = { readonly to: MemberId; readonly message: Message<C> };

/**
 * Everything that reaches the core. A run is a list of these: it can be saved, cut down and replayed.
 * `nowMs` = integer monotonic milliseconds of this node; inputs without it happen at the latest one seen.
 * `context` = a number that the host chooses, unique in its boot; it comes back in `Ready.answers` or `Ready.reads`.
 */
export type Input<C> =
  | { readonly kind: "tick"; readonly nowMs: number }
  | { readonly kind: "message"; readonly nowMs: number; readonly from: MemberId; readonly message: Message<C> }
  /** All commands are appended, or none. A follower forwards them to the leader it knows. */
  | { readonly kind: "propose"; readonly context: number; readonly commands: readonly C[] }
  | { readonly kind: "proposeChange"; readonly context: number; readonly request: ChangeRequest }
  /**
   * `nowMs` is needed for a lease read: a process that was paused must not judge its lease by the clock of before. Without
   * it leadership is always confirmed by a round.
   */
  | { readonly kind: "readIndex"; readonly context: number; readonly nowMs?: number }
  /** Hands leadership over; `to` null = the caught-up member with the most recent answer. Only on the leader. */
  | { readonly kind: "transfer"; readonly context: number; readonly to: MemberId | null }
  /** The election timer fires now. */
  | { readonly kind: "campaign"; readonly nowMs: number }
  /** The disk has answered: `Ready.ticket` of the batch (or of the last of a merged run) given back as it was. In order. */
  | { readonly kind: "stored"; readonly nowMs: number; readonly ticket: WriteTicket }
  /** The host has checked the SHA-256 of the received chunks of `last` (asked for by `Ready.verify`). */
  | { readonly kind: "snapshotVerified"; readonly last: EntryId; readonly ok: boolean }
  /** The state machine has applied (or loaded a snapshot) up to `index`. */
  | { readonly kind: "applied"; readonly index: LogIndex }
  /** The host took a snapshot at an applied index and holds it durably; the core answers with `Ready.compactTo`. */
  | { readonly kind: "snapshotTaken"; readonly snapshot: SnapshotMeta }
  /** Transport's view of the link; down turns the peer to probing at once (no data is lost by a wrong report). */
  | { readonly kind: "link"; readonly peer: MemberId; readonly up: boolean }
  /** The host knows that the leader is gone (its links refused, all nodes of it fenced): stop being sticky. */
  | { readonly kind: "forgetLeader" }
  /** Replaces the drawn length of the present election wait (replays of foreign test data). */
  | { readonly kind: "electionTimeout"; readonly timeoutMs: number };

/** Names one batch of a `Ready`. `stored` gives it back; acks of an older term do not count (RAFT.md §1, ABA race). */
export type WriteTicket = {
  readonly sequence: number;
  readonly askedInTerm: Term;
  /** Last entry of the log when the batch was handed out: all up to here is durable once it is stored. */
  readonly last: EntryId;
  readonly hard: HardState | null;
  /** Set when the batch installs a snapshot. */
  readonly snapshot: EntryId | null;
};

/** What became of a change. `done.index`: the configuration entry (for a joint change: of leaving). */
export type ChangeOutcome =
  | { readonly kind: "done"; readonly index: LogIndex }
  | { readonly kind: "refused"; readonly reason: Refusal; readonly detail: string; readonly leader: MemberId | null };

export type Answer =
  | { readonly kind: "proposal"; readonly context: number; readonly outcome: ProposalOutcome }
  | { readonly kind: "change"; readonly context: number; readonly outcome: ChangeOutcome }
  | { readonly kind: "transfer"; readonly context: number; readonly outcome: TransferOutcome };

/**
 * `appended` is not committed: the entry counts when `commit` hands out an entry with this very term and index; another
 * term at that index means it was lost. A forwarded proposal may get no answer at all (the host times out: unknown).
 */
export type ProposalOutcome =
  | { readonly kind: "appended"; readonly first: EntryId }
  | { readonly kind: "refused"; readonly reason: Refusal; readonly leader: MemberId | null };

export type TransferOutcome =
  | { readonly kind: "done"; readonly to: MemberId }
  | { readonly kind: "refused"; readonly reason: Refusal; readonly leader: MemberId | null };

/** A linearisable read: once handed out with `index`, the state applied up to `index` or later may be read. */
export type ReadOutcome =
  | { readonly kind: "ready"; readonly context: number; readonly index: LogIndex; readonly lease: boolean }
  | { readonly kind: "refused"; readonly context: number; readonly reason: Refusal; readonly leader: MemberId | null };

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

export type SoftState = { readonly role: Role; readonly leader: MemberId | null; readonly term: Term; readonly recovering: boolean };

/**
 * What the host owes the core, in this order: `sendNow` leaves at once; if `ticket` is set, ONE synced write of `hard`,
 * `entries` and `snapshot`; then `sendAfter`; then the input `stored` with `ticket`. `commit` may be applied at once.
 * A ticket without `hard`, entries and snapshot needs no write of its own: its `sendAfter` waits for the earlier ones.
 * While a write is under way the host keeps calling `ready()` for `sendNow`, and joins waiting batches by `mergeReady`.
 */
export type Ready<C> = {
  readonly ticket: WriteTicket | null;
  readonly hard: HardState | null;
  /** To append; the first one may overwrite stored entries from its index on (truncate, then write). */
  readonly entries: readonly Entry<C>[];
  /** Install: pointer to the verified chunks, `hard` and the log mark in the same write. */
  readonly snapshot: SnapshotInstall | null;
  readonly sendNow: readonly Envelope<C>[];
  readonly sendAfter: readonly Envelope<C>[];
  /** Committed entries, each handed out once and in order. Entries at or below an installed snapshot never come. */
  readonly commit: readonly Entry<C>[];
  readonly reads: readonly ReadOutcome[];
  readonly answers: readonly Answer[];
  /** Chunks of an incoming snapshot to keep (before `sendAfter` leaves); the last one synced. Offset 0 begins anew. */
  readonly chunks: readonly SnapshotChunk[];
  /** All chunks are there: check the hash of the whole, then answer with `snapshotVerified`. */
  readonly verify: SnapshotMeta | null;
  /** Drop stored entries up to and including this position, in slices, unsynced (RAFT.md §5); the log mark first. */
  readonly compactTo: EntryId | null;
  /** The repaired log is whole again: clear the durable mark of damage after this batch's write. */
  readonly recovered: boolean;
  /** Present when it changed. */
  readonly soft: SoftState | null;
};

export type SnapshotInstall = {
  readonly meta: SnapshotMeta;
  /**
   * False: delete the whole stored log. This core never says true: when its log already holds the snapshot's last
   * entry it moves its commit index instead of installing, which keeps the suffix without a write.
   */
  readonly keepSuffix: boolean;
};

export type SnapshotChunk = { readonly snapshot: SnapshotMeta; readonly offset: number; readonly data: Uint8Array };

/** Progress of one peer as its leader sees it, and when this node heard it in any role. */
export type PeerStatus = {
  readonly mode: "probe" | "replicate" | "snapshot";
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly paused: boolean;
  readonly inflight: number;
  readonly inflightBytes: number;
  /** Last index of the snapshot that is being sent; null outside mode `snapshot`. */
  readonly pendingSnapshot: LogIndex | null;
  readonly snapshotOffset: number;
  readonly active: boolean;
  readonly learner: boolean;
  readonly state: MemberState;
  readonly storeAgeMs: number;
  readonly applied: LogIndex;
  /** Own clock, any message in any role (node loss, RAFT.md §7); null = never since start. */
  readonly lastHeardMs: number | null;
  /** Own clock, last answer to this leader in this term, of any boot, or when it became a member in this term; null = none (Tsafe counts from it). */
  readonly lastAnswerMs: number | null;
};

export type Status = {
  readonly id: MemberId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: MemberId | null;
  readonly leader: MemberId | null;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  /** Commit index of the leader by its latest heartbeat; own commit index on the leader. */
  readonly leaderCommit: LogIndex;
  /** Own clock at the latest heartbeat or append of the current leader; null = none. */
  readonly leaderHeardMs: number | null;
  readonly last: EntryId;
  /** Last index known durable here. */
  readonly stored: LogIndex;
  readonly first: LogIndex;
  /** Bytes of the entries after the newest snapshot: when it is large enough, the host takes the next one (RAFT.md §5). */
  readonly logBytes: number;
  readonly snapshot: SnapshotMeta | null;
  readonly configuration: Configuration;
  readonly configIndex: LogIndex;
  readonly recovering: boolean;
  readonly removed: boolean;
  /** Age of the oldest unfinished write, ms; 0 = none. */
  readonly storeAgeMs: number;
  readonly storeStalled: boolean;
  /** Leader: own clock when the last quorum-confirmed round was sent; null = none in this term, or not leader. */
  readonly quorumRoundMs: number | null;
  /** When this term's election was won, own clock; null unless leader. */
  readonly leaderSinceMs: number | null;
  /** s - A(1+rho) of RAFT.md §7, best so far in `leaseTerm`; the deadline D is this + Tself. null = no proof yet. */
  readonly leaseBaseMs: number | null;
  readonly leaseTerm: Term;
  /** Lease reads are safe before this; null = none (off, not leader, or revoked by a transfer). */
  readonly readLeaseUntilMs: number | null;
  readonly transferTarget: MemberId | null;
  /** Leader: an entry of its own term is committed, so reads and changes are served. */
  readonly ready: boolean;
  readonly peers: ReadonlyMap<MemberId, PeerStatus>;
};

/** Milliseconds (RAFT.md §7). `electionMs` is E: timeouts are drawn from [E, 2E). */
export type Timing = {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  /**
   * A commit index that advanced waits this long for an append to ride on before it goes out alone (RAFT.md §2 feature 15:
   * within one tick). 0: at once.
   */
  readonly commitHintMs: number;
  /** A write older than this makes a leader hand over. */
  readonly storeStallMs: number;
  /** A write faster than this counts as healthy again ... */
  readonly storeHealthyMs: number;
  /** ... after this long without a slow one. */
  readonly storeRecoveryMs: number;
};

/** All byte counts by `RaftOptions.sizeOf` plus `ENTRY_OVERHEAD_BYTES` an entry. */
export type Limits = {
  readonly inflightMessages: number;
  readonly inflightBytes: number;
  /**
   * With so many appends in flight a further one leaves only when it is full: a follower writes one batch while the next
   * gathers, so more messages would carry the same entries to the same two writes.
   */
  readonly inflightPartial: number;
  readonly appendBytes: number;
  readonly entryBytes: number;
  readonly uncommittedEntries: number;
  readonly uncommittedBytes: number;
  readonly unappliedBytes: number;
  readonly chunkBytes: number;
  /**
   * Entries kept behind a snapshot for slow followers: at most as many bytes as the snapshot has, which a follower that has
   * missed more gets instead, but `keepBytes` in any case and never above `keepBytesMax`. A start reads them all.
   */
  readonly keepEntries: number;
  readonly keepBytes: number;
  readonly keepBytesMax: number;
  readonly pendingReads: number;
  readonly voters: number;
  readonly members: number;
};

/** Deliberate defects, set by tests only, to prove that the explorer and the simulator find them. */
export type SeededFault =
  | "count-nodes"
  | "commit-old-term"
  | "ack-before-sync"
  | "vote-not-persisted"
  | "accept-old-boot"
  | "count-recovering"
  | "keep-lease-on-transfer"
  | "single-step-votes"
  | "stale-stored-ack";

export type RaftOptions<C> = {
  readonly id: MemberId;
  /** Daemon start counter, persisted by the host before the first message; strictly grows on one member id. */
  readonly boot: number;
  /** Own clock at start; a voter grants nothing for E after it (RAFT.md §2 feature 5). */
  readonly startMs: number;
  readonly random: Random;
  readonly restored: Restored<C>;
  /** Size of a command in bytes as it will be encoded (flow control and limits). */
  readonly sizeOf: (command: C) => number;
  /** Makes the entry of a command that this leader appends; default: a plain one. A host may hold it as bytes. */
  readonly entryOf?: EntryOf<C>;
  readonly timing?: Partial<Timing>;
  readonly limits?: Partial<Limits>;
  /** Default true. False only in conformance data. */
  readonly preVote?: boolean;
  /** Check-quorum and stickiness. Default true. False only in conformance data. */
  readonly checkQuorum?: boolean;
  /** Default true: no vote for E after a start. False only where no lease can be outstanding (a first start, tests). */
  readonly restartWait?: boolean;
  /** Default false (RAFT.md §2 feature 17). */
  readonly leaseReads?: boolean;
  /** Rounds to bring a new voter up to date before it votes; default 10; 0 = at once (conformance data). */
  readonly catchUpRounds?: number;
  /** Default false: one-step changes are refused. */
  readonly simpleChanges?: boolean;
  /** A leader that was removed asks the best member to take over; default true. */
  readonly handOverOnRemoval?: boolean;
  /** False: a removed leader goes on until somebody else leads (conformance data); default true. */
  readonly stepDownOnRemoval?: boolean;
  /** Hand out committed entries before the own write of them has finished; default true (RAFT.md §2 feature 13). */
  readonly applyUnstored?: boolean;
  /** Test only. */
  readonly seededFaults?: ReadonlySet<SeededFault>;
};

/** One server of the consensus algorithm. Pure: the same inputs give bit-identical outputs. */
export interface RaftCore<C> {
  /** Feeds one event. Throws `InvariantError` on a defect, after which the core must not be used. */
  step(input: Input<C>): void;
  /** Takes the pending output, at most one batch; everything empty when there is none. */
  ready(): Ready<C>;
  hasReady(): boolean;
  /** Own clock at which the next `tick` matters; Infinity when only outside events matter. */
  nextWakeMs(): number;
  status(): Status;
  /** The present term: what `status` shows, for those who need nothing else of it. */
  term(): Term;
  /** The configuration in force at a committed index that the log or snapshot still covers, for `SnapshotMeta`. */
  configurationAt(index: LogIndex): Configuration;
  /** Position of a kept entry, the mark or the snapshot; null when not known. */
  entryId(index: LogIndex): EntryId | null;
  /** Kept entries in [from, to], for archives and gaps; at most `appendBytes` of them. */
  entriesFrom(from: LogIndex, to: LogIndex): readonly Entry<C>[];
}

/** The type of `createRaft`, for hosts that take the core as an argument. */
export type CreateRaft = <C>(options: RaftOptions<C>) => RaftCore<C>;
