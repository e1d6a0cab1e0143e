import { INFINITY_SCORE } from "../../base/index.ts";
import { attributeOf, childOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import { descendantsOf, primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { DISCOVERY, MINUS_INFINITY } from "../model-values.ts";
import { addScore, banTarget, nodeFailCounts, noteRecheck, parseInteger, reachesThreshold } from "../unpack/index.ts";
import { addImplicitColocations, containerIsNode, readColocation } from "./colocations.ts";
import { addHealthLocations, applyLocations, readLocation } from "./locations.ts";
import { readOrder } from "./orders.ts";
import { References } from "./references.ts";
import { readTicket } from "./tickets.ts";

export { insertByDependent, insertByPrimary } from "./colocations.ts";
export { withGroupLocations } from "./locations.ts";

/** Reads constraints and builds every node table (assignment.md 4), each score with its reason. */
export function constrain(model: Model): void {
  addHealthLocations(model);
  banPingNodes(model);
  readConstraints(model);
  applyLocks(model);
  applyLocations(model);
  applyStickiness(model);
  applyFailureThresholds(model);
  applyExclusiveDiscovery(model);
  addImplicitColocations(model);
  applyStructure(model);
}

function readConstraints(model: Model): void {
  const configuration = childOf(model.cib, "configuration");
  const section = configuration === undefined ? undefined : childOf(configuration, "constraints");
  if (section === undefined) return;
  const references = new References(model);
  for (const constraint of section.children) {
    if (constraint.name.startsWith("#") || attributeOf(constraint, "id") === undefined) continue;
    switch (constraint.name) {
      case "rsc_location":
        readLocation(model, constraint, references);
        break;
      case "rsc_colocation":
        readColocation(model, constraint, references);
        break;
      case "rsc_order":
        readOrder(model, constraint, references);
        break;
      case "rsc_ticket":
        readTicket(model, constraint, references);
        break;
      default:
        model.warnings.push(`unknown constraint element ${constraint.name}`);
    }
  }
}

/** Nodes of the old type `ping` carry nothing (status.md 1.3). */
function banPingNodes(model: Model): void {
  for (const node of model.nodes) {
    if (node.isPing)
      for (const resource of model.resources) addScore(resource, node, MINUS_INFINITY, { kind: "structure", detail: "ping node" });
  }
}

/** Shutdown locks (status.md 24.3, 24.4). */
function applyLocks(model: Model): void {
  if (!model.options.shutdownLock) return;
  for (const top of model.resources) {
    if (top.kind === "clone" || top.kind === "bundle") continue;
    for (const resource of primitivesOf(top))
      if (!resource.isFenceDevice && (!resource.isRemoteConnection || resource.launcher !== null)) lock(model, resource);
  }
}

function lock(model: Model, resource: Resource): void {
  if (resource.lockNode !== null) {
    if (resource.activeNodes.length > 0) {
      model.needs.push({ kind: "delete-history", resource, node: resource.lockNode, reason: "resource is active elsewhere" });
      resource.lockNode = null;
      resource.lockTimeSec = 0;
      return;
    }
  } else {
    const node = resource.activeNodes.length === 1 ? resource.activeNodes[0]! : null;
    if (node === null || !node.shuttingDown || node.unclean) return;
    const since = parseInteger(node.attributes.get("shutdown")) ?? 0;
    resource.lockNode = node;
    resource.lockTimeSec = since > 0 ? since : model.nowSec;
  }
  const limit = model.options.shutdownLockLimitSec;
  if (limit > 0) noteRecheck(model, resource.lockTimeSec + limit + 1);
  for (const node of model.nodes) {
    if (node !== resource.lockNode) addScore(resource, node, MINUS_INFINITY, { kind: "lock", detail: resource.lockNode?.name });
  }
}

/** assignment.md 4.26. */
function applyStickiness(model: Model): void {
  for (const resource of model.primitives) {
    if (!resource.managed || resource.stickiness < 1 || resource.activeNodes.length !== 1) continue;
    const node = resource.activeNodes[0]!;
    if (!model.options.symmetric && !resource.table.has(node.index)) continue;
    addScore(resource, node, resource.stickiness, { kind: "stickiness" });
  }
}

/** assignment.md 4.27; only nodes with fail counts are looked at. */
function applyFailureThresholds(model: Model): void {
  for (const node of model.nodeList) {
    const counts = nodeFailCounts(node);
    if (counts === null) continue;
    for (const resource of model.primitives) {
      if (!reachesThreshold(model, resource, node, counts)) continue;
      addScore(banTarget(resource), node, MINUS_INFINITY, { kind: "fail-count", detail: resource.id });
    }
  }
}

/** assignment.md 4.28. */
function applyExclusiveDiscovery(model: Model): void {
  for (const top of model.resources) {
    for (const resource of affectedByDiscovery(top)) {
      if (!resource.exclusiveDiscovery && !top.exclusiveDiscovery) continue;
      for (const node of model.nodes) {
        const mode = resource.table.mode(node.index);
        if (mode !== null && mode !== DISCOVERY.exclusive) resource.table.set(node.index, MINUS_INFINITY, { kind: "discovery" });
      }
    }
  }
}

function* affectedByDiscovery(top: Resource): Iterable<Resource> {
  if (top.kind !== "bundle") {
    yield* descendantsOf(top);
    return;
  }
  yield top;
  for (const replica of top.bundle?.replicas ?? []) {
    yield replica.container;
    if (replica.ip !== null) yield replica.ip;
  }
}

/** Structural exclusions (assignment.md 4.29, 4.30). */
function applyStructure(model: Model): void {
  if (!model.hasRemoteNodes) return;
  for (const resource of model.primitives) {
    if (!resource.managed) continue;
    const makesGuest = resource.inBundle === null && resource.launched.some((other) => other.isRemoteConnection);
    if (resource.isRemoteConnection || resource.isFenceDevice || makesGuest) banFromRemoteNodes(model, resource);
    const launcher = resource.launcher;
    if (launcher !== null && resource.inBundle === null && containerIsNode(resource, launcher)) keepOnNodeOf(model, resource, launcher);
  }
}

/** Existing entries only; a remote node without configured connection does not count. */
function banFromRemoteNodes(model: Model, resource: Resource): void {
  for (const node of model.nodes) {
    if (node.kind === "cluster" || node.connection === null || node.connection.removed || !resource.table.has(node.index)) continue;
    resource.table.set(node.index, MINUS_INFINITY, { kind: "structure", detail: "not on remote or guest nodes" });
  }
}

function keepOnNodeOf(model: Model, resource: Resource, launcher: Resource): void {
  const connection = launcher.isRemoteConnection ? launcher : launcher.launched.find((other) => other.isRemoteConnection);
  for (const node of model.nodes) {
    if (node === connection?.remoteNode || !resource.table.has(node.index)) continue;
    resource.table.add(node.index, -INFINITY_SCORE, { kind: "structure", detail: `only on the node of ${launcher.id}` });
  }
}
