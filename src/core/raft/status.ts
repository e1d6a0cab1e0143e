import { logIndex, type MemberId } from "../base/index.ts";
import { readLeaseUntil } from "./leadership.ts";
import { configIndex, lastId } from "./log.ts";
import type { Peer } from "./progress.ts";
import { config, leaderReady, type Server, storeAgeMs } from "./state.ts";
import type { PeerStatus, Status } from "./types.ts";

/** Everything that people, the controller and tests may know; computed afresh, never kept. */
export function statusOf<C>(server: Server<C>): Status {
  const { log, leadership } = server;
  return {
    id: server.settings.id,
    role: server.role,
    term: server.term,
    vote: server.vote,
    leader: server.leader,
    commit: server.commit,
    applied: server.applied,
    leaderCommit: leadership === null ? server.leaderCommit : server.commit,
    leaderHeardMs: server.leaderHeardMs,
    last: lastId(log),
    stored: log.stored,
    first: logIndex(log.mark.index + 1),
    logBytes: log.freshBytes,
    snapshot: log.snapshot,
    configuration: config(server),
    configIndex: configIndex(log),
    recovering: server.recovering,
    removed: server.removed,
    storeAgeMs: storeAgeMs(server),
    storeStalled: server.stalled,
    quorumRoundMs: leadership?.quorumRoundMs ?? null,
    leaderSinceMs: leadership?.sinceMs ?? null,
    leaseBaseMs: leaseBase(server),
    leaseTerm: leadership === null ? server.leaseTerm : server.term,
    readLeaseUntilMs: readLeaseUntil(server),
    transferTarget: leadership?.transfer?.to ?? null,
    ready: leaderReady(server),
    peers: peersOf(server),
  };
}

/** A leader's own lease base is the sending time of its last quorum-confirmed round (RAFT.md §7). */
function leaseBase<C>(server: Server<C>): number | null {
  const own = server.leadership?.quorumRoundMs ?? null;
  if (own === null) return server.leaseBaseMs;
  return server.leaseBaseMs === null ? own : Math.max(own, server.leaseBaseMs);
}

function peersOf<C>(server: Server<C>): Status["peers"] {
  const peers = new Map<MemberId, PeerStatus>();
  for (const [id, peer] of server.peers) peers.set(id, peerStatus(server, peer));
  return peers;
}

function peerStatus<C>(server: Server<C>, peer: Peer): PeerStatus {
  const { checkQuorum, timing } = server.settings;
  const contact = peer.contactMs;
  return {
    mode: peer.mode,
    match: peer.match,
    next: peer.next,
    paused: peer.mode === "snapshot" || peer.paused,
    inflight: peer.inflight.length,
    inflightBytes: peer.inflightBytes,
    pendingSnapshot: peer.stream?.meta.last.index ?? null,
    snapshotOffset: peer.stream?.offset ?? 0,
    active: contact !== null && (!checkQuorum || server.now - contact <= timing.electionMs),
    learner: config(server).learners.has(peer.id),
    state: peer.state,
    storeAgeMs: peer.storeAgeMs,
    applied: peer.applied,
    lastHeardMs: peer.lastHeardMs,
    lastAnswerMs: peer.lastAnswerMs,
  };
}
