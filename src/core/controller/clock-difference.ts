import type { Host } from "./host.ts";

/** A member measures its clock anew this often, and tells of a change at most this often; milliseconds. */
const REFRESH_MS = 600_000;
const TELL_MS = 60_000;
/** Smaller changes of the difference are not worth an entry, milliseconds. */
const CHANGE_MS = 250;
/** A measurement that took longer says too little, milliseconds. */
const ROUND_MAX_MS = 1_000;

/** How far the wall clock of this node is from cluster time (RAFT.md §7); it decides nothing, status tells it. */
export class ClockDifference {
  readonly #host: Host;
  #differenceMs: number | null = null;
  #lookMs = 0;
  #refreshMs = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Milliseconds that this node is ahead; null: not measured yet. */
  get valueMs(): number | null {
    return this.#differenceMs;
  }

  /** The leader stamped the greeting between its saying and its return: half of that time is the error. */
  measure(saidAtMs: number): void {
    const { wallMs, nowMs, state } = this.#host;
    this.#refreshMs = nowMs + REFRESH_MS;
    if (wallMs - saidAtMs > ROUND_MAX_MS || wallMs < saidAtMs) return;
    this.#differenceMs = Math.round((saidAtMs + wallMs) / 2 - state.clockMs);
  }

  /** It is time to measure it anew, or it has changed since the cluster was `told`. */
  isNews(told: number | undefined): boolean {
    const { nowMs } = this.#host;
    if (nowMs >= this.#refreshMs && this.#refreshMs > 0) return true;
    if (this.#differenceMs === null || nowMs < this.#lookMs) return false;
    if (told !== undefined && Math.abs(told - this.#differenceMs) < CHANGE_MS) return false;
    this.#lookMs = nowMs + TELL_MS;
    return true;
  }
}
