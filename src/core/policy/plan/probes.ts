import type { PolicyNode } from "../model-node.ts";
import { primitivesOf, topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { DISCOVERY, ROLE } from "../model-values.ts";
import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";
import { connectionState } from "./remote.ts";
import { fenceNode } from "./services.ts";
import { orderAfterUnfencing } from "./unfencing.ts";

/** Step 6: finds out the state of resources on nodes where it is not known (status.md 23). */
export function planProbes(planner: Planner): void {
  const { model } = planner;
  if (!model.options.enableStartupProbes) return;
  for (const node of model.nodeList) {
    if (!isProbed(planner, node)) continue;
    for (const resource of model.resources) probe(planner, resource, node);
  }
}

function isProbed(planner: Planner, node: PolicyNode): boolean {
  if (node.unclean) return false;
  if (!node.online && !(node.isGuest && !node.reset && connectionComesUp(node))) {
    if (node.kind === "remote" && node.connection !== null && connectionState(node) === "failed") {
      fenceNode(planner.model, node, "the connection is unrecoverable");
    }
    return false;
  }
  if (node.noProbes || node.isPing) return false;
  return true;
}

function connectionComesUp(node: PolicyNode): boolean {
  return node.connection !== null && node.connection.node !== null && node.connection.nextRole !== ROLE.stopped;
}

/** Whether any probe of the resource on the node was made. */
function probe(planner: Planner, resource: Resource, node: PolicyNode): boolean {
  switch (resource.kind) {
    case "primitive":
      return probePrimitive(planner, resource, node);
    case "group": {
      let any = false;
      for (const member of resource.children) if (probe(planner, member, node)) any = true;
      return any;
    }
    case "clone":
      return probeClone(planner, resource, node);
    case "bundle":
      return probeBundle(planner, resource, node);
  }
}

/** status.md 23.4. */
function probeClone(planner: Planner, clone: Resource, node: PolicyNode): boolean {
  if (clone.exclusiveDiscovery && clone.table.mode(node.index) !== DISCOVERY.exclusive) {
    for (const primitive of primitivesOf(clone)) primitive.table.delete(node.index);
    return false;
  }
  if (clone.globallyUnique) {
    let any = false;
    for (const instance of clone.children) if (probe(planner, instance, node)) any = true;
    return any;
  }
  const instance =
    clone.children.find((one) => primitivesSome(one, (primitive) => primitive.knownOn.has(node))) ??
    clone.children.find((one) => one.assignedNodes.length === 1 && one.assignedNodes[0] === node) ??
    clone.children[0];
  return instance === undefined ? false : probe(planner, instance, node);
}

function primitivesSome(resource: Resource, test: (primitive: Resource) => boolean): boolean {
  if (resource.kind === "primitive") return test(resource);
  return resource.children.some((child) => primitivesSome(child, test));
}

/** status.md 23.5. */
function probeBundle(planner: Planner, bundle: Resource, node: PolicyNode): boolean {
  const data = bundle.bundle;
  if (data === null) return false;
  let any = false;
  for (const replica of data.replicas) {
    if (replica.ip !== null && probePrimitive(planner, replica.ip, node)) any = true;
    if (replica.child !== null && replica.node === node && probePrimitive(planner, replica.child, node)) any = true;
    if (probePrimitive(planner, replica.container, node)) {
      any = true;
      if (data.replicasPerHost === 1) orderOtherContainers(planner, data.replicas, replica.container, node);
    }
    if (replica.connection !== null && probePrimitive(planner, replica.connection, node)) any = true;
  }
  return any;
}

/** O5.5: a container of another replica found there must be known before one is started. */
function orderOtherContainers(
  planner: Planner,
  replicas: NonNullable<Resource["bundle"]>["replicas"],
  container: Resource,
  node: PolicyNode,
): void {
  for (const other of replicas) {
    if (other.container === container) continue;
    const found = planner.first(container, "monitor_0", node);
    if (found !== null) planner.addRelation(found, { resource: other.container, key: "start_0" }, EFFECT.seq | EFFECT.sameNode);
  }
}

/** status.md 23.3. */
function probePrimitive(planner: Planner, resource: Resource, node: PolicyNode): boolean {
  const elsewhere = node.kind !== "cluster";
  if (elsewhere && (resource.isFenceDevice || resource.isRemoteConnection)) return false;
  if (node.isGuest && resource.launched.some((one) => one.isRemoteConnection)) return false;
  if (resource.launcher !== null && !resource.isRemoteConnection) return false;
  if (resource.removed || resource.knownOn.has(node)) return false;
  const top = topOf(resource);
  if (resource.exclusiveDiscovery || top.exclusiveDiscovery) {
    if (resource.table.mode(node.index) !== DISCOVERY.exclusive) return false;
  }
  // A bundle node's own mode is never, and an entry that came about later (a constraint, a failure) starts with that.
  const mode = resource.table.mode(node.index);
  if (node.isBundleNode ? mode !== DISCOVERY.exclusive : mode === DISCOVERY.never) return false;
  if (node.isGuest && !launcherAllows(planner, resource, node)) return false;
  const action = planner.request({ resource, task: "monitor", node, optional: false });
  if (resource.activeNodes.includes(node)) action.expectedRc = resource.role === ROLE.promoted ? 8 : 0;
  else action.expectedRc = 7;
  orderAfterUnfencing(planner, action);
  return true;
}

function launcherAllows(planner: Planner, resource: Resource, node: PolicyNode): boolean {
  const launcher = node.launcher;
  if (launcher === null) return true;
  const start = { resource: topOf(resource), key: "start_0" };
  if (launcher.role <= ROLE.stopped) {
    // Wherever the launcher turns out to be active, the guest may be up and the resource active on it.
    if (launcher.node !== null && !launcher.knownOn.has(launcher.node)) {
      planner.addRelation({ resource: launcher, key: "monitor_0" }, start, EFFECT.seq);
    }
    return false;
  }
  const moves = launcher.node !== null && !launcher.activeNodes.includes(launcher.node);
  if (node.reset || node.unclean || launcher.failed || launcher.nextRole === ROLE.stopped || launcher.node === null || moves) {
    planner.addRelation({ resource: launcher, key: "stop_0" }, start, EFFECT.seq);
    return false;
  }
  return true;
}

/** For tests and explanations: every probe that was planned. */
export function plannedProbes(planner: Planner): readonly Action[] {
  return planner.actions.filter((action) => action.key === "monitor_0");
}
