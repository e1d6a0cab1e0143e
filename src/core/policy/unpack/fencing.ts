import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import type { Handling } from "../model-values.ts";

const GUEST_DEPTH_MAX = 8;

/** Whether a node can be fenced in the present situation (status.md 21.2). */
export function canFence(model: Model, node: PolicyNode, depth = 0): boolean {
  if (node.isGuest) {
    // Guests do not nest; recorded as nested all the same (or in a ring) they cannot be fenced.
    if (depth > GUEST_DEPTH_MAX) return false;
    const launcher = node.launcher;
    if (launcher === null) return false;
    return launcher.activeNodes.every((host) => host.online || canFence(model, host, depth + 1));
  }
  const { options } = model;
  if (!options.fencingEnabled || !model.fencingDevicesExist) return false;
  if (model.quorate || options.noQuorumPolicy === "ignore") return true;
  if (!node.online) return false;
  if (node.kind === "cluster" || options.fenceRemoteWithoutQuorum) return true;
  const connection = node.connection;
  return connection === null || model.nodes.every((host) => !connection.table.has(host.index) || host.online);
}

/**
 * Notes that a node must be fenced (status.md 21.4). Whether an action results is decided at the end (21.7). Also called
 * by `constrain` (tickets) and by the action phases.
 */
export function fenceNode(model: Model, node: PolicyNode, reason: string, priorityDelay = false): void {
  if (node.isGuest) {
    resetGuest(model, node, reason);
    return;
  }
  if (node.formerGuest) {
    if (node.connection !== null) markFailedStop(node.connection);
    return;
  }
  if (node.kind === "remote") {
    if (node.connection !== null && !node.connection.managed)
      model.warnings.push(`${node.name} needs fencing but its connection is unmanaged`);
    else node.reset = true;
    node.unclean = true;
    node.fencing ??= { reason, priorityDelay };
    return;
  }
  if (node.unclean) return;
  node.unclean = true;
  node.fencing ??= { reason, priorityDelay };
}

/** A guest is "fenced" by recovering its launcher. */
function resetGuest(model: Model, node: PolicyNode, reason: string): void {
  const launcher = node.launcher;
  if (launcher === null || launcher.failed) return;
  if (!launcher.managed) {
    model.warnings.push(`guest node ${node.name} needs recovery (${reason}) but ${launcher.id} is unmanaged`);
    return;
  }
  node.reset = true;
  markFailedStop(launcher);
}

/** The resource counts as failed and must be stopped. */
export function markFailedStop(resource: Resource): void {
  resource.failed = true;
  resource.failedStop = true;
}

/**
 * A failure asks for a stop. What cannot be stopped because its node is away makes the node unclean at once, as any such
 * stop does (actions.md A6): later failures in its history change nothing any more, and people see the node as unclean.
 */
export function needStop(model: Model, resource: Resource, node: PolicyNode, handling: Handling): void {
  model.needs.push({ kind: "stop", resource, node, optional: false, dangling: false, handling });
  if (!node.online && !node.isGuest && resource.managed) fenceNode(model, node, "stop is unrunnable");
}
