import { logIndex, type MemberId, type Term } from "../base/index.ts";
import { becomeFollower, heardLeader } from "./election.ts";
import { CLOCK_RHO, LEASE_MARGIN_MS } from "./limits.ts";
import { lastIndex, termAt } from "./log.ts";
import { answerChange } from "./membership.ts";
import type { Peer } from "./progress.ts";
import { quorumReached, voteResult } from "./quorum.ts";
import { confirmReads } from "./reads.ts";
import { checkRecovered, commitTo } from "./replication.ts";
import {
  halves,
  type Leadership,
  leaderReady,
  memberState,
  peersInOrder,
  refuseRead,
  reportedStoreAgeMs,
  type Server,
  sendNow,
} from "./state.ts";
import type { Message } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;

/** Rounds that wait for answers; a leader without a quorum steps down long before this many. */
const ROUNDS_MAX = 1024;

/** Gives up the office: whoever waits for this leader is told, nothing of the leadership survives. */
export function endLeadership<C>(server: Server<C>, leader: MemberId | null): void {
  const leadership = server.leadership;
  server.leadership = null;
  if (leadership === null) return;
  for (const read of leadership.reads) refuseRead(server, read.origin, "lost-leadership");
  const lost = { kind: "refused" as const, reason: "lost-leadership" as const, detail: "the leader lost its office", leader };
  if (leadership.change !== null) answerChange(server, leadership.change.origin, lost);
  if (leadership.leave !== null) answerChange(server, leadership.leave.origin, lost);
  server.departing = leadership.transfer;
  // The proof that this leader had stays a proof: its lease does not go back with its office.
  if (leadership.quorumRoundMs !== null) raiseLease(server, server.term, leadership.quorumRoundMs);
}

/** Sends a numbered heartbeat to all. Answered by a quorum it proves that this leader was in office when it was sent. */
export function startRound<C>(server: Server<C>, leadership: Leadership): void {
  leadership.round += 1;
  leadership.rounds.push({ round: leadership.round, sentMs: server.now });
  if (leadership.rounds.length > ROUNDS_MAX) leadership.rounds.shift();
  leadership.nextHeartbeatMs = server.now + server.settings.timing.heartbeatMs;
  const quorumAgeMs = leadership.quorumRoundMs === null ? null : server.now - leadership.quorumRoundMs;
  for (const peer of peersInOrder(server)) {
    sendNow(server, peer.id, {
      kind: "heartbeat",
      commit: logIndex(Math.min(server.commit, peer.match)),
      leaderCommit: server.commit,
      round: leadership.round,
      quorumAgeMs,
      echoMs: peer.nonceMs,
      echoBoot: peer.nonceBoot,
    });
  }
  confirmRounds(server, leadership);
}

/** Finds the latest round that a quorum has answered; reads and leases hang on when it was sent. */
function confirmRounds<C>(server: Server<C>, leadership: Leadership): void {
  // The answers that come after those of a quorum tell nothing more of the latest round.
  if (leadership.confirmedRound >= leadership.round) return;
  const own = server.settings.id;
  const acked = (id: MemberId): number => {
    if (id === own) return leadership.round;
    const peer = server.peers.get(id);
    return peer === undefined || !counts(server, peer) ? 0 : peer.ackedRound;
  };
  const reached = Math.min(quorumReached(halves(server), acked), leadership.round);
  if (reached <= leadership.confirmedRound) return;
  leadership.confirmedRound = reached;
  for (const row of leadership.rounds) if (row.round <= reached) leadership.quorumRoundMs = row.sentMs;
  leadership.rounds = leadership.rounds.filter((row) => row.round > reached);
  confirmReads(server, leadership);
}

/** A recovering member takes part in no decision (RAFT.md §6; invariant S11). */
function counts<C>(server: Server<C>, peer: Peer): boolean {
  return peer.state !== "recovering" || server.settings.faults.has("count-recovering");
}

/** Books any answer of a peer to this leader in this term. */
export function noteAnswer<C>(server: Server<C>, peer: Peer): void {
  peer.contactMs = server.now;
  peer.lastAnswerMs = server.now;
}

/**
 * Check-quorum (RAFT.md §2 feature 4): true while members with more than half of the votes have answered within the
 * minimum election timeout. A fresh leader is given that long from its election.
 */
export function hasQuorumContact<C>(server: Server<C>, leadership: Leadership): boolean {
  const own = server.settings.id;
  const heard = (id: MemberId): number => {
    if (id === own) return server.now;
    const peer = server.peers.get(id);
    if (peer === undefined || !counts(server, peer)) return Number.NEGATIVE_INFINITY;
    return peer.contactMs ?? leadership.sinceMs;
  };
  const since = quorumReached(halves(server), heard, Number.NEGATIVE_INFINITY);
  return server.now - since <= server.settings.timing.electionMs;
}

/** True if this server's votes alone are a quorum. */
export function alone<C>(server: Server<C>): boolean {
  return voteResult(halves(server), new Map([[server.settings.id, true]])) === "won";
}

/**
 * Lease reads are safe before this time of the own clock; null = none. Revoked for the rest of the term once a
 * `timeoutNow` has left, because its target may start an election past stickiness at any later moment (RAFT.md §7).
 */
export function readLeaseUntil<C>(server: Server<C>): number | null {
  const leadership = server.leadership;
  if (leadership === null || !server.settings.leaseReads || !server.settings.checkQuorum) return null;
  const keep = server.settings.faults.has("keep-lease-on-transfer");
  if (!keep && (leadership.transfer !== null || leadership.leaseRevoked)) return null;
  if (leadership.quorumRoundMs === null || !leaderReady(server)) return null;
  return Math.floor(leadership.quorumRoundMs + server.settings.timing.electionMs * (1 - 2 * CLOCK_RHO) - LEASE_MARGIN_MS);
}

/** A follower's side of a heartbeat: commit, the resource lease by echo (RAFT.md §7), and an answer with a new nonce. */
export function onHeartbeat<C>(server: Server<C>, from: MemberId, message: OfKind<C, "heartbeat">): void {
  heardLeader(server, from);
  commitTo(server, logIndex(Math.min(message.commit, lastIndex(server.log))));
  server.leaderCommit = logIndex(Math.max(server.leaderCommit, message.leaderCommit));
  renewLease(server, message);
  aimRecovery(server, message);
  checkRecovered(server);
  sendNow(server, from, {
    kind: "heartbeatReply",
    round: message.round,
    nonceMs: server.now,
    storeAgeMs: reportedStoreAgeMs(server),
    applied: server.applied,
    state: memberState(server),
  });
}

/**
 * A recovering member must reach the commit index of a leader that has heard its present boot: only from then on is it
 * certain that no ack of before the damage will still be counted (acks of an older boot are dropped).
 */
function aimRecovery<C>(server: Server<C>, message: OfKind<C, "heartbeat">): void {
  if (!server.recovering || message.echoBoot !== server.settings.boot) return;
  const held = server.recoverTo === null ? null : termAt(server.log, server.recoverTo);
  const wrongTerm = held !== null && held !== server.term;
  if (server.recoverTo === null || wrongTerm) server.recoverTo = message.leaderCommit;
}

/** D - Tself = s - A(1 + rho), the best so far in the same or a newer term. An echo from another boot proves nothing. */
function renewLease<C>(server: Server<C>, message: OfKind<C, "heartbeat">): void {
  const { echoMs, quorumAgeMs, echoBoot } = message;
  if (echoMs === null || quorumAgeMs === null || echoBoot !== server.settings.boot || echoMs > server.now) return;
  const base = Math.floor(echoMs - quorumAgeMs * (1 + CLOCK_RHO));
  raiseLease(server, server.term, base);
}

export function raiseLease<C>(server: Server<C>, inTerm: Term, base: number): void {
  server.leaseTerm = inTerm;
  server.leaseBaseMs = Math.max(server.leaseBaseMs ?? base, base);
}

export function onHeartbeatReply<C>(server: Server<C>, peer: Peer, leadership: Leadership, message: OfKind<C, "heartbeatReply">): void {
  noteAnswer(server, peer);
  peer.applied = logIndex(Math.max(peer.applied, message.applied));
  peer.nonceMs = peer.nonceBoot === message.boot ? Math.max(peer.nonceMs ?? message.nonceMs, message.nonceMs) : message.nonceMs;
  // A daemon that has just started proves its contact by an echo, and its guardian waits for that: at once, not in 50 ms.
  if (peer.nonceBoot !== message.boot && peer.nonceBoot !== 0)
    leadership.nextHeartbeatMs = Math.min(leadership.nextHeartbeatMs, server.now);
  peer.nonceBoot = message.boot;
  peer.ackedRound = Math.max(peer.ackedRound, Math.min(message.round, leadership.round));
  // One probe per heartbeat even through a full window: an answer shows that the peer lives, so find out what was lost.
  peer.paused = false;
  if (peer.match < lastIndex(server.log) || peer.mode === "probe") peer.wantEmpty = true;
  const stream = peer.stream;
  if (stream?.inFlight && server.now - stream.sentMs >= server.settings.timing.electionMs) stream.inFlight = false;
  confirmRounds(server, leadership);
}

/** Steps down without a new term: nobody is known to lead. */
export function stepDown<C>(server: Server<C>): void {
  becomeFollower(server, server.term, null);
}
