import { compareText, INFINITY_SCORE } from "../../base/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import type { NodeTable } from "../node-table.ts";
import type { Assignment } from "./context.ts";
import { usable } from "./context.ts";
import { applyCapacity } from "./utilization.ts";

/** Attributes in which `a` has more remaining capacity minus those in which `b` has (assignment.md 13.3). */
export function compareCapacity(a: PolicyNode, b: PolicyNode): number {
  let result = 0;
  for (const [name, value] of a.remaining) {
    const other = b.remaining.get(name) ?? 0;
    if (value > other) result++;
    else if (value < other) result--;
  }
  for (const [name, value] of b.remaining) {
    if (a.remaining.has(name)) continue;
    if (value > 0) result--;
    else if (value < 0) result++;
  }
  return result;
}

/** Order of preference between two nodes of a table (7.1). */
function compareNodes(model: Model, table: (node: PolicyNode) => number, tie: PolicyNode | null) {
  const strategy = model.options.placementStrategy;
  return (a: PolicyNode, b: PolicyNode): number => {
    const scoreA = a.available ? table(a) : -INFINITY_SCORE;
    const scoreB = b.available ? table(b) : -INFINITY_SCORE;
    if (scoreA !== scoreB) return scoreB - scoreA;
    if (strategy !== "minimal") {
      if (strategy === "balanced") {
        const capacity = compareCapacity(a, b);
        if (capacity !== 0) return -capacity;
      }
      if (a.assignedCount !== b.assignedCount) return a.assignedCount - b.assignedCount;
      if (tie !== null && a !== b) {
        if (a === tie) return -1;
        if (b === tie) return 1;
      }
    }
    return compareText(a.name, b.name);
  };
}

/** Nodes of a table in order of preference. */
export function sortedNodes(model: Model, table: NodeTable, tie: PolicyNode | null): PolicyNode[] {
  const nodes = model.nodeList.filter((node) => table.has(node.index));
  return nodes.sort(compareNodes(model, (node) => table.get(node.index), tie));
}

/** All nodes by their base scores (5.4). */
export function nodesByBaseScore(model: Model): PolicyNode[] {
  return [...model.nodeList].sort(compareNodes(model, (node) => node.baseScore, null));
}

/** Chooses a node for a managed primitive (section 7), null: none. */
export function chooseNode(assignment: Assignment, resource: Resource, preferred: PolicyNode | null): PolicyNode | null {
  const { model } = assignment;
  const roomiest = applyCapacity(assignment, resource);
  const { table } = resource;
  const current = currentNodeOf(resource);
  const nodes = sortedNodes(model, table, current);
  const best = nodes[0];
  if (best === undefined) return null;
  const bestScore = table.get(best.index);
  const wanted = preferred ?? roomiest;
  let chosen = best;
  if (wanted !== null && usable(table, wanted) && table.get(wanted.index) >= bestScore) chosen = wanted;
  else if (mayStay(resource, best, bestScore, current)) {
    for (let at = 1; at < nodes.length; at++) {
      const node = nodes[at]!;
      if (table.get(node.index) !== bestScore) break;
      if (node === current) {
        chosen = node;
        break;
      }
    }
  }
  if (table.get(chosen.index) < 0) return null;
  return chosen.available || chosen.isGuest ? chosen : null;
}

/** Whether a running resource keeps its node among equals (7.4). */
function mayStay(resource: Resource, best: PolicyNode, bestScore: number, current: PolicyNode | null): boolean {
  if (resource.isInstance && resource.parent?.globallyUnique === true) return false;
  if (current === null || !current.available || current.baseScore < 0) return false;
  return bestScore > 0 && best.available;
}
