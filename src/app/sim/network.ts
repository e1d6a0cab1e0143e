import type { MemberId, Random } from "../../core/base/index.ts";
import type { Proposal } from "../../core/cib/index.ts";
import type { Message } from "../../core/raft/index.ts";
import type { VirtualTime } from "./time.ts";

export type Weather = {
  /** Chance of a message to be lost, to come twice, to come much later than others. */
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  /** Extra delay, milliseconds, drawn from [0, delayMs). */
  readonly delayMs: number;
};

export const CALM: Weather = { loss: 0, duplicate: 0, reorder: 0, delayMs: 0 };

/** Silence of a ring after which links move to another one, and how much longer it may take; milliseconds (`io/transport`). */
const RING_SILENCE_MS = 110;
const RING_SLACK_MS = 60;

type Pair = { ring: number; movesAtMs: number | null; lastAtMs: number };

/**
 * The wire between members, over one or two rings. Cuts are one-way and of one ring or of all; several may lie on a wire.
 * Weather holds for all. Messages arrive in order unless it says otherwise.
 */
export class VirtualNetwork {
  weather: Weather = CALM;
  readonly rings: number;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #deliver: (from: MemberId, to: MemberId, message: Message<Proposal>) => void;
  /** How many cuts lie on a wire of a ring. */
  readonly #cuts = new Map<string, number>();
  /** By sender, then by receiver. */
  readonly #pairs = new Map<MemberId, Map<MemberId, Pair>>();
  sent = 0;

  constructor(time: VirtualTime, random: Random, deliver: (from: MemberId, to: MemberId, message: Message<Proposal>) => void, rings = 1) {
    this.#time = time;
    this.#random = random;
    this.#deliver = deliver;
    this.rings = rings;
  }

  /** Cuts a wire on one ring, or on all; the result mends this cut and no other. */
  cut(from: MemberId, to: MemberId, ring: number | null = null): () => void {
    const rings = ring === null ? Array.from({ length: this.rings }, (_, at) => at) : [ring];
    const keys = rings.map((at) => `${from}>${to}/${at}`);
    for (const key of keys) this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
    let lies = true;
    return () => {
      if (!lies) return;
      lies = false;
      for (const key of keys) {
        const left = (this.#cuts.get(key) ?? 0) - 1;
        if (left > 0) this.#cuts.set(key, left);
        else this.#cuts.delete(key);
      }
    };
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Is the wire cut on every ring? */
  isCut(from: MemberId, to: MemberId): boolean {
    if (this.#cuts.size === 0) return false;
    for (let ring = 0; ring < this.rings; ring += 1) if (!this.#cuts.has(`${from}>${to}/${ring}`)) return false;
    return true;
  }

  send(from: MemberId, to: MemberId, message: Message<Proposal>): void {
    this.sent += 1;
    const { loss, duplicate } = this.weather;
    const ring = this.#ringFor(from, to);
    if (ring === null || this.#random.fraction() < loss) return;
    this.#fly(from, to, ring, message);
    if (duplicate > 0 && this.#random.fraction() < duplicate) this.#fly(from, to, ring, message);
  }

  #pair(from: MemberId, to: MemberId): Pair {
    let ofSender = this.#pairs.get(from);
    if (ofSender === undefined) {
      ofSender = new Map();
      this.#pairs.set(from, ofSender);
    }
    let pair = ofSender.get(to);
    if (pair === undefined) {
      pair = { ring: 0, movesAtMs: null, lastAtMs: 0 };
      ofSender.set(to, pair);
    }
    return pair;
  }

  #isRingCut(from: MemberId, to: MemberId, ring: number): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}/${ring}`);
  }

  /** The ring this message takes; null = it is lost: everything is cut, or the link has not noticed yet and not moved. */
  #ringFor(from: MemberId, to: MemberId): number | null {
    const pair = this.#pair(from, to);
    if (!this.#isRingCut(from, to, pair.ring)) {
      pair.movesAtMs = null;
      return pair.ring;
    }
    const { nowMs } = this.#time;
    pair.movesAtMs ??= nowMs + RING_SILENCE_MS + this.#random.fraction() * RING_SLACK_MS;
    if (nowMs < pair.movesAtMs) return null;
    for (let ring = 0; ring < this.rings; ring += 1) {
      if (this.#isRingCut(from, to, ring)) continue;
      pair.ring = ring;
      pair.movesAtMs = null;
      return ring;
    }
    return null;
  }

  #fly(from: MemberId, to: MemberId, ring: number, message: Message<Proposal>): void {
    const { reorder, delayMs } = this.weather;
    const pair = this.#pair(from, to);
    const free = this.#time.nowMs + 0.2 + this.#random.fraction() + this.#random.fraction() * delayMs;
    const late = reorder > 0 && this.#random.fraction() < reorder;
    const atMs = late ? free + this.#random.fraction() * 50 : Math.max(free, pair.lastAtMs);
    if (!late) pair.lastAtMs = atMs;
    this.#time.at(atMs, "message", () => {
      // A cut made meanwhile swallows what is still on the wire.
      if (!this.#isRingCut(from, to, ring)) this.#deliver(from, to, message);
    });
  }
}
