import { createHash } from "node:crypto";

/** Lines kept for a report of a failure. */
const LINES_MAX = 4_000;

/** The story of a run: one readable line an event, and a running hash that shows whether two runs were the same. */
export class Trace {
  readonly #hash = createHash("sha256");
  readonly #lines: string[] = [];
  readonly #print: ((line: string) => void) | null;
  count = 0;

  constructor(print: ((line: string) => void) | null) {
    this.#print = print;
  }

  add(atMs: number, who: string, text: string): void {
    const line = `${atMs.toFixed(3).padStart(12)} ${who.padEnd(8)} ${text}`;
    this.#hash.update(line);
    this.count += 1;
    this.#lines.push(line);
    if (this.#lines.length > 2 * LINES_MAX) this.#lines.splice(0, LINES_MAX);
    this.#print?.(line);
  }

  tail(count: number): string[] {
    return this.#lines.slice(-count);
  }

  digest(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }
}
