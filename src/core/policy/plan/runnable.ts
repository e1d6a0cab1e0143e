import type { PolicyNode } from "../model-node.ts";
import { cloneOf } from "../model-queries.ts";
import { ROLE } from "../model-values.ts";
import type { Action } from "./action.ts";
import type { Planner } from "./planner.ts";
import { canFence, fenceNode } from "./services.ts";

/**
 * Whether an action can happen with the state of this moment (A6). Called whenever an action of a resource is requested;
 * pseudo actions are exempt. May mark the node for fencing: a stop that cannot be carried out must be made sure of.
 */
export function checkRunnable(planner: Planner, action: Action): void {
  const resource = action.resource;
  if (action.pseudo || resource === null) return;
  const node = action.node;
  if (node === null) {
    action.runnable = false;
    return;
  }
  if (!isReachable(node) && action.task !== "lrm_delete") {
    action.runnable = false;
    const wanted = action.task === "stop" && resource.managed && !node.unclean;
    if (wanted && node.kind !== "guest") fenceNode(planner.model, node, "stop is unrunnable");
    return;
  }
  if (node.pending && action.task !== "lrm_delete") {
    action.runnable = false;
    return;
  }
  if (action.requires === "nothing") {
    action.reason = null;
    const launcher = node.launcher;
    const host = launcher?.activeNodes[0];
    action.runnable = !(node.isGuest && host !== undefined && (host.unclean || !host.online) && !canFence(planner.model, host));
    return;
  }
  checkQuorum(planner, action);
}

/** Online, or a guest that is not being reset: its host resource will bring it up. */
function isReachable(node: PolicyNode): boolean {
  return node.online || (node.isGuest && !node.reset);
}

function checkQuorum(planner: Planner, action: Action): void {
  const model = planner.model;
  const resource = action.resource;
  if (resource === null) return;
  const policy = model.options.noQuorumPolicy;
  if (model.quorate || policy === "ignore" || policy === "fence") {
    action.runnable = true;
    return;
  }
  // What runs unpromoted may go on; nothing comes up.
  if (policy === "demote" && resource.role >= ROLE.unpromoted && cloneOf(resource)?.promotable === true) {
    if (resource.nextRole > ROLE.unpromoted) resource.nextRole = ROLE.unpromoted;
    action.runnable = action.task !== "promote";
    if (!action.runnable) action.reason = "no quorum";
    return;
  }
  if (policy === "freeze") {
    const active = resource.activeNodes.length > 0;
    if (active && resource.nextRole <= resource.role) {
      action.runnable = true;
      return;
    }
    action.runnable = false;
    action.reason = "quorum freeze";
    return;
  }
  action.runnable = false;
  action.reason = "no quorum";
}
