import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import { type Action, memberTaskOf, type Planner } from "../plan/index.ts";

/** Flags of an action as an edge sees them. */
export type Seen = { readonly needed: boolean; readonly runnable: boolean };

type Derived = { needed: boolean; runnable: boolean; stale: boolean };

/**
 * The points of collectives (`running`, `stopped`, ...). Their flags follow from the members (F9, F10) and are computed
 * again only after a member's action changed.
 */
export class Points {
  readonly planner: Planner;
  private readonly derived = new Map<Action, Derived>();
  /** Points by collective and base task: what to look at again when a member changes. */
  private readonly byBase = new Map<Resource, Map<string, Action[]>>();

  constructor(planner: Planner) {
    this.planner = planner;
  }

  /** Makes a point known. Called once for every action of a collective. */
  add(action: Action): void {
    const collective = action.resource;
    if (collective === null || collective.kind === "primitive" || this.derived.has(action)) return;
    const task = confirmedTask(action);
    if (task === null) return;
    this.derived.set(action, { needed: false, runnable: true, stale: true });
    let byBase = this.byBase.get(collective);
    if (byBase === undefined) {
      byBase = new Map();
      this.byBase.set(collective, byBase);
    }
    const base = memberTaskOf(task);
    const list = byBase.get(base);
    if (list === undefined) byBase.set(base, [action]);
    else list.push(action);
  }

  /** The points whose flags may follow from this action of a member, nearest collective first; they become stale. */
  affectedBy(action: Action): readonly Action[] {
    if (action.resource === null) return [];
    const base = memberTaskOf(confirmedTask(action) ?? action.task);
    const affected: Action[] = [];
    for (let at = collectiveOf(action.resource); at !== null; at = collectiveOf(at)) {
      for (const point of this.byBase.get(at)?.get(base) ?? []) {
        const derived = this.derived.get(point);
        if (derived !== undefined) derived.stale = true;
        affected.push(point);
      }
    }
    return affected;
  }

  /** Flags as seen from a node: of clones (not of bundles), "needed" counts only for the instance on that node (U8). */
  seen(action: Action, node: PolicyNode | null): Seen {
    const derived = this.derived.get(action);
    if (derived === undefined || action.resource === null) return { needed: !action.optional, runnable: action.runnable };
    if (derived.stale) this.recompute(action, action.resource, derived);
    if (node === null || action.resource.kind !== "clone") return derived;
    return { needed: this.neededOn(action, action.resource, node), runnable: derived.runnable };
  }

  /** Whether an instance's action behind a point is needed and can happen. */
  happens(action: Action): boolean {
    const { resource } = action;
    if (resource === null) return false;
    return instancesFor(resource, action.task).some((instance) =>
      this.instanceActions(instance, action.task).some((one) => !one.optional && one.runnable),
    );
  }

  private recompute(action: Action, collective: Resource, derived: Derived): void {
    derived.stale = false;
    const task = confirmedTask(action) ?? action.task;
    const flags = collective.kind === "group" ? this.ofGroup(collective, task) : this.ofInstances(collective, task);
    derived.needed = flags.needed;
    derived.runnable = flags.runnable;
    if (flags.needed) action.optional = false;
    if (!flags.runnable) action.runnable = false;
  }

  /** F9. */
  private ofGroup(group: Resource, task: string): Seen {
    const base = memberTaskOf(task);
    const down = base === "stop" || base === "demote";
    let needed = false;
    let runnable = true;
    for (const member of group.children) {
      const actions = this.planner.actionsOf(member, `${base}_0`);
      if (actions.length === 0 && !down) runnable = false;
      for (const action of actions) {
        if (!action.optional) needed = true;
        if (!action.runnable && base !== task) runnable = false;
      }
    }
    return { needed, runnable };
  }

  /** F10. */
  private ofInstances(collective: Resource, task: string): Seen {
    let needed = false;
    let runnable = false;
    for (const instance of instancesFor(collective, task)) {
      for (const action of this.instanceActions(instance, task)) {
        const flags = this.seen(action, null);
        if (flags.needed) needed = true;
        if (flags.runnable) runnable = true;
      }
      // The start of a cloned group may be needed by itself, by that of its partner where it goes nowhere (seen with crm_simulate).
      if (instance.kind === "group" && this.planner.actionsOf(instance, `${memberTaskOf(task)}_0`).some((one) => one.needed)) needed = true;
    }
    return { needed, runnable };
  }

  private instanceActions(instance: Resource, task: string): readonly Action[] {
    if (instance.kind === "group") return this.planner.actionsOf(instance, `${task}_0`);
    return this.planner.actionsOf(instance, `${memberTaskOf(task)}_0`);
  }

  private neededOn(action: Action, collective: Resource, node: PolicyNode): boolean {
    const task = confirmedTask(action) ?? action.task;
    const base = `${memberTaskOf(task)}_0`;
    for (const instance of instancesFor(collective, task)) {
      const members = instance.kind === "group" ? instance.children : [instance];
      for (const member of members) {
        for (const one of this.planner.actionsOf(member, base)) if (one.node === node && !one.optional) return true;
      }
    }
    return false;
  }
}

/** Looks at every point once, so that stored flags hold before anything is settled. */
export function refreshAll(points: Points): void {
  for (const action of points.planner.actions) points.add(action);
  for (const action of points.planner.actions) points.seen(action, null);
}

/** The collective whose points depend on this resource: the parent; for containers and inner instances the bundle. */
function collectiveOf(resource: Resource): Resource | null {
  if (resource.parent !== null) return resource.parent;
  return resource.inBundle !== null && resource.inBundle !== resource ? resource.inBundle : null;
}

/** What F10 looks at: instances; of a bundle its containers, for promotion the inner clone's instances. */
export function instancesFor(collective: Resource, task: string): readonly Resource[] {
  const bundle = collective.bundle;
  if (bundle === null) return collective.children;
  const base = memberTaskOf(task);
  if (base === "promote" || base === "demote") return bundle.innerClone?.children ?? [];
  return bundle.replicas.map((replica) => replica.container);
}

/** The task a point stands for; notification points stand for what they announce or confirm. Null: not such a point. */
export function confirmedTask(action: Action): string | null {
  const task = action.key.slice(0, action.key.lastIndexOf("_"));
  const marker = task.indexOf("_notify_");
  const plain = marker < 0 ? task : task.slice(marker + "_notify_".length);
  switch (memberTaskOf(plain)) {
    case "start":
    case "stop":
    case "promote":
    case "demote":
      return plain;
    default:
      return null;
  }
}
