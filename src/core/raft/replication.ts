import { invariant, type LogIndex, logIndex, type MemberId } from "../base/index.ts";
import { heardLeader } from "./election.ts";
import { noteAnswer } from "./leadership.ts";
import { ENTRY_OVERHEAD_BYTES } from "./limits.ts";
import {
  appendEntries,
  bytesBetween,
  configIndex,
  entryBytes,
  lastIndex,
  lastWithTermAtMost,
  sizeAt,
  sliceEntries,
  termAt,
  truncateFrom,
} from "./log.ts";
import { afterCommit, driveCatchUp } from "./membership.ts";
import { becomeReplicate, freeWindow, lowerNext, type Peer, raiseMatch, resetPeer, sentAppend, windowFull } from "./progress.ts";
import { committedIndex } from "./quorum.ts";
import { sendChunk, startSnapshot } from "./snapshots.ts";
import {
  countedMatch,
  halves,
  isWitness,
  type Leadership,
  memberState,
  type Origin,
  ownOrigin,
  reportedStoreAgeMs,
  type Server,
  sendAfter,
  sendNow,
  trackPeers,
  votes,
} from "./state.ts";
import { driveTransfer } from "./transfer.ts";
import type { Entry, Message, ProposalOutcome, Refusal } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;

/** Takes commands of the own host: appended here by the leader, passed on by a follower that knows one. */
export function propose<C>(server: Server<C>, context: number, commands: readonly C[]): void {
  invariant(commands.length > 0, "a proposal carries at least one command");
  if (server.leadership === null && server.leader !== null) {
    if (!fitsMessage(server, commands)) {
      answerProposal(server, ownOrigin(server, context), { kind: "refused", reason: "too-large", leader: server.leader });
      return;
    }
    sendNow(server, server.leader, { kind: "propose", context, commands });
    return;
  }
  answerProposal(server, ownOrigin(server, context), appendCommands(server, commands));
}

/** What is passed on travels as one message: more than the leader takes as one entry might not even fit a frame (RAFT.md §9). */
function fitsMessage<C>(server: Server<C>, commands: readonly C[]): boolean {
  const { limits } = server.settings;
  return commands.reduce((sum, command) => sum + ENTRY_OVERHEAD_BYTES + server.log.sizeOf(command), 0) <= limits.entryBytes;
}

/** A member passes on what its own client wants. */
export function onPropose<C>(server: Server<C>, from: MemberId, message: OfKind<C, "propose">): void {
  if (message.commands.length === 0) return;
  const origin: Origin = { context: message.context, member: from, boot: message.boot };
  answerProposal(server, origin, appendCommands(server, message.commands));
}

function answerProposal<C>(server: Server<C>, origin: Origin, outcome: ProposalOutcome): void {
  const { context, member, boot } = origin;
  if (member === null) {
    server.out.answers.push({ kind: "proposal", context, outcome });
    return;
  }
  const appended = outcome.kind === "appended";
  sendNow(server, member, {
    kind: "proposeReply",
    context,
    forBoot: boot,
    first: appended ? outcome.first : null,
    reason: appended ? null : outcome.reason,
    leader: server.leader,
  });
}

export function onProposeReply<C>(server: Server<C>, message: OfKind<C, "proposeReply">): void {
  if (message.forBoot !== server.settings.boot) return;
  const { context, first, reason, leader } = message;
  const outcome: ProposalOutcome =
    first === null ? { kind: "refused", reason: reason ?? "not-leader", leader } : { kind: "appended", first };
  server.out.answers.push({ kind: "proposal", context, outcome });
}

function appendCommands<C>(server: Server<C>, commands: readonly C[]): ProposalOutcome {
  const { leadership, leader } = server;
  if (leadership === null) return { kind: "refused", reason: leader === null ? "no-leader" : "not-leader", leader };
  const from = lastIndex(server.log) + 1;
  const entries = commands.map((data, offset) => server.log.entryOf({ term: server.term, index: logIndex(from + offset) }, data));
  const sizes = entries.map((entry) => entryBytes(entry, server.log.sizeOf));
  const refusal = refuseCommands(server, leadership, sizes);
  if (refusal !== null) return { kind: "refused", reason: refusal, leader };
  appendEntries(server.log, entries);
  for (const size of sizes) leadership.uncommittedBytes += size;
  return { kind: "appended", first: { term: server.term, index: logIndex(from) } };
}

function refuseCommands<C>(server: Server<C>, leadership: Leadership, sizes: readonly number[]): Refusal | null {
  const { limits, id } = server.settings;
  // A witness leads only until a better member can (RAFT.md §4).
  if (leadership.transfer !== null || isWitness(server, id)) return "transferring";
  if (votes(server, id) === 0) return "removed";
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.some((size) => size > limits.entryBytes)) return "too-large";
  const waiting = lastIndex(server.log) - server.commit;
  if (waiting === 0) return null;
  if (waiting + sizes.length > limits.uncommittedEntries || leadership.uncommittedBytes + total > limits.uncommittedBytes) return "busy";
  return null;
}

/** False: `flush` would send nothing and note nothing. Most of what a leader hears are answers that ask for nothing. */
export function mayFlush<C>(server: Server<C>, leadership: Leadership): boolean {
  if (leadership.hintDueMs !== null) return true;
  const last = lastIndex(server.log);
  for (const peer of server.peers.values()) {
    if (peer.mode === "snapshot" || lacksCommit(server, peer)) return true;
    if (!peer.paused && (peer.wantEmpty || peer.next <= last)) return true;
  }
  return false;
}

/** Sends each peer what its window admits. Called once per `ready`, so that all that gathered goes in few messages. */
export function flush<C>(server: Server<C>, leadership: Leadership): void {
  if (leadership.hintDueMs === null && owesCommit(server)) leadership.hintDueMs = server.now + server.settings.timing.commitHintMs;
  const hint = leadership.hintDueMs !== null && server.now >= leadership.hintDueMs;
  for (const peer of server.peers.values()) flushPeer(server, peer, hint);
  if (leadership.hintDueMs !== null && !owesCommit(server)) leadership.hintDueMs = null;
}

function owesCommit<C>(server: Server<C>): boolean {
  for (const peer of server.peers.values()) if (lacksCommit(server, peer)) return true;
  return false;
}

/** Enough is under way that what there is for this peer may wait for more to go with it. */
function gathers<C>(server: Server<C>, peer: Peer, last: LogIndex): boolean {
  const { inflightPartial, appendBytes } = server.settings.limits;
  if (peer.mode !== "replicate" || peer.inflight.length < inflightPartial) return false;
  return bytesBetween(server.log, peer.next, last) < appendBytes;
}

/** The commit index is beyond what this peer was told of, and the peer could use it. */
function lacksCommit<C>(server: Server<C>, peer: Peer): boolean {
  return peer.mode === "replicate" && Math.min(server.commit, peer.next - 1) > peer.sentCommit;
}

/** With `hint` a commit index that advanced goes out also when there is nothing else to send (RAFT.md §2 feature 15). */
function flushPeer<C>(server: Server<C>, peer: Peer, hint: boolean): void {
  const { limits } = server.settings;
  for (;;) {
    if (peer.mode === "snapshot") {
      sendChunk(server, peer);
      return;
    }
    if (peer.paused) return;
    const last = lastIndex(server.log);
    const full = peer.mode === "replicate" && windowFull(peer, limits);
    const pending = peer.next <= last && !full && !gathers(server, peer, last);
    const commitNews = hint && lacksCommit(server, peer);
    if (!pending && !peer.wantEmpty && !commitNews) return;
    const prevIndex = logIndex(peer.next - 1);
    const prevTerm = termAt(server.log, prevIndex);
    if (prevTerm === null) {
      if (startSnapshot(server, peer)) sendChunk(server, peer);
      return;
    }
    const entries = pending ? sliceEntries(server.log, peer.next, limits.appendBytes) : [];
    sendNow(server, peer.id, { kind: "append", prevIndex, prevTerm, commit: server.commit, entries });
    peer.wantEmpty = false;
    peer.sentCommit = logIndex(Math.max(peer.sentCommit, Math.min(server.commit, prevIndex + entries.length)));
    const bytes = entries.reduce((sum, entry) => sum + sizeAt(server.log, entry.index), 0);
    sentAppend(peer, { last: entries.at(-1)?.index ?? null, bytes }, limits);
  }
}

/** A follower's side of an append (Raft paper §5.3). Everything that the answer promises is durable before it leaves. */
export function onAppend<C>(server: Server<C>, from: MemberId, message: OfKind<C, "append">): void {
  heardLeader(server, from);
  server.leaderCommit = logIndex(Math.max(server.leaderCommit, message.commit));
  const { prevIndex } = message;
  // What lies at or below the commit index equals the leader's log already (leader completeness).
  const skip = Math.max(0, server.commit - prevIndex);
  const entries = skip === 0 ? message.entries : message.entries.slice(skip);
  if (skip === 0 && termAt(server.log, prevIndex) !== message.prevTerm) {
    const hint = lastWithTermAtMost(server.log, logIndex(Math.min(prevIndex, lastIndex(server.log))), message.prevTerm);
    replyAppend(server, from, { ok: false, match: logIndex(0), prevIndex, hintIndex: hint.index, hintTerm: hint.term });
    return;
  }
  const from0 = logIndex(prevIndex + skip);
  mergeEntries(server, entries);
  const match = logIndex(from0 + entries.length);
  server.verified = logIndex(Math.max(server.verified, match));
  commitTo(server, logIndex(Math.min(message.commit, match)));
  checkRecovered(server);
  replyAppend(server, from, { ok: true, match, prevIndex, hintIndex: logIndex(0), hintTerm: message.prevTerm });
}

/** Keeps equal entries, truncates at the first that differs, appends the rest. */
function mergeEntries<C>(server: Server<C>, entries: readonly Entry<C>[]): void {
  const { log } = server;
  const start = entries.findIndex((entry) => termAt(log, entry.index) !== entry.term);
  if (start < 0) return;
  const fresh = entries.slice(start);
  const first = fresh[0]?.index ?? logIndex(0);
  const before = configIndex(log);
  if (first <= lastIndex(log)) {
    invariant(first > server.commit, `a leader wants to overwrite committed entry ${first}`);
    truncateFrom(log, first);
  }
  appendEntries(log, fresh);
  // A truncated configuration may have been replaced by another one at the same index.
  if (first <= before || configIndex(log) !== before) trackPeers(server);
}

type AppendAnswer = Pick<OfKind<unknown, "appendReply">, "ok" | "match" | "prevIndex" | "hintIndex" | "hintTerm">;

export function replyAppend<C>(server: Server<C>, to: MemberId, answer: AppendAnswer): void {
  const body = { kind: "appendReply" as const, ...answer, storeAgeMs: reportedStoreAgeMs(server), state: memberState(server) };
  if (answer.ok) sendAfter(server, to, body);
  else sendNow(server, to, body);
}

/** Moves a follower's commit index forward; never back. */
export function commitTo<C>(server: Server<C>, index: LogIndex): void {
  if (index <= server.commit) return;
  invariant(index <= lastIndex(server.log), `commit index ${index} lies beyond the log`);
  server.commit = index;
}

/**
 * A recovering member is whole again when its log equals that of a leader up to that leader's commit index, the entry
 * there is of the leader's term, and all of it is durable here (RAFT.md §6). The index is the leader's own, not how far
 * this member has come: what it acknowledged before the damage may lie beyond.
 */
export function checkRecovered<C>(server: Server<C>): void {
  const { recoverTo, log } = server;
  if (!server.recovering || server.leader === null || recoverTo === null) return;
  if (server.verified < recoverTo || log.stored < recoverTo || termAt(log, recoverTo) !== server.term) return;
  server.recovering = false;
  server.recoverTo = null;
  server.out.recovered = true;
}

/** The state that a peer reports with its answers. A recovering peer starts from nothing: an old ack must not count. */
export function noteState<C>(server: Server<C>, peer: Peer, message: Pick<OfKind<C, "appendReply">, "state" | "storeAgeMs">): void {
  peer.storeAgeMs = message.storeAgeMs;
  if (message.state === peer.state) return;
  const damaged = message.state === "recovering" && !server.settings.faults.has("count-recovering");
  peer.state = message.state;
  if (damaged) {
    resetPeer(peer, logIndex(lastIndex(server.log) + 1));
    peer.wantEmpty = true;
  } else advanceCommit(server); // What a repaired member holds counts from now on.
}

export function onAppendReply<C>(server: Server<C>, peer: Peer, leadership: Leadership, message: OfKind<C, "appendReply">): void {
  noteAnswer(server, peer);
  if (message.ok) {
    notePeerMatch(server, peer, message.match);
    driveTransfer(server, leadership);
    return;
  }
  const { hintIndex, hintTerm, prevIndex } = message;
  const hint = hintTerm > 0 ? lastWithTermAtMost(server.log, hintIndex, hintTerm).index : hintIndex;
  if (lowerNext(peer, prevIndex, hint)) peer.wantEmpty = true;
}

/** A peer holds everything up to `match` durably, by an append or by a snapshot. */
export function notePeerMatch<C>(server: Server<C>, peer: Peer, match: LogIndex): void {
  invariant(match <= lastIndex(server.log), `member ${peer.id} acknowledges ${match}, beyond the log`);
  const raised = raiseMatch(peer, match);
  if (!raised && !(peer.match === match && peer.mode === "probe")) return;
  if (peer.mode === "probe") becomeReplicate(peer);
  else if (peer.mode === "snapshot") {
    if (peer.match >= server.log.mark.index) becomeReplicate(peer);
  } else freeWindow(peer, match);
  advanceCommit(server);
  driveCatchUp(server);
}

/**
 * Moves the commit index to the highest entry of the current term that a quorum has made durable. Entries of earlier
 * terms commit only with it (Raft paper §5.4.2, figure 8). Never moves back.
 */
export function advanceCommit<C>(server: Server<C>): void {
  const { leadership, log } = server;
  if (leadership === null) return;
  const own = server.settings.id;
  const reached = committedIndex(halves(server), (id) => {
    if (id === own) return log.stored;
    const peer = server.peers.get(id);
    return peer === undefined ? undefined : countedMatch(server, peer);
  });
  if (reached <= server.commit || !Number.isFinite(reached)) return;
  if (termAt(log, reached) !== server.term && !server.settings.faults.has("commit-old-term")) return;
  for (let index = server.commit + 1; index <= reached; index += 1) leadership.uncommittedBytes -= sizeAt(log, logIndex(index));
  server.commit = reached;
  server.leaderCommit = reached;
  afterCommit(server);
}
