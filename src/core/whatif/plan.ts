import { compareText, type Hash } from "../base/index.ts";
import { attributeOf, canonicalText, childOf, childrenOf, type Element, idOf, SECTIONS, walk } from "../cib/index.ts";
import { schedule } from "../policy/index.ts";
import type { ResourceAction } from "../transition/index.ts";
import { type ExecutionStep, executeTransition } from "./execute.ts";
import { describeAction } from "./text.ts";

/** One object that differs between two configurations. */
export type PlannedEdit = { readonly section: string; readonly id: string; readonly change: "added" | "changed" | "deleted" };

/** What happens to one resource or node. */
export type PlannedEffect = {
  /** The engine's verb: `Start`, `Stop`, `Restart`, `Move`, `Promote`, `Fence` ... */
  readonly verb: string;
  /** Resource instance or node. */
  readonly subject: string;
  /** Where, as in `n1 -> n2`. */
  readonly detail: string;
  readonly reason: string | null;
  readonly blocked: boolean;
  /**
   * How long it is away, from the first of its stops to the last of its starts, other actions between them included, by
   * what each took longest in history (milliseconds). Fencing has no history and counts as nothing. null: it does not
   * come back, it never goes, or nothing is known.
   */
  readonly awayMs: number | null;
};

export type PlannedChange = {
  /** Names epoch, edits and actions: the same id means that the same would be done to the same configuration. */
  readonly id: string;
  /** Of the configuration that the plan starts from. */
  readonly epoch: number;
  readonly edits: readonly PlannedEdit[];
  readonly effects: readonly PlannedEffect[];
  /** Every action in the order in which it would be carried out. */
  readonly actions: readonly string[];
};

/**
 * What the cluster does when it goes from one CIB to another: the objects that differ, what stops and for how long, and
 * the exact actions. `epoch` is the one of the configuration in `before`.
 */
export function planChange(
  before: Element,
  after: Element,
  epoch: number,
  at: { readonly nowMs: number; readonly hash: Hash },
): PlannedChange {
  const plan = schedule(after, at.nowMs, at.hash);
  const execution = executeTransition(after, plan.graph, { wallSec: Math.floor(at.nowMs / 1000) });
  // In the order of execution, so that inputs need no sorting of their own.
  const actions = execution.steps.filter((step) => step.action.kind !== "pseudo").map((step) => describeAction(step.action));
  const changes = changesOf(before, after);
  const edits = changes.map(({ section, id, change }) => ({ section, id, change }));
  const away = absences(before, execution.steps);
  const effects = plan.summary.map((line) => ({
    verb: line.verb,
    subject: line.resource ?? line.node ?? "",
    detail: line.detail,
    reason: line.reason,
    blocked: line.blocked,
    awayMs: line.resource !== null && AWAY.has(line.verb) && !line.blocked ? (away.get(line.resource) ?? null) : null,
  }));
  const exact = plan.graph.actions.map((action) => [
    action.kind,
    action.key,
    action.node,
    action.kind === "resource" ? action.params : {},
    action.inputs,
  ]);
  const id = `${epoch}-${at.hash(JSON.stringify([changes, exact])).slice(0, 12)}`;
  return { id, epoch, edits, effects, actions };
}

/** Verbs after which the resource was away and is there again. */
const AWAY: ReadonlySet<string> = new Set(["Restart", "Move", "Recover"]);

/** The objects that differ, with their new text. */
function changesOf(before: Element, after: Element): (PlannedEdit & { readonly text: string | null })[] {
  const edits: (PlannedEdit & { readonly text: string | null })[] = [];
  for (const section of SECTIONS) {
    const old = objects(before, section);
    const fresh = objects(after, section);
    for (const id of [...new Set([...old.keys(), ...fresh.keys()])].sort(compareText)) {
      const was = old.get(id);
      const is = fresh.get(id);
      if (was === is) continue;
      edits.push({ section, id, change: was === undefined ? "added" : is === undefined ? "deleted" : "changed", text: is ?? null });
    }
  }
  return edits;
}

function objects(cib: Element, section: string): Map<string, string> {
  const configuration = childOf(cib, "configuration");
  const found = new Map<string, string>();
  for (const object of (configuration === undefined ? undefined : childOf(configuration, section))?.children ?? []) {
    const id = idOf(object);
    if (id !== undefined) found.set(id, canonicalText(object));
  }
  return found;
}

/**
 * For every instance that is stopped and started, how long it is gone: the steps walked with the times of history, each
 * beginning as soon as those it waits for have ended.
 */
function absences(cib: Element, steps: readonly ExecutionStep[]): Map<string, number> {
  const tookMs = longestRuns(cib);
  const endMs = new Map<number, number>();
  const gone = new Map<string, { fromMs: number; untilMs: number }>();
  for (const { action } of steps) {
    const beginMs = action.inputs.reduce((latest, input) => Math.max(latest, endMs.get(input) ?? 0), 0);
    const untilMs = beginMs + (action.kind === "resource" ? durationMs(action, tookMs) : 0);
    endMs.set(action.id, untilMs);
    const subject = action.kind === "resource" ? action.instance : action.kind === "pseudo" ? action.resource : null;
    if (subject === null || !tookMs.has(`start ${bareName(subject)}`)) continue;
    const known = gone.get(subject) ?? { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY };
    gone.set(subject, known);
    if (action.task === "stop") known.fromMs = Math.min(known.fromMs, beginMs);
    if (action.task === "start") known.untilMs = Math.max(known.untilMs, untilMs);
  }
  return new Map([...gone].flatMap(([subject, { fromMs, untilMs }]) => (untilMs >= fromMs ? [[subject, untilMs - fromMs]] : [])));
}

function durationMs(action: ResourceAction, tookMs: ReadonlyMap<string, number>): number {
  const name = bareName(action.resource);
  const known = tookMs.get(`${action.task} ${name}`);
  if (known !== undefined || action.task !== "stop") return known ?? 0;
  // What was never stopped has no record of it: its stop is taken to last as long as its start.
  return tookMs.get(`start ${name}`) ?? 0;
}

/** By `TASK RESOURCE`: the longest recorded run on any node, milliseconds. Recurring operations are left out. */
function longestRuns(cib: Element): Map<string, number> {
  const longest = new Map<string, number>();
  const status = childOf(cib, "status");
  for (const history of status === undefined ? [] : walk(status)) {
    if (history.name !== "lrm_resource") continue;
    for (const op of childrenOf(history, "lrm_rsc_op")) {
      const took = Number(attributeOf(op, "exec-time") ?? "NaN");
      if (!Number.isFinite(took) || (attributeOf(op, "interval") ?? "0") !== "0") continue;
      const key = `${attributeOf(op, "operation") ?? ""} ${bareName(idOf(history) ?? "")}`;
      longest.set(key, Math.max(longest.get(key) ?? 0, took));
    }
  }
  return longest;
}

function bareName(resource: string): string {
  return resource.replace(/:\d+$/, "");
}
