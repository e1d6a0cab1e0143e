import type { Log, LogFields } from "../../core/ports/index.ts";
import { REFUSAL_LINES_BURST, REFUSAL_LINES_PER_SECOND, SAID_MAX, SAY_AGAIN_MS } from "./limits.ts";
import type { LinkRefusal } from "./types.ts";

/** Close codes of WebSocket, in the range that applications own. */
export const CLOSE_REPLACED = 4000;
export const CLOSE_LEAVING = 4001;
export const CLOSE_REFUSED = 4003;
const REASON_BYTES_MAX = 120;

/** `CODE: reason`, cut to what a close frame can carry. */
export function closeReason(code: LinkRefusal, reason: string): string {
  let text = `${code}: ${reason}`;
  while (Buffer.byteLength(text) > REASON_BYTES_MAX) text = text.slice(0, -1);
  return text;
}

const CODES: ReadonlySet<string> = new Set<LinkRefusal>([
  "LINK_NO_CERTIFICATE",
  "LINK_FOREIGN_CERTIFICATE",
  "LINK_OTHER_CLUSTER",
  "LINK_OTHER_MEMBER",
  "LINK_NOT_A_MEMBER",
  "LINK_REMOVED",
  "LINK_VERSION",
  "LINK_FRAME_TOO_LARGE",
  "LINK_GARBAGE",
  "LINK_HELLO_TIMEOUT",
  "LINK_BUSY",
  "LINK_UNKNOWN_PATH",
]);

/** Reads `closeReason` back. */
export function parseReason(text: string): { readonly code: LinkRefusal; readonly reason: string } | null {
  const at = text.indexOf(": ");
  const code = text.slice(0, at);
  return CODES.has(code) ? { code: code as LinkRefusal, reason: text.slice(at + 2) } : null;
}

/** Lets the same thing be said once, then at most every `SAY_AGAIN_MS` with how often it was kept back meanwhile. */
export class Repeats {
  readonly #said = new Map<string, { readonly atMs: number; kept: number }>();

  /** Null: not now. Else how often it happened unsaid since the last time. */
  say(what: string, nowMs: number): number | null {
    const before = this.#said.get(what);
    if (before !== undefined && nowMs - before.atMs < SAY_AGAIN_MS) {
      before.kept += 1;
      return null;
    }
    this.#said.delete(what);
    this.#said.set(what, { atMs: nowMs, kept: 0 });
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= SAID_MAX) break;
      this.#said.delete(oldest);
    }
    return before?.kept ?? 0;
  }
}

/**
 * Counts refusals and tells the log of them, at a bounded rate: a peer that knocks in a loop must not fill the disk of
 * the node that rightly refuses it.
 */
export class Refusals {
  readonly #log: Log;
  readonly #now: () => number;
  readonly counts: Partial<Record<LinkRefusal, number>> = {};
  #lines = REFUSAL_LINES_BURST;
  #filledAtMs: number;
  #suppressed = 0;
  readonly #repeats = new Repeats();
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
    this.#filledAtMs = now();
  }

  note(code: LinkRefusal, reason: string, fields: LogFields): void {
    this.counts[code] = (this.counts[code] ?? 0) + 1;
    const nowMs = this.#now();
    // By who it is, not by the port it happens to come from.
    const who = fields["member"] ?? String(fields["remote"] ?? "").replace(/:\d+$/, "");
    const kept = this.#repeats.say(`${code} ${String(who)} ${reason}`, nowMs);
    if (kept === null) return;
    this.#lines = Math.min(REFUSAL_LINES_BURST, this.#lines + ((nowMs - this.#filledAtMs) / 1000) * REFUSAL_LINES_PER_SECOND);
    this.#filledAtMs = nowMs;
    if (this.#lines < 1) {
      this.#suppressed += 1;
      return;
    }
    this.#lines -= 1;
    const suppressed = this.#suppressed === 0 ? {} : { suppressedLines: this.#suppressed };
    this.#suppressed = 0;
    this.#log.warn({ code, ...fields, ...(kept > 0 ? { repeated: kept } : {}), ...suppressed }, `connection refused: ${reason}`);
  }
}
