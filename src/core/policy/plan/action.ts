import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import type { Requires } from "../model-values.ts";

/** Effects of a relation or edge (actions.md section 8), one bit each. */
export const EFFECT = {
  /** Precedence only. */
  seq: 1,
  push: 2,
  gate: 4,
  pull: 8,
  pullPromoted: 16,
  bounce: 32,
  asym: 64,
  tail: 128,
  else: 256,
  count: 512,
  showThen: 1024,
  showFirst: 2048,
  cancel: 4096,
  /** The edge exists only if both actions are on the same node. */
  sameNode: 8192,
  /** Additionally only if the first is needed. */
  sameNodeNeeded: 16384,
  /** The edge exists only while the first is not live. */
  ifNotLive: 32768,
  /** Load point to migrate_to: dropped if it closes a loop (O16). */
  load: 65536,
  /** Made by an anti-colocation (O15): not followed by O5.3. */
  anti: 131072,
  /** From a user ordering: dropped between a launcher and what runs on its guest node (U11). */
  user: 262144,
  /** Holds for the stop of a live migration too (G4): the node that it stops on goes away. */
  hold: 524288,
} as const;

/** Effects that say nothing about flags of the then side: such an edge from a blocked first is no input (G4). */
export const QUIET =
  EFFECT.seq |
  EFFECT.showThen |
  EFFECT.showFirst |
  EFFECT.sameNode |
  EFFECT.sameNodeNeeded |
  EFFECT.ifNotLive |
  EFFECT.load |
  EFFECT.anti |
  EFFECT.user |
  EFFECT.hold;

/** Conditions and marks: they do not make two edges overlap (F2). */
const MARKS = EFFECT.sameNode | EFFECT.sameNodeNeeded | EFFECT.ifNotLive | EFFECT.anti | EFFECT.user;

/** `first` before `then`. Mutable: an edge can be dropped, and the settling queue marks it. */
export type Edge = {
  readonly first: Action;
  readonly then: Action;
  readonly effects: number;
  dropped: boolean;
  queued: boolean;
};

/** Details that only some tasks have. */
export type ActionDetail =
  | { readonly kind: "none" }
  | { readonly kind: "fence"; readonly target: PolicyNode; readonly operation: "off" | "reboot" | "on" }
  | { readonly kind: "cancel"; readonly operation: string; readonly callId: string | null }
  | { readonly kind: "migration"; readonly source: PolicyNode; readonly target: PolicyNode }
  | {
      readonly kind: "notify";
      readonly type: "pre" | "post";
      readonly operation: string;
      readonly point: Action;
      readonly phase: NotifyPhase;
    };

/** State of a notification phase at the time its notify actions were made (G9); filled in once all flags have settled. */
export type NotifyPhase = { readonly collective: Resource; variables: ReadonlyMap<string, string> };

const NO_DETAIL: ActionDetail = { kind: "none" };

const NO_META: ReadonlyMap<string, string> = new Map();

/** Something planned (actions.md section 1). One object per (resource, key, node). */
export class Action {
  /** Order of creation. */
  readonly seq: number;
  readonly resource: Resource | null;
  readonly task: string;
  readonly intervalMs: number;
  /** Without the resource: `start_0`, `pre_notify_start_0`; for node actions the whole key. */
  readonly key: string;
  node: PolicyNode | null;

  optional = true;
  runnable = true;
  pseudo = false;
  /** May be part of a live migration. */
  live = false;
  shown = false;
  requires: Requires = "nothing";
  reason: string | null = null;
  priority = 0;
  expectedRc = 0;
  noWait = false;
  /** A stop that only ends a dangling migration (M7). */
  dangling = false;
  detail: ActionDetail = NO_DETAIL;
  /** Meta set by the planner itself (digests of fencing, delays). */
  meta: ReadonlyMap<string, string> = NO_META;
  /** Notification environment (G9), shared by the actions of one phase. */
  notification: NotifyPhase | null = null;
  /** Minimum number of runnable firsts with effect `count`; 0: no such rule. */
  countMinimum = 0;

  readonly before: Edge[] = [];
  readonly after: Edge[] = [];
  /** For actions with many successors: effects present, by then action. */
  private afterIndex: Map<Action, number> | null = null;

  /** Number in the graph, 0 while not emitted. */
  graphId = 0;

  constructor(seq: number, resource: Resource | null, task: string, intervalMs: number, key: string, node: PolicyNode | null) {
    this.seq = seq;
    this.resource = resource;
    this.task = task;
    this.intervalMs = intervalMs;
    this.key = key;
    this.node = node;
  }

  get needed(): boolean {
    return !this.optional;
  }

  get blocked(): boolean {
    return !this.runnable;
  }

  /** Full name, for people and for keys: `vip_start_0`. */
  get name(): string {
    return this.resource === null ? this.key : `${this.resource.id}_${this.key}`;
  }

  /** Adds an edge unless one with an overlapping effect exists (F2). Returns the new edge, or null. */
  precede(then: Action, effects: number): Edge | null {
    if (then === this) return null;
    if ((this.effectsTowards(then) & effects & ~MARKS) !== 0) return null;
    const edge: Edge = { first: this, then, effects, dropped: false, queued: false };
    this.after.push(edge);
    then.before.push(edge);
    if (this.afterIndex !== null) this.afterIndex.set(then, (this.afterIndex.get(then) ?? 0) | effects);
    return edge;
  }

  private effectsTowards(then: Action): number {
    if (this.after.length < INDEX_FROM) {
      let effects = 0;
      for (const edge of this.after) if (edge.then === then) effects |= edge.effects;
      return effects;
    }
    if (this.afterIndex === null) {
      this.afterIndex = new Map();
      for (const edge of this.after) this.afterIndex.set(edge.then, (this.afterIndex.get(edge.then) ?? 0) | edge.effects);
    }
    return this.afterIndex.get(then) ?? 0;
  }
}

/** From this many successors on an index pays off. */
const INDEX_FROM = 12;

/** Tasks that take a resource down, and those that bring it up. */
export function isDownTask(task: string): boolean {
  return task === "stop" || task === "demote" || task === "migrate_to";
}

export function isUpTask(task: string): boolean {
  return task === "start" || task === "promote" || task === "migrate_from";
}

/** `start` → `running` and so on: the point at which all members have done it. */
export function completionOf(task: string): string {
  switch (task) {
    case "start":
      return "running";
    case "stop":
      return "stopped";
    case "promote":
      return "promoted";
    case "demote":
      return "demoted";
    case "notify":
      return "notified";
    default:
      return task;
  }
}

/** `running` → `start` and so on: what members do for the point. */
export function memberTaskOf(task: string): string {
  switch (task) {
    case "running":
      return "start";
    case "stopped":
      return "stop";
    case "promoted":
      return "promote";
    case "demoted":
      return "demote";
    default:
      return task;
  }
}

/** The inverse of a user ordering's action, or null if there is none (U2). */
export function inverseOf(task: string): string | null {
  switch (task) {
    case "start":
      return "stop";
    case "stop":
      return "start";
    case "promote":
      return "demote";
    case "demote":
      return "promote";
    case "running":
      return "stopped";
    case "stopped":
      return "running";
    case "promoted":
      return "demoted";
    case "demoted":
      return "promoted";
    default:
      return null;
  }
}
