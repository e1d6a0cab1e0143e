import { invariant, type LogIndex, logIndex, type MemberId, type Term, term } from "../base/index.ts";
import { memberIds, votesOf } from "./configuration.ts";
import { endLeadership } from "./leadership.ts";
import { appendEntries, bytesBetween, configIndex, configurationAt, lastId, lastIndex } from "./log.ts";
import { firstNext, forgetAnswers, resetPeer } from "./progress.ts";
import { voteResult } from "./quorum.ts";
import { config, halves, isWitness, restartElectionTimer, type Server, sendAfter, sendNow, votes } from "./state.ts";
import type { Message } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;

/**
 * Becomes (or stays) a follower. A higher term clears the vote and must be durable before the next promise. The wait
 * starts anew only after an office was lost, so that a candidate with an old log cannot delay the others.
 */
export function becomeFollower<C>(server: Server<C>, newTerm: Term, leader: MemberId | null): void {
  invariant(newTerm >= server.term, "a term never falls");
  const hadOffice = server.role !== "follower";
  const changed = hadOffice || newTerm > server.term || leader !== server.leader;
  if (server.role === "leader") endLeadership(server, leader);
  if (newTerm > server.term) {
    server.term = newTerm;
    server.vote = null;
    server.hardDirty = true;
    server.verified = logIndex(0);
    server.recoverTo = null;
    server.incoming = null;
  }
  server.role = "follower";
  server.votes = new Map();
  if (changed) setLeader(server, leader);
  if (hadOffice) restartElectionTimer(server);
}

function setLeader<C>(server: Server<C>, leader: MemberId | null): void {
  server.leader = leader;
  if (leader !== null) {
    server.leaderCommit = logIndex(0);
    if (server.departing !== null) answerDeparted(server, leader);
  }
  for (const read of server.forwardedReads) {
    server.out.reads.push({ kind: "refused", context: read.context, reason: "lost-leadership", leader });
  }
  server.forwardedReads = [];
}

function answerDeparted<C>(server: Server<C>, leader: MemberId): void {
  const departing = server.departing;
  server.departing = null;
  if (departing?.origin == null) return;
  const { context } = departing.origin;
  if (leader === departing.to) server.out.answers.push({ kind: "transfer", context, outcome: { kind: "done", to: leader } });
  else server.out.answers.push({ kind: "transfer", context, outcome: { kind: "refused", reason: "lost-leadership", leader } });
}

/** An append, heartbeat or chunk of the leader of this term arrived. */
export function heardLeader<C>(server: Server<C>, from: MemberId): void {
  invariant(server.role !== "leader" || from === server.settings.id, `two leaders in term ${server.term}`);
  if (server.role !== "follower" || server.leader !== from) becomeFollower(server, server.term, from);
  server.leaderHeardMs = server.now;
  server.removed = false;
  restartElectionTimer(server);
}

/** Stickiness: a leader was heard within the minimum election timeout (RAFT.md §2 feature 5). */
function sticky<C>(server: Server<C>): boolean {
  if (!server.settings.checkQuorum) return false;
  if (server.role === "leader") return true;
  const heard = server.leaderHeardMs;
  if (heard === null || server.now - heard >= server.settings.timing.electionMs) return false;
  // With lease reads in use a forgotten leader still counts as heard: its lease may run (RAFT.md §7).
  return server.leader !== null || server.settings.leaseReads;
}

/** A restarted voter may have answered a leader's round just before it went down (RAFT.md §2 feature 5). */
function justRestarted<C>(server: Server<C>): boolean {
  const { restartWait, checkQuorum, startMs, timing } = server.settings;
  return restartWait && checkQuorum && server.now - startMs < timing.electionMs;
}

/** True if a request for a vote is to be ignored without an answer and without adopting its term. */
export function ignoresElection<C>(server: Server<C>, transfer: boolean): boolean {
  return !transfer && (sticky(server) || justRestarted(server));
}

export function mayCampaign<C>(server: Server<C>): boolean {
  return (
    server.role !== "leader" &&
    !server.recovering &&
    !server.removed &&
    !server.stalled &&
    server.applyFloor <= server.applied &&
    mayHaveVotes(server)
  );
}

/**
 * Votes now, or before a change that is not known to be committed: a server that is leaving may be the only one with a
 * log new enough to lead until its removal commits (Raft thesis §4.2.2). Its own vote counts only where it has votes.
 */
function mayHaveVotes<C>(server: Server<C>): boolean {
  const { id } = server.settings;
  if (votes(server, id) > 0) return true;
  if (votesOf(configurationAt(server.log, server.commit), id) > 0) return true;
  return server.log.configs.some((row) => row.index > server.commit && votesOf(row.configuration, id) > 0);
}

/** The election timer fired, or the host says so. With lease reads a sticky server does not start on its own. */
export function campaign<C>(server: Server<C>, how: "timer" | "transfer"): void {
  if (!mayCampaign(server)) {
    restartElectionTimer(server);
    return;
  }
  if (how === "timer" && server.settings.leaseReads && (sticky(server) || justRestarted(server))) return;
  if (how === "timer" && server.settings.preVote) startPreVote(server);
  else startElection(server, how === "transfer");
}

function startPreVote<C>(server: Server<C>): void {
  server.role = "preCandidate";
  setLeader(server, null);
  server.votes = new Map([[server.settings.id, true]]);
  restartElectionTimer(server);
  const last = lastId(server.log);
  const forTerm = term(server.term + 1);
  for (const id of otherVoters(server)) {
    sendNow(server, id, { kind: "preVote", forTerm, lastIndex: last.index, lastTerm: last.term, configIndex: configIndex(server.log) });
  }
  tally(server);
}

function startElection<C>(server: Server<C>, transfer: boolean): void {
  server.role = "candidate";
  server.term = term(server.term + 1);
  server.vote = server.settings.id;
  server.hardDirty = true;
  server.verified = logIndex(0);
  server.incoming = null;
  setLeader(server, null);
  // The own vote counts when it is durable, see `ownVoteStored`.
  server.votes = new Map();
  restartElectionTimer(server);
  const last = lastId(server.log);
  for (const id of otherVoters(server)) {
    sendAfter(server, id, { kind: "vote", lastIndex: last.index, lastTerm: last.term, configIndex: configIndex(server.log), transfer });
  }
}

function otherVoters<C>(server: Server<C>): readonly MemberId[] {
  return memberIds(config(server)).filter((id) => id !== server.settings.id && votes(server, id) > 0);
}

/** A write that holds this term and the own vote has finished. */
export function ownVoteStored<C>(server: Server<C>): void {
  if (server.role !== "candidate" || server.vote !== server.settings.id) return;
  server.votes.set(server.settings.id, true);
  tally(server);
}

function tally<C>(server: Server<C>): void {
  switch (voteResult(halves(server), server.votes)) {
    case "won":
      if (server.role === "preCandidate") startElection(server, false);
      else if (server.role === "candidate") becomeLeader(server);
      return;
    case "lost":
      becomeFollower(server, server.term, null);
      return;
    case "pending":
      return;
  }
}

/** Takes office: all progress starts anew and an empty entry of the new term goes into the log (Raft paper §5.4.2). */
function becomeLeader<C>(server: Server<C>): void {
  invariant(!server.recovering, "a recovering member cannot lead");
  const last = lastIndex(server.log);
  appendEntries(server.log, [{ term: server.term, index: logIndex(last + 1), kind: "empty" }]);
  server.role = "leader";
  server.leaderHeardMs = null;
  server.leadership = {
    sinceMs: server.now,
    round: 0,
    rounds: [],
    confirmedRound: 0,
    quorumRoundMs: null,
    nextHeartbeatMs: server.now + server.settings.timing.heartbeatMs,
    hintDueMs: null,
    leaseRevoked: false,
    transfer: null,
    change: null,
    leave: null,
    reads: [],
    uncommittedBytes: bytesBetween(server.log, logIndex(server.commit + 1), lastIndex(server.log)),
  };
  setLeader(server, server.settings.id);
  for (const peer of server.peers.values()) {
    resetPeer(peer, firstNext(logIndex(last + 1)));
    forgetAnswers(peer);
  }
}

function upToDate<C>(server: Server<C>, lastTerm: Term, index: LogIndex): boolean {
  const own = lastId(server.log);
  return lastTerm > own.term || (lastTerm === own.term && index >= own.index);
}

/** Pre-vote (Raft thesis §9.6): changes nothing here. Answered even by a learner, whose configuration may be old. */
export function onPreVote<C>(server: Server<C>, from: MemberId, message: OfKind<C, "preVote">): void {
  if (ignoresElection(server, false)) return;
  const { forTerm } = message;
  const refusal = server.recovering
    ? ("recovering" as const)
    : forTerm <= server.term
      ? ("term" as const)
      : upToDate(server, message.lastTerm, message.lastIndex)
        ? null
        : ("log" as const);
  sendNow(server, from, { kind: "preVoteReply", forTerm, granted: refusal === null, reason: refusal });
}

/** A request for this very term. The vote is durable before the answer leaves (Raft paper §5.2). */
export function onVote<C>(server: Server<C>, from: MemberId, message: OfKind<C, "vote">): void {
  const again = server.vote === from;
  const free = again || (server.vote === null && server.leader === null);
  // A request of the present term was not looked at when a term was adopted; a vote given once may be given again.
  if (free && !again && ignoresElection(server, message.transfer)) return;
  const refusal = server.recovering
    ? ("recovering" as const)
    : !free
      ? ("voted" as const)
      : upToDate(server, message.lastTerm, message.lastIndex)
        ? null
        : ("log" as const);
  if (refusal === null && !again) {
    server.vote = from;
    server.hardDirty = true;
  }
  if (refusal === null) restartElectionTimer(server);
  sendAfter(server, from, { kind: "voteReply", granted: refusal === null, reason: refusal });
}

export function onPreVoteReply<C>(server: Server<C>, from: MemberId, message: OfKind<C, "preVoteReply">): void {
  if (server.role !== "preCandidate" || message.forTerm !== server.term + 1) return;
  if (!server.votes.has(from)) server.votes.set(from, message.granted);
  tally(server);
}

export function onVoteReply<C>(server: Server<C>, from: MemberId, message: OfKind<C, "voteReply">): void {
  if (server.role !== "candidate") return;
  if (!server.votes.has(from)) server.votes.set(from, message.granted);
  tally(server);
}

/** The old leader asks this member to take over at once, without a pre-vote and past stickiness (Raft thesis §3.10). */
export function onTimeoutNow<C>(server: Server<C>): void {
  if (server.role === "leader" || isWitness(server, server.settings.id)) return;
  if (mayCampaign(server)) campaign(server, "transfer");
}
