import { QuorateError } from "../../base/index.ts";
import type { Model } from "../model.ts";
import type { Colocation } from "../model-constraints.ts";
import type { PolicyNode } from "../model-node.ts";
import { primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import type { NodeTable } from "../node-table.ts";

/** What the parts of one assignment share. */
export type Assignment = {
  readonly model: Model;
  /** Instances per node in the table of the instances' parent (assignment.md 10.4); later: promoted ones (11.5). */
  readonly counters: Map<Resource, Int32Array>;
  /** Instances of assigned clones in the order in which they were assigned (10.5). */
  readonly sequences: Map<Resource, readonly Resource[]>;
  /** Promotable clones whose role selection has begun (8.18). */
  readonly selecting: Set<Resource>;
  /** The group instance whose role is being adjusted through a member; 8.19 is tested for it then (8.27). */
  roleGroup: Resource | null;
  /** Every node has its name among its attributes; a remote node that status never mentioned has not (status.md 6.3). */
  readonly allNamed: boolean;
  /** Colocations being followed right now, one inside the other. */
  depth: number;
  /** Composed constraint lists; emptied when a list changes. */
  readonly dependsOn: Map<Resource, readonly Colocation[]>;
  readonly dependedOnBy: Map<Resource, readonly Colocation[]>;
};

/** Chains of colocations longer than this are refused instead of exhausting the stack. */
export const COLOCATION_DEPTH_MAX = 1000;

/** Goes one colocation deeper; `leave` with `assignment.depth--`. Throws `QuorateError` POLICY_TOO_DEEP. */
export function enterColocation(assignment: Assignment, resource: Resource): void {
  if (++assignment.depth > COLOCATION_DEPTH_MAX) {
    throw new QuorateError(`colocations of ${resource.id} form a chain of more than ${COLOCATION_DEPTH_MAX}`, { code: "POLICY_TOO_DEEP" });
  }
}

export function newAssignment(model: Model): Assignment {
  const allNamed = model.nodes.every((node) => node.attributes.has("#uname"));
  return {
    model,
    counters: new Map(),
    sequences: new Map(),
    selecting: new Set(),
    roleGroup: null,
    allNamed,
    depth: 0,
    dependsOn: new Map(),
    dependedOnBy: new Map(),
  };
}

export function countersOf(assignment: Assignment, parent: Resource): Int32Array {
  let counters = assignment.counters.get(parent);
  if (counters === undefined || counters.length < assignment.model.nodes.length) {
    counters = new Int32Array(assignment.model.nodes.length);
    assignment.counters.set(parent, counters);
  }
  return counters;
}

/** Whether some node is available with a non-negative score (assignment.md 2.3). */
export function anyUsable(model: Model, table: NodeTable): boolean {
  for (const node of model.nodes) if (table.has(node.index) && table.get(node.index) >= 0 && node.available) return true;
  return false;
}

export function usable(table: NodeTable, node: PolicyNode): boolean {
  return node.available && table.has(node.index) && table.get(node.index) >= 0;
}

/** The assigned node; of a group the first node any member received (9.6). */
export function assignedNode(resource: Resource): PolicyNode | null {
  if (resource.kind === "primitive") return resource.node;
  for (const child of resource.children) {
    const node = assignedNode(child);
    if (node !== null) return node;
  }
  return null;
}

/** The node of everything below that has one; null if that is nothing, or on several nodes (11.5, unmanaged members). */
export function singleNode(resource: Resource): PolicyNode | null {
  if (resource.kind === "primitive") return resource.node;
  let single: PolicyNode | null = null;
  for (const { node } of primitivesOf(resource)) {
    if (node === null || node === single) continue;
    if (single !== null) return null;
    single = node;
  }
  return single;
}

/** Assigned: all of its primitives have been processed. */
export function isAssigned(resource: Resource): boolean {
  if (resource.kind === "group") return resource.children.every(isAssigned);
  return resource.assigned;
}

/** A node's value of a colocation's attribute as seen for a resource (assignment.md 8.2). */
export function attributeValue(resource: Resource, node: PolicyNode, attribute: string | null): string | null {
  const seen = redirected(resource, node);
  // A guest that status never mentioned has no name among its attributes, and matches others like it (status.md 6.3).
  return seen.attributes.get(attribute ?? "#uname")?.toLowerCase() ?? null;
}

function redirected(resource: Resource, node: PolicyNode): PolicyNode {
  if (!node.isGuest) return node;
  const inner = resource.inBundle !== null && !resource.implicit && node.isBundleNode;
  if (!inner && !resource.attributesFromHost) return node;
  return node.launcher?.node ?? node;
}
