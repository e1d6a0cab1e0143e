import { INFINITY_SCORE } from "../../base/index.ts";
import type { PolicyNode } from "../model-node.ts";
import { primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { type Action, completionOf, EFFECT, type NotifyPhase } from "./action.ts";
import type { Planner } from "./planner.ts";

const { seq, push } = EFFECT;
const PHASES = ["stop", "start", "promote", "demote"] as const;
type PhaseTask = (typeof PHASES)[number];

/** The four points around one phase of a notifying clone (O7). */
type PhasePoints = {
  readonly task: PhaseTask;
  readonly action: Action;
  readonly completion: Action;
  readonly pre: Action;
  readonly confirmedPre: Action;
  readonly post: Action;
  readonly confirmedPost: Action;
};

function phasesOf(clone: Resource): readonly PhaseTask[] {
  return clone.promotable ? PHASES : ["stop", "start"];
}

/** Step 7: the points of every phase and the order between phases. */
export function planNotificationPoints(planner: Planner, clone: Resource): void {
  const byTask = new Map<PhaseTask, PhasePoints>();
  for (const task of phasesOf(clone)) {
    const action = planner.first(clone, `${task}_0`);
    const completion = planner.first(clone, `${completionOf(task)}_0`);
    if (action === null || completion === null) continue;
    const points = makePoints(planner, clone, task, action, completion);
    byTask.set(task, points);
    points.pre.precede(points.confirmedPre, seq);
    points.confirmedPre.precede(action, seq);
    points.confirmedPre.precede(points.post, seq);
    completion.precede(points.post, seq | push);
    points.post.precede(points.confirmedPost, seq | push);
  }
  const follow = (from: PhaseTask, to: PhaseTask): void => {
    const first = byTask.get(from);
    const then = byTask.get(to);
    if (first !== undefined && then !== undefined) first.confirmedPost.precede(then.pre, seq);
  };
  follow("stop", "start");
  follow("stop", "promote");
  follow("start", "promote");
  follow("demote", "promote");
  follow("demote", "start");
  follow("demote", "stop");
}

function makePoints(planner: Planner, clone: Resource, task: PhaseTask, action: Action, completion: Action): PhasePoints {
  const done = completionOf(task);
  const make = (key: string, taskName: string): Action =>
    planner.request({ resource: clone, task: taskName, key, node: null, optional: true, pseudo: true });
  const pre = make(`pre_notify_${task}_0`, "notify");
  const confirmedPre = make(`confirmed-pre_notify_${task}_0`, "notified");
  const post = make(`post_notify_${done}_0`, "notify");
  const confirmedPost = make(`confirmed-post_notify_${done}_0`, "notified");
  for (const one of [post, confirmedPost]) {
    one.priority = INFINITY_SCORE;
    one.runnable = completion.runnable;
  }
  return { task, action, completion, pre, confirmedPre, post, confirmedPost };
}

function existingPoints(planner: Planner, clone: Resource, task: PhaseTask): PhasePoints | null {
  const done = completionOf(task);
  const action = planner.first(clone, `${task}_0`);
  const completion = planner.first(clone, `${done}_0`);
  const pre = planner.first(clone, `pre_notify_${task}_0`);
  const confirmedPre = planner.first(clone, `confirmed-pre_notify_${task}_0`);
  const post = planner.first(clone, `post_notify_${done}_0`);
  const confirmedPost = planner.first(clone, `confirmed-post_notify_${done}_0`);
  if (action === null || completion === null || pre === null || confirmedPre === null || post === null || confirmedPost === null)
    return null;
  return { task, action, completion, pre, confirmedPre, post, confirmedPost };
}

/** One instance with its node, as notification variables list them. */
type Entry = { readonly resource: Resource; readonly node: PolicyNode | null };

/** State of a clone before, and actions in, this transition (G9). */
type Picture = {
  readonly start: Entry[];
  readonly stop: Entry[];
  readonly promote: Entry[];
  readonly demote: Entry[];
  readonly active: Entry[];
  readonly inactive: Entry[];
  readonly promoted: Entry[];
  readonly unpromoted: Entry[];
  /** Active at present, and expected to be active after the transition. */
  readonly willBeActive: { readonly resource: Resource; readonly node: PolicyNode; readonly starting: boolean }[];
};

/** Step 11: notify actions of every notifying clone, once all flags have settled. */
export function planNotifications(planner: Planner, resource: Resource): void {
  for (const child of resource.children) if (child.kind !== "primitive") planNotifications(planner, child);
  if (resource.kind !== "clone" || !resource.notify) return;
  const picture = pictureOf(planner, resource);
  for (const task of phasesOf(resource)) planPhase(planner, resource, task, picture);
}

function pictureOf(planner: Planner, clone: Resource): Picture {
  const picture: Picture = {
    start: [],
    stop: [],
    promote: [],
    demote: [],
    active: [],
    inactive: [],
    promoted: [],
    unpromoted: [],
    willBeActive: [],
  };
  for (const primitive of primitivesOf(clone)) {
    describeState(primitive, picture);
    describeActions(planner, primitive, picture);
    describeFuture(planner, primitive, picture);
  }
  return picture;
}

function describeState(primitive: Resource, picture: Picture): void {
  const nodes = primitive.activeNodes;
  if (nodes.length === 0 || primitive.role <= ROLE.stopped) {
    picture.inactive.push({ resource: primitive, node: null });
    return;
  }
  const entry = { resource: primitive, node: nodes[0]! };
  picture.active.push(entry);
  if (primitive.role === ROLE.promoted) picture.promoted.push(entry);
  else if (primitive.role === ROLE.unpromoted || primitive.parent?.promotable === true) picture.unpromoted.push(entry);
}

function describeActions(planner: Planner, primitive: Resource, picture: Picture): void {
  for (const task of PHASES) {
    for (const action of planner.actionsOf(primitive, `${task}_0`)) {
      if (action.optional || action.node === null) continue;
      const counts = action.runnable || task === "stop";
      if (counts) picture[task].push({ resource: primitive, node: action.node });
    }
  }
}

function describeFuture(planner: Planner, primitive: Resource, picture: Picture): void {
  const node = primitive.node;
  if (node === null || primitive.nextRole <= ROLE.stopped) return;
  // Also where its start is blocked, by a stop that nobody can carry out or for lack of quorum.
  const starting = planner.first(primitive, "start_0", node)?.needed ?? false;
  picture.willBeActive.push({ resource: primitive, node, starting });
}

function planPhase(planner: Planner, clone: Resource, task: PhaseTask, picture: Picture): void {
  const points = existingPoints(planner, clone, task);
  if (points === null) return;
  const announced = picture[task].length > 0;
  // A start in flight makes the points, and nobody is told.
  if (!announced && points.action.optional) return;
  for (const point of [points.pre, points.confirmedPre, points.post, points.confirmedPost]) point.optional = false;
  points.post.runnable = points.completion.runnable;
  points.confirmedPost.runnable = points.completion.runnable;
  if (!announced) return;
  const phase: NotifyPhase = { collective: clone, variables: new Map() };
  phase.variables = variablesOf(planner, clone, task, picture);
  for (const primitive of primitivesOf(clone)) {
    for (const each of PHASES) {
      for (const action of planner.actionsOf(primitive, `${each}_0`)) if (action.needed) action.notification = phase;
    }
  }
  notifyInstances(planner, points, picture, phase);
  if (task === "stop" || task === "demote") notifyFencing(planner, clone, points, picture, phase);
}

function notifyInstances(planner: Planner, points: PhasePoints, picture: Picture, phase: NotifyPhase): void {
  const { task } = points;
  if (task === "start" || task === "promote") {
    for (const { resource, node, starting } of picture.willBeActive) {
      if (points.pre.runnable && !(task === "start" && starting))
        notifyOne(planner, points, { type: "pre", around: points }, resource, node, phase);
      if (points.post.runnable) notifyOne(planner, points, { type: "post", around: points }, resource, node, phase);
    }
    return;
  }
  for (const { resource } of picture.active) {
    for (const node of resource.activeNodes) {
      if (points.pre.runnable) notifyOne(planner, points, { type: "pre", around: points }, resource, node, phase);
      if (!points.post.runnable) continue;
      // Also where it stays, having stopped elsewhere (`multiple-active=stop_unexpected`; seen with crm_simulate).
      if (task === "stop" && planner.actionsOf(resource, "stop_0").some((stop) => stop.needed)) continue;
      notifyOne(planner, points, { type: "post", around: points }, resource, node, phase);
    }
  }
}

/** One notify action between a point and its confirmation. */
function notifyOne(
  planner: Planner,
  points: PhasePoints,
  how: { readonly type: "pre" | "post"; readonly around: PhasePoints | null },
  resource: Resource,
  node: PolicyNode,
  phase: NotifyPhase,
): Action | null {
  const { task } = points;
  // A guest that is being reset is back, with its launcher, by the time its instance has started.
  const returns = node.kind === "guest" && (task === "start" || task === "promote");
  if (!returns) {
    if (!node.online && !(node.isGuest && !node.reset)) return null;
    if (node.unclean || planner.existingFence(node)?.needed === true) return null;
  }
  const { type, around } = how;
  if (behindBlockedConnection(planner, node) && (task === "start" || task === "promote")) return null;
  const key = type === "pre" ? `pre_notify_${task}_0` : `post_notify_${completionOf(task)}_0`;
  const action = planner.request({ resource, task: "notify", key, node, optional: false });
  const point = type === "pre" ? points.pre : points.post;
  action.detail = { kind: "notify", type, operation: task, point, phase };
  action.notification = phase;
  if (type === "post") action.priority = INFINITY_SCORE;
  if (around === null) return action;
  point.precede(action, seq);
  action.precede(type === "pre" ? around.confirmedPre : around.confirmedPost, seq);
  if (type === "post") orderRecurringAfter(planner, resource, around.confirmedPost);
  return action;
}

function behindBlockedConnection(planner: Planner, node: PolicyNode): boolean {
  if (node.connection === null) return false;
  const start = planner.first(node.connection, "start_0");
  return start !== null && !start.runnable;
}

/** Recurring operations run after confirmed-post of each phase in which the instance is notified. */
function orderRecurringAfter(planner: Planner, resource: Resource, confirmed: Action): void {
  for (const action of planner.allActionsOf(resource)) {
    if (action.intervalMs > 0 && action.task !== "cancel") confirmed.precede(action, seq);
  }
}

/** A stop implied by fencing: the others are told once the fencing is done (O7). */
function notifyFencing(planner: Planner, clone: Resource, points: PhasePoints, picture: Picture, phase: NotifyPhase): void {
  if (points.task !== "stop") return;
  const implied = planner.impliedStops.filter((one) => one.top === clone && one.stop.needed);
  for (const { fence, stop, planned } of implied) {
    const victim = stop.resource;
    if (victim === null) continue;
    const post = planner.request({
      resource: victim,
      task: "notify",
      key: "post_notify_stonith_0",
      node: null,
      optional: false,
      pseudo: true,
    });
    const confirmed = planner.request({
      resource: victim,
      task: "notified",
      key: "confirmed-post_notify_stonith_0",
      node: null,
      optional: false,
      pseudo: true,
    });
    post.priority = INFINITY_SCORE;
    confirmed.priority = INFINITY_SCORE;
    fence.precede(post, seq);
    post.precede(confirmed, seq);
    for (const { resource } of picture.active) {
      for (const node of resource.activeNodes) {
        const ownStop = planner.first(resource, "stop_0", node);
        if (resource === victim) continue;
        if (ownStop !== null && planned.has(ownStop)) continue;
        // One that orderings restart is told right after the fencing, and not again after its own stop.
        const around = ownStop?.needed === true ? null : points;
        const action = notifyOne(planner, points, { type: "post", around }, resource, node, phase);
        if (action === null) continue;
        post.precede(action, seq);
        action.precede(confirmed, seq);
        orderRecurringAfter(planner, resource, confirmed);
      }
    }
  }
}

function compareEntries(a: Entry, b: Entry): number {
  if (a.resource.id !== b.resource.id) return a.resource.id < b.resource.id ? -1 : 1;
  const left = a.node?.id ?? "";
  const right = b.node?.id ?? "";
  return left < right ? -1 : left > right ? 1 : 0;
}

function printName(resource: Resource): string {
  return resource.historyName ?? resource.id;
}

/** G9: lists sorted by instance and node, blank separated; an empty list is one blank. */
function variablesOf(planner: Planner, clone: Resource, task: PhaseTask, picture: Picture): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const put = (name: string, entries: readonly Entry[], nodes: boolean): void => {
    const sorted = [...entries].sort(compareEntries);
    variables.set(`notify_${name}_resource`, sorted.map((entry) => printName(entry.resource)).join(" ") || " ");
    if (nodes) variables.set(`notify_${name}_uname`, sorted.map((entry) => entry.node?.name ?? "").join(" ") || " ");
  };
  put("start", picture.start, true);
  put("stop", picture.stop, true);
  if (clone.promotable) {
    put("promote", picture.promote, true);
    put("demote", picture.demote, true);
    put("promoted", picture.promoted, true);
    put("master", picture.promoted, true);
    put("unpromoted", picture.unpromoted, true);
    put("slave", picture.unpromoted, true);
  }
  put("active", picture.active, true);
  put("inactive", picture.inactive, false);
  const allowed = planner.model.nodeList.filter((node) => clone.table.has(node.index) && clone.table.get(node.index) >= 0);
  variables.set("notify_available_uname", allowed.map((node) => node.name).join(" ") || " ");
  variables.set("notify_all_uname", planner.model.nodeList.map((node) => node.name).join(" ") || " ");
  variables.set("notify_operation", task);
  return variables;
}
