import type { PolicyNode } from "../model-node.ts";
import { cloneOf } from "../model-queries.ts";
import type { OperationDefinition, Resource } from "../model-resource.ts";
import { ROLE, type Role } from "../model-values.ts";
import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";

const NEVER_RECURRING = new Set(["start", "stop", "promote", "demote", "reload-agent", "migrate_to", "migrate_from"]);

/** Operations of the configuration that recur (R1). Two with the same name and interval: neither. */
export function recurringOperations(resource: Resource): readonly OperationDefinition[] {
  const seen = new Map<string, number>();
  for (const operation of resource.operations) {
    const key = `${operation.name}_${operation.intervalMs}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return resource.operations.filter(
    (operation) =>
      operation.intervalMs > 0 &&
      operation.enabled &&
      operation.role !== null &&
      !NEVER_RECURRING.has(operation.name) &&
      seen.get(`${operation.name}_${operation.intervalMs}`) === 1,
  );
}

/** Recurring operations of a primitive that stays or comes up, and those for role Stopped (R3-R6). */
export function planRecurring(planner: Planner, resource: Resource): void {
  if (resource.blocked || resource.maintenance || resource.operations.length === 0) return;
  for (const operation of recurringOperations(resource)) {
    if (operation.role === ROLE.stopped) {
      if (!isAnonymousInstance(resource)) planForStopped(planner, resource, operation);
    } else if (resource.nextRole > ROLE.stopped && resource.node !== null && !resource.node.maintenance) {
      planForActive(planner, resource, operation, resource.node);
    }
  }
}

function isAnonymousInstance(resource: Resource): boolean {
  const clone = cloneOf(resource);
  return clone !== null && !clone.globallyUnique;
}

function fits(operation: OperationDefinition, target: Role): boolean {
  return operation.role === ROLE.unknown ? target !== ROLE.promoted : operation.role === target;
}

/** The recurring action known to run on the node (R2). */
function runningThere(planner: Planner, resource: Resource, operation: OperationDefinition, node: PolicyNode): Action | null {
  return planner.first(resource, `${operation.name}_${operation.intervalMs}`, node);
}

function planForActive(planner: Planner, resource: Resource, operation: OperationDefinition, node: PolicyNode): void {
  const start = planner.first(resource, "start_0", node);
  const running = runningThere(planner, resource, operation, node);
  const rescheduled = resource.rescheduled.has(`${operation.name}_${operation.intervalMs}@${node.name}`);
  const optional = (start === null || start.optional) && running !== null && running.optional && !rescheduled;
  if (!fits(operation, resource.nextRole)) {
    if (optional) cancelBeforeRoleChange(planner, resource, operation, node);
    return;
  }
  const action = planner.request({ resource, task: operation.name, intervalMs: operation.intervalMs, node, optional });
  if (start?.blocked || !node.online || node.unclean) action.runnable = false;
  if (resource.nextRole === ROLE.promoted) action.expectedRc = 8;
  if (!resource.managed) return;
  planner.addRelation({ resource, key: "start_0" }, action, EFFECT.push | EFFECT.gate);
  planner.addRelation({ resource, key: "reload-agent_0" }, action, EFFECT.push | EFFECT.gate);
  if (resource.nextRole === ROLE.promoted) planner.addRelation({ resource, key: "promote_0" }, action, EFFECT.gate);
  else if (resource.role === ROLE.promoted) planner.addRelation({ resource, key: "demote_0" }, action, EFFECT.gate);
}

function cancelBeforeRoleChange(planner: Planner, resource: Resource, operation: OperationDefinition, node: PolicyNode): void {
  const cancel = requestCancel(planner, resource, operation.name, operation.intervalMs, node, null);
  let before: string | null = null;
  if (resource.role === ROLE.promoted) before = "demote_0";
  else if (resource.nextRole === ROLE.promoted) before = "promote_0";
  else if (resource.nextRole === ROLE.stopped) before = "stop_0";
  if (before !== null) planner.addRelation(cancel, { resource, key: before }, EFFECT.gate);
}

/** A cancellation keeps the key of what it cancels; inside the planner it is an action of its own (R8). */
export function requestCancel(
  planner: Planner,
  resource: Resource,
  task: string,
  intervalMs: number,
  node: PolicyNode,
  callId: string | null,
): Action {
  const cancel = planner.request({ resource, task: "cancel", intervalMs, key: `cancel_${task}_${intervalMs}`, node, optional: false });
  cancel.detail = { kind: "cancel", operation: task, callId };
  return cancel;
}

/** Monitors that make sure the resource does not run where it should not (R6). */
function planForStopped(planner: Planner, resource: Resource, operation: OperationDefinition): void {
  const node = resource.node;
  if (node !== null && resource.nextRole > ROLE.stopped) {
    const running = runningThere(planner, resource, operation, node);
    if (running?.optional === true) {
      const cancel = requestCancel(planner, resource, operation.name, operation.intervalMs, node, null);
      planner.addRelation(cancel, { resource, key: "start_0" }, EFFECT.gate);
    }
  }
  for (const other of planner.model.nodeList) {
    if (other === node && resource.nextRole > ROLE.stopped) continue;
    planStoppedOn(planner, resource, operation, other);
  }
}

function planStoppedOn(planner: Planner, resource: Resource, operation: OperationDefinition, node: PolicyNode): void {
  const running = runningThere(planner, resource, operation, node);
  const action = planner.request({
    resource,
    task: operation.name,
    intervalMs: operation.intervalMs,
    node,
    optional: running?.optional ?? false,
  });
  action.expectedRc = 7;
  // What is unmanaged is watched as it is: nothing has to be known or done first.
  for (const probe of planner.actionsOf(resource, "monitor_0")) {
    if (probe.node === node && resource.managed) planner.addRelation(probe, action, EFFECT.gate);
  }
  for (const stop of planner.actionsOf(resource, "stop_0")) {
    if (stop.node !== node) continue;
    if (stop.blocked) action.runnable = false;
    if (resource.managed) planner.addRelation(stop, action, EFFECT.push | EFFECT.gate);
    else if (stop.needed) action.optional = true;
  }
  if (!node.online || node.unclean) action.runnable = false;
}
