import { INFINITY_SCORE } from "../base/index.ts";
import { isWithin, type Model, outermostOf, type Plan, type PolicyNode, primitivesOf, type Resource, ROLE } from "../policy/index.ts";
import { explainModel, findResources, type ScoreTerm } from "./explain.ts";
import type { ProposedChange } from "./explain-changes.ts";

/** What keeps a resource from a node, as changes that would take it away. */
export type Obstacles = {
  /** Nothing helps: the node is not there, or the resource can never run on it. */
  readonly impossible: boolean;
  /** Without all of these it cannot run there. */
  readonly required: readonly ProposedChange[];
  /** Each may help, the likeliest first. */
  readonly optional: readonly ProposedChange[];
};

/** Chains of colocations are followed so far. */
const CHAIN_MAX = 3;

/** An ordered set of changes. */
class Changes {
  private readonly byText = new Map<string, ProposedChange>();

  readonly add = (change: ProposedChange): void => void this.byText.set(JSON.stringify(change), change);

  has(change: ProposedChange): boolean {
    return this.byText.has(JSON.stringify(change));
  }

  get list(): readonly ProposedChange[] {
    return [...this.byText.values()];
  }
}

/** Reads the obstacles from a plan that was made with `explain: true`. */
export function obstaclesAt(plan: Plan, resource: string, node: PolicyNode): Obstacles {
  const { model } = plan;
  const required = new Changes();
  const optional = new Changes();
  const instances = findResources(model, resource);
  if (instances.some((instance) => makesNode(instance, node))) return { impossible: true, required: [], optional: [] };
  for (const instance of instances) resourceChanges(model, instance, required.add);
  clusterChanges(model, required.add);
  const usable = nodeChanges(model, node, required.add, optional.add);
  const rows = instances.map((instance) => instanceObstacles(model, instance, node));
  const open = rows.filter((row) => !row.impossible);
  if (!usable || open.length === 0) return { impossible: true, required: [], optional: [] };
  for (const row of open) {
    for (const change of row.required.list) {
      // What only some instances need is not needed by the resource.
      if (open.every((other) => other.required.has(change))) required.add(change);
      else optional.add(change);
    }
  }
  const prefer: ProposedChange = { kind: "prefer", resource: outermostOf(instances[0]!).configId, node: node.name };
  const banned = open.every((row) => row.banned);
  // A bundle as a whole cannot prefer the node that one of its replicas makes.
  const sensible = node.launcher === null || !isWithin(node.launcher, outermostOf(instances[0]!));
  if (sensible && !banned) optional.add(prefer);
  for (const row of open) for (const change of row.optional.list) optional.add(change);
  if (sensible) optional.add(prefer);
  return { impossible: false, required: required.list, optional: optional.list.filter((change) => !required.has(change)) };
}

/** A guest runs nothing of what brings it about. */
function makesNode(instance: Resource, node: PolicyNode): boolean {
  return (
    instance === node.connection ||
    instance === node.launcher ||
    (instance.implicit && node.launcher !== null && node.launcher.inBundle === instance.inBundle)
  );
}

/** What keeps the start of something from being carried out although a node was found: orderings and what they wait for. */
export function orderObstacles(plan: Plan, resource: string): readonly ProposedChange[] {
  const changes = new Changes();
  const { model } = plan;
  for (const instance of findResources(model, resource)) {
    for (const first of predecessorsInGroups(instance)) resourceChanges(model, first, changes.add);
    const own = new Set<Resource>();
    for (let at: Resource | null = instance; at !== null; at = at.parent) own.add(at);
    for (const order of model.orders) {
      if (order.kind === "Optional") continue;
      const before = order.form === "simple" ? [order.first] : order.sets.flatMap((set) => set.resources);
      const after = order.form === "simple" ? [order.then] : before;
      const concerns = after.some((each) => own.has(each)) || (order.symmetrical && before.some((each) => own.has(each)));
      if (!concerns) continue;
      for (const other of before) {
        if (own.has(other)) continue;
        for (const primitive of primitivesOf(other)) if (primitive.node === null) resourceChanges(model, primitive, changes.add);
      }
      changes.add({ kind: "drop-constraint", id: order.id });
    }
  }
  return changes.list;
}

/** Members that come before the resource in its group. */
function predecessorsInGroups(instance: Resource): readonly Resource[] {
  const group = instance.parent;
  return group?.kind === "group" ? group.children.slice(0, group.children.indexOf(instance)) : [];
}

const TRUE = /^(true|on|yes|y|1)$/i;

type Add = (change: ProposedChange) => void;

function clusterChanges(model: Model, add: Add): void {
  if (model.options.stopAllResources) add({ kind: "set-property", name: "stop-all-resources", value: "false" });
  if (model.options.maintenanceMode) add({ kind: "set-property", name: "maintenance-mode", value: "false" });
}

/** Disabled, unmanaged, in maintenance or blocked: the resource itself or what it is in. */
function resourceChanges(model: Model, instance: Resource, add: Add): void {
  for (let at: Resource | null = instance; at !== null; at = at.parent) {
    if (at.targetRole === ROLE.stopped) add({ kind: "set-meta", resource: at.configId, name: "target-role", value: "Started" });
    // The settings themselves, because maintenance of the cluster makes everything unmanaged and is a change of its own.
    const managed = at.meta.get("is-managed");
    if (managed !== undefined && !TRUE.test(managed)) add({ kind: "set-meta", resource: at.configId, name: "is-managed", value: "true" });
    if (TRUE.test(at.meta.get("maintenance") ?? "")) add({ kind: "set-meta", resource: at.configId, name: "maintenance", value: "false" });
  }
  if (!instance.blocked) return;
  for (const failure of model.failures) {
    if (failure.resource === instance) add({ kind: "clean-up", resource: instance.configId, node: failure.node.name });
  }
}

/** False: no change of ours makes the node usable. */
function nodeChanges(model: Model, node: PolicyNode, required: Add, optional: Add): boolean {
  if (node.standby && !node.standbyOnFail) required({ kind: "set-node-attribute", node: node.name, name: "standby", value: "off" });
  if (node.standbyOnFail) {
    for (const failure of model.failures) {
      if (failure.node === node) optional({ kind: "clean-up", resource: failure.resource.configId, node: node.name });
    }
  }
  if (node.maintenance) required({ kind: "set-node-attribute", node: node.name, name: "maintenance", value: "off" });
  if (node.unclean || node.pending || node.shuttingDown) return false;
  if (node.online) return true;
  // A remote or guest node comes up with its connection and its container.
  if (node.connection === null) return false;
  const before = [node.connection, node.launcher].filter((each) => each !== null);
  for (const each of before) resourceChanges(model, each, optional);
  return before.some((each) => each.node !== null || each.targetRole === ROLE.stopped);
}

type InstanceObstacles = {
  impossible: boolean;
  /** A colocation forbids the node. */
  banned: boolean;
  readonly required: Changes;
  readonly optional: Changes;
};

function instanceObstacles(model: Model, instance: Resource, node: PolicyNode): InstanceObstacles {
  const found: InstanceObstacles = { impossible: false, banned: false, required: new Changes(), optional: new Changes() };
  for (const term of termsAt(model, instance, node)) {
    if (term.score >= 0) continue;
    const forbids = term.score <= -INFINITY_SCORE;
    if (forbids && (term.kind === "structure" || term.kind === "removed")) found.impossible = true;
    if (term.kind === "colocation" || term.kind === "colocated-with") {
      found.banned ||= forbids;
      colocationChanges(model, term, node, found.optional.add, CHAIN_MAX);
    } else ownTermChanges(instance, term, node, forbids ? found.required.add : found.optional.add);
  }
  return found;
}

function termsAt(model: Model, instance: Resource, node: PolicyNode): readonly ScoreTerm[] {
  return explainModel(model, instance.id, node.name).instances[0]?.nodes[0]?.terms ?? [];
}

/** Terms that concern no other resource. */
function ownTermChanges(instance: Resource, term: ScoreTerm, node: PolicyNode, add: Add): void {
  switch (term.kind) {
    case "location":
      if (term.id !== null && !term.id.startsWith("#")) add({ kind: "drop-constraint", id: term.id });
      return;
    case "ticket":
      if (term.detail !== null) add({ kind: "grant-ticket", ticket: term.detail });
      return;
    case "failure":
    case "fail-count":
      add({ kind: "clean-up", resource: instance.configId, node: node.name });
      return;
    case "health":
      add({ kind: "set-meta", resource: outermostOf(instance).configId, name: "allow-unhealthy-nodes", value: "true" });
      return;
    default:
      return;
  }
}

/** Drop the colocation, or help the other resource to the node. */
function colocationChanges(model: Model, term: ScoreTerm, node: PolicyNode, add: Add, depth: number): void {
  if (term.id !== null && !term.id.startsWith("#")) add({ kind: "drop-constraint", id: term.id });
  const other = term.through === null ? undefined : model.resourcesById.get(term.through);
  if (other === undefined || depth === 0) return;
  for (const primitive of primitivesOf(other)) {
    if (primitive.node === node) continue;
    if (primitive.node === null) resourceChanges(model, primitive, add);
    for (const inner of termsAt(model, primitive, node)) {
      if (inner.score >= 0) continue;
      if (inner.kind === "colocation" || inner.kind === "colocated-with") colocationChanges(model, inner, node, add, depth - 1);
      else ownTermChanges(primitive, inner, node, add);
    }
    add({ kind: "prefer", resource: outermostOf(primitive).configId, node: node.name });
    // One instance speaks for the others of an anonymous clone.
    if (primitive.number !== null) break;
  }
}
