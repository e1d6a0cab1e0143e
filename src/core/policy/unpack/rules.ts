import { attributeOf, childOf, type Element } from "../../cib/index.ts";
import { addDuration, civilTime, parseDate } from "./dates.ts";
import { compareVersions, type DurationParts, parseDurationMs, parseInteger } from "./values.ts";

/** The run's time, and the earliest time at which something evaluated so far changes (status.md 27). */
export type Clock = { readonly nowSec: number; recheckAtSec: number };

/** Notes a time at which the decision must be taken anew; the past does not count. */
export function noteRecheck(clock: Clock, atSec: number): void {
  if (atSec > clock.nowSec && (clock.recheckAtSec === 0 || atSec < clock.recheckAtSec)) clock.recheckAtSec = atSec;
}

/** What rules may look at besides the clock. */
export type RuleContext = {
  /** null: no node at hand, every attribute is missing (status.md 4.4). */
  readonly node: ReadonlyMap<string, string> | null;
  readonly agent: { readonly agentClass: string; readonly provider: string | null; readonly type: string } | null;
  readonly operation: { readonly name: string; readonly intervalMs: number } | null;
  /** For `value-source`. */
  readonly parameter?: (name: string) => string | undefined;
  readonly meta?: (name: string) => string | undefined;
  /** Submatches of a constraint's `rsc-pattern`: `%1` in attribute names. */
  readonly submatches?: readonly (string | undefined)[] | undefined;
};

export const NO_CONTEXT: RuleContext = { node: null, agent: null, operation: null };

/** Looks up elements by id, for references. */
export type Lookup = (id: string) => Element | undefined;

/** Depth at which nested rules are refused instead of walked: rules of people are a few levels deep. */
const NESTING_MAX = 100;

/** Whether a rule passes (status.md 4.1). Stops at the first condition that decides, which matters for recheck times. */
export function evaluateRule(rule: Element, context: RuleContext, clock: Clock, lookup: Lookup, depth = 0): boolean {
  const referred = attributeOf(rule, "id-ref");
  const actual = referred === undefined ? rule : lookup(referred);
  if (actual === undefined || attributeOf(actual, "id") === undefined || depth > NESTING_MAX) return false;
  const operator = (attributeOf(actual, "boolean-op") ?? "and").toLowerCase();
  if (operator !== "and" && operator !== "or") return false;
  let conditions = 0;
  for (const child of actual.children) {
    if (child.name.startsWith("#")) continue;
    conditions++;
    const passed = evaluateCondition(child, context, clock, lookup, depth);
    if (passed !== (operator === "and")) return passed;
  }
  return conditions === 0 || operator === "and";
}

function evaluateCondition(condition: Element, context: RuleContext, clock: Clock, lookup: Lookup, depth: number): boolean {
  switch (condition.name) {
    case "rule":
      return evaluateRule(condition, context, clock, lookup, depth + 1);
    case "expression":
      return evaluateExpression(condition, context);
    case "date_expression":
      return evaluateDate(condition, clock);
    case "rsc_expression":
      return evaluateAgent(condition, context);
    case "op_expression":
      return evaluateOperation(condition, context);
    default:
      return false;
  }
}

function evaluateExpression(expression: Element, context: RuleContext): boolean {
  const operation = attributeOf(expression, "operation")?.toLowerCase();
  let attribute = attributeOf(expression, "attribute");
  if (operation === undefined || attribute === undefined || attributeOf(expression, "id") === undefined) return false;
  if (context.submatches !== undefined) attribute = substitute(attribute, context.submatches);
  const actual = context.node?.get(attribute);
  const value = attributeOf(expression, "value");
  if (operation === "defined") return value === undefined && actual !== undefined;
  if (operation === "not_defined") return value === undefined && actual === undefined;
  if (value === undefined) return false;
  const source = attributeOf(expression, "value-source") ?? "literal";
  const reference = source === "param" ? context.parameter?.(value) : source === "meta" ? context.meta?.(value) : value;
  const compared = compareTyped(actual, reference, comparisonType(expression, operation, actual, reference));
  switch (operation) {
    case "eq":
      return compared === 0;
    case "ne":
      return compared !== 0;
    case "lt":
      return actual !== undefined && reference !== undefined && compared < 0;
    case "lte":
      return actual !== undefined && reference !== undefined && compared <= 0;
    case "gt":
      return actual !== undefined && reference !== undefined && compared > 0;
    case "gte":
      return actual !== undefined && reference !== undefined && compared >= 0;
    default:
      return false;
  }
}

/** `%0` … `%9` stand for the submatches of a resource pattern (status.md 4.2). */
export function substitute(text: string, submatches: readonly (string | undefined)[]): string {
  return text.replace(/[%\\]([0-9])/g, (_whole, digit: string) => submatches[Number(digit)] ?? "");
}

type ComparisonType = "string" | "integer" | "number" | "version";

function comparisonType(expression: Element, operation: string, a: string | undefined, b: string | undefined): ComparisonType {
  const given = attributeOf(expression, "type")?.toLowerCase();
  if (given === "string" || given === "integer" || given === "number" || given === "version") return given;
  if (operation === "eq" || operation === "ne") return "string";
  return (a ?? "").includes(".") || (b ?? "").includes(".") ? "number" : "integer";
}

/** A missing side is less than any value, two missing sides are equal (status.md 4.2). */
function compareTyped(a: string | undefined, b: string | undefined, type: ComparisonType): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  if (type === "version") return compareVersions(a, b);
  if (type === "integer" || type === "number") {
    const left = type === "integer" ? parseInteger(a) : parseFloating(a);
    const right = type === "integer" ? parseInteger(b) : parseFloating(b);
    if (left !== null && right !== null) return left < right ? -1 : left > right ? 1 : 0;
  }
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  return left < right ? -1 : left > right ? 1 : 0;
}

function parseFloating(text: string): number | null {
  const match = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/.exec(text);
  return match === null ? null : Number(match[0]);
}

function evaluateAgent(expression: Element, context: RuleContext): boolean {
  if (context.agent === null) return false;
  const agentClass = attributeOf(expression, "class");
  const provider = attributeOf(expression, "provider");
  const type = attributeOf(expression, "type");
  if (agentClass !== undefined && agentClass !== context.agent.agentClass) return false;
  if (provider !== undefined && provider !== context.agent.provider) return false;
  return type === undefined || type === context.agent.type;
}

function evaluateOperation(expression: Element, context: RuleContext): boolean {
  if (context.operation === null || attributeOf(expression, "name") !== context.operation.name) return false;
  const interval = attributeOf(expression, "interval");
  return interval === undefined || parseDurationMs(interval) === context.operation.intervalMs;
}

function evaluateDate(expression: Element, clock: Clock): boolean {
  if (attributeOf(expression, "id") === undefined) return false;
  const start = dateAttribute(expression, "start", clock);
  let end = dateAttribute(expression, "end", clock);
  const operation = (attributeOf(expression, "operation") ?? "in_range").toLowerCase();
  const now = clock.nowSec;
  switch (operation) {
    case "in_range": {
      if (start === null || end === null) return false;
      const duration = childOf(expression, "duration");
      if (end === undefined && start !== undefined && duration !== undefined) {
        const parts = durationOf(duration);
        if (parts === null) return false;
        end = addDuration(start, parts);
      }
      if (start === undefined && end === undefined) return false;
      if (start !== undefined && now < start) {
        noteRecheck(clock, start);
        return false;
      }
      if (end === undefined) return true;
      if (now > end) return false;
      noteRecheck(clock, end + 1);
      return true;
    }
    case "gt":
      if (start === undefined || start === null) return false;
      if (now > start) return true;
      noteRecheck(clock, start + 1);
      return false;
    case "lt":
      if (end === undefined || end === null || now >= end) return false;
      noteRecheck(clock, end);
      return true;
    case "date_spec": {
      const spec = childOf(expression, "date_spec");
      return spec !== undefined && matchesSpec(spec, clock);
    }
    default:
      return false;
  }
}

/** undefined: not given; null: impossible. */
function dateAttribute(expression: Element, name: string, clock: Clock): number | null | undefined {
  const text = attributeOf(expression, name);
  return text === undefined ? undefined : parseDate(text, clock.nowSec);
}

/** The fields of a `duration` element; null if one is not an integer. */
function durationOf(element: Element): DurationParts | null {
  const parts: DurationParts = { years: 0, months: 0, weeks: 0, days: 0, hours: 0, minutes: 0, seconds: 0 };
  for (const name of ["years", "months", "weeks", "days", "hours", "minutes", "seconds"] as const) {
    const text = attributeOf(element, name);
    if (text === undefined) continue;
    const value = parseInteger(text);
    if (value === null) return null;
    parts[name] = value;
  }
  return parts;
}

function matchesSpec(spec: Element, clock: Clock): boolean {
  const now = civilTime(clock.nowSec);
  const fields: readonly (readonly [string, number])[] = [
    ["years", now.year],
    ["months", now.month],
    ["monthdays", now.day],
    ["hours", now.hour],
    ["minutes", now.minute],
    ["seconds", now.second],
    ["yeardays", now.yearDay],
    ["weekyears", now.weekYear],
    ["weeks", now.week],
    ["weekdays", now.weekDay],
  ];
  for (const [name, actual] of fields) {
    const range = attributeOf(spec, name);
    if (range !== undefined && !inRange(range, actual)) return false;
  }
  return true;
}

/** `n`, `n-m`, `n-` or `-m` (status.md 4.6); anything else does not match. */
function inRange(range: string, actual: number): boolean {
  const match = /^\s*(\d*)\s*(-?)\s*(\d*)\s*$/.exec(range);
  if (match === null || (match[1] === "" && match[3] === "")) return false;
  const low = match[1] === "" ? null : Number(match[1]);
  const high = match[3] === "" ? null : Number(match[3]);
  if (match[2] === "") return low === actual;
  return (low === null || actual >= low) && (high === null || actual <= high);
}
