import { cloneOf, primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { Action, completionOf, EFFECT, type Planner, type Relation } from "../plan/index.ts";
import { preferredNodes } from "./apply.ts";

const { seq, gate } = EFFECT;

/** O5: what must be known before something is started, stopped or demoted. */
export function orderProbes(planner: Planner): void {
  orderStopsAsProbes(planner);
  for (const resource of planner.model.primitives) {
    const probes = planner.actionsOf(resource, "monitor_0");
    if (probes.length === 0) continue;
    for (const probe of probes) orderOwnStart(planner, resource, probe);
  }
  for (const resource of planner.model.resources) if (resource.bundle !== null) orderBundleProbes(planner, resource.bundle);
  for (const resource of planner.model.primitives) {
    const probes = planner.actionsOf(resource, "monitor_0");
    if (probes.length > 0) orderBeforeRestarts(planner, resource, probes);
  }
}

/** O5.1, O5.4. */
function orderOwnStart(planner: Planner, resource: Resource, probe: Action): void {
  const clone = cloneOf(resource);
  const owner = clone ?? resource;
  const inactive = activeWithin(owner) === 0;
  const effects = probe.blocked && inactive ? seq | gate : seq;
  for (const start of planner.actionsOf(owner, "start_0")) probe.precede(start, effects);
  for (const reload of planner.actionsOf(owner, "reload-agent_0")) probe.precede(reload, seq);
  if (clone === null || !probe.blocked) return;
  // The clone's own point says whether some instance can start; what this probe stands for must not.
  for (const primitive of primitivesOf(clone)) {
    if (primitive.activeNodes.length > 0) continue;
    for (const start of planner.actionsOf(primitive, "start_0")) probe.precede(start, seq | gate);
  }
}

/**
 * O5.5: what is inside containers starts once those that come up are known; a connection is looked for once its container is
 * up, unless the container is up already and is not going to start again.
 */
function orderBundleProbes(planner: Planner, bundle: NonNullable<Resource["bundle"]>): void {
  const inner = bundle.innerClone === null ? [] : planner.actionsOf(bundle.innerClone, "start_0");
  for (const { container, connection } of bundle.replicas) {
    if (isSoughtBeforeStart(container)) {
      for (const probe of planner.actionsOf(container, "monitor_0")) for (const start of inner) probe.precede(start, seq);
    }
    if (connection === null) continue;
    for (const probe of planner.actionsOf(connection, "monitor_0")) {
      // Whether a start is blocked shows only while flags settle; a sequence without effects ends with it.
      const effects = container.activeNodes.length > 0 ? seq : seq | gate;
      for (const start of planner.actionsOf(container, "start_0")) start.precede(probe, effects);
    }
  }
}

/**
 * It will come up where it is not known whether it is already: what is inside waits for the answer (status.md 23.3). One that
 * failed, as its guest was lost, is looked for all the same, but nothing waits (seen with crm_simulate).
 */
function isSoughtBeforeStart(container: Resource): boolean {
  return container.role <= ROLE.stopped && !container.failed && container.node !== null && !container.knownOn.has(container.node);
}

function activeWithin(resource: Resource): number {
  if (resource.kind === "primitive") return resource.activeNodes.length;
  let active = 0;
  for (const child of resource.children) active += activeWithin(child);
  return active;
}

/** O5.2: "a stop then X" between different resources also holds for probes. */
function orderStopsAsProbes(planner: Planner): void {
  for (const relation of planner.stopRelations) orderLikeStop(planner, relation);
  for (const { resource, then } of planner.stopEdges) {
    for (const probe of planner.actionsOf(resource, "monitor_0")) if (probe.node === then.node) probe.precede(then, seq);
  }
}

function orderLikeStop(planner: Planner, relation: Relation): void {
  const first = relation.first instanceof Action ? relation.first.resource : relation.first.resource;
  if (first === null || first.kind !== "primitive") return;
  const probes = planner.actionsOf(first, "monitor_0");
  if (probes.length === 0) return;
  const then = relation.then;
  const target = then.resource;
  if (target === first) return;
  const thens = then instanceof Action ? [then] : planner.actionsOf(then.resource, then.key);
  const effects = seq | EFFECT.anti | (relation.effects & (EFFECT.sameNode | EFFECT.sameNodeNeeded));
  for (const action of thens) {
    if (first.launcher !== null && target === first.launcher && action.task === "stop") continue;
    for (const probe of probes) {
      if (action.detail.kind === "fence" && action.node === probe.node) continue;
      if (action.task === "do_shutdown" && action.node !== probe.node) continue;
      if (isBehind(probe, action)) continue;
      if ((effects & EFFECT.sameNode) !== 0 && action.node !== null && action.node !== probe.node) continue;
      probe.precede(action, effects);
    }
  }
}

/** O5.3: B must not be taken down before it is known whether A, which B follows, needs starting. */
function orderBeforeRestarts(planner: Planner, resource: Resource, probes: readonly Action[]): void {
  const visited = new Set<Action>();
  const reached: Action[] = [];
  for (const edge of probes[0]!.after) {
    if ((edge.effects & EFFECT.anti) !== 0) continue;
    if (edge.then.task === "start" || edge.then.task === "promote") collect(planner, resource, edge.then, visited, reached);
  }
  // That containers of a bundle look for each other holds here wherever the other one comes up (O5.5).
  for (const other of otherContainers(resource)) {
    for (const start of planner.actionsOf(other, "start_0")) collect(planner, resource, start, visited, reached);
  }
  for (const action of reached) {
    const other = action.resource;
    if (other === null || other === resource) continue;
    const down = action.task === "start" ? "stop_0" : "demote_0";
    for (const takedown of planner.actionsOf(other, down)) {
      if (takedown.pseudo) continue;
      for (const probe of probes) if (!isBehind(probe, takedown)) probe.precede(takedown, seq);
    }
  }
}

/** On the guest node of what is taken down: made once that is back. */
function isBehind(probe: Action, takedown: Action): boolean {
  return takedown.resource !== null && probe.node?.launcher === takedown.resource;
}

/** The containers of a bundle's other replicas, if only one may be on a host. */
function otherContainers(resource: Resource): readonly Resource[] {
  const bundle = resource.inBundle?.bundle ?? null;
  if (bundle === null || bundle.replicasPerHost !== 1) return [];
  const containers = bundle.replicas.map((replica) => replica.container);
  return containers.includes(resource) ? containers.filter((container) => container !== resource) : [];
}

/** Walks from a start along `push` edges, through the points of collectives and down to members. */
function collect(planner: Planner, origin: Resource, action: Action, visited: Set<Action>, reached: Action[]): void {
  if (visited.has(action)) return;
  visited.add(action);
  const resource = action.resource;
  if (resource === null) return;
  if (resource.kind === "primitive") {
    if (action.task === "start" || action.task === "promote") reached.push(action);
  } else if (action.task === "start" || action.task === "promote") {
    for (const point of planner.actionsOf(resource, `${completionOf(action.task)}_0`)) {
      collect(planner, origin, point, visited, reached);
    }
    if (!isOwnCollective(origin, resource) || resource.kind === "clone") {
      for (const primitive of primitivesOf(resource)) {
        if (primitive.parent === origin.parent || isBehindContainer(resource, primitive)) continue;
        if (!compatible(planner, origin, resource, primitive)) continue;
        for (const member of planner.actionsOf(primitive, `${action.task}_0`)) {
          // What goes nowhere does not come up, so its stop has nothing to wait for; unless it was to start where it is, or its
          // start is one of those counted for `clone-min`.
          const counted = member.after.some((edge) => (edge.effects & EFFECT.count) !== 0);
          if (member.node !== null || !member.optional || primitive.startPending || counted) {
            collect(planner, origin, member, visited, reached);
          }
        }
      }
    }
  }
  for (const edge of action.after) {
    // Within a collective only its notifications lead on: they stand between its completion and what follows it.
    if ((edge.effects & EFFECT.push) === 0 || (edge.then.resource === resource && !isNotification(edge.then))) continue;
    if (edge.then.resource !== null && resource.kind === "primitive" && isOwnCollective(resource, edge.then.resource)) continue;
    if (isStartLike(edge.then)) collect(planner, origin, edge.then, visited, reached);
  }
}

/** A bundle's connection and what is inside come up with their container: they are reached from there, if it comes up. */
function isBehindContainer(collective: Resource, primitive: Resource): boolean {
  const { bundle } = collective;
  return bundle?.replicas.some(({ connection, child }) => primitive === connection || primitive === child) === true;
}

/** Points that a start leads to; notifications stand between a clone's completion and what follows it. */
const START_LIKE: ReadonlySet<string> = new Set(["start", "promote", "running", "promoted", "notify", "notified"]);

function isNotification(action: Action): boolean {
  return action.task === "notify" || action.task === "notified";
}

function isStartLike(action: Action): boolean {
  return START_LIKE.has(action.task);
}

function isOwnCollective(origin: Resource, collective: Resource): boolean {
  for (let at: Resource | null = origin; at !== null; at = at.parent) if (at === collective) return true;
  return false;
}

/** Of interleaved clones only the instance counts that goes with the origin on its node. */
function compatible(planner: Planner, origin: Resource, collective: Resource, primitive: Resource): boolean {
  if (collective.kind !== "clone" || !collective.interleave) return true;
  for (const node of origin.node === null ? preferredNodes(planner, origin) : [origin.node]) {
    const partner = collective.children.find((instance) => [...primitivesOf(instance)].some((one) => one.node === node));
    if (partner !== undefined) return [...primitivesOf(partner)].includes(primitive);
  }
  return false;
}
