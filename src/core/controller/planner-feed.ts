import type { CibState, Command, Proposal } from "../cib/index.ts";
import type { Entry } from "../raft/index.ts";
import type { ToPlanner } from "./planner.ts";

/** The policy worker hears of attributes at most this often while nothing is under way, milliseconds. */
const TELL_PAUSE_MS = 100;
/** Entries that wait for a worker that is busy; above it the worker is given the state as a whole. */
const ENTRIES_MAX = 16_384;

/**
 * What was applied and the policy worker has not been told of. The worker of a follower has nothing to decide. That of a
 * leader may hear of attributes a little later while nothing is under way: nodes, results, fencing and the configuration are
 * told at once. What comes while it computes is told, and decided about, in one go.
 */
export class PlannerFeed {
  #entries: Entry<Proposal>[] = [];
  #up = false;
  #tellMs = 0;
  /** Of what the worker was not told yet something may call for an action at once. */
  #hurries = false;
  /** Messages with entries that the worker has not taken in. */
  #owed = 0;

  get up(): boolean {
    return this.#up;
  }

  /** A new worker: it is given the state as a whole. */
  started(): void {
    this.#up = true;
    this.#owed = 0;
    this.dropped();
  }

  lost(): void {
    this.#up = false;
  }

  /** The worker has taken in a message with entries. */
  heard(): void {
    this.#owed = Math.max(0, this.#owed - 1);
  }

  /** What waits is part of a state that the worker is given as a whole. */
  dropped(): void {
    this.#entries = [];
  }

  note(entry: Entry<Proposal>, command: Command | null, leaderRests: boolean): void {
    if (!this.#up) return;
    if (this.#entries.length <= ENTRIES_MAX) this.#entries.push(entry);
    const canWait = command === null || (command.kind === "attribute.set" && leaderRests);
    if (!canWait) this.#hurries = true;
  }

  /** Is it time to tell the worker without being asked to? */
  isDue(nowMs: number, leads: boolean): boolean {
    return this.#owed === 0 && ((leads && this.#hurries) || nowMs >= this.#tellMs);
  }

  /** Own clock at which the worker of a leader is to be told; Infinity: nothing waits, or its answer has to come first. */
  get wakeMs(): number {
    return this.#entries.length > 0 && this.#owed === 0 ? this.#tellMs : Number.POSITIVE_INFINITY;
  }

  /** The message with all that waits; null: nothing does, or nobody would hear it. */
  take(state: CibState, nowMs: number, stampMs: () => number): ToPlanner | null {
    this.#hurries = false;
    const entries = this.#entries;
    if (entries.length === 0 || !this.#up) return null;
    this.dropped();
    if (entries.length > ENTRIES_MAX) return { kind: "load", state };
    this.#owed += 1;
    this.#tellMs = nowMs + TELL_PAUSE_MS;
    return { kind: "applied", entries, nowMs: stampMs() };
  }
}
