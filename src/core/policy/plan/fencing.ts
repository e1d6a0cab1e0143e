import type { PolicyNode } from "../model-node.ts";
import { topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";
import { canFence } from "./services.ts";
import { annotateFencing } from "./unfencing.ts";

/** Step 9: fencing and shutdown, and what they come before and after (A18-A20, O8-O11). */
export function planNodeActions(planner: Planner): void {
  const { model } = planner;
  const managed = model.primitives.some((resource) => resource.managed);
  const fences: Action[] = [];
  const shutdowns: Action[] = [];
  let leaderAction: Action | null = null;
  for (const node of model.nodeList) {
    if (node.kind === "guest") {
      if (node.reset && managed && canFence(model, node)) fenceGuest(planner, node);
      continue;
    }
    if (managed && node.unclean && canFence(model, node)) {
      const fence = planFence(planner, node);
      orderRecovery(planner, fence, node);
      if (node === model.dc) leaderAction = fence;
      else fences.push(fence);
    } else if (node.online && node.shuttingDown && node.kind === "cluster") {
      const shutdown = planShutdown(planner, node);
      if (node === model.dc) leaderAction = shutdown;
      else shutdowns.push(shutdown);
    }
  }
  orderAmongThemselves(planner, fences, shutdowns, leaderAction);
}

/** O9, O10. */
function orderAmongThemselves(planner: Planner, fences: readonly Action[], shutdowns: readonly Action[], leader: Action | null): void {
  if (leader !== null && leader.task === "do_shutdown") for (const shutdown of shutdowns) shutdown.precede(leader, EFFECT.seq);
  if (planner.model.options.concurrentFencing) {
    if (leader !== null) for (const fence of fences) fence.precede(leader, EFFECT.seq);
    return;
  }
  let previous: Action | null = null;
  for (const fence of fences) {
    previous?.precede(fence, EFFECT.seq);
    previous = fence;
  }
  if (leader !== null) previous?.precede(leader, EFFECT.seq);
}

function planFence(planner: Planner, node: PolicyNode): Action {
  const operation = planner.model.options.fencingAction;
  const fence = planner.fence(node, operation);
  fence.optional = false;
  fence.runnable = true;
  fence.reason = node.fencing?.reason ?? "node is unclean";
  const { options } = planner.model;
  if (options.priorityFencingDelaySec > 0 && node.fencing?.priorityDelay === true) {
    fence.meta = new Map([["priority_fencing_delay", String(priorityDelay(planner, node))]]);
  }
  annotateFencing(planner, fence, node);
  return fence;
}

/** The delay that gives the more important half of a split cluster a head start (status.md 21.10); 0 overrides devices. */
function priorityDelay(planner: Planner, node: PolicyNode): number {
  const { options, nodeList } = planner.model;
  const cluster = nodeList.filter((one) => one.kind === "cluster");
  if (node.kind !== "cluster" || node.online) return 0;
  if (cluster.filter((one) => one.online).length * 2 > cluster.length) return 0;
  const priorities = cluster.map((one) => one.priority);
  const highest = Math.max(...priorities);
  if (Math.min(...priorities) === highest || node.priority < highest) return 0;
  return options.priorityFencingDelaySec;
}

/** A20. */
function planShutdown(planner: Planner, node: PolicyNode): Action {
  const shutdown = planner.request({
    resource: null,
    task: "do_shutdown",
    key: `do_shutdown-${node.name}`,
    node,
    optional: false,
  });
  shutdown.noWait = true;
  for (const stop of [...planner.actionsOn(node)]) {
    const resource = stop.resource;
    if (stop.task !== "stop" || resource === null) continue;
    if (!resource.managed && !resource.blocked) continue;
    if (resource.maintenance || node.maintenance) continue;
    stop.optional = false;
    stop.precede(shutdown, EFFECT.seq | EFFECT.gate);
    planner.addStopEdge(resource, shutdown);
  }
  return shutdown;
}

/** A19, O11: only labels the fact that the launcher is being recovered. */
function fenceGuest(planner: Planner, node: PolicyNode): void {
  const launcher = node.launcher;
  let stop: Action | null = null;
  let operation: "off" | "reboot" = "off";
  if (launcher !== null) {
    stop = planner.actionsOf(launcher, "stop_0").at(-1) ?? null;
    if (planner.actionsOf(launcher, "start_0").length > 0) operation = "reboot";
  }
  const fence = planner.fence(node, operation);
  fence.pseudo = true;
  fence.runnable = true;
  fence.optional = false;
  fence.reason = "guest is unclean";
  // A stop that the host's fencing implies says nothing by itself: the guest is down when the host is.
  const hostFence = stop?.pseudo === true && stop.node !== null ? planner.existingFence(stop.node) : null;
  if (hostFence !== null) {
    hostFence.precede(fence, EFFECT.seq);
  } else if (stop !== null) {
    stop.precede(fence, EFFECT.seq | EFFECT.gate | EFFECT.push);
  } else if (node.connection !== null) {
    planner.first(node.connection, "stop_0")?.precede(fence, EFFECT.seq);
  }
  orderRecovery(planner, fence, node);
}

/** O8 for one fencing: what waits for it, and what it implies. */
function orderRecovery(planner: Planner, fence: Action, node: PolicyNode): void {
  for (const resource of planner.model.primitives) {
    if (!resource.managed) continue;
    orderStarts(planner, fence, node, resource);
    impliedStops(planner, fence, node, resource);
    impliedDemotes(planner, fence, node, resource);
  }
}

function orderStarts(planner: Planner, fence: Action, node: PolicyNode, resource: Resource): void {
  for (const key of ["start_0", "promote_0", "migrate_to_0", "migrate_from_0"]) {
    for (const action of planner.actionsOf(resource, key)) {
      if (action.requires === "fencing" || action.requires === "unfencing") fence.precede(action, EFFECT.seq);
      else if (key === "start_0" && action.requires === "quorum" && resource.table.has(node.index) && !isKnown(resource, node)) {
        fence.precede(action, EFFECT.seq | EFFECT.gate);
      }
    }
  }
}

/** Knowledge of a primitive directly in an anonymous clone is the clone's. */
function isKnown(resource: Resource, node: PolicyNode): boolean {
  const parent = resource.parent;
  if (parent?.kind === "clone" && !parent.globallyUnique) return parent.knownOn.has(node);
  return resource.knownOn.has(node);
}

function impliedStops(planner: Planner, fence: Action, node: PolicyNode, resource: Resource): void {
  for (const stop of planner.actionsOf(resource, "stop_0")) {
    if (stop.node !== node) continue;
    stop.pseudo = true;
    stop.runnable = true;
    const top = topOf(resource);
    planner.noteImpliedStop(fence, stop, top);
    if (!resource.requiresFencing && node.kind !== "guest") continue;
    if (resource.inBundle === null || top === resource) fence.precede(stop, EFFECT.seq);
    // For a resource by itself this is its last stop, wherever that is: a start after all stops then waits anyway.
    const point = planner.actionsOf(top, "stop_0").at(-1);
    if (point !== undefined) fence.precede(point, EFFECT.seq);
  }
}

function impliedDemotes(planner: Planner, fence: Action, node: PolicyNode, resource: Resource): void {
  for (const demote of planner.actionsOf(resource, "demote_0")) {
    if (demote.node !== node) continue;
    if (node.online && !node.unclean && !node.reset && !resource.failed) continue;
    demote.pseudo = true;
    demote.runnable = true;
    if (resource.inBundle !== null) continue;
    if (resource.requiresFencing || node.kind === "guest") fence.precede(demote, EFFECT.seq);
  }
}
