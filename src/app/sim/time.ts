import { compareText } from "../../core/base/index.ts";

type Entry = { readonly atMs: number; readonly order: number; readonly what: string; readonly run: () => void };

/**
 * Virtual time: a queue of things that happen, in order of time and then of asking. Nothing else moves the clock, so a
 * run depends on its seed alone.
 */
export class VirtualTime {
  nowMs = 0;
  #order = 0;
  readonly #heap: Entry[] = [];

  /** Milliseconds may have fractions; equal times keep the order in which they were asked for. */
  at(atMs: number, what: string, run: () => void): void {
    this.#order += 1;
    push(this.#heap, { atMs: Math.max(atMs, this.nowMs), order: this.#order, what, run });
  }

  after(delayMs: number, what: string, run: () => void): void {
    this.at(this.nowMs + delayMs, what, run);
  }

  /** Moves to the next thing and does it; its name, or null when nothing is left before `untilMs`. */
  step(untilMs: number): string | null {
    const next = this.#heap[0];
    if (next === undefined || next.atMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs);
      return null;
    }
    pop(this.#heap);
    this.nowMs = next.atMs;
    next.run();
    return next.what;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up];
    if (parent === undefined || !before(entry, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let down = 2 * at + 1;
    const left = heap[down];
    const right = heap[down + 1];
    if (left === undefined) break;
    let child = left;
    if (right !== undefined && before(right, left)) {
      child = right;
      down += 1;
    }
    if (!before(child, last)) break;
    heap[at] = child;
    at = down;
  }
  heap[at] = last;
}

/** A process of a virtual host: what it was about to do waits while it is paused, and never happens once it is dead. */
export class VirtualProcess {
  readonly name: string;
  #alive = true;
  #paused = false;
  #waiting: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#paused;
  }

  run(work: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) this.#waiting.push(work);
    else work();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) this.run(work);
  }

  kill(): void {
    this.#alive = false;
    this.#waiting = [];
  }
}

/** A host's own clocks: monotonic time runs at a rate within the clock model, wall time may jump (RAFT.md §7). */
export class HostClock {
  readonly #time: VirtualTime;
  #anchorWorldMs: number;
  #anchorOwnMs: number;
  #rate = 1;
  #wallOffsetMs = 0;

  constructor(time: VirtualTime, startOwnMs: number) {
    this.#time = time;
    this.#anchorWorldMs = time.nowMs;
    this.#anchorOwnMs = startOwnMs;
  }

  nowMs(): number {
    return this.#anchorOwnMs + (this.#time.nowMs - this.#anchorWorldMs) * this.#rate;
  }

  wallMs(): number {
    return 1_800_000_000_000 + this.#time.nowMs + this.#wallOffsetMs;
  }

  setRate(rate: number): void {
    this.#anchorOwnMs = this.nowMs();
    this.#anchorWorldMs = this.#time.nowMs;
    this.#rate = rate;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** World time at which this clock will have advanced by `delayMs`. */
  worldAfter(delayMs: number): number {
    return this.#time.nowMs + delayMs / this.#rate;
  }
}

/** Names in one order, for walks over what a `Map` holds in order of insertion. */
export function inOrder<V>(map: ReadonlyMap<string, V>): V[] {
  return [...map.keys()].sort(compareText).map((key) => map.get(key) as V);
}
