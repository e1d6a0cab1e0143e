import { invariant, type LogIndex, logIndex, type MemberId, type Random, type Term } from "../base/index.ts";
import { isMember, memberIds, votesOf } from "./configuration.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING } from "./limits.ts";
import { configIndex, configuration, lastIndex, type RaftLog, restoreLog, termAt } from "./log.ts";
import { firstNext, newPeer, type Peer } from "./progress.ts";
import type { Half, Halves } from "./quorum.ts";
import type {
  Answer,
  ChangeRequest,
  Configuration,
  EntryId,
  Envelope,
  Limits,
  MemberState,
  Message,
  RaftOptions,
  ReadOutcome,
  Refusal,
  Role,
  SeededFault,
  SnapshotChunk,
  SnapshotMeta,
  SoftState,
  Timing,
} from "./types.ts";

/** The options with every default filled in; never changes. */
export type Settings = {
  readonly id: MemberId;
  readonly boot: number;
  readonly startMs: number;
  readonly timing: Timing;
  readonly limits: Limits;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly restartWait: boolean;
  readonly leaseReads: boolean;
  readonly catchUpRounds: number;
  readonly simpleChanges: boolean;
  readonly handOverOnRemoval: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly applyUnstored: boolean;
  readonly faults: ReadonlySet<SeededFault>;
};

/** Where an answer goes: to the own host, or back to the member that forwarded the request. */
export type Origin = { readonly context: number; readonly member: MemberId | null; readonly boot: number };

/** A read that waits for a round to confirm leadership, then for the state machine. */
export type WaitingRead = { readonly origin: Origin; readonly index: LogIndex; readonly round: number; readonly sinceMs: number };

export type CatchUp = { readonly id: MemberId; round: number; target: LogIndex; startMs: number; done: boolean };

/** A membership change under way on the leader. Lost with leadership; the log holds what was appended. */
export type PendingChange = {
  readonly origin: Origin;
  readonly request: ChangeRequest & { readonly kind: "change" };
  phase: "learners" | "catch-up" | "joint";
  catchUps: CatchUp[];
};

export type Transfer = { readonly origin: Origin | null; to: MemberId; readonly startMs: number; sent: boolean };

/** What only a leader has; made anew at each election. */
export type Leadership = {
  readonly sinceMs: number;
  round: number;
  rounds: { readonly round: number; readonly sentMs: number }[];
  confirmedRound: number;
  /** When the last quorum-confirmed round was sent (own clock). */
  quorumRoundMs: number | null;
  nextHeartbeatMs: number;
  /** When followers that know an older commit index are told of the present one; null: all know it. */
  hintDueMs: number | null;
  leaseRevoked: boolean;
  transfer: Transfer | null;
  change: PendingChange | null;
  leave: { readonly origin: Origin; readonly index: LogIndex } | null;
  reads: WaitingRead[];
  /** Sum of the sizes of the entries after the commit index, for the limit of RAFT.md §6. */
  uncommittedBytes: number;
};

/** The snapshot that is being received. */
export type Incoming = { readonly meta: SnapshotMeta; readonly from: MemberId; nextOffset: number; verifying: boolean };

export type Outbox<C> = {
  sendNow: Envelope<C>[];
  sendAfter: Envelope<C>[];
  reads: ReadOutcome[];
  answers: Answer[];
  chunks: SnapshotChunk[];
  verify: SnapshotMeta | null;
  snapshot: SnapshotMeta | null;
  compactTo: EntryId | null;
  recovered: boolean;
};

/**
 * The whole mutable state of one server, as plain data: the explorer copies and hashes it. Only the functions of this
 * room touch it.
 */
export type Server<C> = {
  readonly settings: Settings;
  readonly random: Random;
  now: number;
  term: Term;
  vote: MemberId | null;
  hardDirty: boolean;
  role: Role;
  leader: MemberId | null;
  log: RaftLog<C>;
  commit: LogIndex;
  /** Last index handed out by `Ready.commit`, or covered by an installed snapshot. */
  handedOut: LogIndex;
  applied: LogIndex;
  unappliedBytes: number;
  /** A received snapshot must be applied up to here before any later entry is handed out. */
  applyFloor: LogIndex;
  electionStartMs: number;
  electionTimeoutMs: number;
  leaderHeardMs: number | null;
  leaderCommit: LogIndex;
  /** Last index known to equal the present leader's log. */
  verified: LogIndex;
  votes: Map<MemberId, boolean>;
  recovering: boolean;
  /** Commit index of a leader that knows this boot, while recovering; the log must reach it. null = none heard. */
  recoverTo: LogIndex | null;
  removed: boolean;
  peers: Map<MemberId, Peer>;
  boots: Map<MemberId, number>;
  leadership: Leadership | null;
  /** A transfer that this server gave up its office for; answered when the next leader is known. */
  departing: Transfer | null;
  forwardedReads: { readonly context: number; readonly sinceMs: number }[];
  confirmedReads: { readonly context: number; readonly index: LogIndex; readonly lease: boolean }[];
  incoming: Incoming | null;
  leaseBaseMs: number | null;
  leaseTerm: Term;
  tickets: { readonly sequence: number; readonly handedMs: number }[];
  nextSequence: number;
  slowWriteMs: number | null;
  stalled: boolean;
  out: Outbox<C>;
  softLast: SoftState | null;
};

export function emptyOutbox<C>(): Outbox<C> {
  return {
    sendNow: [],
    sendAfter: [],
    reads: [],
    answers: [],
    chunks: [],
    verify: null,
    snapshot: null,
    compactTo: null,
    recovered: false,
  };
}

function settingsOf<C>(options: RaftOptions<C>): Settings {
  return {
    id: options.id,
    boot: options.boot,
    startMs: options.startMs,
    timing: { ...DEFAULT_TIMING, ...options.timing },
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    preVote: options.preVote ?? true,
    checkQuorum: options.checkQuorum ?? true,
    restartWait: options.restartWait ?? true,
    leaseReads: options.leaseReads ?? false,
    catchUpRounds: options.catchUpRounds ?? 10,
    simpleChanges: options.simpleChanges ?? false,
    handOverOnRemoval: options.handOverOnRemoval ?? true,
    stepDownOnRemoval: options.stepDownOnRemoval ?? true,
    applyUnstored: options.applyUnstored ?? true,
    faults: options.seededFaults ?? new Set<SeededFault>(),
  };
}

/** A server as it starts: a follower that knows no leader. */
export function startServer<C>(options: RaftOptions<C>): Server<C> {
  const { restored } = options;
  invariant(Number.isSafeInteger(options.id) && options.id > 0, "a member id is a positive integer");
  invariant(Number.isSafeInteger(options.boot) && options.boot > 0, "the boot counter starts at 1");
  const log = restoreLog(restored, options.sizeOf, options.entryOf);
  const snapshotIndex = log.snapshot?.last.index ?? logIndex(0);
  const last = lastIndex(log);
  invariant(
    restored.recovering || restored.hard.commit <= last,
    `the log ends at ${last}, before the commit index ${restored.hard.commit}`,
  );
  const server: Server<C> = {
    settings: settingsOf(options),
    random: options.random,
    now: options.startMs,
    term: restored.hard.term,
    vote: restored.hard.vote,
    hardDirty: false,
    role: "follower",
    leader: null,
    log,
    commit: logIndex(Math.max(snapshotIndex, Math.min(restored.hard.commit, last))),
    handedOut: snapshotIndex,
    applied: snapshotIndex,
    unappliedBytes: 0,
    applyFloor: logIndex(0),
    electionStartMs: options.startMs,
    electionTimeoutMs: 0,
    leaderHeardMs: null,
    leaderCommit: logIndex(0),
    verified: logIndex(0),
    votes: new Map(),
    recovering: restored.recovering,
    recoverTo: null,
    removed: false,
    peers: new Map(),
    boots: new Map(),
    leadership: null,
    departing: null,
    forwardedReads: [],
    confirmedReads: [],
    incoming: null,
    leaseBaseMs: null,
    leaseTerm: restored.hard.term,
    tickets: [],
    nextSequence: 1,
    slowWriteMs: null,
    stalled: false,
    out: emptyOutbox(),
    softLast: null,
  };
  trackPeers(server);
  restartElectionTimer(server);
  return server;
}

export function config<C>(server: Server<C>): Configuration {
  return configuration(server.log);
}

/** The halves of the configuration in force. The seeded fault counts nodes, as a careless implementation would. */
export function halves<C>(server: Server<C>): Halves {
  const { voters, outgoing } = config(server);
  if (!server.settings.faults.has("count-nodes")) return { voters, outgoing };
  const flat = (half: Half): Half => new Map([...half.keys()].map((id) => [id, 1] as const));
  return { voters: flat(voters), outgoing: flat(outgoing) };
}

/** Votes of a member now, in the stronger of both halves. */
export function votes<C>(server: Server<C>, id: MemberId): number {
  return votesOf(config(server), id);
}

export function isWitness<C>(server: Server<C>, id: MemberId): boolean {
  return config(server).witnesses.has(id);
}

/** True if the configuration in force is committed: only then may the next one be proposed. */
export function configCommitted<C>(server: Server<C>): boolean {
  return configIndex(server.log) <= server.commit;
}

/** True once this leader has committed an entry of its own term (RAFT.md §2 features 2, 7 and 16). */
export function leaderReady<C>(server: Server<C>): boolean {
  return server.role === "leader" && termAt(server.log, server.commit) === server.term;
}

export function memberState<C>(server: Server<C>): MemberState {
  if (server.recovering) return "recovering";
  return votes(server, server.settings.id) > 0 ? "normal" : "learner";
}

/** Peers in ascending id: the one order in which they are ever walked. */
export function peersInOrder<C>(server: Server<C>): readonly Peer[] {
  return [...server.peers.values()];
}

/** Makes the table of peers equal to the configuration in force: keeps who stays, drops who left both halves. */
export function trackPeers<C>(server: Server<C>): void {
  const known = server.peers;
  const next = new Map<MemberId, Peer>();
  const current = config(server);
  for (const id of memberIds(current)) {
    if (id === server.settings.id) continue;
    const peer = known.get(id) ?? freshPeer(server, id);
    next.set(id, peer);
  }
  server.peers = next;
  if (isMember(current, server.settings.id)) server.removed = false;
}

function freshPeer<C>(server: Server<C>, id: MemberId): Peer {
  const peer = newPeer(id, firstNext(lastIndex(server.log)));
  // A member that has just been added gets one election timeout before check-quorum counts it as silent. It counts as
  // having answered, because its host may hold a deadline from an earlier membership (Tsafe, RAFT.md §7).
  if (server.role === "leader") {
    peer.contactMs = server.now;
    peer.lastAnswerMs = server.now;
  }
  return peer;
}

/** Starts a new wait with a new draw from [E, 2E); a witness waits twice as long (RAFT.md §2 feature 1, §4). */
export function restartElectionTimer<C>(server: Server<C>): void {
  const { electionMs } = server.settings.timing;
  const drawn = electionMs + Math.floor(server.random.fraction() * electionMs);
  server.electionStartMs = server.now;
  server.electionTimeoutMs = isWitness(server, server.settings.id) ? drawn * 2 : drawn;
}

type WithoutHeader<T> = T extends unknown ? Omit<T, "term" | "boot"> : never;
/** A message before its header (term and boot of the sender) is filled in. */
export type Body<C> = WithoutHeader<Message<C>>;

/** Completes a body in place: it was made for this message alone, and a copy costs more than all else of a heartbeat. */
function withHeader<C>(server: Server<C>, body: Body<C>): Message<C> {
  const message = body as { term?: Term; boot?: number };
  message.term = server.term;
  message.boot = server.settings.boot;
  return message as Message<C>;
}

/** Sends something that promises nothing about the disk. */
export function sendNow<C>(server: Server<C>, to: MemberId, body: Body<C>): void {
  server.out.sendNow.push({ to, message: withHeader(server, body) });
}

/** Sends a promise: it leaves only when everything up to now is durable (RAFT.md §6, table). */
export function sendAfter<C>(server: Server<C>, to: MemberId, body: Body<C>): void {
  const queue = server.settings.faults.has("ack-before-sync") ? server.out.sendNow : server.out.sendAfter;
  queue.push({ to, message: withHeader(server, body) });
}

/** Age of the oldest unfinished write, milliseconds; 0 = none. */
export function storeAgeMs<C>(server: Server<C>): number {
  const oldest = server.tickets[0];
  return oldest === undefined ? 0 : server.now - oldest.handedMs;
}

/** What others are told: a store that has not recovered from a stall is no target for a transfer either. */
export function reportedStoreAgeMs<C>(server: Server<C>): number {
  return server.stalled ? Math.max(storeAgeMs(server), server.settings.timing.storeStallMs) : storeAgeMs(server);
}

export function ownOrigin<C>(server: Server<C>, context: number): Origin {
  return { context, member: null, boot: server.settings.boot };
}

export function refuseRead<C>(server: Server<C>, origin: Origin, reason: Refusal): void {
  if (origin.member === null) server.out.reads.push({ kind: "refused", context: origin.context, reason, leader: server.leader });
  else {
    const { context, boot, member } = origin;
    sendNow(server, member, { kind: "readIndexReply", context, forBoot: boot, index: logIndex(0), reason });
  }
}

/** Sets a peer's match for counting: a recovering member's acks do not count (RAFT.md §6). */
export function countedMatch<C>(server: Server<C>, peer: Peer): LogIndex {
  if (peer.state === "recovering" && !server.settings.faults.has("count-recovering")) return logIndex(0);
  return peer.match;
}
