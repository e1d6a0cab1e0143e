import { attributeOf, childOf, childrenOf, type Element } from "../../cib/index.ts";
import type { HistoryEntry } from "../model-history.ts";
import { parseInteger, plainDigits } from "./values.ts";

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

/**
 * One `lrm_rsc_op`. What every run looks at is read at once, the rest at the first question: a large cluster has tens of
 * thousands of entries, and of most nobody asks for the digests.
 */
class RecordedEntry implements HistoryEntry {
  readonly xml: Element;
  readonly id: string;
  readonly task: string;
  readonly intervalMs: number;
  readonly callId: number | null;
  readonly rc: number;
  readonly status: number;
  readonly position: number;
  private readonly cibFeatureSet: string | null;

  constructor(xml: Element, read: { id: string; task: string; rc: number; status: number; position: number; featureSet: string | null }) {
    this.xml = xml;
    this.id = read.id;
    this.task = read.task;
    this.intervalMs = parseInteger(attributeOf(xml, "interval")) ?? 0;
    this.callId = parseInteger(attributeOf(xml, "call-id"));
    this.rc = read.rc;
    this.status = read.status;
    this.position = read.position;
    this.cibFeatureSet = read.featureSet;
  }

  private text(name: string): string | null {
    return attributeOf(this.xml, name) ?? null;
  }

  get key(): string {
    return this.text("operation_key") ?? this.id;
  }

  get expectedRc(): number | null {
    return expectedOf(this.transitionKey);
  }

  get transitionKey(): string | null {
    return this.text("transition-key");
  }

  get transitionMagic(): string | null {
    return this.text("transition-magic");
  }

  get lastRcChange(): number | null {
    return parseInteger(attributeOf(this.xml, "last-rc-change"));
  }

  get exitReason(): string | null {
    return this.text("exit-reason");
  }

  get digest(): string | null {
    return this.text("op-digest");
  }

  get restartDigest(): string | null {
    return this.text("op-restart-digest");
  }

  get restartParameters(): string | null {
    return this.text("op-force-restart");
  }

  get secureDigest(): string | null {
    return this.text("op-secure-digest");
  }

  get secureParameters(): string | null {
    return this.text("op-secure-params");
  }

  get featureSet(): string | null {
    return this.text("crm_feature_set") ?? this.cibFeatureSet;
  }

  get migrateSource(): string | null {
    return this.text("migrate_source");
  }

  get migrateTarget(): string | null {
    return this.text("migrate_target");
  }

  get onNode(): string | null {
    return this.text("on_node");
  }
}

/** Reads one `lrm_rsc_op`; null if it is to be ignored (status.md 13.2). */
export function readEntry(xml: Element, featureSet: string | null, position: number): HistoryEntry | null {
  const id = attributeOf(xml, "id");
  const task = attributeOf(xml, "operation");
  if (id === undefined || task === undefined || !KNOWN_TASKS.has(task)) return null;
  const rc = parseInteger(attributeOf(xml, "rc-code"));
  const status = parseInteger(attributeOf(xml, "op-status"));
  if (rc === null || rc < 0 || rc > 255) return null;
  if (status === null || status < STATUS.pending || status > STATUS.noSecrets || status === STATUS.cancelled) return null;
  return new RecordedEntry(xml, { id, task, rc, status, position, featureSet });
}

export type TransitionKey = { readonly action: number; readonly transition: number; readonly expected: number; readonly uuid: string };

/** `ACTION:TRANSITION:EXPECTED:UUID`; null if undecodable. */
export function decodeKey(text: string | null): TransitionKey | null {
  if (text === null) return null;
  const match = /^(-?\d+):(-?\d+):(-?\d+):(.+)$/.exec(text);
  if (match === null) return null;
  return { action: Number(match[1]), transition: Number(match[2]), expected: Number(match[3]), uuid: match[4]! };
}

/** The expected code of a key as `decodeKey` reads it; the usual form without its cost, because every result is judged by it. */
function expectedOf(text: string | null): number | null {
  if (text === null) return null;
  const first = text.indexOf(":");
  const second = text.indexOf(":", first + 1);
  const third = text.indexOf(":", second + 1);
  if (first > 0 && second > first && third > second && third < text.length - 1) {
    const expected = plainDigits(text, second + 1, third);
    if (plainDigits(text, 0, first) >= 0 && plainDigits(text, first + 1, second) >= 0 && expected >= 0) return expected;
  }
  return decodeKey(text)?.expected ?? null;
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
