import { INFINITY_SCORE } from "../../base/index.ts";
import type { PolicyNode } from "../model-node.ts";
import { cloneOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY } from "../model-values.ts";
import { compareCapacity } from "./choose.ts";
import { type Assignment, isAssigned, usable } from "./context.ts";
import { affects } from "./effect.ts";
import { dependedOnByOf, dependsOnOf } from "./lists.ts";

const INT_MAX = 2_147_483_647;

function clamp(value: number): number {
  return Math.max(-INT_MAX - 1, Math.min(INT_MAX, value));
}

/** Takes a resource's utilization from a node, or gives it back. */
export function consume(node: PolicyNode, utilization: ReadonlyMap<string, number>, sign: 1 | -1): void {
  for (const [name, value] of utilization) {
    const remaining = node.remaining.get(name);
    if (remaining !== undefined) node.remaining.set(name, clamp(remaining - sign * value));
  }
}

function fits(node: PolicyNode, needed: ReadonlyMap<string, number>): boolean {
  for (const [name, value] of needed) if (value > (node.remaining.get(name) ?? 0)) return false;
  return true;
}

/** Bans nodes without room, and nominates the roomiest if nothing fits (assignment.md 13.4). */
export function applyCapacity(assignment: Assignment, resource: Resource): PolicyNode | null {
  const { model } = assignment;
  if (model.options.placementStrategy === "default") return null;
  const companions: Resource[] = [];
  addCompanions(assignment, resource, resource, companions);
  const sum = sumUtilization(companions.length === 0 ? [resource] : companions);
  const candidates = model.nodeList.filter((node) => usable(resource.table, node));
  let roomiest: PolicyNode | null = null;
  let anyFits = false;
  for (const node of candidates) {
    if (fits(node, sum)) anyFits = true;
    if (roomiest === null || compareCapacity(roomiest, node) < 0) roomiest = node;
  }
  const needed = anyFits ? sum : resource.utilization;
  for (const node of candidates) {
    if (!fits(node, needed)) resource.table.add(node.index, MINUS_INFINITY, { kind: "capacity" });
  }
  return anyFits ? null : roomiest;
}

/** Resources that must be placed with `resource` (13.5). */
function addCompanions(assignment: Assignment, resource: Resource, start: Resource, into: Resource[]): void {
  if (into.includes(resource)) return;
  into.push(resource);
  if (resource.kind === "group" && (resource.collocated || cloneOf(resource) !== null)) {
    for (const member of resource.children) addCompanions(assignment, member, start, into);
  }
  for (const constraint of dependsOnOf(assignment, resource)) {
    const { primary } = constraint;
    if (primary === start || constraint.score < INFINITY_SCORE) continue;
    if (affects(resource, primary, constraint, true) === "location") addCompanions(assignment, primary, start, into);
  }
  for (const constraint of dependedOnByOf(assignment, resource)) {
    const { dependent } = constraint;
    if (dependent === start || constraint.score < INFINITY_SCORE) continue;
    if (resource.kind === "clone" && dependent.kind !== "clone") continue;
    if (affects(dependent, resource, constraint, true) === "location") addCompanions(assignment, dependent, start, into);
  }
}

/** Utilization of everything still unassigned in the list (13.6). */
function sumUtilization(list: readonly Resource[]): Map<string, number> {
  const sum = new Map<string, number>();
  const counted = new Set<Resource>();
  const add = (primitive: Resource): void => {
    if (counted.has(primitive) || primitive.assigned) return;
    counted.add(primitive);
    addUtilization(sum, primitive);
  };
  for (const resource of list) {
    if (isAssigned(resource) && resource.kind !== "bundle") continue;
    switch (resource.kind) {
      case "primitive":
        add(resource);
        break;
      case "group":
        addGroup(resource, list, add);
        break;
      case "clone":
        addClone(resource, list, add);
        break;
      default: {
        const first = resource.bundle?.replicas[0]?.container;
        if (first !== undefined) addUtilization(sum, first);
      }
    }
  }
  return sum;
}

function addUtilization(sum: Map<string, number>, primitive: Resource): void {
  for (const [name, value] of primitive.utilization) sum.set(name, clamp((sum.get(name) ?? 0) + value));
}

function addGroup(group: Resource, list: readonly Resource[], add: (primitive: Resource) => void): void {
  if (group.collocated || cloneOf(group) !== null) {
    for (const member of group.children) if (!list.includes(member)) add(member);
  } else if (group.children[0] !== undefined && !list.includes(group.children[0])) add(group.children[0]);
}

function addClone(clone: Resource, list: readonly Resource[], add: (primitive: Resource) => void): void {
  if (clone.children.some((instance) => list.includes(instance))) return;
  const addInstance = (instance: Resource): void => {
    if (instance.kind === "primitive") add(instance);
    else for (const member of instance.children) add(member);
  };
  const involved = clone.children.find((instance) => instance.children.some((member) => list.includes(member)));
  const chosen = involved ?? clone.children[0];
  if (chosen !== undefined) addInstance(chosen);
}
