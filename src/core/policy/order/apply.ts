import { assignedNode, singleNode, sortedNodes } from "../assign/index.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentRole, isWithin } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { Action, completionOf, EFFECT, failAssignment, memberTaskOf, type Planner, type Relation, type Side } from "../plan/index.ts";
import { type Points, refreshAll } from "./points.ts";

/**
 * Turns every relation into edges between existing actions, in creation order (F1, F2, A27, M5). Returns the relations
 * that add nothing to earlier ones of the same pair (F2): they do not hold for the instances of the pair either.
 */
export function applyRelations(planner: Planner, points: Points): ReadonlySet<Relation> {
  const redundant = new Set<Relation>();
  // Migration relations are appended while the list is walked, as the description has it (M5).
  for (let at = 0; at < planner.relations.length; at++) {
    const relation = planner.relations[at]!;
    if (!applyRelation(planner, relation)) redundant.add(relation);
  }
  refreshAll(points);
  return redundant;
}

/** U10, once every action and phantom exists and probes have been ordered by the assignment as it was. */
export function pairInstances(planner: Planner, points: Points, redundant: ReadonlySet<Relation>): void {
  const interleaved = planner.relations.flatMap((relation) => (redundant.has(relation) ? [] : (interleavedPair(relation) ?? [])));
  // An instance that loses its place may have been another's partner: repeated until all that remain have one. Each
  // pass but the last unassigns at least one instance.
  while (interleaved.some((pair) => unassignWithoutPartner(planner, points, pair)));
  for (const pair of interleaved) connectPair(planner, pair);
  refreshAll(points);
}

/** A relation between two collectives that holds instance by instance. */
type InterleavedPair = {
  readonly first: Resource;
  readonly firstTask: string;
  readonly then: Resource;
  readonly thenTask: string;
  readonly effects: number;
  /** Partners are found by current node instead of assigned node. */
  readonly down: boolean;
};

function interleavedPair({ first, then, effects }: Relation): InterleavedPair | null {
  if (first instanceof Action || then instanceof Action) return null;
  const firstTask = pointTask(first.key);
  const thenTask = pointTask(then.key);
  if (firstTask === null || thenTask === null || !isInterleaved(first.resource, then.resource, thenTask)) return null;
  const down = memberTaskOf(firstTask) === "stop" || memberTaskOf(firstTask) === "demote";
  return { first: first.resource, firstTask, then: then.resource, thenTask, effects, down };
}

function partnerOf(planner: Planner, pair: InterleavedPair, instance: Resource): Resource | null {
  const node = hostOf(instance, pair.down);
  const candidates = instancesOf(pair.first, pair.firstTask);
  return partnerOn(node === null ? preferredNodes(planner, instance) : [node], candidates, pair.down);
}

/** Whether an instance that should come up was left without a node, because nothing it must follow is where it is. */
function unassignWithoutPartner(planner: Planner, points: Points, pair: InterleavedPair): boolean {
  const strong = (pair.effects & (EFFECT.push | EFFECT.gate)) !== 0;
  const rises = memberTaskOf(pair.thenTask) === "start" || memberTaskOf(pair.thenTask) === "promote";
  if (!strong || !rises || pair.down) return false;
  let changed = false;
  for (const instance of instancesOf(pair.then, pair.thenTask)) {
    if (assignedNode(instance) === null || partnerOf(planner, pair, instance) !== null) continue;
    if (unassign(planner, points, instance)) changed = true;
  }
  return changed;
}

function connectPair(planner: Planner, pair: InterleavedPair): void {
  for (const instance of instancesOf(pair.then, pair.thenTask)) {
    const partner = partnerOf(planner, pair, instance);
    if (partner !== null) connectInstances(planner, partner, pair.firstTask, instance, pair.thenTask, pair.effects);
  }
}

/** Nodes on which a resource may run, best first: where an unassigned one looks for a partner (assignment.md 7.1). */
export function preferredNodes(planner: Planner, resource: Resource): readonly PolicyNode[] {
  return sortedNodes(planner.model, resource.table, null);
}

/** False: there were actions to connect, but all of them are connected so already. */
function applyRelation(planner: Planner, relation: Relation): boolean {
  const { first, then, effects } = relation;
  addMigrationRelations(planner, first, then);
  const firsts = firstActions(planner, first, then);
  if (firsts.length === 0) return true;
  const thens = then instanceof Action ? [then] : planner.actionsOf(then.resource, then.key);
  let connected = thens.length === 0;
  for (const firstAction of firsts) {
    for (const thenAction of thens) if (connect(firstAction, thenAction, effects)) connected = true;
  }
  return connected;
}

/** The first side; if it names nothing that exists, a phantom (A27) or nothing. */
function firstActions(planner: Planner, first: Side, then: Side): readonly Action[] {
  if (first instanceof Action) return [first];
  const found = planner.actionsOf(first.resource, first.key);
  if (found.length > 0) return found;
  const thenResource = then instanceof Action ? then.resource : then.resource;
  if (thenResource === first.resource) return found;
  if (first.key.startsWith("migrate_") || first.key.startsWith("monitor_") || first.key.startsWith("reload")) return found;
  const role = currentRole(first.resource);
  if (first.key === "stop_0" && role <= ROLE.stopped) return found;
  if (first.key === "demote_0" && role === ROLE.unpromoted) return found;
  const task = first.key.slice(0, first.key.lastIndexOf("_"));
  return [planner.request({ resource: first.resource, task, key: first.key, node: null, optional: true })];
}

/** Whether an edge was added. */
function connect(first: Action, then: Action, effects: number): boolean {
  if (first === then) return false;
  if ((effects & EFFECT.user) !== 0 && isLauncherPair(first, then)) return false;
  let actual = effects;
  // A stop that only ends a dangling migration does not restart its resource (M7).
  if (first.dangling && first.resource === then.resource) actual &= ~EFFECT.push;
  if ((effects & EFFECT.load) !== 0 && then.detail.kind === "migration" && first.node !== then.detail.target) return false;
  if ((effects & EFFECT.sameNode) !== 0 && first.node !== null && then.node !== null && first.node !== then.node) return false;
  return first.precede(then, actual) !== null;
}

/** U11: one runs on the guest node that the other creates. */
function isLauncherPair(first: Action, then: Action): boolean {
  return creates(first.resource, then.node) || creates(then.resource, first.node);
}

function creates(resource: Resource | null, node: PolicyNode | null): boolean {
  return resource !== null && node !== null && node.launcher !== null && node.launcher === resource;
}

/** M5: extra sequence relations for what may migrate. They count every action of the first side's name, on whatever node. */
function addMigrationRelations(planner: Planner, first: Side, then: Side): void {
  const a = first.resource;
  const b = then.resource;
  if (a === null || b === null || a === b || isWithin(a, b) || isWithin(b, a)) return;
  if (!b.allowMigrate && !a.allowMigrate) return;
  const firstTask = memberTaskOf(pointTask(first.key) ?? first.key);
  const thenTask = memberTaskOf(pointTask(then.key) ?? then.key);
  const before = (key: string, effects: number): void =>
    planner.addRelation({ resource: a, key: first.key }, { resource: b, key }, effects);
  if (firstTask === "start" && thenTask === "start") {
    if (a.allowMigrate && b.allowMigrate) planner.relate(a, "migrate_from_0", b, "migrate_to_0", EFFECT.seq);
    if (b.allowMigrate) before("migrate_to_0", EFFECT.seq | EFFECT.ifNotLive);
  } else if (b.allowMigrate && firstTask === "stop" && thenTask === "stop") {
    before("migrate_to_0", EFFECT.seq | EFFECT.ifNotLive);
    if (b.partialTarget !== null) before("migrate_from_0", EFFECT.seq | EFFECT.ifNotLive);
  } else if (b.allowMigrate && firstTask === "promote" && thenTask === "start") {
    before("migrate_to_0", EFFECT.seq);
  } else if (b.allowMigrate && firstTask === "demote" && thenTask === "stop") {
    before("migrate_to_0", EFFECT.seq);
    if (b.partialTarget !== null) before("migrate_from_0", EFFECT.seq);
  }
}

/** Whether the pair of collectives is ordered instance by instance (U10). */
export function isInterleaved(first: Resource, then: Resource, thenTask: string): boolean {
  const collectives = (first.kind === "clone" || first.kind === "bundle") && (then.kind === "clone" || then.kind === "bundle");
  if (!collectives || first === then || isWithin(first, then) || isWithin(then, first)) return false;
  const base = memberTaskOf(thenTask);
  return base === "stop" || base === "demote" ? first.interleave : then.interleave;
}

function instancesOf(collective: Resource, task: string): readonly Resource[] {
  const bundle = collective.bundle;
  if (bundle === null) return collective.children;
  if (task === "promote" || task === "demote" || task === "promoted" || task === "demoted") return bundle.innerClone?.children ?? [];
  return bundle.replicas.map((replica) => replica.container);
}

/** The host of a node: instances inside a bundle count by the node of their container. */
function hostOf(resource: Resource, current: boolean): PolicyNode | null {
  const replica = resource.inBundle?.bundle?.replicas.find((one) => one.child === resource);
  const at = replica?.container ?? resource;
  if (current) return firstActive(at);
  // An instance whose members are apart looks for a partner as if it had no node, and is nobody's (seen with crm_simulate).
  return singleNode(at);
}

function firstActive(resource: Resource): PolicyNode | null {
  if (resource.activeNodes.length > 0) return resource.activeNodes[0]!;
  for (const child of resource.children) {
    const node = firstActive(child);
    if (node !== null) return node;
  }
  return null;
}

/** The task of a collective's point, notifications counting as what they confirm; null: not a point with members. */
function pointTask(key: string): string | null {
  const task = key.slice(0, key.lastIndexOf("_"));
  const notified = /^confirmed-post_notify_(.+)$/.exec(task)?.[1] ?? task;
  return ["start", "stop", "promote", "demote"].includes(memberTaskOf(notified)) ? notified : null;
}

function partnerOn(nodes: readonly PolicyNode[], candidates: readonly Resource[], current: boolean): Resource | null {
  for (const node of nodes) {
    const partner = candidates.find((one) => hostOf(one, current) === node && !isBlocked(one));
    if (partner !== undefined) return partner;
  }
  return null;
}

function isBlocked(resource: Resource): boolean {
  return resource.blocked || resource.children.some(isBlocked);
}

function connectInstances(
  planner: Planner,
  partner: Resource,
  firstTask: string,
  instance: Resource,
  thenTask: string,
  effects: number,
): void {
  const firstResource = bundledFor(partner, firstTask);
  const firstBase = memberTaskOf(firstTask);
  const firstKey = firstResource.kind === "group" ? `${completionOf(firstBase)}_0` : `${firstBase}_0`;
  for (const first of planner.actionsOf(firstResource, firstKey)) {
    for (const then of planner.actionsOf(instance, `${memberTaskOf(thenTask)}_0`)) connect(first, then, effects | EFFECT.seq);
  }
}

/** Of a bundle as first, the contained resource's action counts, except for stop. */
function bundledFor(partner: Resource, task: string): Resource {
  const replica = partner.inBundle?.bundle?.replicas.find((one) => one.container === partner || one.child === partner);
  if (replica === undefined) return partner;
  return memberTaskOf(task) === "stop" ? replica.container : (replica.child ?? partner);
}

/** The one place where an ordering changes an assignment (U10). */
function unassign(planner: Planner, points: Points, resource: Resource): boolean {
  if (resource.kind !== "primitive") return resource.children.map((child) => unassign(planner, points, child)).includes(true);
  if (resource.node === null) return false;
  resource.node = null;
  resource.nextRole = ROLE.stopped;
  for (const action of failAssignment(planner, resource)) points.affectedBy(action);
  return true;
}
