import { attributeOf, childOf, childrenOf, type Element } from "../../cib/index.ts";
import type { HistoryEntry } from "../model-history.ts";
import { parseInteger } from "./values.ts";

/** Operations whose entries mean something (status.md 13.2). */
const KNOWN_TASKS: ReadonlySet<string> = new Set([
  "monitor",
  "start",
  "stop",
  "promote",
  "demote",
  "migrate_to",
  "migrate_from",
  "asyncmon",
]);

export const RC = {
  ok: 0,
  generic: 1,
  invalid: 2,
  unimplemented: 3,
  privileges: 4,
  notInstalled: 5,
  notConfigured: 6,
  notRunning: 7,
  promoted: 8,
  failedPromoted: 9,
  degraded: 190,
  degradedPromoted: 191,
  pending: 193,
} as const;

export const STATUS = {
  pending: -1,
  done: 0,
  cancelled: 1,
  timeout: 2,
  notSupported: 3,
  error: 4,
  hard: 5,
  fatal: 6,
  notInstalled: 7,
  notConnected: 8,
  invalid: 9,
  noFenceDevice: 10,
  noSecrets: 11,
} as const;

/** Reads one `lrm_rsc_op`; null if it is to be ignored (status.md 13.2). */
export function readEntry(xml: Element, featureSet: string | null, position: number): HistoryEntry | null {
  const id = attributeOf(xml, "id");
  const task = attributeOf(xml, "operation");
  if (id === undefined || task === undefined || !KNOWN_TASKS.has(task)) return null;
  const rc = parseInteger(attributeOf(xml, "rc-code"));
  const status = parseInteger(attributeOf(xml, "op-status"));
  if (rc === null || rc < 0 || rc > 255) return null;
  if (status === null || status < STATUS.pending || status > STATUS.noSecrets || status === STATUS.cancelled) return null;
  const transitionKey = attributeOf(xml, "transition-key") ?? null;
  return {
    xml,
    id,
    task,
    intervalMs: parseInteger(attributeOf(xml, "interval")) ?? 0,
    key: attributeOf(xml, "operation_key") ?? id,
    callId: parseInteger(attributeOf(xml, "call-id")),
    rc,
    status,
    expectedRc: decodeKey(transitionKey)?.expected ?? null,
    transitionKey,
    transitionMagic: attributeOf(xml, "transition-magic") ?? null,
    lastRcChange: parseInteger(attributeOf(xml, "last-rc-change")),
    exitReason: attributeOf(xml, "exit-reason") ?? null,
    digest: attributeOf(xml, "op-digest") ?? null,
    restartDigest: attributeOf(xml, "op-restart-digest") ?? null,
    restartParameters: attributeOf(xml, "op-force-restart") ?? null,
    secureDigest: attributeOf(xml, "op-secure-digest") ?? null,
    secureParameters: attributeOf(xml, "op-secure-params") ?? null,
    featureSet: attributeOf(xml, "crm_feature_set") ?? featureSet,
    migrateSource: attributeOf(xml, "migrate_source") ?? null,
    migrateTarget: attributeOf(xml, "migrate_target") ?? null,
    onNode: attributeOf(xml, "on_node") ?? null,
    position,
  };
}

export type TransitionKey = { readonly action: number; readonly transition: number; readonly expected: number; readonly uuid: string };

/** `ACTION:TRANSITION:EXPECTED:UUID`; null if undecodable. */
export function decodeKey(text: string | null): TransitionKey | null {
  if (text === null) return null;
  const match = /^(-?\d+):(-?\d+):(-?\d+):(.+)$/.exec(text);
  if (match === null) return null;
  return { action: Number(match[1]), transition: Number(match[2]), expected: Number(match[3]), uuid: match[4]! };
}

function decodeMagic(text: string | null): TransitionKey | null {
  if (text === null) return null;
  const match = /^-?\d+:-?\d+;(.*)$/s.exec(text);
  return match === null ? null : decodeKey(match[1]!);
}

/** All usable entries of a history, oldest first (status.md 13.4: ties keep the reverse of document order). */
export function readEntries(history: Element, featureSet: string | null): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  let position = 0;
  for (const child of history.children) {
    if (child.name !== "lrm_rsc_op") continue;
    const entry = readEntry(child, featureSet, position++);
    if (entry !== null) entries.push(entry);
  }
  entries.reverse();
  return entries.length < 2 ? entries : entries.sort((a, b) => compareEntries(a, b));
}

/**
 * Which of two entries is older: negative if `a` is (status.md 13.4). A missing `on_node` counts as equal within one
 * history (`strict` false); between histories of two nodes only if both lack it, as simulated cleaned-up probes show.
 */
export function compareEntries(a: HistoryEntry, b: HistoryEntry, strict = false): number {
  const left = a.onNode?.toLowerCase() ?? null;
  const right = b.onNode?.toLowerCase() ?? null;
  const sameNode = left === right || (!strict && (left === null || right === null));
  if (a.id === b.id && sameNode) return 0;
  const callA = a.callId ?? -1;
  const callB = b.callId ?? -1;
  if (callA === -1 && callB === -1) return 0;
  if (callA >= 0 && callB >= 0) {
    if (sameNode && callA !== callB) return callA < callB ? -1 : 1;
    if (a.lastRcChange === null || b.lastRcChange === null) return 0;
    return a.lastRcChange < b.lastRcChange ? -1 : a.lastRcChange > b.lastRcChange ? 1 : 0;
  }
  return comparePending(a, b, callA === -1);
}

/** One of the two is pending: the transitions they belong to decide. */
function comparePending(a: HistoryEntry, b: HistoryEntry, aPending: boolean): number {
  const keyA = decodeMagic(a.transitionMagic);
  const keyB = decodeMagic(b.transitionMagic);
  if (keyA === null || keyB === null) return 0;
  if (keyA.uuid !== keyB.uuid || keyA.transition === keyB.transition) return aPending ? 1 : -1;
  if (keyA.transition === -1 || (keyB.transition !== -1 && keyA.transition > keyB.transition)) return 1;
  return -1;
}

/** Every resource history of the status section by node name and resource id, for interrupted migrations (status.md 17.2). */
export type HistoryIndex = {
  readonly find: (resource: string, node: string) => readonly HistoryEntry[];
};

export function indexHistories(status: Element | undefined, featureSet: string | null): HistoryIndex {
  const byNode = new Map<string, Map<string, Element>>();
  const entries = new Map<Element, readonly HistoryEntry[]>();
  for (const state of status === undefined ? [] : childrenOf(status, "node_state")) {
    const name = attributeOf(state, "uname");
    const resources = resourceHistories(state);
    if (name === undefined || resources.length === 0) continue;
    const byResource = byNode.get(name) ?? new Map<string, Element>();
    for (const history of resources) {
      const id = attributeOf(history, "id");
      if (id !== undefined && !byResource.has(id)) byResource.set(id, history);
    }
    byNode.set(name, byResource);
  }
  return {
    find(resource, node) {
      const history = byNode.get(node)?.get(resource);
      if (history === undefined) return [];
      let read = entries.get(history);
      if (read === undefined) {
        read = readEntries(history, featureSet);
        entries.set(history, read);
      }
      return read;
    },
  };
}

/** The `lrm_resource` elements of a node state, in document order. */
export function resourceHistories(state: Element): readonly Element[] {
  const lrm = childOf(state, "lrm");
  const list = lrm === undefined ? undefined : childOf(lrm, "lrm_resources");
  return list === undefined ? [] : childrenOf(list, "lrm_resource");
}
