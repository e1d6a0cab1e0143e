import type { MemberId } from "../base/index.ts";
import { alone, stepDown } from "./leadership.ts";
import { lastId, lastIndex } from "./log.ts";
import type { Peer } from "./progress.ts";
import { isWitness, type Leadership, leaderReady, type Origin, type Server, sendNow, storeAgeMs, votes } from "./state.ts";
import type { Refusal, TransferOutcome } from "./types.ts";

/** A member that may be handed the leadership: votes, keeps a state of its own, is healthy and was heard lately. */
function eligible<C>(server: Server<C>, peer: Peer): boolean {
  const { timing } = server.settings;
  return (
    votes(server, peer.id) > 0 &&
    !isWitness(server, peer.id) &&
    peer.state === "normal" &&
    peer.storeAgeMs < timing.storeStallMs &&
    peer.lastAnswerMs !== null &&
    server.now - peer.lastAnswerMs <= timing.electionMs
  );
}

/** The caught-up non-witness member with the most recent answer (RAFT.md §4); the lower id when they are equal. */
export function bestTarget<C>(server: Server<C>): MemberId | null {
  let best: Peer | null = null;
  for (const peer of server.peers.values()) {
    if (!eligible(server, peer) || peer.match < server.commit) continue;
    if (best === null || (peer.lastAnswerMs ?? 0) > (best.lastAnswerMs ?? 0)) best = peer;
  }
  return best?.id ?? null;
}

function answer<C>(server: Server<C>, origin: Origin | null, outcome: TransferOutcome): void {
  if (origin !== null) server.out.answers.push({ kind: "transfer", context: origin.context, outcome });
}

function refuse<C>(server: Server<C>, origin: Origin | null, reason: Refusal): void {
  answer(server, origin, { kind: "refused", reason, leader: server.leader });
}

/** Starts to hand over. From here on no proposals and no lease reads (RAFT.md §2 feature 10). */
export function startTransfer<C>(server: Server<C>, origin: Origin | null, wanted: MemberId | null): void {
  const { leadership } = server;
  if (leadership === null) {
    refuse(server, origin, "not-leader");
    return;
  }
  if (leadership.transfer !== null) {
    refuse(server, origin, "transferring");
    return;
  }
  if (wanted === server.settings.id) {
    answer(server, origin, { kind: "done", to: wanted });
    return;
  }
  const to = wanted ?? bestTarget(server);
  const peer = to === null ? undefined : server.peers.get(to);
  if (to === null || peer === undefined || votes(server, to) === 0 || isWitness(server, to) || peer.state === "recovering") {
    refuse(server, origin, "target-unknown");
    return;
  }
  leadership.transfer = { origin, to, startMs: server.now, sent: false };
  peer.wantEmpty = true;
  driveTransfer(server, leadership);
}

/** Sends `timeoutNow` once the target holds the whole log. */
export function driveTransfer<C>(server: Server<C>, leadership: Leadership): void {
  const transfer = leadership.transfer;
  if (transfer === null || transfer.sent || server.leadership !== leadership) return;
  const peer = server.peers.get(transfer.to);
  if (peer === undefined || peer.match < lastIndex(server.log)) return;
  transfer.sent = true;
  leadership.leaseRevoked = true;
  sendNow(server, transfer.to, { kind: "timeoutNow", lastIndex: lastId(server.log).index });
}

/** Gives a transfer up after one election timeout. One that was started because the disk stalls ends in stepping down. */
export function expireTransfer<C>(server: Server<C>, leadership: Leadership): void {
  const transfer = leadership.transfer;
  if (transfer === null || server.now - transfer.startMs < server.settings.timing.electionMs) return;
  leadership.transfer = null;
  refuse(server, transfer.origin, "timed-out");
  if (server.stalled && transfer.origin === null) stepDown(server);
}

/** A witness in office brings a better member up to date and hands over (RAFT.md §4). */
export function driveWitness<C>(server: Server<C>, leadership: Leadership): void {
  if (leadership.transfer !== null || !isWitness(server, server.settings.id) || !leaderReady(server)) return;
  if (bestTarget(server) !== null) startTransfer(server, null, null);
}

/** The store's health: writes that take too long, or not long enough ago (RAFT.md §6, disk stall). */
export function watchStore<C>(server: Server<C>): void {
  const { timing } = server.settings;
  const age = storeAgeMs(server);
  if (age >= timing.storeHealthyMs) server.slowWriteMs = server.now;
  if (age >= timing.storeStallMs) server.stalled = true;
  if (server.stalled && (server.slowWriteMs === null || server.now - server.slowWriteMs >= timing.storeRecoveryMs)) server.stalled = false;
}

/**
 * A leader whose disk stalls hands over to a caught-up member, or steps down. With a quorum of its own and nobody to hand
 * over to, stepping down would make room for nobody.
 */
export function driveStall<C>(server: Server<C>, leadership: Leadership): void {
  if (!server.stalled || leadership.transfer !== null) return;
  if (bestTarget(server) !== null) startTransfer(server, null, null);
  else if (!alone(server)) stepDown(server);
}

/** When a leader that lost its office while it handed over has heard no other leader for too long; Infinity: it is none. */
export function departureEndMs<C>(server: Server<C>): number {
  return server.departing === null ? Number.POSITIVE_INFINITY : server.departing.startMs + 4 * server.settings.timing.electionMs;
}

/** A leader that lost its office while it handed over says so when no other leader was heard within four election timeouts. */
export function expireDeparture<C>(server: Server<C>): void {
  const departing = server.departing;
  if (departing === null || server.now < departureEndMs(server)) return;
  server.departing = null;
  refuse(server, departing.origin, "timed-out");
}

/** After its own removal has been committed: the best member takes over, this one is a leader no more. */
export function leaveOffice<C>(server: Server<C>): void {
  const to = server.settings.handOverOnRemoval ? bestTarget(server) : null;
  if (to !== null) sendNow(server, to, { kind: "timeoutNow", lastIndex: lastId(server.log).index });
  stepDown(server);
}
