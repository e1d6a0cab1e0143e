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

/** The wire between members. Cuts are one-way; weather holds for all. Messages arrive in order unless it says otherwise. */
export class VirtualNetwork {
  weather: Weather = CALM;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #deliver: (from: MemberId, to: MemberId, message: Message<Proposal>) => void;
  readonly #cuts = new Set<string>();
  readonly #lastAtMs = new Map<string, number>();
  sent = 0;

  constructor(time: VirtualTime, random: Random, deliver: (from: MemberId, to: MemberId, message: Message<Proposal>) => void) {
    this.#time = time;
    this.#random = random;
    this.#deliver = deliver;
  }

  cut(from: MemberId, to: MemberId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  isCut(from: MemberId, to: MemberId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  send(from: MemberId, to: MemberId, message: Message<Proposal>): void {
    this.sent += 1;
    const { loss, duplicate } = this.weather;
    if (this.isCut(from, to) || this.#random.fraction() < loss) return;
    this.#fly(from, to, message);
    if (duplicate > 0 && this.#random.fraction() < duplicate) this.#fly(from, to, message);
  }

  #fly(from: MemberId, to: MemberId, message: Message<Proposal>): void {
    const { reorder, delayMs } = this.weather;
    const key = `${from}>${to}`;
    const free = this.#time.nowMs + 0.2 + this.#random.fraction() + this.#random.fraction() * delayMs;
    const late = reorder > 0 && this.#random.fraction() < reorder;
    const atMs = late ? free + this.#random.fraction() * 50 : Math.max(free, this.#lastAtMs.get(key) ?? 0);
    if (!late) this.#lastAtMs.set(key, atMs);
    this.#time.at(atMs, "message", () => {
      // A cut made meanwhile swallows what is still on the wire.
      if (!this.isCut(from, to)) this.#deliver(from, to, message);
    });
  }
}
