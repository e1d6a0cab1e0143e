import { INFINITY_SCORE } from "../../base/index.ts";
import { primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import type { Action } from "./action.ts";
import { planNotificationPoints } from "./notify.ts";
import type { Planner } from "./planner.ts";
import { planPrimitive } from "./primitive.ts";
import { planRemoved } from "./removed.ts";

/** Step 7: the actions of a resource, collectives after their children (section 3). */
export function planResource(planner: Planner, resource: Resource): void {
  switch (resource.kind) {
    case "primitive":
      if (resource.removed) planRemoved(planner, resource);
      planPrimitive(planner, resource);
      return;
    case "group":
      for (const member of resource.children) planResource(planner, member);
      planGroup(planner, resource);
      return;
    case "clone":
      for (const instance of resource.children) planResource(planner, instance);
      planClone(planner, resource, resource.children);
      return;
    case "bundle":
      planBundle(planner, resource);
      return;
  }
}

function point(planner: Planner, collective: Resource, task: string): Action {
  return planner.request({ resource: collective, task, node: null, optional: true, pseudo: true });
}

/** A16: flags of these points follow from the members. */
function planGroup(planner: Planner, group: Resource): void {
  for (const task of ["start", "running", "stop", "stopped"]) point(planner, group, task);
  if (group.promotable || group.parent?.promotable === true) {
    for (const task of ["promote", "promoted", "demote", "demoted"]) point(planner, group, task);
  }
}

/** What the instances of a clone or the containers of a bundle are about to do. */
export type Turnover = { starting: boolean; stopping: boolean; active: boolean; both: boolean; promoting: boolean; demoting: boolean };

export function turnoverOf(planner: Planner, instances: readonly Resource[]): Turnover {
  const sum: Turnover = { starting: false, stopping: false, active: false, both: false, promoting: false, demoting: false };
  for (const instance of instances) {
    let starts = false;
    let stops = false;
    for (const primitive of primitivesOf(instance)) {
      for (const start of planner.actionsOf(primitive, "start_0")) {
        if (start.needed && start.runnable) starts = true;
      }
      for (const stop of planner.actionsOf(primitive, "stop_0")) {
        if (stop.needed && (stop.runnable || stop.pseudo)) stops = true;
      }
      // A start in flight of an instance that is going to stop is a start for what follows (seen with crm_simulate).
      if (primitive.startPending && primitive.nextRole <= ROLE.stopped) sum.starting = true;
      if (primitive.activeNodes.length > 0) sum.active = true;
      if (planner.actionsOf(primitive, "promote_0").some((one) => one.needed)) sum.promoting = true;
      if (planner.actionsOf(primitive, "demote_0").some((one) => one.needed)) sum.demoting = true;
    }
    if (starts) sum.starting = true;
    if (stops) sum.stopping = true;
    if (starts && stops) sum.both = true;
  }
  return sum;
}

/** The point at which something begins and the one at which it has ended for all, needed or not. */
function pointPair(planner: Planner, collective: Resource, tasks: readonly [begin: string, end: string], needed: boolean) {
  const begin = point(planner, collective, tasks[0]);
  const end = point(planner, collective, tasks[1]);
  end.priority = INFINITY_SCORE;
  begin.optional = !needed;
  end.optional = !needed;
  return { begin, end };
}

/** A17: starting and stopping of a clone or a bundle. */
function planTurnover(planner: Planner, collective: Resource, turnover: Turnover): void {
  const { end: running } = pointPair(planner, collective, ["start", "running"], turnover.starting);
  const { begin: stop } = pointPair(planner, collective, ["stop", "stopped"], turnover.stopping);
  running.runnable = turnover.active || turnover.starting;
  stop.live = !turnover.both;
}

function planClone(planner: Planner, clone: Resource, instances: readonly Resource[]): void {
  const turnover = turnoverOf(planner, instances);
  planTurnover(planner, clone, turnover);
  if (clone.promotable) {
    pointPair(planner, clone, ["promote", "promoted"], turnover.promoting);
    pointPair(planner, clone, ["demote", "demoted"], turnover.demoting);
  }
  if (clone.notify) planNotificationPoints(planner, clone);
}

/** Per replica IP, container, connection; then the contained clone as an ordinary one; then the bundle's points. */
function planBundle(planner: Planner, bundle: Resource): void {
  const data = bundle.bundle;
  if (data === null) return;
  for (const { ip, container, connection } of data.replicas) {
    if (ip !== null) planResource(planner, ip);
    planResource(planner, container);
    if (connection !== null) planResource(planner, connection);
  }
  const containers = data.replicas.map((replica) => replica.container);
  planTurnover(planner, bundle, turnoverOf(planner, containers));
  const inner = data.innerClone;
  if (inner === null) return;
  planResource(planner, inner);
  // Shown also if what starts inside turns out to be blocked.
  if (point(planner, inner, "start").needed) point(planner, bundle, "start").shown = true;
  if (!inner.promotable) return;
  // Whether they are needed follows from the points of the contained clone.
  pointPair(planner, bundle, ["promote", "promoted"], false);
  pointPair(planner, bundle, ["demote", "demoted"], false);
}

/** Step 11: a point is needed once an instance has turned out to do it. */
export function refreshPoints(planner: Planner, collective: Resource): void {
  for (const child of collective.children) if (child.kind !== "primitive") refreshPoints(planner, child);
  if (collective.kind !== "clone" && collective.kind !== "bundle") return;
  const instances = collective.bundle === null ? collective.children : collective.bundle.replicas.map((replica) => replica.container);
  const turnover = turnoverOf(planner, instances);
  if (turnover.starting) need(planner, collective, "start_0", "running_0");
  if (turnover.stopping) need(planner, collective, "stop_0", "stopped_0");
  if (collective.bundle !== null) return;
  if (turnover.promoting) need(planner, collective, "promote_0", "promoted_0");
  if (turnover.demoting) need(planner, collective, "demote_0", "demoted_0");
}

function need(planner: Planner, collective: Resource, ...keys: string[]): void {
  for (const key of keys) for (const action of planner.actionsOf(collective, key)) action.optional = false;
}
