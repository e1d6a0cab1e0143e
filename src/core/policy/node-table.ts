import { addScores, INFINITY_SCORE, type Score } from "../base/index.ts";
import type { Cause, Term } from "./model-terms.ts";
import { DISCOVERY, type Discovery } from "./model-values.ts";

/**
 * A resource's scores by node index (assignment.md 4): no entry means "not allowed there". Typed arrays, because tables
 * of clones and large clusters are copied in every colocation merge. Grows when nodes appear while status is read.
 */
export class NodeTable {
  private scores: Int32Array;
  /** 0: no entry; else discovery mode + 1. */
  private modes: Uint8Array;
  /** Terms that made the scores, in order of application; null when nobody asked for explanations. */
  log: Term[] | null;

  constructor(size: number, explain: boolean) {
    this.scores = new Int32Array(size);
    this.modes = new Uint8Array(size);
    this.log = explain ? [] : null;
  }

  /** Highest node index that may have an entry, plus one. */
  get length(): number {
    return this.scores.length;
  }

  has(node: number): boolean {
    return node < this.modes.length && this.modes[node] !== 0;
  }

  /** The score, or minus infinity where there is no entry. */
  get(node: number): Score {
    return this.has(node) ? this.scores[node]! : -INFINITY_SCORE;
  }

  mode(node: number): Discovery | null {
    return this.has(node) ? ((this.modes[node]! - 1) as Discovery) : null;
  }

  setMode(node: number, mode: Discovery): void {
    if (this.has(node)) this.modes[node] = mode + 1;
  }

  /** Creates or overwrites an entry. */
  set(node: number, score: Score, cause: Cause, mode?: Discovery): void {
    if (node >= this.scores.length) this.grow(node + 1);
    const before = this.modes[node]!;
    this.scores[node] = score;
    this.modes[node] = mode === undefined ? (before === 0 ? DISCOVERY.always + 1 : before) : mode + 1;
    if (this.log !== null) this.log.push({ node, set: true, value: score, cause });
  }

  /** Adds to an existing entry (saturating); no entry: nothing happens. */
  add(node: number, score: Score, cause: Cause): void {
    if (!this.has(node)) return;
    this.scores[node] = addScores(this.scores[node]!, score);
    if (this.log !== null && score !== 0) this.log.push({ node, set: false, value: score, cause });
  }

  delete(node: number): void {
    if (node < this.modes.length) this.modes[node] = 0;
  }

  clear(): void {
    this.modes.fill(0);
    if (this.log !== null) this.log.length = 0;
  }

  /** Number of entries. */
  count(): number {
    let count = 0;
    for (const mode of this.modes) if (mode !== 0) count++;
    return count;
  }

  /** A copy without explanation log: a working table. */
  copy(): NodeTable {
    const copy = new NodeTable(0, false);
    copy.scores = this.scores.slice();
    copy.modes = this.modes.slice();
    return copy;
  }

  /** A copy that includes the log: a saved state to go back to. */
  snapshot(): NodeTable {
    const copy = this.copy();
    copy.log = this.log === null ? null : this.log.slice();
    return copy;
  }

  /** Takes scores, modes and log of a snapshot. */
  restore(from: NodeTable): void {
    this.scores = from.scores.slice();
    this.modes = from.modes.slice();
    this.log = from.log === null ? null : from.log.slice();
  }

  /** Takes over the scores of a working table (same entries), logging nothing: the caller appends the terms. */
  adopt(from: NodeTable): void {
    this.scores = from.scores;
    this.modes = from.modes;
  }

  private grow(size: number): void {
    const scores = new Int32Array(size);
    scores.set(this.scores);
    this.scores = scores;
    const modes = new Uint8Array(size);
    modes.set(this.modes);
    this.modes = modes;
  }
}
