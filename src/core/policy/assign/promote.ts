import { addScores, INFINITY_SCORE, type Score } from "../../base/index.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf, currentRole, primitivesOf, topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE, type Role } from "../model-values.ts";
import { parseScore } from "../unpack/index.ts";
import { type Assignment, countersOf, singleNode } from "./context.ts";
import { applyColocation, nextRole } from "./effect.ts";
import { compareInstances } from "./instances.ts";
import { dependedOnByOf, dependsOnOf } from "./lists.ts";
import { factorOf, hasInfluence, mergeScores, POSITIVE_MERGE } from "./merge.ts";
import { mergeSorted } from "./merge-sort.ts";

type PromotionScore = { readonly score: Score; readonly byDefault: boolean };

const NONE: PromotionScore = { score: 0, byDefault: true };

/** Promotion scores become preferences for placement (11.2) and priorities (11.3). */
export function addPromotionScores(assignment: Assignment, clone: Resource): void {
  for (const instance of clone.children) {
    instance.promotionPriority = instance.priority;
    for (const node of assignment.model.nodes) {
      if (!node.available || !instance.table.has(node.index)) continue;
      const { score } = promotionScore(assignment, instance, node);
      if (score > 0) instance.table.add(node.index, score, { kind: "promotion" });
      if (score > instance.promotionPriority) instance.promotionPriority = score;
    }
  }
}

/** 11.1: a group instance has the plain sum over its members. */
function promotionScore(assignment: Assignment, instance: Resource, node: PolicyNode): PromotionScore {
  if (instance.kind === "primitive") return primitivePromotionScore(assignment, instance, node);
  let score = 0;
  let byDefault = true;
  for (const member of instance.children) {
    const own = promotionScore(assignment, member, node);
    score += own.score;
    if (!own.byDefault) byDefault = false;
  }
  return { score, byDefault };
}

function primitivePromotionScore(assignment: Assignment, resource: Resource, node: PolicyNode): PromotionScore {
  if (!applies(resource, node)) return NONE;
  const source = attributeSource(resource, node);
  if (source === null) return NONE;
  const name = resource.historyName ?? resource.id;
  let text = source.attributes.get(`master-${name}`);
  if (text === undefined && !resource.globallyUnique) text = source.attributes.get(`master-${name.replace(/:\d+$/, "")}`);
  if (text === undefined) return NONE;
  return { score: parseScore(text, assignment.model.options) ?? 0, byDefault: false };
}

/** With `container-attribute-target=host` the host is asked: the current one before, the assigned one after assignment. */
function attributeSource(resource: Resource, node: PolicyNode): PolicyNode | null {
  const launcher = node.launcher;
  if (!resource.attributesFromHost || launcher === null) return node;
  return launcher.assigned ? launcher.node : currentNodeOf(launcher);
}

/** 11.4. */
function applies(resource: Resource, node: PolicyNode): boolean {
  if (!resource.table.has(node.index) || resource.table.get(node.index) < 0) return false;
  const top = topOf(resource);
  const activeHere = resource.activeNodes.includes(node);
  if (top.kind === "clone" && !top.globallyUnique) {
    if (activeHere) return true;
    let active = false;
    let known = false;
    for (const sibling of siblings(top, resource)) {
      if (sibling.activeNodes.includes(node)) active = true;
      if (sibling.knownOn.has(node)) known = true;
    }
    if (!active && known) return true;
  }
  if (resource.activeNodes.length === 0 && resource.knownOn.size === 0) return true;
  return activeHere || resource.knownOn.has(node);
}

function* siblings(clone: Resource, resource: Resource): Iterable<Resource> {
  for (const primitive of primitivesOf(clone)) if (primitive.configId === resource.configId) yield primitive;
}

/** Role selection (11b–11d). */
export function selectRoles(assignment: Assignment, clone: Resource, distributed: readonly Resource[]): void {
  assignment.selecting.add(clone);
  countersOf(assignment, clone).fill(0);
  for (const instance of distributed) rate(assignment, clone, instance);
  rankNodes(assignment, clone, distributed);
  const sorted = mergeSorted(distributed, (a, b) => compareRated(assignment, clone, a, b));
  promoteBest(assignment, clone, sorted);
}

/** The rating of one instance (11.5–11.10). */
function rate(assignment: Assignment, clone: Resource, instance: Resource): void {
  // A group counts by its highest role: beside a promoted member the others keep the role that status gave them.
  const started = currentRole(instance) === ROLE.started;
  for (const primitive of primitivesOf(instance)) {
    if (started && primitive.role === ROLE.started) primitive.role = ROLE.unpromoted;
    if (primitive !== instance) primitive.rating = primitive.priority;
  }
  instance.rating = Math.max(instance.priority, instance.promotionPriority);
  const node = singleNode(instance);
  if (node === null) return;
  const next = nextRole(instance);
  switch (next) {
    case ROLE.unknown:
    case ROLE.started: {
      const { score, byDefault } = promotionScore(assignment, instance, node);
      instance.rating = byDefault ? -1 : score;
      break;
    }
    case ROLE.stopped:
    case ROLE.unpromoted:
      instance.rating = MINUS_INFINITY;
      break;
    default:
  }
  addLocations(instance, instance, node);
  addLocations(clone, instance, node);
  for (const constraint of dependsOnOf(assignment, instance)) {
    if (constraint.dependentRole >= ROLE.unpromoted) applyColocation(assignment, instance, constraint);
  }
  if (next === ROLE.promoted) instance.rating = INFINITY_SCORE;
}

function addLocations(holder: Resource, instance: Resource, node: PolicyNode): void {
  for (const location of holder.promotedLocations) {
    for (const pair of location.pairs) if (pair.node === node) instance.rating = addScores(instance.rating, pair.score);
  }
}

/** Ratings on the clone's own table, then the final ratings (11.11, 11.12). */
function rankNodes(assignment: Assignment, clone: Resource, instances: readonly Resource[]): void {
  const { table } = clone;
  for (const instance of instances) {
    const node = singleNode(instance);
    if (node !== null && instance.rating >= 0) table.add(node.index, instance.rating, { kind: "rating", through: instance.id });
  }
  for (const constraint of dependedOnByOf(assignment, clone)) {
    if (constraint.primaryRole !== ROLE.promoted || !hasInfluence(constraint)) continue;
    const merge = { source: constraint.dependent, target: clone, constraint, factor: factorOf(constraint.score), how: POSITIVE_MERGE };
    mergeScores(assignment, merge, table);
  }
  for (const { role, ticket, id } of clone.tickets) {
    if (role !== ROLE.promoted || (ticket.granted && !ticket.standby)) continue;
    for (const node of assignment.model.nodes) table.add(node.index, MINUS_INFINITY, { kind: "ticket", id });
  }
  for (const instance of instances) instance.finalRating = finalRating(clone, instance);
}

function finalRating(clone: Resource, instance: Resource): Score {
  if (!instance.managed && nextRole(instance) === ROLE.promoted) return INFINITY_SCORE;
  const node = singleNode(instance);
  if (node === null) return MINUS_INFINITY;
  return instance.rating < 0 ? instance.rating : clone.table.get(node.index);
}

function compareRated(assignment: Assignment, clone: Resource, a: Resource, b: Resource): number {
  if (a.finalRating !== b.finalRating) return b.finalRating - a.finalRating;
  const roles = currentRole(b) - currentRole(a);
  return roles !== 0 ? roles : compareInstances(assignment, clone, a, b);
}

/** 11.15. */
function promoteBest(assignment: Assignment, clone: Resource, sorted: readonly Resource[]): void {
  const { model } = assignment;
  let promoted = 0;
  for (const instance of sorted) {
    const node = singleNode(instance);
    if (model.want.scores === true) model.promotions.push({ instance, node, score: instance.finalRating });
    const wanted = instance.finalRating >= 0 && (!clone.managed || promoted < clone.promotedMax);
    if (wanted && node !== null && mayPromote(assignment, clone, instance)) {
      countersOf(assignment, clone)[node.index]!++;
      promoted++;
      setNextRole(instance, ROLE.promoted);
    } else setNextRole(instance, ROLE.unpromoted);
  }
}

/** Fills in the next role of every primitive of an instance; one without node is not unpromoted but stopped. */
function setNextRole(instance: Resource, role: Role): void {
  for (const primitive of primitivesOf(instance)) {
    primitive.willPromote = role === ROLE.promoted;
    if (role === ROLE.promoted) {
      if (primitive.nextRole <= ROLE.started && primitive.nextRole !== ROLE.stopped) primitive.nextRole = role;
    } else if (primitive.nextRole !== ROLE.stopped) primitive.nextRole = primitive.node === null ? ROLE.stopped : role;
  }
}

function mayPromote(assignment: Assignment, clone: Resource, instance: Resource): boolean {
  const { model } = assignment;
  if (instance.kind === "group") {
    for (const member of instance.children) if (!nodeQualifies(assignment, clone, member, member.rating)) return false;
  }
  if (!nodeQualifies(assignment, clone, instance, instance.rating)) return false;
  return model.quorate || model.options.noQuorumPolicy !== "freeze" || currentRole(instance) === ROLE.promoted;
}

function nodeQualifies(assignment: Assignment, clone: Resource, resource: Resource, priority: Score): boolean {
  const node = singleNode(resource);
  if (node === null) return false;
  const managed = [...primitivesOf(resource)].every((primitive) => primitive.managed);
  if (!managed) return currentRole(resource) === ROLE.promoted && clone.table.has(node.index);
  if (priority < 0 || !node.available) return false;
  if (node.isGuest && node.launcher?.node === null) return false;
  return clone.table.has(node.index) && countersOf(assignment, clone)[node.index]! < clone.promotedNodeMax;
}
