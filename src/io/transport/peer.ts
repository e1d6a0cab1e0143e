import type { MemberId, Random } from "../../core/base/index.ts";
import type { Log } from "../../core/ports/index.ts";
import type { EncodedFrame } from "../wire/index.ts";
import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  BACKOFF_REJECTED_MAX_MS,
  IDLE_PING_MS,
  PATH_DEAD_MS,
  RACE_MS,
  RING_SILENT_MS,
  RINGS_MAX,
  RINGS_PING_MS,
  SECOND_DIALLER_MS,
  SOCKET_BYTES_MAX,
  SOCKET_URGENT_BYTES_MAX,
} from "./limits.ts";
import { CLOSE_LEAVING, CLOSE_REPLACED } from "./refusals.ts";
import { SendQueue } from "./send-queue.ts";
import type { Session, SessionEnd } from "./session.ts";
import type { Address, LinkEvent, LinkRefusal, PeerStats } from "./types.ts";

/** One attempt to reach a peer on one ring. */
export type Dial = { readonly cancel: () => void };
export type DialFailure = "refused" | "failed";

export type PeerOptions = {
  readonly self: MemberId;
  readonly member: MemberId;
  readonly random: Random;
  readonly now: () => number;
  readonly log: Log;
  readonly onLink: (event: LinkEvent) => void;
  /** Starts a connection; a session that comes up arrives through `Peer.adopt`. */
  readonly dial: (address: Address, ring: number, failed: (failure: DialFailure) => void) => Dial;
};

type Ring = {
  address: Address | null;
  session: Session | null;
  dial: Dial | null;
  timer: NodeJS.Timeout | null;
  backoffMs: number;
};

const newRing = (): Ring => ({ address: null, session: null, dial: null, timer: null, backoffMs: BACKOFF_MIN_MS });

/** Everything that links this node with one member: a path for each ring, one of them in use, and the queue before it. */
export class Peer {
  readonly #options: PeerOptions;
  readonly #queue = new SendQueue();
  readonly #rings: Ring[] = [];
  #active: Session | null = null;
  #closed = false;
  #lastHeardMs: number | null = null;
  /** The peer has refused us by name since its last link. */
  #isRejected = false;
  #sentBytes = 0;
  #receivedBytes = 0;
  constructor(options: PeerOptions) {
    this.#options = options;
  }

  get member(): MemberId {
    return this.#options.member;
  }

  /** False: whatever is sent now is lost. */
  get isUp(): boolean {
    return this.#active !== null;
  }

  get hasSeveralRings(): boolean {
    return this.#rings.filter((ring) => ring.address !== null || ring.session !== null).length > 1;
  }

  #ring(number: number): Ring {
    while (this.#rings.length <= number) this.#rings.push(newRing());
    return this.#rings[number]!;
  }

  setAddresses(addresses: readonly Address[]): void {
    const wanted = addresses.slice(0, RINGS_MAX);
    for (let number = 0; number < Math.max(wanted.length, this.#rings.length); number += 1) {
      const ring = this.#ring(number);
      const address = wanted[number] ?? null;
      if (ring.address === address) continue;
      const isChange = ring.address !== null;
      ring.address = address;
      this.#stopDialling(ring);
      if (isChange) ring.session?.close(CLOSE_REPLACED, "the member's address changed");
      if (address !== null && ring.session === null) this.#dialLater(number, 0);
    }
  }

  #stopDialling(ring: Ring): void {
    if (ring.timer !== null) clearTimeout(ring.timer);
    ring.timer = null;
    ring.dial?.cancel();
    ring.dial = null;
    ring.backoffMs = BACKOFF_MIN_MS;
  }

  #dialLater(number: number, delayMs: number): void {
    const ring = this.#ring(number);
    if (this.#closed || ring.address === null || ring.timer !== null || ring.dial !== null) return;
    const turn = this.#options.self < this.#options.member ? 0 : SECOND_DIALLER_MS;
    ring.timer = setTimeout(() => {
      ring.timer = null;
      this.#dialNow(number);
    }, delayMs + turn);
  }

  #dialNow(number: number): void {
    const ring = this.#ring(number);
    const { address } = ring;
    if (this.#closed || address === null || ring.session !== null || ring.dial !== null) return;
    ring.dial = this.#options.dial(address, number, (failure) => {
      ring.dial = null;
      if (this.#closed || ring.session !== null) return;
      if (failure === "refused") this.#options.onLink({ kind: "gone", member: this.#options.member, address });
      this.#backOff(number);
    });
  }

  #backOff(number: number): void {
    const ring = this.#ring(number);
    const { random } = this.#options;
    const delayMs = ring.backoffMs / 2 + random.fraction() * (ring.backoffMs / 2);
    ring.backoffMs = Math.min(this.#isRejected ? BACKOFF_REJECTED_MAX_MS : BACKOFF_MAX_MS, ring.backoffMs * 2);
    this.#dialLater(number, delayMs);
  }

  /** Takes a session whose hello was in order, or closes it if the ring has a better one. */
  adopt(session: Session): void {
    const ring = this.#ring(Math.min(session.ring, RINGS_MAX - 1));
    const old = ring.session;
    const nowMs = this.#options.now();
    if (old !== null && this.#keepsOld(old, session, nowMs)) {
      session.close(CLOSE_REPLACED, "a link exists already");
      return;
    }
    const wasUp = this.#rings.some((one) => one.session !== null);
    ring.session = session;
    this.#isRejected = false;
    if (ring.timer !== null) clearTimeout(ring.timer);
    ring.timer = null;
    ring.dial = null;
    ring.backoffMs = BACKOFF_MIN_MS;
    old?.close(CLOSE_REPLACED, "a newer link took its place");
    if (this.#active === null || this.#active === old) this.#active = session;
    if (!wasUp || (old !== null && old.peerBoot !== session.peerBoot)) {
      this.#options.onLink({ kind: "up", member: this.#options.member, boot: session.peerBoot, address: session.address });
    }
    this.pump();
  }

  /** Both ends dialled at once: each keeps the link of the smaller id, so that they agree. Else the newer one is right. */
  #keepsOld(old: Session, session: Session, nowMs: number): boolean {
    if (old.dialled === session.dialled || nowMs - old.openedAtMs > RACE_MS || old.peerBoot !== session.peerBoot) return false;
    const smallerDials = this.#options.self < this.#options.member;
    return old.dialled === smallerDials;
  }

  /** A session of this peer has ended. */
  ended(session: Session, end: SessionEnd): void {
    this.#sentBytes += session.sentBytes;
    this.#receivedBytes += session.receivedBytes;
    const number = this.#rings.findIndex((ring) => ring.session === session);
    if (end.rejection !== null) this.rejected(end.rejection);
    if (number === -1) return;
    this.#heardAt(session.lastReceivedMs);
    this.#ring(number).session = null;
    if (this.#active === session) this.#choose(this.#options.now());
    if (this.#rings.every((ring) => ring.session === null)) {
      this.#queue.clear();
      const { cause, hostAnswers } = end;
      this.#options.onLink({ kind: "down", member: this.#options.member, cause, hostAnswers });
    }
    // At once, whoever dialled before: a refused attempt is how a dead daemon is told from a dead host (RAFT.md §7).
    if (end.rejection !== null || end.refusal !== null) this.#backOff(number);
    else this.#dialLater(number, 0);
  }

  /** The peer does not want this node, and said why. */
  rejected(why: { readonly code: LinkRefusal; readonly reason: string }): void {
    this.#isRejected = true;
    this.#options.onLink({ kind: "rejected", member: this.#options.member, ...why });
  }

  #heardAt(ms: number): void {
    this.#lastHeardMs = Math.max(this.#lastHeardMs ?? ms, ms);
  }

  send(frame: EncodedFrame): void {
    if (this.#active === null) return;
    this.#queue.push(frame);
    this.pump();
  }

  /** Hands over as much as the socket may hold; urgent messages may fill it further than data. */
  pump(): void {
    const session = this.#active;
    if (session === null || !session.isUp) return;
    while (true) {
      const lane = this.#queue.nextLane();
      if (lane === null || session.socketBytes >= (lane === "urgent" ? SOCKET_URGENT_BYTES_MAX : SOCKET_BYTES_MAX)) return;
      const frame = this.#queue.take();
      if (frame === null) return;
      session.send(frame.bytes);
    }
  }

  /** Called at the pace of the transport: pings, finds half-open paths, moves to a ring that works. */
  tick(nowMs: number): void {
    const severalRings = this.hasSeveralRings;
    for (const { session } of this.#rings) {
      if (session === null) continue;
      const silentMs = nowMs - session.lastReceivedMs;
      if (silentMs > PATH_DEAD_MS) session.abandon();
      else if (severalRings) session.pingIfDue(nowMs, RINGS_PING_MS);
      else if (silentMs >= IDLE_PING_MS) session.pingIfDue(nowMs, IDLE_PING_MS);
    }
    if (severalRings && this.#active !== null && this.#active.silentMs(nowMs) > RING_SILENT_MS) this.#choose(nowMs);
  }

  #choose(nowMs: number): void {
    const before = this.#active;
    let best: Session | null = null;
    for (const { session } of this.#rings) {
      if (session === null || !session.isUp) continue;
      if (best === null || session.silentMs(nowMs) < best.silentMs(nowMs)) best = session;
    }
    // Both silent means a pause of one end, not a cut: moving would only reorder.
    const stays = before?.isUp === true && best !== null && best !== before && best.silentMs(nowMs) > RING_SILENT_MS;
    if (stays || best === before) return;
    this.#active = best;
    if (best === null) return;
    this.#options.log.info({ member: this.#options.member, address: best.address, ring: best.ring }, "messages move to another ring");
    this.#options.onLink({ kind: "moved", member: this.#options.member, address: best.address });
    this.pump();
  }

  /** Every live session, for looking at the peer's rights again. */
  sessions(): readonly Session[] {
    return this.#rings.flatMap((ring) => (ring.session === null ? [] : [ring.session]));
  }

  stats(): PeerStats {
    const nowMs = this.#options.now();
    const sessions = this.sessions();
    for (const session of sessions) this.#heardAt(session.lastReceivedMs);
    return {
      member: this.#options.member,
      paths: this.#rings.map((ring, number) => ({
        address: ring.session?.address ?? ring.address ?? "",
        ring: number,
        state: ring.session !== null ? "up" : ring.dial !== null ? "connecting" : "down",
        active: ring.session !== null && ring.session === this.#active,
        silentMs: ring.session === null ? null : nowMs - ring.session.lastReceivedMs,
      })),
      queuedBytes: this.#queue.bytes,
      droppedMessages: this.#queue.dropped,
      sentBytes: sessions.reduce((sum, one) => sum + one.sentBytes, this.#sentBytes),
      receivedBytes: sessions.reduce((sum, one) => sum + one.receivedBytes, this.#receivedBytes),
      contactAgeMs: this.#lastHeardMs === null ? null : nowMs - this.#lastHeardMs,
    };
  }

  close(reason: string): void {
    this.#closed = true;
    for (const ring of this.#rings) {
      this.#stopDialling(ring);
      ring.session?.close(CLOSE_LEAVING, reason);
    }
    this.#queue.clear();
  }
}
