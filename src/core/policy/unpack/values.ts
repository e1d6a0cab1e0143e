import { clampScore, INFINITY_SCORE, type Score } from "../../base/index.ts";
import { ROLE, type Role } from "../model-values.ts";

const MAX_INTEGER = 2 ** 63;
const MAX_DURATION_MS = 4_294_967_295;

/** A decimal integer; what follows the digits is ignored (status.md 2.1). null: no digits. */
export function parseInteger(text: string | undefined): number | null {
  if (text === undefined) return null;
  const plain = plainDigits(text, 0, text.length);
  if (plain >= 0) return plain;
  const match = /^\s*([+-]?\d+)/.exec(text);
  if (match === null) return null;
  const value = Number(match[1]);
  return Math.max(-MAX_INTEGER, Math.min(MAX_INTEGER, value));
}

/** The number that a part of a text is if it is one to nine digits, as nearly all are in a status section; -1: look more closely. */
export function plainDigits(text: string, from: number, to: number): number {
  if (to <= from || to - from > 9) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** true, false, or null where the text is missing or says neither (status.md 2.3). */
export function parseBoolean(text: string | undefined): boolean | null {
  switch (text?.toLowerCase()) {
    case "true":
    case "on":
    case "yes":
    case "y":
    case "1":
      return true;
    case "false":
    case "off":
    case "no":
    case "n":
    case "0":
      return false;
    default:
      return null;
  }
}

export function isTrue(text: string | undefined): boolean {
  return parseBoolean(text) === true;
}

/** Values of the node-health colour words, which may stand wherever a score is read (assignment.md 1.3). */
export type HealthWords = { readonly healthRed: Score; readonly healthYellow: Score; readonly healthGreen: Score };

/** A score (assignment.md 1.3); null: missing or invalid. */
export function parseScore(text: string | undefined, words: HealthWords | null): Score | null {
  if (text === undefined) return null;
  if (text === "INFINITY" || text === "+INFINITY") return INFINITY_SCORE;
  if (text === "-INFINITY") return -INFINITY_SCORE;
  if (words !== null) {
    switch (text.toLowerCase()) {
      case "red":
        return words.healthRed;
      case "yellow":
        return words.healthYellow;
      case "green":
        return words.healthGreen;
      default:
    }
  }
  const value = parseInteger(text);
  return value === null ? null : clampScore(value);
}

/** A duration in milliseconds (status.md 2.4): 0 if missing, null if invalid or negative. */
export function parseDurationMs(text: string | undefined): number | null {
  if (text === undefined) return 0;
  const trimmed = text.replace(/^\s+/, "");
  if (trimmed.startsWith("P")) {
    const parts = parseIsoDuration(trimmed);
    if (parts === null) return null;
    const seconds =
      parts.years * 31_536_000 +
      parts.months * 2_592_000 +
      parts.weeks * 604_800 +
      parts.days * 86_400 +
      parts.hours * 3600 +
      parts.minutes * 60 +
      parts.seconds;
    return seconds < 0 ? null : Math.min(seconds * 1000, MAX_DURATION_MS);
  }
  return parseSimpleDurationMs(trimmed);
}

/** The second form of status.md 2.4 only (number and unit), as operation timeouts use it. */
export function parseSimpleDurationMs(text: string | undefined): number | null {
  if (text === undefined) return null;
  const match = /^\s*([+-]?\d+)[0-9.]*\s*(.*)$/s.exec(text);
  if (match === null) return null;
  const value = Number(match[1]);
  const unit = (match[2] ?? "").toLowerCase();
  let milliseconds: number;
  if (unit === "" || unit.startsWith("s")) milliseconds = value * 1000;
  else if (unit.startsWith("ms")) milliseconds = value;
  else if (unit.startsWith("us")) milliseconds = Math.trunc(value / 1000);
  else if (unit.startsWith("m")) milliseconds = value * 60_000;
  else if (unit.startsWith("h")) milliseconds = value * 3_600_000;
  else return null;
  return milliseconds < 0 ? null : Math.min(milliseconds, MAX_DURATION_MS);
}

/** Milliseconds as whole seconds (status.md 2.5). */
export function wholeSeconds(milliseconds: number): number {
  if (milliseconds === 0) return 0;
  return milliseconds < 1000 ? 1 : Math.floor((milliseconds + 500) / 1000);
}

export type DurationParts = {
  years: number;
  months: number;
  weeks: number;
  days: number;
  hours: number;
  minutes: number;
  seconds: number;
};

/** `P…` (status.md 2.4): text from the first blank or `/` on is ignored; fractions are invalid. */
export function parseIsoDuration(text: string): DurationParts | null {
  const parts: DurationParts = { years: 0, months: 0, weeks: 0, days: 0, hours: 0, minutes: 0, seconds: 0 };
  const body = text.slice(1).split(/[\s/]/)[0] ?? "";
  if (body === "") return null;
  let inTime = false;
  let rest = body;
  while (rest !== "") {
    if (rest.startsWith("T")) {
      inTime = true;
      rest = rest.slice(1);
      continue;
    }
    const match = /^([+-]?\d+)([YMWDHS])/.exec(rest);
    if (match === null) return null;
    addDurationPart(parts, Number(match[1]), match[2]!, inTime);
    rest = rest.slice(match[0].length);
  }
  return parts;
}

function addDurationPart(parts: DurationParts, value: number, unit: string, inTime: boolean): void {
  switch (unit) {
    case "Y":
      parts.years = value;
      break;
    case "M":
      if (inTime) parts.minutes += value;
      else parts.months = value;
      break;
    case "W":
      parts.weeks += value;
      break;
    case "D":
      parts.days += value;
      break;
    case "H":
      parts.hours += value;
      break;
    default:
      parts.seconds += value;
  }
}

/** A role, any case (status.md 2.7). `unknown`: none; null: invalid. */
export function parseRole(text: string | undefined): Role | null {
  switch (text?.toLowerCase()) {
    case undefined:
    case "unknown":
      return ROLE.unknown;
    case "stopped":
      return ROLE.stopped;
    case "started":
      return ROLE.started;
    case "unpromoted":
    case "slave":
      return ROLE.unpromoted;
    case "promoted":
    case "master":
      return ROLE.promoted;
    default:
      return null;
  }
}

/** Versions compare by numeric segments; missing ones count as 0 (status.md 2.9). */
export function compareVersions(a: string, b: string): number {
  const left = versionSegments(a);
  const right = versionSegments(b);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return 0;
}

function versionSegments(text: string): number[] {
  const match = /^[0-9.]*/.exec(text.trim());
  return (match?.[0] ?? "").split(".").map((segment) => (segment === "" ? 0 : Number(segment)));
}
