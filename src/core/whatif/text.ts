import { formatScore, sortedEntries } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import { type Model, type Plan, type PolicyNode, primitivesOf, readModel, type SummaryLine } from "../policy/index.ts";
import type { GraphAction } from "../transition/index.ts";
import { describeClusterAction, type Execution } from "./execute.ts";
import { describeInjection, type Injection } from "./inject.ts";
import { headingLines, statusLines } from "./status-lines.ts";

/** Parts of the text report. */
export type TextOptions = {
  readonly scores: boolean;
  /** What nodes offer, what resources take, what is left. */
  readonly utilization?: boolean;
  /** The CIB before anything was supposed, upgraded; absent: nothing was. */
  readonly before?: Element;
  /** What was supposed, in the order in which it was. */
  readonly injections?: readonly Injection[];
};

/** The whole simulation for people: state before, what was supposed, decision with reasons, actions in order, state after. */
export function simulationText(plan: Plan, execution: Execution, after: Model, options: TextOptions): string {
  const { model } = plan;
  const lines = currentStatusText(plan, options.before);
  const supposed = options.injections ?? [];
  if (supposed.length > 0)
    lines.push("Performing Requested Modifications:", ...supposed.map((each) => `  * ${describeInjection(each)}`), "");
  if (options.scores) lines.push("Assignment Scores:", ...scoreText(model), "");
  if (options.utilization === true) lines.push("Utilization Information:", ...utilizationText(model), "");
  lines.push("Transition Summary:", ...summaryText(plan.summary), "");
  lines.push("Executing Cluster Transition:");
  for (const { action, failed } of execution.steps) lines.push(`  * ${describeAction(action)}${failed ? " (failed)" : ""}`);
  if (!execution.complete) lines.push("Transition failed");
  lines.push("", "Revised Cluster Status:", ...statusLines(after));
  return `${lines.join("\n")}\n`;
}

/** The state that a plan starts from (or another one, upgraded), under its heading and with an empty line behind it. */
export function currentStatusText(plan: Plan, cib: Element = plan.model.cib): string[] {
  // The plan's own model has been through assignment, which sorts resources and revises nodes.
  const before = readModel(cib, plan.model.nowSec * 1000, plan.model.hash);
  return [...headingLines(before), "Current cluster status:", ...statusLines(before, { pending: true }), ""];
}

/** Every score on which the assignment rested, in byte order. */
export function scoreText(model: Model): string[] {
  const lines: string[] = [];
  for (const report of model.reports) {
    for (const { node, score } of report.scores) {
      lines.push(`  * ${report.label}: ${report.resource.id} allocation score on ${node.name}: ${formatScore(score)}`);
    }
  }
  for (const { instance, node, score } of model.promotions) {
    lines.push(`  * ${instance.id} promotion score ${node === null ? "(inactive)" : `on ${node.name}`}: ${formatScore(score)}`);
  }
  return lines.sort();
}

/** Capacity of every node before and after what was assigned, and what each resource takes. Sorted by name within each part. */
export function utilizationText(model: Model): string[] {
  const values = (of: ReadonlyMap<string, number>): string =>
    sortedEntries(of)
      .map(([name, value]) => ` ${name}=${value}`)
      .join("");
  const capacity = (word: string, of: (node: PolicyNode) => ReadonlyMap<string, number>): string[] =>
    model.nodeList.map((node) => `  * ${word}: ${node.name} capacity:${values(of(node))}`);
  const taken = model.resources
    .flatMap((resource) => [...primitivesOf(resource)])
    .flatMap(({ id, node, utilization }) =>
      node === null || utilization.size === 0 ? [] : [`  * ${id} utilization on ${node.name}:${values(utilization)}`],
    );
  return [...capacity("Original", (node) => node.capacity), ...taken.sort(), ...capacity("Remaining", (node) => node.remaining)];
}

/** Names and details are this wide at least, and a longer name gets some room. */
const WIDTH_MIN = 5;
const NAME_ROOM = 2;

/** Why follows what, in the operator's words: names to the left, details to the right of columns as wide as the lines need. */
export function summaryText(summary: readonly SummaryLine[]): string[] {
  let name = WIDTH_MIN;
  let detail = WIDTH_MIN;
  for (const line of summary) {
    if (line.resource === null) continue;
    if (line.resource.length > name) name = line.resource.length + NAME_ROOM;
    detail = Math.max(detail, line.detail.length);
  }
  return summary.map((line) => {
    const due = line.reason !== null ? `  due to ${line.reason}${line.blocked ? " (blocked)" : ""}` : line.blocked ? "  blocked" : "";
    if (line.verb === "Fence") {
      const guest = line.launcher === undefined ? "" : ` (resource: ${line.launcher})`;
      return `  * Fence (${line.detail}) ${line.node ?? ""}${guest}${line.reason === null ? "" : ` '${line.reason}'`}`;
    }
    if (line.resource === null) return `  * ${line.verb} ${line.node ?? ""}${due}`;
    return `  * ${line.verb.padEnd(10)} ${line.resource.padEnd(name)}   ( ${line.detail.padStart(detail)} )${due}`;
  });
}

/** One executed action as a line. */
export function describeAction(action: GraphAction): string {
  switch (action.kind) {
    case "pseudo":
      // Of all points in time only the fencing of a guest takes place somewhere.
      return `Pseudo action:   ${action.key}${action.node === null || !action.key.startsWith("stonith-") ? "" : ` on ${action.node}`}`;
    case "fence":
      return `Fencing ${action.node} (${action.task})`;
    case "cluster":
      return `Cluster action:  ${describeClusterAction(action)}`;
    case "resource": {
      const task = action.intervalMs > 0 ? `${action.task}=${action.intervalMs}` : action.task;
      return `Resource action: ${action.resource.padEnd(15)} ${task} on ${action.node}`;
    }
  }
}
