import { invariant, type LogIndex, logIndex, type MemberId, unreachable } from "../base/index.ts";
import { isMember } from "./configuration.ts";
import {
  becomeFollower,
  campaign,
  ignoresElection,
  mayCampaign,
  onPreVote,
  onPreVoteReply,
  onTimeoutNow,
  onVote,
  onVoteReply,
  ownVoteStored,
} from "./election.ts";
import { hasQuorumContact, onHeartbeat, onHeartbeatReply, startRound, stepDown } from "./leadership.ts";
import { configIndex, configurationAt, holds, sizeAt, sliceEntries, termAt } from "./log.ts";
import { driveCatchUp, onChange, onChangeReply, requestChange } from "./membership.ts";
import { owesReady, takeReady } from "./output.ts";
import { becomeProbe, type Peer, resetPeer } from "./progress.ts";
import { expireReads, onReadIndex, onReadIndexReply, releaseReads, requestRead } from "./reads.ts";
import { advanceCommit, checkRecovered, noteState, onAppend, onAppendReply, onPropose, onProposeReply, propose } from "./replication.ts";
import { onSnapChunk, onSnapReply, onSnapshotTaken, onVerified } from "./snapshots.ts";
import {
  config,
  configCommitted,
  type Leadership,
  memberState,
  ownOrigin,
  reportedStoreAgeMs,
  type Server,
  sendNow,
  startServer,
} from "./state.ts";
import { statusOf } from "./status.ts";
import { departureEndMs, driveStall, driveWitness, expireDeparture, expireTransfer, startTransfer, watchStore } from "./transfer.ts";
import type { Entry, EntryId, Input, Message, RaftCore, RaftOptions, WriteTicket } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;

/** Starts one server. The host must have stored `restored` and the boot counter before it sends anything. */
export function createRaft<C>(options: RaftOptions<C>): RaftCore<C> {
  return coreOf(startServer(options));
}

/** The calls over a given state; the explorer uses it with copied states. */
export function coreOf<C>(server: Server<C>): RaftCore<C> {
  return {
    step: (input) => stepServer(server, input),
    ready: () => takeReady(server),
    hasReady: () => owesReady(server),
    nextWakeMs: () => nextWakeMs(server),
    status: () => statusOf(server),
    term: () => server.term,
    configurationAt: (index) => {
      invariant(index <= server.commit, `index ${index} is not committed`);
      return configurationAt(server.log, index);
    },
    entryId: (index) => entryId(server, index),
    entriesFrom: (from, to) => entriesFrom(server, from, to),
  };
}

function entryId<C>(server: Server<C>, index: LogIndex): EntryId | null {
  const found = termAt(server.log, index);
  return found === null ? null : { term: found, index };
}

function entriesFrom<C>(server: Server<C>, from: LogIndex, to: LogIndex): readonly Entry<C>[] {
  const start = logIndex(Math.max(from, server.log.mark.index + 1));
  return sliceEntries(server.log, start, server.settings.limits.appendBytes).filter((entry) => entry.index <= to);
}

/** Feeds one event. */
export function stepServer<C>(server: Server<C>, input: Input<C>): void {
  switch (input.kind) {
    case "tick":
      setNow(server, input.nowMs);
      onTick(server);
      return;
    case "message":
      setNow(server, input.nowMs);
      onMessage(server, input.from, input.message);
      return;
    case "propose":
      propose(server, input.context, input.commands);
      return;
    case "proposeChange":
      requestChange(server, input.context, input.request);
      return;
    case "readIndex":
      if (input.nowMs !== undefined) setNow(server, input.nowMs);
      requestRead(server, input.context, input.nowMs !== undefined);
      return;
    case "transfer":
      startTransfer(server, ownOrigin(server, input.context), input.to);
      return;
    case "campaign":
      setNow(server, input.nowMs);
      campaign(server, "timer");
      return;
    case "stored":
      setNow(server, input.nowMs);
      onStored(server, input.ticket);
      return;
    case "snapshotVerified":
      onVerified(server, input.last, input.ok);
      return;
    case "applied":
      onApplied(server, input.index);
      return;
    case "snapshotTaken":
      onSnapshotTaken(server, input.snapshot);
      return;
    case "link":
      onLink(server, input.peer, input.up);
      return;
    case "forgetLeader":
      onForgetLeader(server);
      return;
    case "electionTimeout":
      server.electionTimeoutMs = input.timeoutMs;
      return;
    default:
      unreachable(input);
  }
}

function setNow<C>(server: Server<C>, nowMs: number): void {
  invariant(Number.isSafeInteger(nowMs), "times are integer milliseconds");
  server.now = Math.max(server.now, nowMs);
  watchStore(server);
}

function onTick<C>(server: Server<C>): void {
  expireReads(server);
  expireDeparture(server);
  const { leadership } = server;
  if (leadership === null) {
    if (server.now - server.electionStartMs >= server.electionTimeoutMs) campaign(server, "timer");
    return;
  }
  // Ticks never wait for the store: a leader whose disk hangs must still lose its office (RAFT.md §6, disk stall).
  if (server.settings.checkQuorum && !hasQuorumContact(server, leadership)) {
    stepDown(server);
    return;
  }
  if (server.now >= leadership.nextHeartbeatMs) startRound(server, leadership);
  for (const duty of [expireTransfer, driveStall, driveWitness]) if (server.leadership === leadership) duty(server, leadership);
  if (server.leadership === leadership) driveCatchUp(server);
}

function onMessage<C>(server: Server<C>, from: MemberId, message: Message<C>): void {
  if (from === server.settings.id || !acceptBoot(server, from, message.boot)) return;
  const peer = server.peers.get(from);
  if (peer !== undefined) peer.lastHeardMs = server.now;
  if (tellRemoved(server, from, message)) return;
  if (message.term > server.term && !adoptTerm(server, from, message)) return;
  if (message.term < server.term && !outdatedCounts(server, from, message)) return;
  dispatch(server, from, message);
}

/**
 * Drops what an earlier start of the sender said: its acks may be about a log that was damaged since. A leader starts a
 * peer's progress anew with each boot, until the peer has said in what state it is.
 */
function acceptBoot<C>(server: Server<C>, from: MemberId, boot: number): boolean {
  const known = server.boots.get(from) ?? 0;
  if (boot < known && !server.settings.faults.has("accept-old-boot")) return false;
  if (boot > known) {
    server.boots.set(from, boot);
    const peer = server.peers.get(from);
    const careless = server.settings.faults.has("accept-old-boot") || server.settings.faults.has("count-recovering");
    if (known > 0 && peer !== undefined && server.leadership !== null && !careless) {
      resetPeer(peer, logIndex(server.log.mark.index + server.log.entries.length + 1));
      peer.wantEmpty = true;
    }
  }
  return true;
}

/** A leader tells a stranger that asks for votes that it is no longer a member (RAFT.md §9, `removed`). */
function tellRemoved<C>(server: Server<C>, from: MemberId, message: Message<C>): boolean {
  if (server.leadership === null || !server.settings.checkQuorum) return false;
  if (message.kind !== "preVote" && message.kind !== "vote") return false;
  if (!configCommitted(server) || isMember(config(server), from) || message.configIndex >= configIndex(server.log)) return false;
  sendNow(server, from, { kind: "removed", configIndex: configIndex(server.log) });
  return true;
}

/** A message of a higher term. False: ignore it whole. Pre-votes change no term (Raft thesis §9.6). */
function adoptTerm<C>(server: Server<C>, from: MemberId, message: Message<C>): boolean {
  switch (message.kind) {
    case "preVote":
      return true;
    case "vote":
      if (ignoresElection(server, message.transfer)) return false;
      becomeFollower(server, message.term, null);
      return true;
    case "append":
    case "heartbeat":
    case "snapChunk":
      becomeFollower(server, message.term, from);
      return true;
    default:
      becomeFollower(server, message.term, null);
      return true;
  }
}

/** A message of a lower term. True: handle it all the same. An old leader or pre-candidate must learn the newer term. */
function outdatedCounts<C>(server: Server<C>, from: MemberId, message: Message<C>): boolean {
  switch (message.kind) {
    case "append":
    case "heartbeat":
    case "snapChunk":
      if (server.settings.checkQuorum || server.settings.preVote) answerOldLeader(server, from);
      return false;
    case "preVote":
    case "preVoteReply":
    case "propose":
    case "proposeReply":
    case "change":
    case "changeReply":
    case "readIndex":
    case "removed":
      return true;
    default:
      return false;
  }
}

function answerOldLeader<C>(server: Server<C>, to: MemberId): void {
  sendNow(server, to, {
    kind: "appendReply",
    ok: false,
    match: logIndex(0),
    prevIndex: logIndex(0),
    hintIndex: logIndex(0),
    hintTerm: server.log.mark.term,
    storeAgeMs: reportedStoreAgeMs(server),
    state: memberState(server),
  });
}

function dispatch<C>(server: Server<C>, from: MemberId, message: Message<C>): void {
  switch (message.kind) {
    case "preVote":
      onPreVote(server, from, message);
      return;
    case "vote":
      onVote(server, from, message);
      return;
    case "preVoteReply":
      onPreVoteReply(server, from, message);
      return;
    case "voteReply":
      onVoteReply(server, from, message);
      return;
    case "append":
      onAppend(server, from, message);
      return;
    case "heartbeat":
      onHeartbeat(server, from, message);
      return;
    case "snapChunk":
      onSnapChunk(server, from, message);
      return;
    case "timeoutNow":
      onTimeoutNow(server);
      return;
    case "appendReply":
    case "heartbeatReply":
    case "snapReply":
      onPeerAnswer(server, from, message);
      return;
    case "propose":
      onPropose(server, from, message);
      return;
    case "proposeReply":
      onProposeReply(server, message);
      return;
    case "change":
      onChange(server, from, message);
      return;
    case "changeReply":
      onChangeReply(server, message);
      return;
    case "readIndex":
      onReadIndex(server, from, message);
      return;
    case "readIndexReply":
      onReadIndexReply(server, message);
      return;
    case "removed":
      if (message.configIndex > configIndex(server.log) && server.leader === null) server.removed = true;
      return;
    default:
      unreachable(message);
  }
}

type PeerAnswer<C> = OfKind<C, "appendReply" | "heartbeatReply" | "snapReply">;

function onPeerAnswer<C>(server: Server<C>, from: MemberId, message: PeerAnswer<C>): void {
  const { leadership } = server;
  const peer: Peer | undefined = server.peers.get(from);
  if (leadership === null || peer === undefined) return;
  if (message.kind !== "snapReply") noteState(server, peer, message);
  answerOf(server, peer, leadership, message);
}

function answerOf<C>(server: Server<C>, peer: Peer, leadership: Leadership, message: PeerAnswer<C>): void {
  switch (message.kind) {
    case "appendReply":
      onAppendReply(server, peer, leadership, message);
      return;
    case "heartbeatReply":
      onHeartbeatReply(server, peer, leadership, message);
      return;
    case "snapReply":
      onSnapReply(server, peer, message);
      return;
  }
}

/**
 * A write has finished. It counts for the log only in the term in which it was asked for, and only if the log still
 * holds its last entry: an entry that was overwritten and written again must not count by the old ack (ABA).
 */
function onStored<C>(server: Server<C>, ticket: WriteTicket): void {
  server.tickets = server.tickets.filter((one) => one.sequence > ticket.sequence);
  const { log, settings } = server;
  const careless = settings.faults.has("stale-stored-ack");
  if (careless || (ticket.askedInTerm === server.term && holds(log, ticket.last))) {
    const last = log.mark.index + log.entries.length;
    log.stored = logIndex(Math.max(log.stored, Math.min(ticket.last.index, last)));
  }
  if (ticket.hard !== null && ticket.hard.term === server.term && ticket.hard.vote === settings.id) ownVoteStored(server);
  if (server.leadership !== null) advanceCommit(server);
  else checkRecovered(server);
}

function onApplied<C>(server: Server<C>, index: LogIndex): void {
  if (index <= server.applied) return;
  invariant(index <= server.handedOut, `index ${index} was applied but not handed out`);
  for (let at = server.applied + 1; at <= index; at += 1) server.unappliedBytes -= sizeAt(server.log, logIndex(at));
  server.unappliedBytes = Math.max(0, server.unappliedBytes);
  server.applied = index;
  releaseReads(server);
}

function onLink<C>(server: Server<C>, id: MemberId, up: boolean): void {
  const peer = server.peers.get(id);
  if (peer === undefined || server.leadership === null) return;
  if (peer.stream !== null) peer.stream.inFlight = false;
  else if (up) peer.paused = false;
  else if (peer.mode === "replicate") becomeProbe(peer);
}

/** Only a follower forgets, and never while a read lease may hang on its patience (RAFT.md §7). */
function onForgetLeader<C>(server: Server<C>): void {
  if (server.role !== "follower" || server.settings.leaseReads) return;
  if (server.leader !== null) becomeFollower(server, server.term, null);
}

/** When the next tick matters, own clock; Infinity = only outside events do. */
function nextWakeMs<C>(server: Server<C>): number {
  const { leadership, settings } = server;
  if (leadership !== null) return Math.min(leadership.nextHeartbeatMs, leadership.hintDueMs ?? Number.POSITIVE_INFINITY);
  const { electionMs, storeHealthyMs, storeStallMs, storeRecoveryMs } = settings.timing;
  let wake = Math.min(
    mayCampaign(server) ? server.electionStartMs + server.electionTimeoutMs : Number.POSITIVE_INFINITY,
    departureEndMs(server),
  );
  for (const read of server.forwardedReads) wake = Math.min(wake, read.sinceMs + 2 * electionMs);
  const write = server.tickets[0];
  if (write !== undefined) {
    const late = server.now - write.handedMs >= storeHealthyMs;
    wake = Math.min(wake, late ? Math.max(server.now + storeHealthyMs, write.handedMs + storeStallMs) : write.handedMs + storeHealthyMs);
  } else if (server.stalled) wake = Math.min(wake, (server.slowWriteMs ?? 0) + storeRecoveryMs);
  return wake;
}
