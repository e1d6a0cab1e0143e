import { write } from "node:fs";

/** From the quietest to the gravest. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];
export type Log = (level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>) => void;

/** Lines that wait for a slow reader of our log; later ones are dropped and counted. */
const WAITING_MAX = 1_000;
const STDERR = 2;

/**
 * One JSON object a line on standard error. Never waits: a log reader that hangs would otherwise pause the guardian, and a
 * guardian paused longer than g breaks its promise.
 */
export function createLog(node: string, least: LogLevel): Log {
  const waiting: string[] = [];
  let writing = false;
  let dropped = 0;
  const next = (): void => {
    const text = waiting.splice(0).join("");
    writing = text !== "";
    // A log that cannot be written has nowhere to say so; the work goes on.
    if (writing) write(STDERR, text, () => next());
  };
  return (level, message, facts = {}) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    if (waiting.length >= WAITING_MAX) {
      dropped += 1;
      return;
    }
    const lost = dropped > 0 ? { droppedLines: dropped } : {};
    dropped = 0;
    const time = new Date().toISOString();
    waiting.push(`${JSON.stringify({ time, level, program: "guardian", node, message, ...facts, ...lost })}\n`);
    if (!writing) next();
  };
}
