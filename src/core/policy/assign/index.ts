import type { Model } from "../model.ts";
import { currentNodeOf, primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE } from "../model-values.ts";
import type { NodeTable } from "../node-table.ts";
import { assign as assignResource } from "./assign.ts";
import { nodesByBaseScore } from "./choose.ts";
import { type Assignment, anyUsable, newAssignment } from "./context.ts";
import { mergeFurther } from "./merge.ts";

export { sortedNodes } from "./choose.ts";
export { assignedNode, singleNode } from "./context.ts";

/** Decides for every resource its node and role (assignment.md 5–13). */
export function assign(model: Model): void {
  const assignment = newAssignment(model);
  for (const node of model.nodes) {
    node.remaining = new Map(node.capacity);
    node.assignedCount = 0;
  }
  if (model.options.placementStrategy !== "default") sortResources(assignment);
  if (model.hasRemoteNodes) {
    for (const resource of model.resources) {
      if (!resource.isRemoteConnection) continue;
      assignResource(assignment, resource, resource.partialTarget, true);
    }
  }
  for (const resource of model.resources) {
    if (!model.hasRemoteNodes || !resource.isRemoteConnection) assignResource(assignment, resource, null, true);
  }
  for (const resource of model.resources) collectNodes(resource);
}

/** Lists the nodes of collectives for the later phases. */
function collectNodes(resource: Resource): void {
  resource.assignedNodes = [];
  // A member left over in a tentative attempt that was kept for its group ends nowhere too (6.8).
  if (resource.kind === "primitive" && resource.managed && resource.node === null) resource.nextRole = ROLE.stopped;
  for (const primitive of primitivesOf(resource)) {
    const { node } = primitive;
    if (node === null) continue;
    if (!resource.assignedNodes.includes(node)) resource.assignedNodes.push(node);
  }
  for (const child of resource.children) collectNodes(child);
  if (resource.kind === "group") resource.node = resource.assignedNodes[0] ?? null;
}

/** Order of resources under the strategies that look at capacity (5.3). */
function sortResources(assignment: Assignment): void {
  const { model } = assignment;
  const nodes = nodesByBaseScore(model);
  const tables = new Map<Resource, NodeTable>();
  const tableOf = (resource: Resource): NodeTable => {
    let table = tables.get(resource);
    if (table === undefined) {
      table = combinedTable(assignment, resource);
      tables.set(resource, table);
    }
    return table;
  };
  const currentScore = (resource: Resource): number => {
    const node = currentNodeOf(resource);
    return node === null ? MINUS_INFINITY : tableOf(resource).get(node.index);
  };
  model.resources.sort((a, b) => {
    if (a.priority !== b.priority) return b.priority - a.priority;
    const difference = currentScore(b) - currentScore(a);
    if (difference !== 0) return difference;
    const tableA = tableOf(a);
    const tableB = tableOf(b);
    for (const node of nodes) {
      const scoreA = tableA.get(node.index);
      const scoreB = tableB.get(node.index);
      if (scoreA !== scoreB) return scoreB - scoreA;
    }
    return 0;
  });
}

/** A resource's own table plus what it depends on (8.36). */
function combinedTable(assignment: Assignment, resource: Resource): NodeTable {
  const source = resource.kind === "group" ? resource.children[resource.children.length - 1]! : resource;
  const table = source.table.copy();
  if (!anyUsable(assignment.model, table)) return table;
  resource.merging = true;
  source.merging = true;
  mergeFurther(assignment, source, source, 1, { positiveOnly: false, rollback: false, follow: "primaries" }, table);
  resource.merging = false;
  source.merging = false;
  return table;
}
