import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";
import { fenceNode } from "./services.ts";

const { seq, push, gate, pull, hold } = EFFECT;

/** Condition of a connection as the actions behind it see it (status.md 21.9). */
export type ConnectionState = "stopped" | "failed" | "alive" | "resting" | "unknown";

export function connectionState(node: PolicyNode): ConnectionState {
  const connection = node.connection;
  if (connection === null) return "failed";
  const host = currentNodeOf(connection);
  if (connection.nextRole === ROLE.stopped || connection.node === null) {
    if (host?.unclean) return "failed";
    if (!connection.failed) return "stopped";
    const waits = connection.nextRole === ROLE.stopped && connection.reconnectIntervalMs > 0 && node.wasFenced && !node.shutdownRequested;
    return waits ? "unknown" : "failed";
  }
  if (host === null) return "unknown";
  if (host.unclean || !host.online) return "resting";
  if (connection.activeNodes.length > 1 && connection.partialSource !== null && connection.partialTarget !== null) return "resting";
  return "alive";
}

/** Step 8: actions on remote and guest nodes need their connection (O12, O13). */
export function orderRemoteActions(planner: Planner): void {
  if (!planner.model.hasRemoteNodes) return;
  for (const action of [...planner.actions]) {
    const { resource, node } = action;
    if (resource === null || node === null || resource.kind !== "primitive") continue;
    // The end of a live migration is no start: what it needs of the connection, its own actions ask for.
    if (action.pseudo) continue;
    if (action.task === "start") orderStopsElsewhere(planner, action, node);
    if (node.kind === "cluster" || node.connection === null || isCancelled(planner, action)) continue;
    if (node.kind === "remote") orderOnRemote(planner, action, node, node.connection);
    else orderOnGuest(planner, action, node, node.connection);
  }
}

/** A resource starting behind a connection stops elsewhere only after that connection is up. */
function orderStopsElsewhere(planner: Planner, start: Action, node: PolicyNode): void {
  if (node.connection === null || start.resource === null) return;
  for (const stop of planner.actionsOf(start.resource, "stop_0")) {
    if (stop.node === node) continue;
    planner.addRelation({ resource: node.connection, key: "start_0" }, stop, seq);
  }
}

function orderOnRemote(planner: Planner, action: Action, node: PolicyNode, connection: Resource): void {
  const state = connectionState(node);
  const connectionStart = { resource: connection, key: "start_0" } as const;
  const connectionStop = { resource: connection, key: "stop_0" } as const;
  const goesDown = connection.nextRole === ROLE.stopped || connection.node === null;
  switch (action.task) {
    case "start":
    case "promote":
      planner.addRelation(connectionStart, action, state === "failed" ? gate | push : gate);
      return;
    case "stop":
    case "migrate_to":
    case "migrate_from":
      if (state === "alive") planner.addRelation(action, connectionStop, pull);
      else if (state === "failed") fenceNode(planner.model, node, "resources are active but connection is unrecoverable");
      else if (goesDown) planner.addRelation(action, connectionStop, pull);
      else planner.addRelation(connectionStart, action, gate);
      return;
    case "demote":
      if (state === "resting" || state === "unknown") planner.addRelation(connectionStart, action, gate);
      return;
    default:
      orderOther(planner, action, node, connection, state);
  }
}

function orderOther(planner: Planner, action: Action, node: PolicyNode, connection: Resource, state: ConnectionState): void {
  const connectionStart = { resource: connection, key: "start_0" } as const;
  if (action.intervalMs > 0 && action.task !== "cancel") {
    planner.addRelation(connectionStart, action, gate | push);
    return;
  }
  if (action.task === "monitor" && state === "failed") {
    fenceNode(planner.model, node, "resources are in unknown state and connection is unrecoverable");
    return;
  }
  // What is cancelled ends with the connection: then there is nothing to do.
  if (state === "stopped" && connection.activeNodes.length > 0 && action.task !== "cancel") {
    planner.addRelation(action, { resource: connection, key: "stop_0" }, gate);
    return;
  }
  planner.addRelation(connectionStart, action, gate);
}

/** A recurring operation that is known to run and wanted no more: a new connection does not bring it back. */
function isCancelled(planner: Planner, { resource, node, task, intervalMs }: Action): boolean {
  return resource !== null && intervalMs > 0 && planner.first(resource, `cancel_${task}_${intervalMs}`, node) !== null;
}

function orderOnGuest(planner: Planner, action: Action, node: PolicyNode, connection: Resource): void {
  const launcher = connection.launcher;
  const connectionStart = { resource: connection, key: "start_0" } as const;
  const failed = launcher?.failed;
  if (failed) fenceNode(planner.model, node, "container failed");
  switch (action.task) {
    case "start":
    case "promote":
      if (launcher !== null) planner.addRelation({ resource: launcher, key: "start_0" }, action, gate | push);
      planner.addRelation(connectionStart, action, gate);
      return;
    case "stop":
    case "demote":
    case "migrate_to":
    case "migrate_from":
      if (!failed) planner.addRelation(action, { resource: connection, key: "stop_0" }, seq | hold);
      return;
    case "cancel":
      // It comes before a change of role that waits for the connection, or goes with the stop: nothing to add.
      return;
    default:
      planner.addRelation(connectionStart, action, action.intervalMs > 0 ? gate | push : gate);
  }
}
