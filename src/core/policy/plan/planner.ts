import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { Action } from "./action.ts";
import { checkRunnable } from "./runnable.ts";

/** What is asked for when an action is requested. */
export type Request = {
  readonly resource: Resource | null;
  readonly task: string;
  readonly intervalMs?: number;
  /** Default `<task>_<intervalMs>`. */
  readonly key?: string;
  readonly node: PolicyNode | null;
  readonly optional: boolean;
  readonly pseudo?: boolean;
  readonly reason?: string;
};

/** One side of a relation: all actions of a resource with a key, or one action. */
export type Side = Action | { readonly resource: Resource; readonly key: string };

/** "First before then" between actions that may not exist yet (actions.md section 6). */
export type Relation = { readonly first: Side; readonly then: Side; readonly effects: number };

/** The actions of one resource. */
export type ResourceActions = { readonly all: Action[]; readonly byKey: Map<string, Action[]> };

const NO_ACTIONS: readonly Action[] = [];

/** A stop that fencing does: of `top`, some instances had a needed stop of their own before orderings brought about more. */
type ImpliedStop = { readonly fence: Action; readonly stop: Action; readonly top: Resource; readonly planned: ReadonlySet<Action> };

/** All actions and relations of one run, with the indexes that every phase uses. */
export class Planner {
  readonly model: Model;
  readonly actions: Action[] = [];
  readonly relations: Relation[] = [];
  private readonly byResource = new Map<Resource, ResourceActions>();
  private readonly byName = new Map<string, Action>();
  /** Actions of resources on remote and guest nodes are routed later (O12, O13); found by node. */
  private readonly byNode = new Map<PolicyNode, Action[]>();
  private readonly manyByNode = new Map<string, { upTo: number; readonly byNode: Map<PolicyNode, Action> }>();
  private readonly fences = new Map<PolicyNode, Action>();
  readonly impliedStops: ImpliedStop[] = [];
  readonly stopEdges: { readonly resource: Resource; readonly then: Action }[] = [];
  /** Relations by resource of a `stop` on the first side (O5.2). */
  readonly stopRelations: Relation[] = [];

  constructor(model: Model) {
    this.model = model;
  }

  /**
   * The action for (resource, key, node): made if it does not exist. A request for "needed" makes an existing optional
   * one needed. Whether it can run is checked again with the state of this moment (A6, A7).
   */
  request(what: Request): Action {
    const intervalMs = what.intervalMs ?? 0;
    const key = what.key ?? `${what.task}_${intervalMs}`;
    const action = this.find(what.resource, key, what.node) ?? this.create(what.resource, what.task, intervalMs, key, what.node);
    if (what.pseudo === true) action.pseudo = true;
    if (!what.optional) action.optional = false;
    if (action.resource !== null) {
      const resource = action.resource;
      if (resource.kind === "primitive" && (action.task === "start" || action.task === "promote")) action.requires = resource.requires;
      const recurring = intervalMs > 0 || action.task === "monitor";
      if (!resource.managed && !recurring && !action.pseudo && action.node !== null) action.optional = true;
      checkRunnable(this, action);
    }
    if (what.reason !== undefined && action.reason === null) action.reason = what.reason;
    return action;
  }

  private find(resource: Resource | null, key: string, node: PolicyNode | null): Action | null {
    if (resource === null) return this.byName.get(nodeKey(key, node)) ?? null;
    let nodeless: Action | null = null;
    const same = this.byResource.get(resource)?.byKey.get(key) ?? NO_ACTIONS;
    if (same.length > 8 && node !== null) return this.findAmongMany(resource, key, node, same);
    for (const action of same) {
      if (action.node === node) return action;
      if (action.node === null) nodeless = action;
      else if (node === null) return action;
    }
    if (nodeless !== null && node !== null) {
      nodeless.node = node;
      this.indexNode(nodeless, node);
    }
    return nodeless;
  }

  /** Probes and the like exist on every node: an index by node keeps the search short. */
  private findAmongMany(resource: Resource, key: string, node: PolicyNode, same: readonly Action[]): Action | null {
    const name = `${resource.id}_${key}`;
    let index = this.manyByNode.get(name);
    if (index === undefined) {
      index = { upTo: 0, byNode: new Map() };
      this.manyByNode.set(name, index);
    }
    for (; index.upTo < same.length; index.upTo++) {
      const action = same[index.upTo]!;
      if (action.node !== null) index.byNode.set(action.node, action);
    }
    return index.byNode.get(node) ?? null;
  }

  private create(resource: Resource | null, task: string, intervalMs: number, key: string, node: PolicyNode | null): Action {
    const action = new Action(this.actions.length, resource, task, intervalMs, key, node);
    this.actions.push(action);
    if (node !== null) this.indexNode(action, node);
    if (resource === null) {
      this.byName.set(nodeKey(key, node), action);
      return action;
    }
    let entry = this.byResource.get(resource);
    if (entry === undefined) {
      entry = { all: [], byKey: new Map() };
      this.byResource.set(resource, entry);
    }
    entry.all.push(action);
    const same = entry.byKey.get(key);
    if (same === undefined) entry.byKey.set(key, [action]);
    else same.push(action);
    return action;
  }

  private indexNode(action: Action, node: PolicyNode): void {
    const list = this.byNode.get(node);
    if (list === undefined) this.byNode.set(node, [action]);
    else list.push(action);
  }

  /** Actions of a resource with a key such as `start_0`, in order of creation. */
  actionsOf(resource: Resource, key: string): readonly Action[] {
    return this.byResource.get(resource)?.byKey.get(key) ?? NO_ACTIONS;
  }

  /** All actions of a resource (not of its children), in order of creation. */
  allActionsOf(resource: Resource): readonly Action[] {
    return this.byResource.get(resource)?.all ?? NO_ACTIONS;
  }

  /** The first action of that key, on that node if one is given. */
  first(resource: Resource, key: string, node?: PolicyNode | null): Action | null {
    for (const action of this.actionsOf(resource, key)) if (node === undefined || node === null || action.node === node) return action;
    return null;
  }

  actionsOn(node: PolicyNode): readonly Action[] {
    return this.byNode.get(node) ?? NO_ACTIONS;
  }

  /** The fencing action of a node for an operation, optional until something needs it. */
  fence(node: PolicyNode, operation: "off" | "reboot" | "on"): Action {
    const action = this.request({ resource: null, task: "stonith", key: `stonith-${node.name}-${operation}`, node, optional: true });
    if (action.detail.kind === "none") {
      action.detail = { kind: "fence", target: node, operation };
      if (operation !== "on") this.fences.set(node, action);
    }
    return action;
  }

  unfence(node: PolicyNode): Action {
    return this.fence(node, "on");
  }

  /** Fencing (not unfencing) already planned for the node. */
  existingFence(node: PolicyNode): Action | null {
    return this.fences.get(node) ?? null;
  }

  /** A stop implied by fencing: notifications hang a second chain on it (O7). */
  noteImpliedStop(fence: Action, stop: Action, top: Resource): void {
    const stops = top.notify ? [...primitivesOf(top)].flatMap((primitive) => this.actionsOf(primitive, "stop_0")) : [];
    this.impliedStops.push({ fence, stop, top, planned: new Set(stops.filter((one) => one.needed)) });
  }

  /** A stop that precedes an action directly, for probes (O5.2). */
  addStopEdge(resource: Resource, then: Action): void {
    this.stopEdges.push({ resource, then });
  }

  /** A pseudo point without resource, such as `load_stopped_<node>`. */
  point(key: string, node: PolicyNode | null, optional: boolean): Action {
    return this.request({ resource: null, task: key, key, node, optional, pseudo: true });
  }

  /** A relation between all actions of two resources by key. */
  relate(first: Resource, firstKey: string, then: Resource, thenKey: string, effects: number): void {
    this.addRelation({ resource: first, key: firstKey }, { resource: then, key: thenKey }, effects);
  }

  addRelation(first: Side, then: Side, effects: number): void {
    const relation = { first, then, effects };
    this.relations.push(relation);
    const firstKey = first instanceof Action ? (first.resource === null ? "" : first.key) : first.key;
    if (firstKey === "stop_0") this.stopRelations.push(relation);
  }
}

function nodeKey(key: string, node: PolicyNode | null): string {
  return node === null ? key : `${key}@${node.index}`;
}
