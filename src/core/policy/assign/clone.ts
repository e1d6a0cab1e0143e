import type { Resource } from "../model-resource.ts";
import { assign } from "./assign.ts";
import type { Assignment } from "./context.ts";
import { distribute, sortInstances } from "./instances.ts";
import { dependedOnByOf, dependsOnOf } from "./lists.ts";
import { factorOf, hasInfluence, mergeScores, POSITIVE_MERGE } from "./merge.ts";
import { addPromotionScores, selectRoles } from "./promote.ts";
import { reportTree } from "./report.ts";

/** Assigns a clone, once (assignment.md 10.2). */
export function assignClone(assignment: Assignment, clone: Resource): void {
  if (clone.assigned || clone.assigning) return;
  clone.assigning = true;
  if (clone.promotable) addPromotionScores(assignment, clone);
  for (const constraint of dependsOnOf(assignment, clone)) {
    if (constraint.primary.kind === "bundle" || !constraint.primary.assigned) assign(assignment, constraint.primary, null, true);
  }
  for (const constraint of dependedOnByOf(assignment, clone)) {
    if (!hasInfluence(constraint)) continue;
    const merge = { source: constraint.dependent, target: clone, constraint, factor: factorOf(constraint.score), how: POSITIVE_MERGE };
    mergeScores(assignment, merge, clone.table);
  }
  reportTree(assignment.model, "clone", clone);
  const instances = sortInstances(assignment, clone, clone.children);
  distribute(assignment, { parent: clone, instances, max: clone.cloneMax, perNode: clone.cloneNodeMax });
  assignment.sequences.set(clone, instances);
  clone.assigned = true;
  if (clone.promotable) selectRoles(assignment, clone, instances);
  clone.assigning = false;
}
