import { attributeOf, childOf, childrenOf, type Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { HistoryEntry, ResourceHistory } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { HANDLING, type Handling, ROLE } from "../model-values.ts";
import { applyHandling } from "./failure.ts";
import { fenceNode, markFailedStop, needStop } from "./fencing.ts";
import { RC, readEntries, resourceHistories, STATUS } from "./history.ts";
import { forgetInstanceName, matchHistory } from "./match.ts";
import { readNodeState } from "./node-state.ts";
import { nodeByIdOrName } from "./nodes.ts";
import { readOutcome } from "./outcome.ts";
import { addActiveNode } from "./presence.ts";
import type { Reading } from "./reading.ts";
import { readRemoteState, revise } from "./remote-state.ts";
import { initialNextRole, setLauncher } from "./resources.ts";
import { isTrue, parseInteger } from "./values.ts";

/** What the passes over the status share. */
type Passes = {
  readonly byHistoryName: Map<string, Resource>;
  readonly read: Set<PolicyNode>;
  /** Things in bundles whose container must stop where it is, known only after all status (16.7). */
  readonly stopContainers: Resource[];
};

/** Reads tickets, node states and histories (status.md 11). */
export function unpackStatus(model: Model, status: Element | undefined): void {
  if (status === undefined) return;
  readTickets(model, status);
  for (const state of childrenOf(status, "node_state")) {
    const node = nodeOfState(model, state);
    if (node === undefined) continue;
    if (node.kind === "cluster") readNodeState(model, node, state);
    else readFencedMark(node, state);
  }
  const passes: Passes = { byHistoryName: new Map(), read: new Set(), stopContainers: [] };
  readHistories(model, childrenOf(status, "node_state"), passes);
  for (const part of passes.stopContainers) stopContainer(model, part);
  finishRemoteNodes(model, passes);
}

function readTickets(model: Model, status: Element): void {
  const section = childOf(status, "tickets");
  for (const state of section === undefined ? [] : childrenOf(section, "ticket_state")) {
    const id = attributeOf(state, "id");
    if (id === undefined) continue;
    model.tickets.set(id, {
      id,
      granted: isTrue(attributeOf(state, "granted")),
      standby: isTrue(attributeOf(state, "standby")),
      lastGranted: parseInteger(attributeOf(state, "last-granted")),
    });
  }
}

function readFencedMark(node: PolicyNode, state: Element): void {
  node.status = state;
  node.wasFenced = (parseInteger(attributeOf(state, "node_fenced")) ?? 0) !== 0;
}

function nodeOfState(model: Model, state: Element): PolicyNode | undefined {
  const id = attributeOf(state, "id");
  return id === undefined ? undefined : nodeByIdOrName(model, id, attributeOf(state, "uname"));
}

/**
 * Passes until nothing more can be read, then a last one (status.md 11.2, 11.3). Nodes are looked up again in every
 * pass: the history of a removed remote connection creates its node on the way.
 */
function readHistories(model: Model, states: readonly Element[], passes: Passes): void {
  const named = states.filter((state) => attributeOf(state, "uname") !== undefined);
  for (let progress = true; progress; ) {
    progress = false;
    for (const state of named) {
      const node = nodeOfState(model, state);
      if (node === undefined || passes.read.has(node) || !mayRead(model, node)) continue;
      readNode(model, node, state, passes);
      progress = true;
    }
  }
  if (!model.options.fencingEnabled) return;
  for (const state of named) {
    const node = nodeOfState(model, state);
    if (node !== undefined && !passes.read.has(node)) readNode(model, node, state, passes);
  }
}

function mayRead(model: Model, node: PolicyNode): boolean {
  const { options } = model;
  if (node.kind === "cluster") return node.online || options.fencingEnabled || options.shutdownLock;
  const connection = node.connection;
  if (connection === null) return false;
  if (node.kind === "guest") return connection.role === ROLE.started && connection.launcher?.role === ROLE.started;
  return connection.role === ROLE.started || options.shutdownLock;
}

function readNode(model: Model, node: PolicyNode, state: Element, passes: Passes): void {
  passes.read.add(node);
  if (node.kind !== "cluster") readRemoteState(model, node, state);
  const formerGuests: Resource[] = [];
  for (const history of resourceHistories(state)) {
    const resource = readHistory(model, node, history, passes);
    if (resource?.removed === true && resource.containerName !== null && resource.launcher === null) formerGuests.push(resource);
  }
  for (const resource of formerGuests) linkFormerGuest(model, resource);
}

/** A removed resource that names a container (status.md 12.6). */
function linkFormerGuest(model: Model, resource: Resource): void {
  const launcher = model.resourcesById.get(resource.containerName ?? "");
  if (launcher !== undefined && launcher.kind === "primitive") setLauncher(model, resource, launcher);
  else if (resource.remoteNode !== null) resource.remoteNode.formerGuest = true;
}

/** One history: entries in order, then the state on the node (status.md 14, 18). */
function readHistory(model: Model, node: PolicyNode, xml: Element, passes: Passes): Resource | null {
  const entries = readEntries(xml, model.featureSet);
  if (entries.length === 0 && !xml.children.some((child) => child.name === "lrm_rsc_op")) return readLockOnly(model, node, xml);
  const resource = matchHistory(model, node, xml, passes.byHistoryName);
  if (resource === null) return null;
  rememberHistory(model, resource, node, xml, entries);
  const before = resource.role;
  resource.role = ROLE.unknown;
  const reading: Reading = { model, resource, node, entries, handling: HANDLING.ignore, lastFailure: null };
  for (const entry of entries) readOutcome(reading, entry);
  settleOnNode(reading, passes);
  noteRunning(reading);
  if (before > resource.role) resource.role = before;
  return resource;
}

/** A history without entries only matters for a shutdown lock (status.md 12.1). */
function readLockOnly(model: Model, node: PolicyNode, xml: Element): null {
  if (!model.options.shutdownLock) return null;
  const resource = model.resourcesById.get(attributeOf(xml, "id") ?? "");
  if (resource !== undefined) rememberHistory(model, resource, node, xml, []);
  return null;
}

function rememberHistory(model: Model, resource: Resource, node: PolicyNode, xml: Element, entries: readonly HistoryEntry[]): void {
  const lock = Math.max(0, parseInteger(attributeOf(xml, "shutdown-lock")) ?? 0);
  const history: ResourceHistory = {
    name: attributeOf(xml, "id") ?? resource.id,
    node,
    xml,
    entries,
    agentClass: attributeOf(xml, "class") ?? null,
    provider: attributeOf(xml, "provider") ?? null,
    type: attributeOf(xml, "type") ?? null,
    shutdownLock: lock,
  };
  resource.histories.set(node, history);
  if (lock > 0 && model.options.shutdownLock) readLock(model, resource, node, lock);
}

/** status.md 24.2. */
function readLock(model: Model, resource: Resource, node: PolicyNode, lock: number): void {
  const limit = model.options.shutdownLockLimitSec;
  if (limit > 0 && model.nowSec > lock + limit) {
    model.needs.push({ kind: "delete-history", resource, node, reason: "lock expired" });
    return;
  }
  resource.lockNode = node;
  resource.lockTimeSec = lock;
}

/** status.md 18.1–18.7. */
function settleOnNode(reading: Reading, passes: Passes): void {
  const { model, resource, node } = reading;
  if (resource.role !== ROLE.unknown) markKnown(resource, node);
  runningOnDeadNode(reading);
  // A node that the handling itself makes unclean does not count (18.4).
  const wasUnclean = node.unclean;
  applyHandling(reading, (part) => passes.stopContainers.push(part));
  if (resource.role > ROLE.stopped) {
    addActiveNode(model, resource, node);
    if (!wasUnclean) markFailed(resource, reading.handling);
  } else if (!forgetInstanceName(resource, passes.byHistoryName)) {
    for (const need of model.needs) if (need.kind === "stop" && need.resource === resource && need.node === node) need.optional = true;
  }
  if (resource.role === ROLE.stopped && resource.partialSource === node && resource.activeNodes.length > 0) resource.role = ROLE.started;
  const fixed = initialNextRole(resource);
  if (fixed !== ROLE.unknown && (resource.nextRole === ROLE.unknown || resource.nextRole > fixed)) resource.nextRole = fixed;
}

/** The resource and its parents, up to and including the first globally unique one (18.1). */
function markKnown(resource: Resource, node: PolicyNode): void {
  resource.knownOn.add(node);
  let at: Resource = resource;
  while (at.parent !== null && !isUniqueHere(at)) {
    at = at.parent;
    at.knownOn.add(node);
  }
}

function isUniqueHere(resource: Resource): boolean {
  if (resource.kind === "clone" || resource.kind === "bundle") return resource.globallyUnique;
  for (let at: Resource | null = resource; at !== null; at = at.parent) if (at.kind === "clone") return at.globallyUnique;
  return true;
}

/** status.md 18.2. */
function runningOnDeadNode(reading: Reading): void {
  const { model, resource, node } = reading;
  if (resource.role <= ROLE.stopped || node.online || node.maintenance || !resource.managed) return;
  if (node.isGuest) {
    markFailedStop(resource);
    fenceNode(model, node, `${resource.id} is thought to be active there`);
  } else if (!model.options.fencingEnabled) return;
  else if (node.kind === "remote" && node.connection !== null && !node.connection.failed) {
    node.seen = false;
    fenceNode(model, node, `${resource.id} is active there (fencing will be revoked if remote connection can be re-established elsewhere)`);
  } else fenceNode(model, node, `${resource.id} is thought to be active there`);
}

function markFailed(resource: Resource, handling: Handling): void {
  if (handling === HANDLING.ignore) return;
  resource.failed = true;
  if (handling !== HANDLING.demote && handling !== HANDLING.block) resource.failedStop = true;
}

/** Recurring operations that are taken as running (status.md 18.9). */
function noteRunning(reading: Reading): void {
  const { entries, node, resource } = reading;
  if (!node.online) return;
  const from = firstRunningIndex(entries);
  for (let at = from; at < entries.length; at++) {
    const entry = entries[at]!;
    if (entry.intervalMs <= 0 || entry.status === STATUS.pending) continue;
    resource.running.push({ node, task: entry.task, intervalMs: entry.intervalMs });
  }
}

/** Position from which entries count as "since the last start" (18.9). */
export function firstRunningIndex(entries: readonly HistoryEntry[]): number {
  let start = -1;
  let rise = -1;
  let stop = -1;
  let monitor = -1;
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at]!;
    if (entry.task === "stop" && entry.rc === RC.ok && entry.status === STATUS.done) {
      stop = at;
      monitor = -1;
    } else if (entry.task === "start" || entry.task === "migrate_from") start = at;
    else if (entry.task === "promote" || entry.task === "demote") rise = at;
    else if (entry.task === "monitor" && monitor < 0 && (entry.rc === RC.ok || entry.rc === RC.promoted)) monitor = at;
  }
  const begin = start >= 0 ? start : rise >= 0 ? rise : monitor;
  return stop > begin ? stop + 1 : Math.max(begin, 0);
}

/** The container of a failed part of a bundle must stop where it runs now. */
function stopContainer(model: Model, part: Resource): void {
  const container = part.launcher;
  const node = container === null ? null : currentNodeOf(container);
  if (container === null || node === null) return;
  needStop(model, container, node, HANDLING.restartContainer);
}

/** status.md 11.5, 10.4. */
function finishRemoteNodes(model: Model, passes: Passes): void {
  if (!model.hasRemoteNodes) return;
  for (const node of model.nodeList) {
    if (node.kind === "cluster") continue;
    if (node.shuttingDown && node.connection !== null) node.connection.nextRole = ROLE.stopped;
    if (!passes.read.has(node)) revise(node);
  }
}
