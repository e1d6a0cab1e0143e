import { INFINITY_SCORE } from "../../base/index.ts";
import type { Colocation } from "../model-constraints.ts";
import type { PolicyNode } from "../model-node.ts";
import { outermostOf, primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { type Action, type Edge, EFFECT, type Planner } from "../plan/index.ts";
import { isInterleaved } from "./apply.ts";
import { confirmedTask, instancesFor, type Points, type Seen } from "./points.ts";

/** Effects that reach from a collective's point down to its members (U9). */
const DOWNWARD = EFFECT.push | EFFECT.gate | EFFECT.asym | EFFECT.pull | EFFECT.bounce;

/**
 * Moves flags along edges until nothing changes (F4, F5, F12). Edges wait in a queue and are looked at again only when
 * an action at one of their ends changed, so the work is linear in the number of edges.
 */
export class Settler {
  private readonly planner: Planner;
  private readonly points: Points;
  private queue: Edge[] = [];
  /** Blocked while settling: their dependents (F12) follow once the orderings have said what they say. */
  private newlyBlocked: Action[] = [];

  constructor(planner: Planner, points: Points) {
    this.planner = planner;
    this.points = points;
  }

  run(): void {
    for (const action of this.planner.actions) if (action.countMinimum > 0) this.recount(action);
    for (const action of [...this.planner.actions]) if (!action.runnable) this.blockDependents(action);
    for (let at = this.planner.actions.length - 1; at >= 0; at--) {
      for (const edge of this.planner.actions[at]!.before) this.enqueue(edge);
    }
    this.drain();
    while (this.newlyBlocked.length > 0) {
      const blocked = this.newlyBlocked;
      this.newlyBlocked = [];
      for (const action of blocked) this.blockDependents(action);
      this.drain();
    }
    for (const action of this.planner.actions) {
      if (action.resource?.kind !== "bundle") continue;
      for (const edge of action.after) if (isStartInside(edge) && this.points.happens(edge.then)) action.shown = true;
    }
  }

  private drain(): void {
    for (let at = 0; at < this.queue.length; at++) {
      const edge = this.queue[at]!;
      edge.queued = false;
      this.settle(edge);
      if (at > 100_000 && at * 2 > this.queue.length) {
        this.queue = this.queue.slice(at + 1);
        at = -1;
      }
    }
    this.queue = [];
  }

  private enqueue(edge: Edge): void {
    if (edge.queued || edge.dropped) return;
    edge.queued = true;
    this.queue.push(edge);
  }

  private changed(action: Action): void {
    for (const edge of action.before) this.enqueue(edge);
    for (const edge of action.after) this.enqueue(edge);
    for (const point of this.points.affectedBy(action)) {
      for (const edge of point.before) this.enqueue(edge);
      for (const edge of point.after) this.enqueue(edge);
    }
  }

  private settle(edge: Edge): void {
    const { first, then, effects } = edge;
    if ((effects & EFFECT.count) !== 0) this.recount(then);
    const seenFirst = this.points.seen(first, then.node ?? locationOfStart(then));
    const seenThen = this.points.seen(then, null);
    if (first.resource !== null && then.resource !== null && isInterleaved(first.resource, then.resource, then.task)) return;
    this.settleThen(first, seenFirst, then, effects);
    this.settleFirst(first, then, seenThen, effects);
    if ((effects & EFFECT.showThen) !== 0 && seenFirst.needed && seenFirst.runnable) then.shown = true;
    if ((effects & EFFECT.showFirst) !== 0 && !isStartInside(edge) && this.points.seen(then, null).needed) first.shown = true;
  }

  /** Effects on the then side, with its members where it is a collective's point. */
  private settleThen(first: Action, flags: Seen, then: Action, effects: number): void {
    this.influence(first, flags, then, effects);
    const collective = then.resource;
    if (collective === null || collective.kind === "primitive" || (effects & DOWNWARD) === 0) return;
    if (first.resource !== null && isBelow(first.resource, collective)) return;
    const asCollective = collective.kind === "group" ? flags : this.points.seen(first, null);
    const passed = collective.kind === "group" ? effects : effects & ~(EFFECT.pull | EFFECT.bounce);
    const task = confirmedTask(then);
    if (task === null || task !== then.task) return;
    const members = collective.kind === "group" ? collective.children : instancesFor(collective, task);
    for (const member of members) {
      for (const action of this.planner.actionsOf(member, then.key)) {
        if (!this.points.seen(action, null).runnable) continue;
        this.settleThen(first, asCollective, action, passed);
        if ((passed & (EFFECT.pull | EFFECT.bounce)) !== 0) {
          this.settleFirst(first, action, { needed: action.needed, runnable: action.runnable }, passed & (EFFECT.pull | EFFECT.bounce));
        }
      }
    }
  }

  private influence(first: Action, flags: Seen, then: Action, effects: number): void {
    if ((effects & EFFECT.push) !== 0 && flags.needed && !first.live && then.optional) this.makeNeeded(then, "required", first);
    if ((effects & EFFECT.gate) !== 0 && !flags.runnable) this.makeBlocked(then, "unrunnable", first);
    if ((effects & EFFECT.asym) !== 0 && !flags.runnable) this.settleAsymmetric(first, then);
    if ((effects & EFFECT.else) !== 0 && !flags.runnable) {
      if (then.pseudo || then.live) {
        then.pseudo = false;
        then.live = false;
        this.changed(then);
      }
    }
    const strong = EFFECT.push | EFFECT.pull | EFFECT.bounce;
    if ((effects & strong) !== 0 && isStuckStop(first)) this.makeBlocked(then, "unrunnable", first);
  }

  private settleAsymmetric(first: Action, then: Action): void {
    const resource = then.resource;
    if (then.optional && resource !== null && resource.kind === "primitive") {
      if (then.task === "stop" && resource.role <= ROLE.stopped) return;
      const there = resource.activeNodes.length === 1 && resource.activeNodes[0] === then.node;
      if (then.task === "start" && resource.role > ROLE.stopped && there) return;
    }
    if (then.optional) this.makeNeeded(then, "required", first, true);
    this.makeBlocked(then, "unrunnable", first);
  }

  /** Effects on the first side. */
  private settleFirst(first: Action, then: Action, flags: Seen, effects: number): void {
    if ((effects & EFFECT.bounce) !== 0) this.settleBounce(first, then, flags);
    if ((effects & EFFECT.pull) !== 0 && flags.needed && !then.live && first.live) this.makeNotLive(first, then);
    if ((effects & EFFECT.pullPromoted) !== 0 && flags.needed && then.resource?.role === ROLE.promoted) {
      if (first.optional) this.makeNeeded(first, "required", then);
      if (!then.live && first.live) this.makeNotLive(first, then);
    }
    if ((effects & EFFECT.tail) !== 0) {
      if (!(then.live && flags.runnable)) this.makeBlocked(first, "unrunnable", then);
      if (flags.needed && first.optional) this.makeNeeded(first, "required", then);
    }
    if ((effects & EFFECT.cancel) !== 0 && flags.needed && !first.optional) {
      first.optional = true;
      this.changed(first);
    }
  }

  private settleBounce(first: Action, then: Action, flags: Seen): void {
    const same = first.resource === then.resource && first.resource?.managed === true;
    if (!flags.needed && !(same && !flags.runnable)) return;
    if (first.optional && (first.runnable || flags.needed)) this.makeNeeded(first, "required", then);
    if (!then.live && first.live) this.makeNotLive(first, then);
    if (!first.optional && !first.runnable) this.makeBlocked(then, "unrunnable", first);
  }

  private makeNeeded(action: Action, word: string, cause: Action, quiet = false): void {
    if (!action.optional) return;
    action.optional = false;
    if (!quiet) setReason(action, word, cause);
    this.changed(action);
  }

  private makeBlocked(action: Action, word: string, cause: Action): void {
    if (!action.runnable && !action.live) return;
    const was = action.runnable;
    action.runnable = false;
    action.live = false;
    if (was) setReason(action, word, cause);
    this.changed(action);
    if (was) this.newlyBlocked.push(action);
  }

  private makeNotLive(action: Action, cause: Action): void {
    action.live = false;
    setReason(action, "unmigrateable", cause);
    this.changed(action);
  }

  private recount(point: Action): void {
    let runnable = 0;
    for (const edge of point.before) {
      if ((edge.effects & EFFECT.count) !== 0 && this.points.seen(edge.first, null).runnable) runnable++;
    }
    const enough = runnable >= point.countMinimum;
    if (point.runnable === enough) return;
    point.runnable = enough;
    this.changed(point);
  }

  /**
   * F12: what is mandatorily colocated with a start or promote that cannot happen cannot happen either. Parts of a bundle
   * or a group block nothing this way: addresses, and what is colocated with them, start (seen with crm_simulate).
   */
  private blockDependents(action: Action): void {
    const resource = action.resource;
    if (resource === null || resource.kind !== "primitive" || (action.task !== "start" && action.task !== "promote")) return;
    const top = outermostOf(resource);
    if (top.kind === "bundle" || top.kind === "group") return;
    if (top.kind === "clone") {
      // Of a cloned group its other members count, too (seen with crm_simulate).
      for (const other of primitivesOf(top)) {
        if (this.planner.actionsOf(other, action.key).some((one) => one.runnable)) return;
      }
    }
    for (let at: Resource | null = resource; at !== null; at = at.parent) {
      for (const colocation of at.dependedOnBy) this.blockDependent(colocation, action);
      const parent: Resource | null = at.parent;
      if (parent?.kind === "group" && parent.children.at(-1) !== at) return;
    }
  }

  private blockDependent(colocation: Colocation, action: Action): void {
    if (colocation.score < INFINITY_SCORE) return;
    if ((action.task === "promote") !== (colocation.primaryRole === ROLE.promoted)) return;
    const key = colocation.dependentRole === ROLE.promoted ? "promote_0" : "start_0";
    for (const primitive of primitivesOf(colocation.dependent)) {
      for (const dependent of this.planner.actionsOf(primitive, key)) {
        if (!dependent.runnable) continue;
        dependent.runnable = false;
        dependent.live = false;
        dependent.reason = `colocation with ${colocation.primary.id}`;
        this.changed(dependent);
        this.blockDependents(dependent);
      }
    }
  }
}

/**
 * From a bundle's start to that of the clone in it. The bundle's is shown for what is to start inside (see `planBundle`),
 * not for a running instance whose start is needed but blocked, as when its container stops for good (seen with crm_simulate).
 */
function isStartInside({ first, then, effects }: Edge): boolean {
  return (
    (effects & EFFECT.showFirst) !== 0 && then.task === "start" && first.resource?.kind === "bundle" && then.resource?.kind === "clone"
  );
}

function isBelow(resource: Resource, collective: Resource): boolean {
  for (let at = resource.parent; at !== null; at = at.parent) if (at === collective) return true;
  return resource.inBundle === collective && resource !== collective;
}

/** A group starts in one place: of a clone before it only the instance there counts. */
function locationOfStart(action: Action): PolicyNode | null {
  const resource = action.resource;
  if (resource?.kind !== "group" || action.task !== "start") return null;
  return resource.children[0]?.node ?? null;
}

/** The blocked stop of a resource that is unmanaged because of a failure (F5). */
function isStuckStop(action: Action): boolean {
  return action.task === "stop" && !action.runnable && action.resource?.managed === false && action.resource.blocked;
}

/** F13: names the other action, if it belongs to another resource and no reason is set yet. */
function setReason(action: Action, word: string, cause: Action): void {
  if (action.reason !== null) return;
  if (action.resource !== null && action.resource === cause.resource) return;
  action.reason = `${word} ${describe(cause)}`;
}

function describe(action: Action): string {
  if (action.resource !== null) return `${action.resource.id} ${action.task}`;
  return action.detail.kind === "fence" ? "stonith" : action.key;
}
