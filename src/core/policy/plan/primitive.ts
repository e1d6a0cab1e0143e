import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";
import { planRecurring } from "./recurring.ts";
import { orderAfterUnfencing } from "./unfencing.ts";

/** What is known about the way of one primitive from its current state to the assigned one. */
type Course = {
  readonly resource: Resource;
  readonly current: PolicyNode | null;
  readonly next: PolicyNode | null;
  readonly moving: boolean;
  /** Active where it should not be, and only the surplus is to be stopped (`multiple-active=stop_unexpected`). */
  readonly stopUnexpected: boolean;
  /** A half-done live migration goes on (M6). */
  readonly continued: boolean;
  readonly multiplyActive: boolean;
  /** A half-done live migration does not go on (M6). */
  readonly brokenMigration: boolean;
};

/** All actions of one primitive: bounce, ladder, migration, recurring operations (A1-A9, M, R). */
export function planPrimitive(planner: Planner, resource: Resource): void {
  if (resource.nextRole === ROLE.unknown) resource.nextRole = resource.node === null ? ROLE.stopped : ROLE.started;
  // Instances beyond `clone-max` were not even tried: what of them is cancelled stays so (seen with crm_simulate).
  // What stays because it is unmanaged, though nothing it must be with is there, has lost what is cancelled, too.
  if ((resource.node === null && resource.assigned) || resource.partnerless) failAssignment(planner, resource);
  const course = courseOf(resource);
  planBounce(planner, course);
  planLadder(planner, course);
  // A start in flight counts as one, for what orderings make of it, also where the resource goes nowhere (seen with crm_simulate).
  if (resource.startPending && resource.node === null) planner.request({ resource, task: "start", node: null, optional: true });
  if (mayMigrate(planner, course)) planMigration(planner, course);
  planRecurring(planner, resource);
}

/** A resource that ends nowhere: what exists already of its actions follows (A8). */
export function failAssignment(planner: Planner, resource: Resource): Action[] {
  const changed: Action[] = [];
  for (const action of planner.allActionsOf(resource)) {
    if (action.task === "stop" && action.optional && resource.managed) {
      action.optional = false;
      changed.push(action);
    } else if (action.task === "start" && action.runnable) {
      action.runnable = false;
      changed.push(action);
    } else if (action.intervalMs > 0 && action.expectedRc !== 7 && action.runnable) {
      action.runnable = false;
      changed.push(action);
    }
  }
  return changed;
}

function courseOf(resource: Resource): Course {
  const current = currentNodeOf(resource);
  const next = resource.node;
  const active = resource.activeNodes;
  const partial = resource.partialSource !== null && resource.partialTarget !== null;
  const continued =
    partial &&
    resource.allowMigrate &&
    resource.managed &&
    active.length === 2 &&
    active.includes(resource.partialSource!) &&
    active.includes(resource.partialTarget!) &&
    next === resource.partialTarget &&
    !resource.failed;
  const counted = resource.requiresFencing ? active.length : active.filter((node) => node.online && !node.unclean).length;
  const multiplyActive = counted > 1 && !continued;
  return {
    resource,
    current,
    next,
    moving: current !== null && next !== null && current !== next && resource.nextRole >= ROLE.started,
    // What is half handed over is not expected anywhere (seen with crm_simulate).
    stopUnexpected: multiplyActive && !partial && resource.multipleActive === "stop_unexpected",
    continued,
    multiplyActive,
    brokenMigration: partial && !continued,
  };
}

/** The way down to Stopped and back up to the current role, optional unless something demands it (A3). */
function planBounce(planner: Planner, course: Course): void {
  const { resource } = course;
  const promoted = resource.role === ROLE.promoted;
  let needStop = course.moving || course.multiplyActive || course.brokenMigration;
  let needPromote = false;
  if (!needStop) {
    if (resource.failed && resource.failedStop) needStop = true;
    else if (resource.failed) needPromote = resource.nextRole === ROLE.promoted;
    else if (resource.blocked) needStop = true;
    else if (resource.role > ROLE.started && course.current !== null && course.next !== null) {
      needStop = planner.actionsOf(resource, "start_0").some((start) => start.needed);
    }
  }
  if (resource.role === ROLE.stopped || resource.activeNodes.length === 0) return;
  if (promoted) planDemote(planner, course, !needStop);
  planStop(planner, course, !needStop);
  if (resource.blocked || resource.nextRole <= ROLE.stopped) return;
  // Demoted on its node, it starts again because it stops: until then its monitors count as those of something that stays up.
  const demoted = promoted && resource.nextRole !== ROLE.promoted && !course.moving;
  planStart(planner, course, !needStop || demoted, demoted);
  if (promoted && resource.nextRole === ROLE.promoted) planPromote(planner, course, !(needStop || needPromote));
}

/** From the current role to the target role, all needed (A2, A4). */
function planLadder(planner: Planner, course: Course): void {
  const { resource } = course;
  const from = resource.role === ROLE.unknown && resource.activeNodes.length === 0 ? ROLE.stopped : resource.role;
  const to = resource.nextRole;
  if (from === to) return;
  if (from === ROLE.unknown) {
    planStop(planner, course, false);
    return;
  }
  if (from === ROLE.promoted) planDemote(planner, course, false);
  const stops = to === ROLE.stopped || (to === ROLE.started && from >= ROLE.unpromoted);
  if (stops && from > ROLE.stopped) planStop(planner, course, false);
  if (to > ROLE.stopped && (from === ROLE.stopped || stops)) planStart(planner, course, false);
  if (to === ROLE.promoted) planPromote(planner, course, false);
}

function planStop(planner: Planner, course: Course, optional: boolean): void {
  const { resource, next } = course;
  for (const node of resource.activeNodes) {
    if (course.stopUnexpected && node === next) continue;
    if (course.continued && node === resource.partialTarget) continue;
    const stop = planner.request({ resource, task: "stop", node, optional: course.continued ? false : optional });
    if (course.stopUnexpected) stop.reason = "being multiply active";
    if (next === null) stop.reason = "node availability";
    if (!resource.managed) stop.runnable = false;
  }
}

function planDemote(planner: Planner, course: Course, optional: boolean): void {
  const { resource, next } = course;
  for (const node of resource.activeNodes) {
    if (course.stopUnexpected && node === next) continue;
    planner.request({ resource, task: "demote", node, optional });
  }
}

/** A start that cannot run stays optional; a start still in flight is shown again (A4, A9). */
function planStart(planner: Planner, course: Course, optional: boolean, implied = false): void {
  const { resource, next } = course;
  if (next === null) return;
  const start = planner.request({ resource, task: "start", node: next, optional: true });
  // Nobody carries this start out, so it is needed also of what is unmanaged: a recurring operation begins anew (seen with crm_simulate).
  if (course.stopUnexpected) start.pseudo = true;
  if (start.runnable && !optional) planner.request({ resource, task: "start", node: next, optional: false });
  // A start that is there only in case it stops asks for nothing: when its node is unfenced for others, it restarts with them.
  if (!implied) orderAfterUnfencing(planner, start, EFFECT.push);
  if (resource.startPending) start.shown = true;
}

function planPromote(planner: Planner, course: Course, optional: boolean): void {
  const { resource, next } = course;
  if (next === null) return;
  const startable = planner.actionsOf(resource, "start_0").every((start) => start.node !== next || start.runnable);
  if (!startable) {
    for (const promote of planner.actionsOf(resource, "promote_0")) if (promote.node === next) promote.runnable = false;
    return;
  }
  const promote = planner.request({ resource, task: "promote", node: next, optional });
  if (course.stopUnexpected) promote.pseudo = true;
}

/** Whether the move may be a live migration (M1, M6). What another agent started it alone can stop (A10; seen with crm_simulate). */
function mayMigrate(planner: Planner, course: Course): boolean {
  const { resource, current, next } = course;
  if (!course.moving || current === null || next === null) return false;
  return (
    resource.allowMigrate &&
    resource.managed &&
    !resource.failed &&
    !resource.startPending &&
    !resource.noLiveMigration &&
    resource.danglingSources.length === 0 &&
    !course.brokenMigration &&
    planner.first(resource, "delete_0", current) === null &&
    !current.unclean &&
    !next.unclean
  );
}

function planMigration(planner: Planner, course: Course): void {
  const { resource, current, next } = course;
  if (current === null || next === null) return;
  const detail = { kind: "migration", source: current, target: next } as const;
  const start = planner.first(resource, "start_0", next);
  const stop = planner.first(resource, "stop_0", current);
  const from = planner.request({ resource, task: "migrate_from", node: next, optional: true });
  from.detail = detail;
  // What a live migration begins with needs what the start would need: no move before unclean nodes are fenced.
  if (course.continued && start !== null) from.requires = start.requires;
  if (start !== null) {
    start.live = true;
    start.pseudo = true;
  }
  if (stop !== null) stop.live = true;
  from.live = true;
  if (!course.continued) {
    const to = planner.request({ resource, task: "migrate_to", node: current, optional: true });
    to.detail = detail;
    if (start !== null) to.requires = start.requires;
    to.live = true;
    planner.addRelation({ resource, key: "monitor_0" }, to, EFFECT.seq);
    planner.addRelation(to, from, EFFECT.seq | EFFECT.tail);
  } else {
    planner.addRelation({ resource, key: "monitor_0" }, from, EFFECT.seq);
  }
  planner.addRelation(from, { resource, key: "stop_0" }, EFFECT.seq | EFFECT.tail);
  planner.addRelation(from, { resource, key: "start_0" }, EFFECT.seq | EFFECT.tail | EFFECT.else);
}
