import { INFINITY_SCORE } from "../../base/index.ts";
import type { Colocation } from "../model-constraints.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE } from "../model-values.ts";
import { addScoreEverywhere } from "../unpack/index.ts";
import { assign } from "./assign.ts";
import { chooseNode } from "./choose.ts";
import { type Assignment, anyUsable } from "./context.ts";
import { applyColocation } from "./effect.ts";
import { dependedOnByOf, dependsOnOf } from "./lists.ts";
import { DEPENDENT_MERGE, factorOf, hasInfluence, mergeScores } from "./merge.ts";
import { report } from "./report.ts";
import { consume } from "./utilization.ts";

/** Assigns one primitive (assignment.md 6). */
export function assignPrimitive(
  assignment: Assignment,
  resource: Resource,
  preferred: PolicyNode | null,
  final: boolean,
): PolicyNode | null {
  const { model } = assignment;
  const parent = resource.parent;
  if (parent !== null && !parent.assigning && !parent.assigned) assign(assignment, parent, preferred, true);
  if (resource.assigned) return resource.node;
  if (resource.assigning) return null;
  resource.assigning = true;
  applyConstraints(assignment, resource, true);
  applyConstraints(assignment, resource, false);
  if (resource.nextRole === ROLE.stopped) addScoreEverywhere(model, resource, MINUS_INFINITY, { kind: "target-role" });
  else if (!model.quorate && model.options.noQuorumPolicy === "freeze" && resource.nextRole > resource.role)
    resource.nextRole = resource.role;
  report(model, "primitive", resource);
  if (model.options.fencingEnabled && !model.fencingDevicesExist) resource.managed = false;
  decide(assignment, resource, preferred, final);
  resource.assigning = false;
  settleRemoteNode(resource);
  return resource.node;
}

/** 6.2: mandatory constraints, then optional ones; first as dependent, then as primary. */
function applyConstraints(assignment: Assignment, resource: Resource, mandatory: boolean): void {
  for (const constraint of dependsOnOf(assignment, resource)) {
    if (isMandatory(constraint) === mandatory) followPrimary(assignment, resource, constraint);
  }
  for (const constraint of dependedOnByOf(assignment, resource)) {
    if (isMandatory(constraint) !== mandatory || resource.assigned || !hasInfluence(constraint)) continue;
    const merge = { source: constraint.dependent, target: resource, constraint, factor: factorOf(constraint.score), how: DEPENDENT_MERGE };
    mergeScores(assignment, merge, resource.table);
  }
}

function isMandatory(constraint: Colocation): boolean {
  return constraint.score >= INFINITY_SCORE || constraint.score <= -INFINITY_SCORE;
}

/** Assigns the primary if need be, then lets it act, with the guard of 6.3. */
function followPrimary(assignment: Assignment, resource: Resource, constraint: Colocation): void {
  const { primary, score } = constraint;
  const guarded = constraint.dependentRole === ROLE.promoted || (score < 0 && score > -INFINITY_SCORE);
  const before = guarded ? resource.table.snapshot() : null;
  if (primary.kind === "bundle" || !primary.assigned) assign(assignment, primary, null, true);
  applyColocation(assignment, resource, constraint);
  if (before !== null && !resource.assigned && !anyUsable(assignment.model, resource.table)) resource.table.restore(before);
}

/** 6.7. */
function decide(assignment: Assignment, resource: Resource, preferred: PolicyNode | null, final: boolean): void {
  if (!resource.managed) {
    const node = currentNodeOf(resource);
    resource.nextRole = resource.role;
    place(resource, node, false);
    return;
  }
  if (assignment.model.options.stopAllResources) {
    place(resource, null, true);
    return;
  }
  if (resource.assigned) return;
  place(resource, chooseNode(assignment, resource, preferred), final);
}

/** 6.8. */
function place(resource: Resource, node: PolicyNode | null, final: boolean): void {
  if (resource.node !== null) withdrawPrimitive(resource);
  resource.assigned = true;
  resource.node = node;
  if (node === null) {
    if (final) resource.nextRole = ROLE.stopped;
    return;
  }
  node.assignedCount++;
  consume(node, resource.utilization, 1);
}

export function withdrawPrimitive(resource: Resource): void {
  const { node } = resource;
  resource.assigned = false;
  resource.node = null;
  if (node === null) return;
  node.assignedCount--;
  consume(node, resource.utilization, -1);
}

/** A remote node becomes what its connection's placement makes of it (6.9). */
function settleRemoteNode(connection: Resource): void {
  const remote = connection.isRemoteConnection ? connection.remoteNode : null;
  if (remote === null) return;
  if (connection.node !== null && connection.nextRole !== ROLE.stopped) {
    remote.online = true;
    if (!remote.seen) {
      remote.unclean = false;
      remote.fencing = null;
    }
  } else remote.shuttingDown = true;
}
