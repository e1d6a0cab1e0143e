import { formatScore, INFINITY_SCORE } from "../base/index.ts";
import type { Command, HistorySelection } from "./commands.ts";
import { failCountNames } from "./history.ts";
import { dropCoverage, KEEPING_ATTRIBUTE } from "./kept.ts";
import { accepted, type Change, refused, withNode } from "./outcome.ts";
import { ATTRIBUTES_MAX, type CibState, type NodeStatus, type ResourceHistory } from "./state.ts";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** They say what may run on a node at all, or that it has to go. Others only weigh places against each other. */
const COMMANDING: ReadonlySet<string> = new Set(["standby", KEEPING_ATTRIBUTE, "shutdown", "terminate"]);

/** Transient attributes: they end with the incarnation of the node. */
export function applyAttributes(state: CibState, command: Of<"attribute.set">): Change {
  let next = state;
  let voidsPlans = false;
  let mayKeep = false;
  for (const change of command.changes) {
    const node = next.nodes.get(change.node);
    if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${change.node}`);
    const before = node.attributes.get(change.name);
    if ((before ?? null) === change.value) continue;
    if (change.value !== null && before === undefined && node.attributes.size >= ATTRIBUTES_MAX) {
      return refused("LIMIT_EXCEEDED", `at most ${ATTRIBUTES_MAX} attributes on one node`);
    }
    const attributes = change.value === null ? node.attributes.delete(change.name) : node.attributes.set(change.name, change.value);
    next = withNode(next, { ...node, attributes });
    voidsPlans ||= COMMANDING.has(change.name);
    mayKeep ||= change.name === KEEPING_ATTRIBUTE;
  }
  return accepted(mayKeep ? dropCoverage(next) : next, { voidsPlans, datesPlans: next !== state });
}

/** `cleanup` and `refresh` (policy/status.md 19.6): forgotten history is probed again; fail counts go with it. */
export function applyHistoryDelete(state: CibState, selection: HistorySelection): Change {
  if (selection.node !== null && !state.nodes.has(selection.node)) {
    return refused("NODE_UNKNOWN", `there is no node ${selection.node}`);
  }
  let next = state;
  let removed = 0;
  for (const node of state.nodes.values()) {
    if (selection.node !== null && node.name !== selection.node) continue;
    const cleaned = cleanNode(node, selection);
    if (cleaned === null) continue;
    removed += 1;
    next = withNode(next, cleaned);
  }
  return accepted({ ...next, policyFailure: null }, { voidsPlans: true, value: removed });
}

function cleanNode(node: NodeStatus, selection: HistorySelection): NodeStatus | null {
  let history = node.history;
  for (const entry of node.history.values()) {
    if (selection.resource !== null && entry.resource !== selection.resource) continue;
    if (selection.scope === "failures" && !hasFailure(node, entry, selection)) continue;
    // Only the operations go; what is needed to stop the resource at the deadline and to repeat its monitors stays
    // until the new probe tells otherwise.
    history = history.set(entry.resource, { ...entry, operations: entry.operations.delete(`${entry.resource}_last_failure_0`) });
    if (selection.operation !== null) continue;
    history = entry.active ? history.set(entry.resource, forgotten(entry)) : history.delete(entry.resource);
  }
  let attributes = node.attributes;
  for (const name of failCountNames(node, selection.resource, selection.operation, selection.intervalMs)) {
    attributes = attributes.delete(name);
  }
  if (history === node.history && attributes === node.attributes) return null;
  return { ...node, history, attributes };
}

function forgotten(entry: ResourceHistory): ResourceHistory {
  let operations = entry.operations;
  for (const id of entry.operations.keys()) operations = operations.delete(id);
  return { ...entry, operations };
}

function hasFailure(node: NodeStatus, entry: ResourceHistory, selection: HistorySelection): boolean {
  if (failCountNames(node, entry.resource, selection.operation, selection.intervalMs).length > 0) return true;
  for (const record of entry.operations.values()) {
    const failed = record.status !== 0 || record.rc !== record.expectedRc;
    const asked = selection.operation === null || record.operation === selection.operation;
    if (failed && asked) return true;
  }
  return false;
}

export function applyFailCount(state: CibState, command: Of<"failcount.set">): Change {
  const node = state.nodes.get(command.node);
  if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${command.node}`);
  let attributes = node.attributes;
  if (command.value === 0) {
    for (const name of failCountNames(node, command.resource, command.operation, command.intervalMs)) attributes = attributes.delete(name);
  } else {
    if (command.operation === null || command.intervalMs === null) {
      return refused("CIB_INVALID", "a fail count other than 0 belongs to one operation and interval");
    }
    const suffix = `${command.resource}#${command.operation}_${command.intervalMs}`;
    const value = formatScore(Math.min(Math.max(Math.floor(command.value), 0), INFINITY_SCORE));
    attributes = attributes.set(`fail-count-${suffix}`, value).set(`last-failure-${suffix}`, String(Math.floor(state.clockMs / 1000)));
  }
  return accepted(withNode(state, { ...node, attributes }), { voidsPlans: true });
}
