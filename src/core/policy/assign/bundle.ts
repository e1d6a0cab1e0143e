import { INFINITY_SCORE } from "../../base/index.ts";
import { insertByDependent, insertByPrimary } from "../constrain/index.ts";
import type { Colocation } from "../model-constraints.ts";
import type { BundleReplica, Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE } from "../model-values.ts";
import { nodeFailCounts, reachesThreshold } from "../unpack/index.ts";
import { assign } from "./assign.ts";
import { type Assignment, countersOf } from "./context.ts";
import { distribute, sortInstances } from "./instances.ts";
import { reportTree } from "./report.ts";

/** Assigns a bundle (assignment.md 12.4). Asked again, it does everything again: what is assigned stays (12.5). */
export function assignBundle(assignment: Assignment, bundle: Resource): void {
  const data = bundle.bundle;
  if (data === null || bundle.assigning) return;
  bundle.assigning = true;
  reportTree(assignment.model, "bundle", bundle);
  const containers = data.replicas.map((replica) => replica.container);
  countersOf(assignment, bundle).fill(0);
  const instances = sortInstances(assignment, bundle, containers);
  distribute(assignment, { parent: bundle, instances, max: containers.length, perNode: data.replicasPerHost });
  for (const replica of data.replicas) assignReplica(assignment, replica);
  const inner = data.innerClone;
  if (inner !== null) {
    const own = new Set(data.replicas.map((replica) => replica.node));
    for (const node of assignment.model.nodes) {
      if (!inner.table.has(node.index)) continue;
      inner.table.set(node.index, own.has(node) ? 0 : MINUS_INFINITY, { kind: "bundle" });
    }
    assign(assignment, inner, null, true);
  }
  bundle.assigned = true;
  bundle.assigning = false;
}

function assignReplica(assignment: Assignment, replica: BundleReplica): void {
  const { container, ip, connection, node, child } = replica;
  if (ip !== null) assign(assignment, ip, null, true);
  if (connection === null || node === null || child === null) return;
  const host = container.node;
  if (host !== null && host.connection !== null && !connection.assigned) {
    bindToRemote(assignment, connection, host.connection);
  }
  assign(assignment, connection, null, true);
  if (child.assigned) return;
  for (const other of assignment.model.nodes) {
    if (!child.table.has(other.index)) continue;
    if (other !== node) child.table.set(other.index, MINUS_INFINITY, { kind: "bundle", detail: "only on its own bundle node" });
    else if (!reachesThreshold(assignment.model, child, node, nodeFailCounts(node))) {
      child.table.set(other.index, INFINITY_SCORE, { kind: "bundle", detail: "its own bundle node" });
    }
  }
  // The parents have not begun: the instance is placed before its clone (12.4.3).
  const clone = child.parent;
  const before = clone?.assigning ?? false;
  if (clone !== null) clone.assigning = true;
  assign(assignment, child, node, true);
  if (clone !== null) clone.assigning = before;
}

/** The last row of 8.9: made while the bundle is assigned; a container on a guest node counts, too (seen with crm_simulate). */
function bindToRemote(assignment: Assignment, dependent: Resource, primary: Resource): void {
  const constraint: Colocation = {
    id: "#replica-remote-with-host-remote",
    dependent,
    primary,
    score: INFINITY_SCORE,
    dependentRole: ROLE.unknown,
    primaryRole: ROLE.unknown,
    attribute: null,
    influence: true,
    explicit: false,
  };
  if (dependent.dependsOn.some((other) => other.id === constraint.id && other.primary === primary)) return;
  insertByPrimary(dependent.dependsOn, constraint);
  insertByDependent(primary.dependedOnBy, constraint);
  assignment.dependsOn.clear();
  assignment.dependedOnBy.clear();
}
