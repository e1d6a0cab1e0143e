import { compareText, type Hash } from "../base/index.ts";
import { attributeOf, canonicalText, childOf, childrenOf, type Element, idOf, SECTIONS, walk } from "../cib/index.ts";
import { schedule } from "../policy/index.ts";
import { executeTransition } from "./execute.ts";
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
  /** How long it is away, by what its stop and start took last time, milliseconds; null: it stays, or nothing is known. */
  readonly awayMs: number | null;
};

export type PlannedChange = {
  /** Names epoch and actions: the same id means that the same would happen to the same configuration. */
  readonly id: string;
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
  const actions = execution.steps.filter((step) => step.action.kind !== "pseudo").map((step) => describeAction(step.action));
  const edits = editsOf(before, after);
  const effects = plan.summary.map((line) => ({
    verb: line.verb,
    subject: line.resource ?? line.node ?? "",
    detail: line.detail,
    reason: line.reason,
    blocked: line.blocked,
    awayMs: line.resource !== null && AWAY.has(line.verb) && !line.blocked ? awayMs(before, line.resource) : null,
  }));
  const id = `${epoch}-${at.hash(JSON.stringify([edits, actions])).slice(0, 12)}`;
  return { id, edits, effects, actions };
}

/** Verbs after which the resource was away and is there again. */
const AWAY: ReadonlySet<string> = new Set(["Restart", "Move", "Recover"]);

function editsOf(before: Element, after: Element): PlannedEdit[] {
  const edits: PlannedEdit[] = [];
  for (const section of SECTIONS) {
    const old = objects(before, section);
    const fresh = objects(after, section);
    for (const id of [...new Set([...old.keys(), ...fresh.keys()])].sort(compareText)) {
      const was = old.get(id);
      const is = fresh.get(id);
      if (was === is) continue;
      edits.push({ section, id, change: was === undefined ? "added" : is === undefined ? "deleted" : "changed" });
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

/** The longest recorded stop and the longest recorded start of the resource on any node, together. */
function awayMs(cib: Element, resource: string): number | null {
  const status = childOf(cib, "status");
  const name = resource.replace(/:\d+$/, "");
  const longest: Record<string, number | null> = { stop: null, start: null };
  for (const history of status === undefined ? [] : walk(status)) {
    if (history.name !== "lrm_resource" || (idOf(history) ?? "").replace(/:\d+$/, "") !== name) continue;
    for (const op of childrenOf(history, "lrm_rsc_op")) {
      const task = attributeOf(op, "operation") ?? "";
      const took = Number(attributeOf(op, "exec-time") ?? "NaN");
      if ((task === "stop" || task === "start") && Number.isFinite(took)) longest[task] = Math.max(longest[task] ?? 0, took);
    }
  }
  // What was never stopped has no record of it: its stop is taken to last as long as its start.
  return longest["start"] == null ? null : longest["start"] + (longest["stop"] ?? longest["start"]);
}
