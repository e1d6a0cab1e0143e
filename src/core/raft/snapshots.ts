import { invariant, logIndex, type MemberId } from "../base/index.ts";
import { heardLeader } from "./election.ts";
import { noteAnswer } from "./leadership.ts";
import { compactionPoint, compactLog, holds, installSnapshot, rebase } from "./log.ts";
import { becomeSnapshot, type Peer } from "./progress.ts";
import { checkRecovered, commitTo, notePeerMatch, replyAppend } from "./replication.ts";
import { type Server, sendAfter, sendNow, trackPeers } from "./state.ts";
import type { EntryId, Message, SnapshotMeta } from "./types.ts";

type OfKind<C, K extends Message<C>["kind"]> = Extract<Message<C>, { readonly kind: K }>;

/** The log no longer reaches back to the peer: it gets the newest snapshot, once it has been heard in this term. */
export function startSnapshot<C>(server: Server<C>, peer: Peer): boolean {
  const meta = server.log.snapshot;
  invariant(meta !== null, "a log without a snapshot was compacted");
  if (peer.lastAnswerMs === null) {
    peer.paused = true;
    return false;
  }
  becomeSnapshot(peer, meta);
  return true;
}

/** One chunk in flight per stream; the host fills in the bytes. A chunk of no bytes asks where the receiver stands. */
export function sendChunk<C>(server: Server<C>, peer: Peer): void {
  const stream = peer.stream;
  if (stream === null || stream.inFlight) return;
  const { meta, offset } = stream;
  const length = Math.min(server.settings.limits.chunkBytes, meta.sizeBytes - offset);
  sendNow(server, peer.id, { kind: "snapChunk", snapshot: meta, offset, length, data: null });
  stream.inFlight = true;
  stream.sentMs = server.now;
}

export function onSnapReply<C>(server: Server<C>, peer: Peer, message: OfKind<C, "snapReply">): void {
  noteAnswer(server, peer);
  if (message.done) {
    notePeerMatch(server, peer, message.last.index);
    return;
  }
  const stream = peer.stream;
  if (stream === null || stream.meta.last.index !== message.last.index) return;
  // Everything has arrived and is being verified: the next answer is `done`, or a heartbeat asks again.
  if (message.reason === null && message.nextOffset >= stream.meta.sizeBytes && stream.meta.sizeBytes > 0) return;
  stream.offset = Math.min(message.nextOffset, stream.meta.sizeBytes);
  stream.inFlight = false;
}

/** A follower's side: keeps chunks that fit, asks for the place where it stands otherwise (resumable). */
export function onSnapChunk<C>(server: Server<C>, from: MemberId, message: OfKind<C, "snapChunk">): void {
  heardLeader(server, from);
  const { snapshot, offset, data } = message;
  if (snapshot.last.index <= server.commit || holds(server.log, snapshot.last)) {
    answerHeld(server, from, snapshot);
    return;
  }
  const incoming = acceptStream(server, from, snapshot);
  if (incoming === null) {
    replySnap(server, from, { last: snapshot.last, nextOffset: 0, done: false, reason: "stale" });
    return;
  }
  const complete = incoming.nextOffset >= snapshot.sizeBytes;
  const fits = offset === incoming.nextOffset && !incoming.verifying && (data !== null || message.length === 0);
  if (fits && (!complete || snapshot.sizeBytes === 0)) {
    if (data !== null) server.out.chunks.push({ snapshot, offset, data });
    incoming.nextOffset += message.length;
    if (incoming.nextOffset >= snapshot.sizeBytes) {
      incoming.verifying = true;
      server.out.verify = snapshot;
    }
  }
  replySnap(server, from, { last: snapshot.last, nextOffset: incoming.nextOffset, done: false, reason: null });
}

/** The log holds the end of the snapshot already: nothing to install, the rest of the log is kept. */
function answerHeld<C>(server: Server<C>, from: MemberId, snapshot: SnapshotMeta): void {
  commitTo(server, snapshot.last.index);
  const match = logIndex(Math.max(server.commit, snapshot.last.index));
  server.verified = logIndex(Math.max(server.verified, match));
  server.incoming = null;
  checkRecovered(server);
  replyAppend(server, from, { ok: true, match, prevIndex: match, hintIndex: logIndex(0), hintTerm: snapshot.last.term });
}

function acceptStream<C>(server: Server<C>, from: MemberId, meta: SnapshotMeta): Server<C>["incoming"] {
  const current = server.incoming;
  if (current !== null && current.meta.hash === meta.hash && current.meta.last.index === meta.last.index && current.from === from) {
    return current;
  }
  if (current !== null && current.from === from && current.meta.last.index > meta.last.index) return null;
  server.incoming = { meta, from, nextOffset: 0, verifying: false };
  return server.incoming;
}

function replySnap<C>(
  server: Server<C>,
  to: MemberId,
  reply: Pick<OfKind<C, "snapReply">, "last" | "nextOffset" | "done" | "reason">,
): void {
  sendAfter(server, to, { kind: "snapReply", ...reply });
}

/** The host has checked the whole: install it, or have it sent again from the start. */
export function onVerified<C>(server: Server<C>, last: EntryId, ok: boolean): void {
  const incoming = server.incoming;
  if (incoming === null || !incoming.verifying) return;
  if (incoming.meta.last.index !== last.index || incoming.meta.last.term !== last.term) return;
  server.incoming = null;
  if (!ok) {
    replySnap(server, incoming.from, { last, nextOffset: 0, done: false, reason: "hash" });
    return;
  }
  if (last.index <= server.commit || holds(server.log, last)) {
    answerHeld(server, incoming.from, incoming.meta);
    return;
  }
  install(server, incoming.meta);
  replySnap(server, incoming.from, { last, nextOffset: incoming.meta.sizeBytes, done: true, reason: null });
}

/** In memory at once, on disk with the next batch; later entries wait until the state machine has loaded it. */
function install<C>(server: Server<C>, meta: SnapshotMeta): void {
  installSnapshot(server.log, meta);
  server.log.stored = logIndex(0);
  server.commit = meta.last.index;
  server.handedOut = meta.last.index;
  server.unappliedBytes = 0;
  server.applyFloor = meta.last.index;
  server.verified = logIndex(Math.max(server.verified, meta.last.index));
  server.hardDirty = true;
  server.out.snapshot = meta;
  trackPeers(server);
}

/**
 * The host took a snapshot of its own state: old entries go, all but some for slow followers (`Limits`, RAFT.md §5).
 * Streams of an older snapshot start anew with this one, so that the host keeps one snapshot only.
 */
export function onSnapshotTaken<C>(server: Server<C>, meta: SnapshotMeta): void {
  const { log } = server;
  invariant(meta.last.index <= server.applied, `a snapshot at ${meta.last.index}, but only ${server.applied} is applied`);
  if (log.snapshot !== null && meta.last.index < log.snapshot.last.index) return;
  rebase(log, meta);
  const to = compactionPoint(log, server.settings.limits);
  if (to !== null) {
    compactLog(log, to);
    server.out.compactTo = to;
  }
  for (const peer of server.peers.values()) restartStream(peer, meta);
}

function restartStream(peer: Peer, meta: SnapshotMeta): void {
  if (peer.mode === "snapshot") becomeSnapshot(peer, meta);
}
