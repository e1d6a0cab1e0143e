import { type LogIndex, logIndex, type MemberId } from "../base/index.ts";
import type { Limits, MemberState, SnapshotMeta } from "./types.ts";

/** A snapshot on its way to a peer: one chunk in flight, resumed at `offset` (RAFT.md §5). */
export type Stream = { meta: SnapshotMeta; offset: number; inFlight: boolean; sentMs: number };

/** What a server knows of a peer. The upper half is replication (leader only), the lower half is contact (any role). */
export type Peer = {
  readonly id: MemberId;
  /** probe: one append in flight, position unknown; replicate: pipelined; snapshot: the log does not reach back. */
  mode: "probe" | "replicate" | "snapshot";
  match: LogIndex;
  next: LogIndex;
  /** Highest commit index that was sent. */
  sentCommit: LogIndex;
  /** No more appends until an answer: a probe is out or the window is full. */
  paused: boolean;
  /** An append is owed even without entries, to learn where the peer stands. */
  wantEmpty: boolean;
  inflight: { readonly last: LogIndex; readonly bytes: number }[];
  inflightBytes: number;
  stream: Stream | null;
  /** For check-quorum: own clock at the last answer in this term, or when the peer entered the configuration. */
  contactMs: number | null;
  lastAnswerMs: number | null;
  ackedRound: number;
  nonceMs: number | null;
  nonceBoot: number;
  lastHeardMs: number | null;
  state: MemberState;
  storeAgeMs: number;
  applied: LogIndex;
};

/** First `next` of a peer that is newly tracked: the leader's last index, at least 1 (etcd's choice, cheap to correct). */
export function firstNext(last: LogIndex): LogIndex {
  return logIndex(Math.max(last, 1));
}

export function newPeer(id: MemberId, next: LogIndex): Peer {
  return {
    id,
    mode: "probe",
    match: logIndex(0),
    next,
    sentCommit: logIndex(0),
    paused: false,
    wantEmpty: false,
    inflight: [],
    inflightBytes: 0,
    stream: null,
    contactMs: null,
    lastAnswerMs: null,
    ackedRound: 0,
    nonceMs: null,
    nonceBoot: 0,
    lastHeardMs: null,
    state: "normal",
    storeAgeMs: 0,
    applied: logIndex(0),
  };
}

/**
 * Forgets all of replication, for a new term or a new boot of the peer. Times of contact stay: what the peer may do until
 * when is counted from its last answer, also if that answer came from an earlier boot (Tsafe, RAFT.md §7).
 */
export function resetPeer(peer: Peer, next: LogIndex): void {
  peer.match = logIndex(0);
  peer.sentCommit = logIndex(0);
  peer.ackedRound = 0;
  peer.nonceMs = null;
  peer.stream = null;
  enter(peer, "probe", next);
}

/** A new term of a new leader: no peer has answered it yet, and one that was recovering may be whole since. */
export function forgetAnswers(peer: Peer): void {
  peer.state = "normal";
  peer.contactMs = null;
  peer.lastAnswerMs = null;
}

function enter(peer: Peer, mode: Peer["mode"], next: LogIndex): void {
  peer.mode = mode;
  peer.next = next;
  peer.paused = false;
  peer.wantEmpty = false;
  peer.inflight = [];
  peer.inflightBytes = 0;
  peer.sentCommit = logIndex(Math.min(peer.sentCommit, next - 1));
}

export function becomeProbe(peer: Peer): void {
  const behind = peer.stream === null ? 0 : peer.stream.meta.last.index;
  peer.stream = null;
  enter(peer, "probe", logIndex(Math.max(peer.match, behind) + 1));
}

export function becomeReplicate(peer: Peer): void {
  peer.stream = null;
  enter(peer, "replicate", logIndex(peer.match + 1));
}

export function becomeSnapshot(peer: Peer, meta: SnapshotMeta): void {
  enter(peer, "snapshot", logIndex(meta.last.index + 1));
  peer.stream = { meta, offset: 0, inFlight: false, sentMs: 0 };
}

export function windowFull(peer: Peer, limits: Limits): boolean {
  return peer.inflight.length >= limits.inflightMessages || peer.inflightBytes >= limits.inflightBytes;
}

/** Books an append that was sent: `last` = its last entry, null for an empty one. */
export function sentAppend(peer: Peer, sent: { readonly last: LogIndex | null; readonly bytes: number }, limits: Limits): void {
  if (peer.mode === "probe") {
    if (sent.last !== null) peer.paused = true;
    return;
  }
  if (sent.last !== null) {
    peer.next = logIndex(sent.last + 1);
    peer.inflight.push({ last: sent.last, bytes: sent.bytes });
    peer.inflightBytes += sent.bytes;
  }
  peer.paused = windowFull(peer, limits);
}

/** Frees the window up to and including `index`. */
export function freeWindow(peer: Peer, index: LogIndex): void {
  let freed = 0;
  for (const row of peer.inflight) {
    if (row.last > index) break;
    freed += 1;
    peer.inflightBytes -= row.bytes;
  }
  if (freed > 0) peer.inflight.splice(0, freed);
}

/** An accepted append up to `match`: true if it told anything new. */
export function raiseMatch(peer: Peer, match: LogIndex): boolean {
  if (match <= peer.match) return false;
  peer.match = match;
  peer.next = logIndex(Math.max(peer.next, match + 1));
  peer.paused = false;
  return true;
}

/** A refused append at `rejected`: moves `next` back to `hint` + 1 at most; false if the refusal is an old one. */
export function lowerNext(peer: Peer, rejected: LogIndex, hint: LogIndex): boolean {
  if (peer.mode === "replicate") {
    if (rejected <= peer.match) return false;
    becomeProbe(peer);
    return true;
  }
  if (peer.mode === "snapshot" || peer.next - 1 !== rejected) return false;
  peer.next = logIndex(Math.max(Math.min(rejected, hint + 1), peer.match + 1));
  peer.sentCommit = logIndex(Math.min(peer.sentCommit, peer.next - 1));
  peer.paused = false;
  return true;
}
