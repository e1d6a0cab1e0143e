import { addScores, INFINITY_SCORE, type Score } from "../../base/index.ts";
import { withGroupLocations } from "../constrain/index.ts";
import type { Colocation } from "../model-constraints.ts";
import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import type { NodeTable } from "../node-table.ts";
import { type Assignment, anyUsable, attributeValue, enterColocation } from "./context.ts";
import { dependedOnByOf, dependsOnOf } from "./lists.ts";

/** Stands for "unusable" in a working table (assignment.md 8.33.6): below every score, so that it counts as negative. */
const UNUSABLE = -2 * INFINITY_SCORE;

export type MergeHow = {
  /** Never let a positive score fall below zero. */
  readonly positiveOnly: boolean;
  /** Give up a merge that leaves no usable node. */
  readonly rollback: boolean;
  /** Follow the dependents of dependents, or the primaries of primaries (5.3). */
  readonly follow: "dependents" | "primaries";
};

export const DEPENDENT_MERGE: MergeHow = { positiveOnly: false, rollback: true, follow: "dependents" };
export const POSITIVE_MERGE: MergeHow = { positiveOnly: true, rollback: true, follow: "dependents" };

/** A score as factor: single precision at every step (1.5). */
export function factorOf(score: Score): number {
  return Math.fround(Math.fround(score) / Math.fround(INFINITY_SCORE));
}

/** Whether preferences of a constraint's dependent flow back, with respect to `primary` (8.3). */
export function hasInfluence(colocation: Colocation, primary: Resource = colocation.primary): boolean {
  const { dependent } = colocation;
  if (dependent.inBundle !== null && dependent.isRemoteConnection && dependent.implicit) {
    if (!primary.failed && primary.activeNodes.length === 1) return false;
  }
  return colocation.influence || primary.activeNodes.length === 0;
}

/** One flow of preferences: from whom, for whom, through which constraint, and how much of it. */
export type Merge = {
  readonly source: Resource;
  readonly target: Resource;
  readonly constraint: Colocation;
  readonly factor: number;
  readonly how: MergeHow;
};

/** Lets a source's node preferences flow into a table of `target` (8.28). */
export function mergeScores(assignment: Assignment, merge: Merge, table: NodeTable): void {
  const { source } = merge;
  if (source.merging) return;
  source.merging = true;
  enterColocation(assignment, source);
  if (source.kind === "group") {
    const first = source.children[0];
    if (first !== undefined) mergeScores(assignment, { ...merge, source: first }, table);
  } else mergeInto(assignment, merge, table);
  assignment.depth--;
  source.merging = false;
}

function mergeInto(assignment: Assignment, merge: Merge, table: NodeTable): void {
  const { model } = assignment;
  const { source, target, factor, how } = merge;
  const work = table.snapshot();
  addBestScores(assignment, merge, work);
  if (anyUsable(model, work)) mergeFurther(assignment, source, target, factor, how, work);
  else if (how.rollback) return;
  if (how.positiveOnly) {
    for (const node of model.nodes) {
      if (work.has(node.index) && work.get(node.index) === UNUSABLE) work.set(node.index, 1, causeOf(merge.constraint, source));
    }
  }
  table.adopt(work);
  table.log = work.log;
}

/**
 * The recursion of 8.28.4; all deeper merges have rollback on. Factors of a chain multiply (8.35), but not towards primaries (8.36):
 * there each has its own colocation's alone (seen with crm_simulate).
 */
export function mergeFurther(
  assignment: Assignment,
  source: Resource,
  target: Resource,
  factor: number,
  how: MergeHow,
  work: NodeTable,
): void {
  const follow = how.follow === "dependents";
  const list = follow ? dependedOnByOf(assignment, source) : dependsOnOf(assignment, source);
  for (const constraint of list) {
    if (follow && !hasInfluence(constraint)) continue;
    const before = follow ? factor : 1;
    const deeper = Math.fround(Math.fround(before * Math.fround(constraint.score)) / Math.fround(INFINITY_SCORE));
    const next = follow ? constraint.dependent : constraint.primary;
    mergeScores(assignment, { source: next, target, constraint, factor: deeper, how: { ...how, rollback: true } }, work);
  }
}

function causeOf(constraint: Colocation, source: Resource) {
  return { kind: "colocated-with", id: constraint.id, through: source.id } as const;
}

/** Adds to every entry the best matching score of the source times the factor (8.31–8.33). */
function addBestScores(assignment: Assignment, merge: Merge, work: NodeTable): void {
  const { source, target, constraint, factor, how } = merge;
  const { model } = assignment;
  const scores = sourceTable(source, constraint);
  const best = bestScores(assignment, source, target, constraint, scores);
  const cause = causeOf(constraint, source);
  for (const node of model.nodes) {
    if (!work.has(node.index)) continue;
    const b = best(node);
    if (factor < 0 && b < 0 && !doubleNegativeCounts(assignment, constraint, b)) continue;
    const c = work.get(node.index);
    if (c === UNUSABLE) continue;
    let d = roundAway(Math.fround(factor * b));
    if (d === 0 && b !== 0) d = factor > 0 ? 1 : factor < 0 ? -1 : 0;
    const sum = addScores(c, d);
    if (how.positiveOnly && sum < 0) {
      if (c > 0) {
        work.set(node.index, UNUSABLE, cause);
        continue;
      }
      if (c === 0) continue;
    }
    work.add(node.index, d, cause);
  }
}

function roundAway(value: number): number {
  return value < 0 ? -Math.floor(-value + 0.5) : Math.floor(value + 0.5);
}

/** 8.32: a later member of a group counts with its group's locations. */
function sourceTable(source: Resource, constraint: Colocation): NodeTable {
  const group = source.parent;
  if (source !== constraint.dependent || !constraint.explicit || group === null || group.kind !== "group") return source.table;
  return group.children[0] === source ? source.table : withGroupLocations(group, source);
}

/**
 * The best matching score of a node (8.31). Where every node has a name of its own, and none stands for another, it is simply
 * the source's score there.
 */
function bestScores(
  assignment: Assignment,
  source: Resource,
  target: Resource,
  constraint: Colocation,
  scores: NodeTable,
): (node: PolicyNode) => Score {
  const named = !assignment.model.hasRemoteNodes || (assignment.allNamed && !mayRedirect(source) && !mayRedirect(target));
  const plain = constraint.attribute === null && named;
  if (plain) return (node) => (node.available && scores.has(node.index) ? scores.get(node.index) : -INFINITY_SCORE);
  const byValue = new Map<string | null, Score>();
  for (const node of assignment.model.nodes) {
    if (!node.available || !scores.has(node.index)) continue;
    const value = attributeValue(source, node, constraint.attribute);
    const score = scores.get(node.index);
    const known = byValue.get(value);
    if (known === undefined || score > known) byValue.set(value, score);
  }
  return (node) => byValue.get(attributeValue(target, node, constraint.attribute)) ?? -INFINITY_SCORE;
}

function mayRedirect(resource: Resource): boolean {
  return resource.inBundle !== null || resource.attributesFromHost;
}

/** The exception of 8.33.1. */
function doubleNegativeCounts(assignment: Assignment, constraint: Colocation, b: Score): boolean {
  if (constraint.primary.stickiness >= -b || !hasInfluence(constraint)) return false;
  const { table } = constraint.dependent;
  let allowed = 0;
  for (const node of assignment.model.nodes) if (table.has(node.index) && table.get(node.index) >= 0) allowed++;
  return allowed === 1;
}
