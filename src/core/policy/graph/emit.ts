import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import { type Action, type Edge, EFFECT, type Planner } from "../plan/index.ts";

const MARKS = EFFECT.sameNode | EFFECT.sameNodeNeeded | EFFECT.ifNotLive | EFFECT.anti | EFFECT.user;

/** Actions that become entries, in the order of G7, with their numbers set. */
export function emitActions(planner: Planner): readonly Action[] {
  const emitted: Action[] = [];
  const take = (action: Action): void => {
    if (action.graphId !== 0 || !isEmitted(action)) return;
    emitted.push(action);
    action.graphId = emitted.length;
  };
  const takeOwn = (resource: Resource): void => {
    const own = planner.allActionsOf(resource);
    for (let at = own.length - 1; at >= 0; at--) take(own[at]!);
  };
  const takeAll = (resource: Resource): void => {
    const bundle = resource.bundle;
    if (resource.kind === "clone") for (const child of resource.children) takeAll(child);
    takeOwn(resource);
    if (resource.kind === "group") for (const child of resource.children) takeAll(child);
    if (bundle === null) return;
    if (bundle.innerClone !== null) takeAll(bundle.innerClone);
    for (const { ip, container, connection } of bundle.replicas) {
      if (ip !== null) takeAll(ip);
      takeAll(container);
      if (connection !== null) takeAll(connection);
    }
  };
  for (const resource of planner.model.resources) takeAll(resource);
  for (let at = planner.actions.length - 1; at >= 0; at--) take(planner.actions[at]!);
  return emitted;
}

/** G2. */
function isEmitted(action: Action): boolean {
  if (!action.runnable || (action.optional && !action.shown)) return false;
  const resource = action.resource;
  if (resource !== null && resource.kind === "primitive" && !resource.managed) {
    if (action.task !== "monitor" && action.intervalMs === 0) return false;
  }
  if (action.pseudo || action.detail.kind === "fence" || action.task === "do_shutdown" || action.task === "lrm_delete") return true;
  return action.node !== null && isReachable(action.node);
}

function isReachable(node: PolicyNode): boolean {
  if (node.unclean) return false;
  return node.online || (node.isGuest && !node.reset);
}

/** G4, for edges between emitted actions. */
export function isInput(edge: Edge): boolean {
  const { first, effects } = edge;
  if (edge.dropped || first.graphId === 0) return false;
  if ((effects & EFFECT.ifNotLive) !== 0 && first.live) return false;
  // What must be apart is apart on the way too, however the one leaves (O15).
  if ((effects & ~MARKS) === EFFECT.seq && (effects & EFFECT.anti) === 0 && first.task === "stop" && first.live) return false;
  if ((effects & EFFECT.sameNodeNeeded) !== 0 && first.optional) return false;
  return !((effects & EFFECT.load) !== 0 && first.optional && !first.shown);
}

/** O16: an edge from a load point into a live migration that closes a loop goes, last migration first. */
export function dropLoadLoops(planner: Planner, emitted: readonly Action[]): void {
  const migrations = emitted.filter((action) => action.task === "migrate_to");
  if (migrations.length === 0) return;
  const position = new Map<Resource, number>();
  for (const [at, resource] of planner.model.primitives.entries()) position.set(resource, at);
  const where = (action: Action): number => (action.resource === null ? 0 : (position.get(action.resource) ?? 0));
  for (const migration of [...migrations].sort((a, b) => where(b) - where(a))) {
    for (const edge of migration.before) {
      if ((edge.effects & EFFECT.load) !== 0 && isInput(edge) && reaches(migration, edge.first)) edge.dropped = true;
    }
  }
}

function reaches(from: Action, to: Action): boolean {
  const visited = new Set<Action>([from]);
  const stack = [from];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const edge of at.after) {
      if (edge.then.graphId === 0 || visited.has(edge.then) || !isInput(edge)) continue;
      if (edge.then === to) return true;
      visited.add(edge.then);
      stack.push(edge.then);
    }
  }
  return false;
}
