import { attributeOf, type Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { ROLE } from "../model-values.ts";
import { addAttributes, mergeTransientAttributes, nodeFlag } from "./nodes.ts";
import { isTrue, parseInteger } from "./values.ts";

/** The condition of a remote, guest or bundle node, from its connection and launcher (status.md 10.2). */
export function revise(node: PolicyNode): void {
  const connection = node.connection;
  if (connection === null) {
    node.online = false;
    return;
  }
  const launcher = node.isGuest ? connection.launcher : null;
  const host = launcher !== null && connection.activeNodes.length === 1 ? connection.activeNodes[0]! : null;
  if (connection.role >= ROLE.started) {
    node.online = true;
    if (connection.nextRole === ROLE.stopped) node.shuttingDown = true;
  }
  if (launcher?.failed === true) {
    node.online = false;
    node.reset = true;
  } else if (connection.failed) node.online = false;
  else if (connection.role <= ROLE.stopped || (launcher !== null && launcher.role <= ROLE.stopped)) {
    node.online = false;
    node.reset = false;
  } else if (host !== null && !host.online && host.unclean) {
    node.online = false;
    node.reset = true;
  }
}

/** When its history is about to be read (status.md 10.3). */
export function readRemoteState(model: Model, node: PolicyNode, state: Element): void {
  revise(node);
  if (!node.reset) {
    node.unclean = false;
    node.seen = true;
  }
  addAttributes(model, node, null);
  mergeTransientAttributes(model, node, state);
  const shutdown = node.attributes.get("shutdown");
  node.shutdownRequested = shutdown !== undefined && shutdown !== "0";
  if (node.shutdownRequested) node.shuttingDown = true;
  if (nodeFlag(node, "standby")) node.standby = true;
  const connection = node.connection;
  if (nodeFlag(node, "maintenance") || (connection !== null && !connection.managed)) node.maintenance = true;
  const told = attributeOf(state, "node_in_maintenance");
  node.toldMaintenance = told === undefined ? null : (parseInteger(told) ?? 0) !== 0;
  const discovery = node.attributes.get("resource-discovery-enabled");
  if (discovery !== undefined && !isTrue(discovery)) node.noProbes = node.kind === "guest" || model.options.fencingEnabled;
}
