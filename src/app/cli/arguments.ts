import { parseArgs } from "node:util";
import { CommandError } from "./level.ts";

/** Long options of a command: `text` takes a value. */
export type OptionSpec = Readonly<Record<string, "flag" | "text">>;

export type ParsedArguments = {
  readonly words: readonly string[];
  readonly text: (name: string) => string | undefined;
  readonly flag: (name: string) => boolean;
};

/** Splits words from options; an unknown option, or one without its value, is a `CommandError` that shows the usage. */
export function parseArguments(args: readonly string[], spec: OptionSpec, usage: string): ParsedArguments {
  const options: Record<string, { type: "boolean" | "string" }> = {};
  for (const [name, kind] of Object.entries(spec)) options[name] = { type: kind === "flag" ? "boolean" : "string" };
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    return {
      words: positionals,
      text: (name) => (typeof values[name] === "string" ? values[name] : undefined),
      flag: (name) => values[name] === true,
    };
  } catch (error) {
    throw new CommandError(`${error instanceof Error ? error.message : String(error)}; usage: ${usage}`);
  }
}

/** Fails with the usage unless the number of words is within the bounds. */
export function expectWords(words: readonly string[], min: number, max: number, usage: string): void {
  if (words.length < min || words.length > max) throw new CommandError(`usage: ${usage}`);
}

/** An integer >= `min`, or a `CommandError` naming what was expected. */
export function integerOf(word: string, name: string, min: number): number {
  const value = Number(word);
  if (!/^[+-]?\d+$/.test(word) || !Number.isSafeInteger(value) || value < min)
    throw new CommandError(`${name} must be an integer of at least ${min}, not "${word}"`);
  return value;
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  "": 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90`, `90s`, `15m`, `2h` as milliseconds. */
export function durationMs(word: string, name: string): number {
  const match = /^(\d+)(ms|s|m|min|h|d|)$/.exec(word);
  const unit = match === null ? undefined : DURATION_UNITS[match[2]!];
  if (match === null || unit === undefined) throw new CommandError(`${name} must be a duration such as 90s or 15m, not "${word}"`);
  return Number(match[1]) * unit;
}

/** `yes`, `on`, `true`, `1` and their opposites; undefined for another word. */
export function booleanOf(word: string): boolean | undefined {
  if (/^(yes|y|on|true|1)$/i.test(word)) return true;
  if (/^(no|n|off|false|0)$/i.test(word)) return false;
  return undefined;
}

/**
 * The end of a LIFETIME (CRM-CLI §5) as an ISO 8601 date: a duration from now (`PT5M`, `P1D`) or a date. Undefined for
 * a word that is neither, which is then taken for something else (a node name).
 */
export function lifetimeEnd(word: string, nowMs: number): string | undefined {
  const match = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(word);
  if (match !== null && word.length > 1 && !word.endsWith("T")) {
    const [weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
    const totalSec = ((weeks! * 7 + days!) * 24 + hours!) * 3600 + minutes! * 60 + seconds!;
    return isoSeconds(nowMs + totalSec * 1000);
  }
  const calendar = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?$/.exec(word);
  if (calendar !== null && word.length > 1) {
    const end = new Date(nowMs);
    end.setUTCFullYear(
      end.getUTCFullYear() + Number(calendar[1] ?? 0),
      end.getUTCMonth() + Number(calendar[2] ?? 0),
      end.getUTCDate() + Number(calendar[3] ?? 0),
    );
    return isoSeconds(end.getTime());
  }
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(word)) return undefined;
  const timeMs = Date.parse(word.replace(" ", "T"));
  return Number.isNaN(timeMs) ? undefined : isoSeconds(timeMs);
}

function isoSeconds(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
