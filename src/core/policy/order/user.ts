import type { Colocation, OrderConstraint, OrderKind, OrderSet } from "../model-constraints.ts";
import { isWithin } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE, type Role } from "../model-values.ts";
import { type Action, completionOf, EFFECT, inverseOf, type Planner } from "../plan/index.ts";

type Pair = {
  readonly first: Resource;
  readonly firstTask: string;
  readonly then: Resource;
  readonly thenTask: string;
  readonly kind: OrderKind;
  readonly symmetrical: boolean;
};

/** Relations of all configured orderings, in configuration order (section 7). */
export function relateUserOrders(planner: Planner, orders: readonly OrderConstraint[]): void {
  for (const order of orders) {
    if (order.form === "sets") relateSets(planner, order, order.sets);
    else relateSimple(planner, order);
  }
}

function relateSimple(planner: Planner, order: OrderConstraint & { readonly form: "simple" }): void {
  const minimum = order.first.kind === "clone" ? Math.max(order.first.cloneMin, order.requireAll ? 0 : 1) : 0;
  const counts = minimum > 0 && (order.firstAction === "start" || order.firstAction === "promote");
  if (!counts) {
    relatePair(planner, pairOf(order));
    return;
  }
  const point = pointOf(planner, `clone-one-or-more:${order.id}`, minimum);
  for (const instance of order.first.children) {
    planner.addRelation({ resource: instance, key: firstKeyOf(instance, order.firstAction, null) }, point, EFFECT.count | EFFECT.showThen);
  }
  const effects = forwardEffects(order.kind, order.symmetrical, order.firstAction) | EFFECT.gate;
  planner.addRelation(point, { resource: order.then, key: `${order.thenAction}_0` }, effects);
  relateInverse(planner, pairOf(order));
}

function pairOf({ first, firstAction, then, thenAction, kind, symmetrical }: OrderConstraint & { readonly form: "simple" }): Pair {
  return { first, firstTask: firstAction, then, thenTask: thenAction, kind, symmetrical };
}

function pointOf(planner: Planner, key: string, minimum: number): Action {
  const point = planner.point(key, null, true);
  point.countMinimum = minimum;
  point.runnable = false;
  return point;
}

/** U2. Every kind contains the sequence, so a second ordering of the same pair adds nothing (F2). */
function forwardEffects(kind: OrderKind, symmetrical: boolean, firstTask: string): number {
  switch (kind) {
    case "Optional":
    case "Serialize":
      return EFFECT.seq;
    case "Mandatory":
      if (!symmetrical) return EFFECT.seq | EFFECT.asym;
      return firstTask === "start" || firstTask === "promote" ? EFFECT.seq | EFFECT.push | EFFECT.gate : EFFECT.seq | EFFECT.push;
  }
}

function relatePair(planner: Planner, pair: Pair): void {
  relateForward(planner, pair);
  relateInverse(planner, pair);
}

function relateForward(planner: Planner, pair: Pair): void {
  const effects = forwardEffects(pair.kind, pair.symmetrical, pair.firstTask);
  relateTasks(planner, pair.first, pair.firstTask, pair.then, pair.thenTask, effects);
}

function relateInverse(planner: Planner, pair: Pair): void {
  if (!pair.symmetrical || pair.kind === "Serialize") return;
  const firstTask = inverseOf(pair.thenTask);
  const thenTask = inverseOf(pair.firstTask);
  if (firstTask === null || thenTask === null) return;
  relateTasks(planner, pair.then, firstTask, pair.first, thenTask, pair.kind === "Optional" ? EFFECT.seq : EFFECT.seq | EFFECT.pull);
}

function relateTasks(planner: Planner, first: Resource, firstTask: string, then: Resource, thenTask: string, effects: number): void {
  planner.relate(first, firstKeyOf(first, firstTask, then), then, `${thenTask}_0`, effects | EFFECT.user);
}

/** U8: a collective as first stands for its completion point, or with notifications for their confirmation. */
export function firstKeyOf(first: Resource, task: string, then: Resource | null): string {
  if (first.kind === "primitive" || (then !== null && isWithin(then, first))) return `${task}_0`;
  const completion = completionOf(task);
  if (completion === task) return `${task}_0`;
  if (first.kind === "clone" && first.notify) return `confirmed-post_notify_${completion}_0`;
  // A bundle has no confirmation of its own; what is left to wait for is the task it was named with (F1).
  if (first.kind === "bundle" && first.bundle?.innerClone?.notify === true) return `${task}_0`;
  return `${completion}_0`;
}

/** U5-U7. */
function relateSets(planner: Planner, order: OrderConstraint, sets: readonly OrderSet[]): void {
  let previous: OrderSet | null = null;
  for (const set of sets) {
    relateWithinSet(planner, set);
    if (previous !== null) relateBetween(planner, order, previous, set);
    previous = set;
  }
}

function relateWithinSet(planner: Planner, set: OrderSet): void {
  const members = set.resources;
  for (let at = 1; at < members.length; at++) {
    const then = members[at]!;
    const firsts = set.kind === "Serialize" ? members.slice(0, at) : set.sequential ? [members[at - 1]!] : [];
    for (const first of firsts) {
      relatePair(planner, { first, firstTask: set.action, then, thenTask: set.action, kind: set.kind, symmetrical: set.symmetrical });
    }
  }
}

function relateBetween(planner: Planner, order: OrderConstraint, earlier: OrderSet, later: OrderSet): void {
  relateDirection(planner, order, earlier, later, earlier.action, later.action, false);
  if (!order.symmetrical || order.kind === "Serialize") return;
  const firstTask = inverseOf(later.action);
  const thenTask = inverseOf(earlier.action);
  if (firstTask !== null && thenTask !== null) relateDirection(planner, order, later, earlier, firstTask, thenTask, true);
}

function relateDirection(
  planner: Planner,
  order: OrderConstraint,
  from: OrderSet,
  to: OrderSet,
  firstTask: string,
  thenTask: string,
  inverse: boolean,
): void {
  const effects = inverse
    ? order.kind === "Optional"
      ? EFFECT.seq
      : EFFECT.seq | EFFECT.pull
    : forwardEffects(order.kind, order.symmetrical, firstTask);
  if (!from.requireAll && firstTask !== "stop" && firstTask !== "demote") {
    const point = pointOf(planner, `one-or-more:${from.id}`, 1);
    // A collective counts by the point at which it begins: that one member can do it says nothing about when all have.
    for (const first of from.resources) {
      planner.addRelation({ resource: first, key: `${firstTask}_0` }, point, EFFECT.count | EFFECT.showThen);
    }
    for (const then of to.resources) planner.addRelation(point, { resource: then, key: `${thenTask}_0` }, effects | EFFECT.gate);
    return;
  }
  const firsts = from.sequentialExplicit ? [inverse ? from.resources[0] : from.resources.at(-1)] : from.resources;
  const thens = to.sequentialExplicit ? [inverse ? to.resources.at(-1) : to.resources[0]] : to.resources;
  for (const first of firsts) {
    for (const then of thens) {
      if (first !== undefined && then !== undefined) relateTasks(planner, first, firstTask, then, thenTask, effects);
    }
  }
}

/** Tasks by which a resource leaves and enters the role of a mandatory anti-colocation (O15). */
function leaving(role: Role): readonly string[] {
  if (role === ROLE.promoted) return ["demote_0"];
  if (role === ROLE.unpromoted) return ["stop_0", "promote_0"];
  return ["stop_0"];
}

function entering(role: Role): readonly string[] {
  if (role === ROLE.promoted) return ["promote_0"];
  if (role === ROLE.unpromoted) return ["start_0", "demote_0"];
  return ["start_0"];
}

/** O15: whatever makes one lose its role comes before whatever makes the other gain its own on the same node. */
export function relateAntiColocations(planner: Planner, colocations: readonly Colocation[]): void {
  for (const colocation of colocations) {
    if (colocation.score > MINUS_INFINITY || !colocation.explicit) continue;
    relateApart(planner, colocation.dependent, colocation.dependentRole, colocation.primary, colocation.primaryRole);
    relateApart(planner, colocation.primary, colocation.primaryRole, colocation.dependent, colocation.dependentRole);
  }
}

function relateApart(planner: Planner, first: Resource, firstRole: Role, then: Resource, thenRole: Role): void {
  const effects = EFFECT.seq | EFFECT.sameNode | EFFECT.sameNodeNeeded | EFFECT.anti;
  for (const firstKey of leaving(firstRole)) {
    for (const thenKey of entering(thenRole)) {
      const key = first.kind === "primitive" ? firstKey : firstKeyOf(first, firstKey.slice(0, -"_0".length), then);
      planner.relate(first, key, then, thenKey, effects);
    }
  }
}
