import type { HistoryEntry, ResourceHistory } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import { cloneOf, primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { EFFECT } from "./action.ts";
import { planClear } from "./needs.ts";
import type { Planner } from "./planner.ts";
import { requestCancel } from "./recurring.ts";
import { compareDefinition, effectiveFailCount } from "./services.ts";
import { mayUnfence, requireUnfencing, unfencingDevices } from "./unfencing.ts";

const COMPARED = new Set(["start", "promote", "monitor", "migrate_from"]);

/** Step 4: node by node, history by history (A10-A14). */
export function checkDefinitions(planner: Planner): void {
  const index = resourcesByNode(planner);
  for (const node of planner.model.nodeList) {
    if (!node.maintenance && !node.available) continue;
    for (const resource of index.get(node) ?? []) {
      const history = resource.histories.get(node);
      if (history !== undefined) checkHistory(planner, resource, history);
    }
  }
}

/**
 * Resources with history on a node. Kept nowhere: the value of a `WeakMap` lives until the whole heap is collected, and
 * this one holds the model.
 */
function resourcesByNode(planner: Planner): ReadonlyMap<PolicyNode, readonly Resource[]> {
  const index = new Map<PolicyNode, Resource[]>();
  for (const resource of planner.model.primitives) {
    for (const at of resource.histories.keys()) {
      const list = index.get(at);
      if (list === undefined) index.set(at, [resource]);
      else list.push(resource);
    }
  }
  return index;
}

function checkHistory(planner: Planner, resource: Resource, history: ResourceHistory): void {
  const { node } = history;
  if (isOfOtherAgent(resource, history)) for (const sharing of sharingHistory(resource, history)) replaceAgent(planner, sharing, node);
  // Of another agent's entries, too, the recurring ones that are not wanted any more are cancelled (seen with crm_simulate).
  if (!resource.removed && resource.activeNodes.includes(node)) checkEntries(planner, resource, history, false);
}

/** The history of an anonymous instance is that of each of them: each asks for its own (seen with crm_simulate). */
function sharingHistory(resource: Resource, { name }: ResourceHistory): readonly Resource[] {
  const clone = cloneOf(resource);
  if (clone === null || clone.globallyUnique) return resource.removed ? [] : [resource];
  return [...primitivesOf(clone)].filter(
    (one) => !one.removed && one.configId === resource.configId && [one.historyName, one.id].includes(name),
  );
}

/** Step 6: connections whose address is known only after assignment. */
export function checkDeferred(planner: Planner): void {
  for (const resource of planner.model.primitives) {
    if (!resource.isRemoteConnection || resource.inBundle === null) continue;
    for (const history of resource.histories.values()) {
      const { node } = history;
      if ((node.maintenance || node.available) && resource.activeNodes.includes(node)) checkEntries(planner, resource, history, true);
    }
  }
}

function isOfOtherAgent(resource: Resource, { agentClass, provider, type }: ResourceHistory): boolean {
  return (
    (agentClass !== null && agentClass !== resource.agentClass) ||
    (provider ?? "") !== (resource.provider ?? "") ||
    (type !== null && type !== resource.type)
  );
}

/** A10: what another agent left there goes, and what it runs there stops, to start wherever it may (seen with crm_simulate). */
function replaceAgent(planner: Planner, resource: Resource, node: PolicyNode): void {
  if (!resource.failed && node.online && !node.unclean) planner.request({ resource, task: "delete", node, optional: false });
  if (resource.activeNodes.includes(node)) {
    planner.request({ resource, task: "stop", node, optional: false });
    planner.request({ resource, task: "start", node: null, optional: false });
  }
  requireForDevice(planner, resource, node, "Device definition changed");
}

/** Position of the last start and whether a stop follows it: only what ran since then counts. */
function sinceStart(entries: readonly HistoryEntry[]): number | null {
  let start = -1;
  let stop = -1;
  let implied = -1;
  entries.forEach((entry, at) => {
    if (entry.task === "stop" && entry.status === 0) stop = at;
    else if (entry.task === "start" || entry.task === "migrate_from") start = at;
    else if (implied <= stop && entry.task === "monitor" && (entry.rc === 0 || entry.rc === 8)) implied = at;
    else if (entry.task === "promote" || entry.task === "demote") implied = at;
  });
  if (start < 0) start = implied;
  if (start < stop) return null;
  return Math.max(start, 0);
}

function checkEntries(planner: Planner, resource: Resource, history: ResourceHistory, deferred: boolean): void {
  const from = sinceStart(history.entries);
  if (from === null) return;
  const { node } = history;
  let changed = false;
  for (const entry of history.entries.slice(from)) {
    if (entry.intervalMs > 0) {
      const finding = checkRecurring(planner, resource, node, entry, deferred);
      if (finding) changed = true;
    } else if (COMPARED.has(entry.task)) {
      if (compareEntry(planner, resource, node, entry, deferred)) changed = true;
    }
  }
  if (changed && effectiveFailCount(planner.model, resource, node) > 0) {
    planClear(planner, planner.request({ resource, task: "clear_failcount", node, optional: false, reason: "action definition changed" }));
  }
}

/** Whether the entry changed or is cancelled (A13, A14). */
function checkRecurring(planner: Planner, resource: Resource, node: PolicyNode, entry: HistoryEntry, deferred: boolean): boolean {
  if (resource.maintenance || node.maintenance) {
    cancelRecorded(planner, resource, node, entry);
    return false;
  }
  const configured = resource.operations.filter((one) => one.name === entry.task && one.intervalMs === entry.intervalMs);
  if (configured.some((one) => one.enabled)) return compareEntry(planner, resource, node, entry, deferred);
  if (!planner.model.options.cancelRemovedActions) return false;
  cancelRecorded(planner, resource, node, entry);
  return true;
}

function cancelRecorded(planner: Planner, resource: Resource, node: PolicyNode, entry: HistoryEntry): void {
  const callId = entry.callId === null ? null : String(entry.callId);
  const cancel = requestCancel(planner, resource, entry.task, entry.intervalMs, node, callId);
  planner.addRelation({ resource, key: "stop_0" }, cancel, EFFECT.seq);
}

/** A11. Returns whether anything differs. */
function compareEntry(planner: Planner, resource: Resource, node: PolicyNode, entry: HistoryEntry, deferred: boolean): boolean {
  const finding = compareDefinition(planner.model, resource, node, entry, deferred);
  switch (finding) {
    case "equal":
      return false;
    case "restart":
      forceRestart(planner, resource, node);
      return true;
    case "unknown":
    case "mismatch":
      if (entry.intervalMs > 0) reschedule(planner, resource, node, entry);
      else if (entry.restartDigest !== null) reload(planner, resource, node);
      else if (finding === "mismatch") forceRestart(planner, resource, node);
      else return false;
      return true;
  }
}

function forceRestart(planner: Planner, resource: Resource, node: PolicyNode): void {
  // Without a node: wherever the resource is going to start, that start is needed (A11, section 1).
  const start = planner.request({ resource, task: "start", node: null, optional: false });
  start.reason = "resource definition change";
  requireForDevice(planner, resource, node, "Device parameters changed");
}

function reschedule(planner: Planner, resource: Resource, node: PolicyNode, entry: HistoryEntry): void {
  planner.request({ resource, task: entry.task, intervalMs: entry.intervalMs, node, optional: true });
  resource.rescheduled.add(`${entry.task}_${entry.intervalMs}@${node.name}`);
  requireForDevice(planner, resource, node, "Device parameters changed (reschedule)");
}

function reload(planner: Planner, resource: Resource, node: PolicyNode): void {
  if (!resource.managed || resource.failed) return;
  if (resource.startPending) {
    planner.request({ resource, task: "stop", node, optional: false });
    return;
  }
  const action = planner.request({ resource, task: "reload-agent", node, optional: false });
  action.reason = "resource definition change";
  requireForDevice(planner, resource, node, "Device parameters changed (reload)");
}

/** Nodes may have been unfenced by a device that has changed: once more, on this node or, if unfit, on all fit ones. */
function requireForDevice(planner: Planner, resource: Resource, node: PolicyNode, reason: string): void {
  if (!resource.isFenceDevice || !unfencingDevices(planner).includes(resource)) return;
  if (mayUnfence(node)) {
    requireUnfencing(planner, node, reason);
    return;
  }
  for (const other of planner.model.nodeList) if (resource.table.has(other.index)) requireUnfencing(planner, other, reason);
}
