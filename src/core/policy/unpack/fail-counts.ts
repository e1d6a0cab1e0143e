import { addScores, INFINITY_SCORE, type Score } from "../../base/index.ts";
import { attributeOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { HistoryEntry } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import { readEntries } from "./history.ts";
import { parseScore } from "./values.ts";

export type FailCount = { count: Score; lastFailureSec: number };

/** Fail counts of one node by the name in the attribute (which may contain an instance number). */
type CountsByName = Map<string, FailCount>;

const ATTRIBUTE = /^(fail-count|last-failure)-(.+)#(.+)_(\d+)$/;
const SPECIAL = /[.*+?^${}()|[\]\\]/;

/** All fail counts of a node, or null if there are none: nearly always, and then no resource needs to be asked. */
export function nodeFailCounts(node: PolicyNode): CountsByName | null {
  let counts: CountsByName | null = null;
  for (const [name, value] of node.attributes) {
    if (!name.startsWith("fail-count-") && !name.startsWith("last-failure-")) continue;
    const match = ATTRIBUTE.exec(name);
    if (match === null) continue;
    counts ??= new Map();
    const resource = match[2]!;
    let entry = counts.get(resource);
    if (entry === undefined) {
      entry = { count: 0, lastFailureSec: 0 };
      counts.set(resource, entry);
    }
    const number = parseScore(value, null);
    if (match[1] === "fail-count") entry.count = addScores(entry.count, number ?? 0);
    else entry.lastFailureSec = Math.max(entry.lastFailureSec, Number(/^\d+/.exec(value)?.[0] ?? 0));
  }
  return counts;
}

/** The sum of a resource's own fail counts on a node (status.md 19.1), before expiry. */
export function rawFailCount(resource: Resource, counts: CountsByName): FailCount {
  const name = failureName(resource);
  const result: FailCount = { count: 0, lastFailureSec: 0 };
  const anyInstance = !countsAlone(resource);
  const pattern = SPECIAL.test(name) ? compile(`^${name}${anyInstance ? "(:\\d+)?" : ""}$`) : null;
  for (const [key, entry] of counts) {
    const matches =
      pattern !== null
        ? pattern.test(key)
        : key === name ||
          (anyInstance && key.length > name.length && key.startsWith(`${name}:`) && /^\d+$/.test(key.slice(name.length + 1)));
    if (!matches) continue;
    result.count = addScores(result.count, entry.count);
    result.lastFailureSec = Math.max(result.lastFailureSec, entry.lastFailureSec);
  }
  return result;
}

function compile(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch {
    // A name that is no regular expression can only be meant literally.
    return new RegExp(source.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  }
}

/** Name used in fail counts: that in history, else the id; without instance number unless it counts for itself. */
export function failureName(resource: Resource): string {
  const name = resource.historyName ?? resource.id;
  return countsAlone(resource) ? name : name.replace(/:\d+$/, "");
}

/** Shares no fail counts with other instances. What is removed is taken by its name: whether that holds a number, nobody knows. */
function countsAlone(resource: Resource): boolean {
  return resource.globallyUnique || (resource.removed && resource.parent === null);
}

/**
 * The fail count that acts (status.md 19.3): 0 once `failure-timeout` has passed since the last failure. `only`: while
 * an entry is being checked for expiry only it is looked at for the `on-fail="block"` exception. `withLaunched`: counts
 * of launched resources are added (the threshold check).
 */
export function effectiveFailCount(
  model: Model,
  resource: Resource,
  node: PolicyNode,
  how: { readonly counts?: CountsByName | null; readonly only?: HistoryEntry; readonly withLaunched?: boolean } = {},
): FailCount {
  const counts = how.counts === undefined ? nodeFailCounts(node) : how.counts;
  if (counts === null) return { count: 0, lastFailureSec: 0 };
  const result = rawFailCount(resource, counts);
  if (result.count > 0 && resource.failureTimeoutSec > 0 && blocksExpiry(resource, node, how.only)) {
    resource.failureTimeoutSec = 0;
    model.warnings.push(`failure-timeout of ${resource.id} is ignored: an operation with on-fail=block failed`);
  }
  const timeout = resource.failureTimeoutSec;
  const expired = result.count > 0 && result.lastFailureSec > 0 && timeout > 0 && model.nowSec > result.lastFailureSec + timeout;
  if (expired) result.count = 0;
  if (how.withLaunched === true && resource.launched.length > 0 && resource.inBundle === null) {
    for (const launched of resource.launched) {
      result.count = addScores(result.count, effectiveFailCount(model, launched, node, { counts }).count);
    }
  }
  return result;
}

/** The exception of status.md 19.3: literal XML only. */
function blocksExpiry(resource: Resource, node: PolicyNode, only: HistoryEntry | undefined): boolean {
  const blocking = resource.operations.filter((op) => attributeOf(op.xml, "on-fail") === "block");
  if (blocking.length === 0) return false;
  const history = resource.histories.get(node);
  const entries =
    only !== undefined
      ? [only]
      : history === undefined
        ? []
        : history.entries.length > 0
          ? history.entries
          : readEntries(history.xml, null);
  const name = failureName(resource);
  return entries.some(
    (entry) =>
      blocking.some((op) => op.name === entry.task && op.intervalMs === entry.intervalMs) &&
      (entry.id === `${name}_last_failure_0` ||
        (entry.id === `${name}_${entry.task}_${entry.intervalMs}` && entry.rc !== entry.expectedRc)),
  );
}

/** Whether the effective fail count reaches the threshold and bans the resource from the node (assignment.md 4.27). */
export function reachesThreshold(model: Model, resource: Resource, node: PolicyNode, counts: CountsByName | null): boolean {
  if (counts === null || resource.migrationThreshold === 0 || resource.failureIgnored || resource.clearedOn.has(node)) return false;
  const { count } = effectiveFailCount(model, resource, node, { counts, withLaunched: true });
  return count > 0 && count >= Math.min(resource.migrationThreshold, INFINITY_SCORE);
}
