import { compareText } from "../../base/index.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf, descendantsOf, failedWithin } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY } from "../model-values.ts";
import { NodeTable } from "../node-table.ts";
import { assign, withdraw } from "./assign.ts";
import { type Assignment, assignedNode, countersOf, isAssigned, usable } from "./context.ts";
import { dependedOnByOf, dependsOnOf } from "./lists.ts";
import { factorOf, hasInfluence, mergeScores } from "./merge.ts";
import { mergeSorted } from "./merge-sort.ts";

/** Instances to distribute over nodes: a clone's, or a bundle's containers. */
export type Distribution = {
  /** Its table bars nodes and carries the counters (10.3). */
  readonly parent: Resource;
  readonly instances: Resource[];
  readonly max: number;
  readonly perNode: number;
};

/** What the comparison of instances looks at (10.5), computed once per instance. */
type Rank = {
  readonly instance: Resource;
  readonly activeCount: number;
  /** Current node, null if inactive or set aside by test 2. */
  readonly node: PolicyNode | null;
  readonly allowed: boolean;
  readonly priority: number;
  readonly failed: boolean;
  value: number | null;
};

/** Sorts instances stably by 10.5. */
export function sortInstances(assignment: Assignment, parent: Resource, instances: readonly Resource[]): Resource[] {
  if (instances.length < 2) return [...instances];
  const ranks = instances.map((instance) => rankOf(instance));
  return mergeSorted(ranks, (a, b) => compareRanks(assignment, parent, a, b)).map((rank) => rank.instance);
}

/** The comparison of 10.5 for two instances, as 11.14 needs it. */
export function compareInstances(assignment: Assignment, parent: Resource, a: Resource, b: Resource): number {
  return compareRanks(assignment, parent, rankOf(a), rankOf(b));
}

function rankOf(instance: Resource): Rank {
  const current = currentNodeOf(instance);
  const allowed = current === null || (instance.table.has(current.index) && instance.table.get(current.index) >= 0);
  return {
    instance,
    activeCount: instance.activeNodes.length,
    node: allowed ? current : null,
    allowed,
    priority: Math.max(instance.priority, instance.promotionPriority),
    failed: failedWithin(instance),
    value: null,
  };
}

function compareRanks(assignment: Assignment, parent: Resource, a: Rank, b: Rank): number {
  if (a.activeCount > 0 && b.activeCount > 0 && a.activeCount !== b.activeCount) return a.activeCount - b.activeCount;
  if (a.allowed !== b.allowed) return a.allowed ? -1 : 1;
  if (a.priority !== b.priority) return b.priority - a.priority;
  if (a.node === null || b.node === null) return a.node === b.node ? 0 : a.node !== null ? -1 : 1;
  if (a.node.available !== b.node.available) return a.node.available ? -1 : 1;
  const inTableA = parent.table.has(a.node.index);
  const inTableB = parent.table.has(b.node.index);
  if (inTableA !== inTableB) return inTableA ? -1 : 1;
  if (inTableA) {
    const counters = countersOf(assignment, parent);
    const difference = counters[a.node.index]! - counters[b.node.index]!;
    if (difference !== 0) return difference;
  }
  if (a.failed !== b.failed) return a.failed ? 1 : -1;
  a.value ??= colocationValue(assignment, a.instance, a.node);
  b.value ??= colocationValue(assignment, b.instance, b.node);
  if (a.value !== b.value) return b.value - a.value;
  return instanceNumber(a.instance) - instanceNumber(b.instance) || compareText(a.instance.id, b.instance.id);
}

function instanceNumber(instance: Resource): number {
  return instance.number ?? 0;
}

/** What colocations make of an instance's current node (10.7). */
function colocationValue(assignment: Assignment, instance: Resource, node: PolicyNode): number {
  const table = new NodeTable(node.index + 1, false);
  table.set(node.index, node.baseScore, { kind: "base" });
  const dependent = { positiveOnly: false, rollback: false, follow: "dependents" } as const;
  for (const constraint of dependsOnOf(assignment, instance)) {
    const merge = { source: constraint.primary, target: instance, constraint, factor: factorOf(constraint.score), how: dependent };
    mergeScores(assignment, merge, table);
  }
  const primary = { positiveOnly: true, rollback: false, follow: "dependents" } as const;
  for (const constraint of dependedOnByOf(assignment, instance)) {
    if (!hasInfluence(constraint, instance)) continue;
    const merge = { source: constraint.dependent, target: instance, constraint, factor: factorOf(constraint.score), how: primary };
    mergeScores(assignment, merge, table);
  }
  return table.get(node.index);
}

/** Distributes instances over nodes (10.8–10.13). */
export function distribute(assignment: Assignment, distribution: Distribution): void {
  const { parent, instances, max } = distribution;
  const { model } = assignment;
  let available = 0;
  for (const node of model.nodes) if (parent.table.has(node.index) && node.available) available++;
  const optimal = available === 0 ? Math.max(1, max) : Math.max(1, Math.floor(max / available));
  let placed = 0;
  for (const instance of instances) {
    if (placed >= max) break;
    if (isAssigned(instance)) continue;
    const node = keepableNode(assignment, distribution, instance, optimal);
    if (node !== null && keep(assignment, distribution, instance, node, max - placed)) placed++;
  }
  for (const instance of instances) {
    if (isAssigned(instance)) continue;
    if (placed >= max) {
      for (const node of model.nodes) forbid(instance, node, "no more instances are wanted");
      continue;
    }
    bar(assignment, distribution, instance, countersOf(assignment, parent));
    assign(assignment, instance, null, true);
    const node = assignedNode(instance);
    if (node !== null) {
      countUp(assignment, parent, node);
      placed++;
    }
  }
}

function countUp(assignment: Assignment, parent: Resource, node: PolicyNode): void {
  if (parent.table.has(node.index)) countersOf(assignment, parent)[node.index]!++;
}

/** 10.9: active, healthy, on an available node that is not yet full. */
function keepableNode(assignment: Assignment, distribution: Distribution, instance: Resource, optimal: number): PolicyNode | null {
  const node = currentNodeOf(instance);
  // A group itself does not fail: with a failed member, too, it rather recovers where it is.
  if (node === null || instance.failed || !node.available || node.baseScore < 0) return null;
  return countersOf(assignment, distribution.parent)[node.index]! < optimal ? node : null;
}

/** Keeps an instance where it is, reserving nodes it would rather have (10.11). */
function keep(assignment: Assignment, distribution: Distribution, instance: Resource, node: PolicyNode, budget: number): boolean {
  if (!usable(instance.table, node)) return false;
  const { parent } = distribution;
  const counters = countersOf(assignment, parent);
  const scratch = counters.slice();
  const saved = [...descendantsOf(instance)].map((resource) => ({ resource, table: resource.table.snapshot() }));
  for (let reserved = 0; reserved < budget; ) {
    bar(assignment, distribution, instance, scratch);
    const got = assign(assignment, instance, node, false);
    if (got === node) {
      counters[node.index]!++;
      return true;
    }
    for (const { resource, table } of saved) resource.table.restore(table);
    if (got === null) {
      // Tried again in the second pass; what 8.22.3 settled for good has its next role fixed to Stopped.
      withdraw(assignment, instance);
      return false;
    }
    if (parent.table.has(got.index)) scratch[got.index]!++;
    reserved++;
    withdraw(assignment, instance);
  }
  return false;
}

/** 10.13. */
function bar(assignment: Assignment, distribution: Distribution, instance: Resource, counters: Int32Array): void {
  const { parent, perNode } = distribution;
  for (const node of assignment.model.nodes) {
    if (!instance.table.has(node.index)) continue;
    const open =
      !instance.removed &&
      node.available &&
      parent.table.has(node.index) &&
      parent.table.get(node.index) >= 0 &&
      counters[node.index]! < perNode;
    if (!open) forbid(instance, node, "no room for an instance");
  }
}

function forbid(instance: Resource, node: PolicyNode, detail: string): void {
  for (const resource of descendantsOf(instance)) {
    if (resource.table.has(node.index) && resource.table.get(node.index) > MINUS_INFINITY) {
      resource.table.add(node.index, MINUS_INFINITY, { kind: "distribution", detail });
    }
  }
}
