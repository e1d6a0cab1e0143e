import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE, type Role, roleName } from "../model-values.ts";
import type { Action, Planner } from "../plan/index.ts";

/** One line of the transition summary (section 12). */
export type SummaryLine = {
  readonly verb: string;
  /** The resource with its instance number; null for a node line. */
  readonly resource: string | null;
  /** The node of a node line, else null. */
  readonly node: string | null;
  readonly detail: string;
  /** Text after "due to". */
  readonly reason: string | null;
  readonly blocked: boolean;
  /** Of a guest that is fenced: the resource that makes it, because recovering that is the fencing. */
  readonly launcher?: string;
};

/** Node lines first, then resources in order (S1-S5). */
export function summarize(planner: Planner): readonly SummaryLine[] {
  const lines: SummaryLine[] = [];
  for (const node of planner.model.nodeList) summarizeNode(planner, node, lines);
  for (const resource of planner.model.resources) summarizeResource(planner, resource, lines);
  return lines;
}

/** S1. */
function summarizeNode(planner: Planner, node: PolicyNode, lines: SummaryLine[]): void {
  const base = { resource: null, blocked: false } as const;
  for (const action of planner.actionsOn(node)) {
    if (action.optional) continue;
    if (action.task === "do_shutdown") lines.push({ ...base, verb: "Shutdown", node: node.name, detail: node.name, reason: null });
    if (action.detail.kind !== "fence") continue;
    const guest = node.launcher === null ? {} : { launcher: node.launcher.id };
    lines.push({ ...base, verb: "Fence", node: node.name, detail: action.detail.operation, reason: action.reason, ...guest });
  }
}

function summarizeResource(planner: Planner, resource: Resource, lines: SummaryLine[]): void {
  if (resource.kind === "primitive") {
    summarizePrimitive(planner, resource, lines);
    return;
  }
  const bundle = resource.bundle;
  if (bundle === null) {
    for (const child of resource.children) summarizeResource(planner, child, lines);
    return;
  }
  for (const replica of bundle.replicas) {
    for (const part of [replica.ip, replica.container, replica.connection, replica.child]) {
      if (part !== null) summarizePrimitive(planner, part, lines);
    }
  }
}

type Situation = {
  readonly resource: Resource;
  readonly current: PolicyNode | null;
  readonly next: PolicyNode | null;
  readonly role: Role;
  readonly target: Role;
  readonly start: Action | null;
  readonly stop: Action | null;
  readonly promote: Action | null;
  readonly demote: Action | null;
};

/** S2, S3. */
function summarizePrimitive(planner: Planner, resource: Resource, lines: SummaryLine[]): void {
  const next = resource.node;
  const current = currentNodeOf(resource);
  if (!resource.managed || (current === null && next === null)) return;
  if (resource.removed && resource.role <= ROLE.stopped) return;
  const role = current === null ? ROLE.stopped : resource.role;
  const start = planner.first(resource, "start_0", next);
  const situation: Situation = {
    resource,
    current,
    next,
    role,
    target: resource.nextRole,
    start,
    stop: planner.first(resource, "stop_0", start === null || !start.runnable ? null : current),
    promote: planner.first(resource, "promote_0", next),
    demote: planner.first(resource, "demote_0", next),
  };
  if (role === situation.target) summarizeSameRole(planner, situation, lines);
  else summarizeRoleChange(planner, situation, lines);
}

function validReload(planner: Planner, resource: Resource, next: PolicyNode | null): boolean {
  const reload = next === null ? null : planner.first(resource, "reload-agent_0", next);
  return reload !== null && !reload.optional && reload.runnable;
}

function summarizeSameRole(planner: Planner, at: Situation, lines: SummaryLine[]): void {
  const { resource, start, stop, promote, demote } = at;
  const migrate = planner.first(resource, "migrate_from_0", at.next);
  if (migrate?.runnable === true) push(lines, at, "Migrate", start);
  else if (validReload(planner, resource, at.next)) push(lines, at, "Reload", start);
  else if (start === null || start.optional) {
    if (demote?.needed === true && promote?.needed === true) push(lines, at, "Re-promote", promote.reason === null ? demote : promote);
    else if (start?.blocked && stop?.needed === true) pushStops(planner, lines, at);
  } else if (start.blocked) pushStops(planner, lines, at);
  else if (at.current !== at.next) push(lines, at, resource.failed ? "Recover" : "Move", stop);
  else if (resource.failed) push(lines, at, "Recover", stop);
  else push(lines, at, "Restart", start);
}

function summarizeRoleChange(planner: Planner, at: Situation, lines: SummaryLine[]): void {
  const { resource, start, stop } = at;
  if (stop !== null && (at.target === ROLE.stopped || start?.blocked)) {
    pushStops(planner, lines, at);
  } else if (stop !== null && resource.failed && resource.failedStop) push(lines, at, "Recover", start);
  else if (at.current !== null && at.next !== null && at.current !== at.next) push(lines, at, "Move", stop);
  else if (validReload(planner, resource, at.next)) push(lines, at, "Reload", start);
  else if (stop?.needed) push(lines, at, "Restart", start);
  else if (at.role === ROLE.promoted) push(lines, at, "Demote", at.demote);
  else if (at.target === ROLE.promoted) pushPromote(lines, at);
  else if (at.role <= ROLE.stopped) push(lines, at, "Start", start);
}

/** One line per active node. */
function pushStops(planner: Planner, lines: SummaryLine[], at: Situation): void {
  for (const node of at.resource.activeNodes) {
    const stop = planner.first(at.resource, "stop_0", node);
    const source = stop?.reason == null ? (at.start ?? stop) : stop;
    const reason = source?.reason ?? null;
    const blocked = stop?.blocked ?? false;
    lines.push({
      verb: "Stop",
      resource: at.resource.id,
      node: null,
      detail: at.role > ROLE.started ? `${roleName(at.role)} ${node.name}` : node.name,
      reason,
      blocked,
    });
  }
}

function push(lines: SummaryLine[], at: Situation, verb: string, source: Action | null): void {
  lines.push({
    verb,
    resource: at.resource.id,
    node: null,
    detail: detailOf(at),
    reason: source?.reason ?? null,
    blocked: source?.blocked ?? false,
  });
}

/** A promotion for which no action could even be made is blocked. */
function pushPromote(lines: SummaryLine[], at: Situation): void {
  const before = lines.length;
  push(lines, at, "Promote", at.promote);
  const line = lines[before];
  if (at.promote === null && line !== undefined) lines[before] = { ...line, blocked: true };
}

/** S4. */
function detailOf(at: Situation): string {
  const shown = at.role > ROLE.started || at.target > ROLE.unpromoted;
  const from = at.current?.name ?? null;
  const to = at.next?.name ?? null;
  const role = roleName(at.role);
  const target = roleName(at.target);
  if (from === null || to === null || from === to) {
    const node = from ?? to ?? "";
    if (!shown) return node;
    if (from === null) return at.target > ROLE.started ? `Stopped -> ${target} ${node}` : `${target} ${node}`;
    return at.role === at.target ? `${role} ${node}` : `${role} -> ${target} ${node}`;
  }
  if (!shown) return `${from} -> ${to}`;
  return at.role === at.target ? `${from} -> ${to} ${role}` : `${role} ${from} -> ${target} ${to}`;
}
