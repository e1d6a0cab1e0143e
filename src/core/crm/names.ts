import { CrmError } from "./errors.ts";

const NAME_START =
  "A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C-\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF";
const NCNAME = new RegExp(`^[${NAME_START}][-.0-9\\u00B7\\u0300-\\u036F\\u203F-\\u2040${NAME_START}]*$`);

/** May this be an `xml:id` (XML Namespaces: NCName)? */
export function isNcName(text: string): boolean {
  return NCNAME.test(text);
}

/** Refuses ids that could never stand in the configuration. Typed ids are ASCII, so that they survive any terminal. */
export function requireId(id: string, column: number): string {
  if (/^[A-Za-z_][-.\w]*$/.test(id)) return id;
  throw new CrmError("CRM_BAD_ID", "an id begins with a letter or '_' and goes on with letters, digits, '.', '-' and '_'", {
    column,
    near: id,
  });
}

const UNITS = new Set(["", "ms", "msec", "us", "usec", "s", "sec", "m", "min", "h", "hr", "d", "day", "w", "week"]);

/** Is this a duration that Pacemaker understands: a number with an optional unit, or ISO 8601 (`PT30S`)? */
export function isDuration(text: string): boolean {
  const simple = /^(\d+)\s*([A-Za-z]*)$/.exec(text.trim());
  if (simple !== null) return UNITS.has((simple[2] ?? "").toLowerCase());
  return /^P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/.test(text.trim());
}

/** Milliseconds of a duration with a simple unit; null for anything else. A bare number is seconds. */
export function durationMs(text: string): number | null {
  const simple = /^(\d+)\s*([A-Za-z]*)$/.exec(text.trim());
  if (simple === null) return null;
  const factors: Readonly<Record<string, number>> = {
    "": 1000,
    ms: 1,
    msec: 1,
    us: 0.001,
    usec: 0.001,
    s: 1000,
    sec: 1000,
    m: 60_000,
    min: 60_000,
    h: 3_600_000,
    hr: 3_600_000,
    d: 86_400_000,
    day: 86_400_000,
    w: 604_800_000,
    week: 604_800_000,
  };
  const unit = (simple[2] ?? "").toLowerCase();
  const factor = Object.hasOwn(factors, unit) ? factors[unit] : undefined;
  return factor === undefined ? null : Number(simple[1]) * factor;
}

/** `inf`, `+INF`, `-infinity` … in the spelling of the schema; every other text, `Inf` too, as it is (measured with crmsh). */
export function normalizeScore(text: string): string {
  const match = /^([+-]?)(inf|INF|infinity|INFINITY)$/.exec(text);
  return match === null ? text : `${match[1]}INFINITY`;
}

/** A score as `show` prints it. */
export function displayScore(score: string): string {
  return score.replace(/^([+-]?)INFINITY$/, "$1inf");
}

export function isScore(text: string): boolean {
  return /^[+-]?(INFINITY|\d+)$/.test(text);
}
