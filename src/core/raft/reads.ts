import { type LogIndex, logIndex, type MemberId } from "../base/index.ts";
import { readLeaseUntil, startRound } from "./leadership.ts";
import { type Leadership, leaderReady, type Origin, ownOrigin, refuseRead, type Server, sendNow } from "./state.ts";
import type { Message } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;

/** ReadIndex (Raft thesis §6.4): served by the leader, forwarded by a follower that knows one. */
export function requestRead<C>(server: Server<C>, context: number, mayLease: boolean): void {
  const origin = ownOrigin(server, context);
  if (server.leadership !== null) {
    serveRead(server, server.leadership, origin, mayLease);
    return;
  }
  if (server.leader === null) {
    refuseRead(server, origin, "no-leader");
    return;
  }
  if (server.forwardedReads.length >= server.settings.limits.pendingReads) {
    refuseRead(server, origin, "busy");
    return;
  }
  server.forwardedReads.push({ context, sinceMs: server.now });
  sendNow(server, server.leader, { kind: "readIndex", context });
}

/** Notes the commit index; a round that is sent later than this must confirm that no newer leader existed. */
export function serveRead<C>(server: Server<C>, leadership: Leadership, origin: Origin, mayLease: boolean): void {
  if (!leaderReady(server)) {
    refuseRead(server, origin, "not-ready");
    return;
  }
  const lease = mayLease ? readLeaseUntil(server) : null;
  if (lease !== null && server.now < lease) {
    answerRead(server, origin, { index: server.commit, lease: true });
    return;
  }
  if (leadership.reads.length >= server.settings.limits.pendingReads) {
    refuseRead(server, origin, "busy");
    return;
  }
  leadership.reads.push({ origin, index: server.commit, round: leadership.round + 1, sinceMs: server.now });
}

/** Starts a round for waiting reads, shared by all of them; one that is still unanswered and fresh is waited for. */
export function driveReads<C>(server: Server<C>, leadership: Leadership): void {
  if (!leadership.reads.some((read) => read.round > leadership.round)) return;
  const newest = leadership.rounds.at(-1);
  const waiting = newest !== undefined && server.now - newest.sentMs < server.settings.timing.heartbeatMs;
  if (!waiting) startRound(server, leadership);
}

/** Releases the reads whose round a quorum has answered. */
export function confirmReads<C>(server: Server<C>, leadership: Leadership): void {
  const confirmed = leadership.reads.filter((read) => read.round <= leadership.confirmedRound);
  if (confirmed.length === 0) return;
  leadership.reads = leadership.reads.filter((read) => read.round > leadership.confirmedRound);
  for (const read of confirmed) answerRead(server, read.origin, { index: read.index, lease: false });
}

function answerRead<C>(server: Server<C>, origin: Origin, read: { readonly index: LogIndex; readonly lease: boolean }): void {
  if (origin.member === null) {
    server.confirmedReads.push({ context: origin.context, ...read });
    releaseReads(server);
  } else {
    const { member, context, boot } = origin;
    sendNow(server, member, { kind: "readIndexReply", context, forBoot: boot, index: read.index, reason: null });
  }
}

/** Hands out the confirmed reads that the state machine has caught up with. */
export function releaseReads<C>(server: Server<C>): void {
  if (server.confirmedReads.length === 0) return;
  const due = server.confirmedReads.filter((read) => read.index <= server.applied);
  server.confirmedReads = server.confirmedReads.filter((read) => read.index > server.applied);
  for (const read of due) server.out.reads.push({ kind: "ready", ...read });
}

/** A member asks on behalf of its own client. */
export function onReadIndex<C>(server: Server<C>, from: MemberId, message: OfKind<C, "readIndex">): void {
  const origin: Origin = { context: message.context, member: from, boot: message.boot };
  if (server.leadership === null) refuseRead(server, origin, "not-leader");
  else serveRead(server, server.leadership, origin, true);
}

export function onReadIndexReply<C>(server: Server<C>, message: OfKind<C, "readIndexReply">): void {
  if (message.forBoot !== server.settings.boot) return;
  const at = server.forwardedReads.findIndex((read) => read.context === message.context);
  if (at < 0) return;
  server.forwardedReads.splice(at, 1);
  if (message.reason !== null) refuseRead(server, ownOrigin(server, message.context), message.reason);
  else {
    server.confirmedReads.push({ context: message.context, index: logIndex(message.index), lease: false });
    releaseReads(server);
  }
}

/** Reads that nobody answered within two election timeouts are refused; the host may ask again. */
export function expireReads<C>(server: Server<C>): void {
  const limit = 2 * server.settings.timing.electionMs;
  const old = (sinceMs: number): boolean => server.now - sinceMs >= limit;
  for (const read of server.forwardedReads) {
    if (old(read.sinceMs)) refuseRead(server, ownOrigin(server, read.context), "timed-out");
  }
  server.forwardedReads = server.forwardedReads.filter((read) => !old(read.sinceMs));
  const { leadership } = server;
  if (leadership === null) return;
  for (const read of leadership.reads) if (old(read.sinceMs)) refuseRead(server, read.origin, "timed-out");
  leadership.reads = leadership.reads.filter((read) => !old(read.sinceMs));
}
