import type { HistoryEntry } from "../model-history.ts";
import { addressIsHost, compareDigests } from "./digests.ts";
import { effectiveFailCount } from "./fail-counts.ts";
import { RC, STATUS } from "./history.ts";
import { isProbe, type Reading } from "./reading.ts";
import { noteRecheck } from "./rules.ts";

const NEVER_EXPIRED_PROBES: ReadonlySet<number> = new Set([RC.ok, RC.notRunning, RC.promoted, RC.degraded, RC.degradedPromoted]);

/** Whether an entry has expired, and the fail counts to clear because of it (status.md 19.4). */
export function hasExpired(reading: Reading, entry: HistoryEntry): boolean {
  const { model, resource, node } = reading;
  const isLastFailure = entry.id.endsWith("_last_failure_0");
  const connectionCheck = isConnectionMonitor(reading, entry);
  let clear: string | null = null;
  let expired = false;
  const timeout = resource.failureTimeoutSec;
  if (entry.status === STATUS.notInstalled) return false;
  const counted = timeout > 0 || isLastFailure ? effectiveFailCount(model, resource, node, { only: entry }) : null;
  // The on-fail=block exception may just have switched the timeout off.
  const inForce = resource.failureTimeoutSec;
  if (inForce > 0 && entry.lastRcChange !== null) {
    expired = model.nowSec >= entry.lastRcChange + inForce && !connectionCheck;
    if (counted !== null && counted.count > 0) noteRecheck(model, counted.lastFailureSec + inForce + 1);
  }
  if (expired) {
    const raw = rawCount(reading, entry);
    if (raw > 0) {
      if (counted !== null && counted.count === 0) clear = "it expired";
      else expired = false;
    } else if (isLastFailure && resource.reconnectIntervalMs > 0) clear = "reconnect interval is set";
  }
  if (
    !expired &&
    clear === null &&
    isLastFailure &&
    (entry.task === "start" || entry.task === "monitor") &&
    definitionChanged(reading, entry)
  ) {
    clear = "resource parameters have changed";
  }
  if (clear !== null) clearFailCount(reading, clear);
  return expired && !(isProbe(entry) && NEVER_EXPIRED_PROBES.has(entry.rc));
}

/** A recurring monitor of a connection keeps its failure until the remote node has been fenced (19.4.2). */
function isConnectionMonitor(reading: Reading, entry: HistoryEntry): boolean {
  const { model, resource } = reading;
  if (resource.reconnectIntervalMs <= 0 || resource.remoteNode === null || !model.options.fencingEnabled) return false;
  return entry.task === "monitor" && entry.intervalMs > 0 && !resource.remoteNode.wasFenced;
}

function rawCount(reading: Reading, entry: HistoryEntry): number {
  const { model, resource, node } = reading;
  const timeout = resource.failureTimeoutSec;
  resource.failureTimeoutSec = 0;
  const { count } = effectiveFailCount(model, resource, node, { only: entry });
  resource.failureTimeoutSec = timeout;
  return count;
}

/** Parameters differ from those the failure was seen with (19.4.5). Of managed resources only. */
function definitionChanged(reading: Reading, entry: HistoryEntry): boolean {
  const { model, resource, node } = reading;
  if (!resource.managed || addressIsHost(model, resource)) return false;
  const finding = compareDigests(model, resource, entry, node);
  return finding === "mismatch" || finding === "restart";
}

/** Plans the clearing of fail counts; it suppresses the threshold check on that node (19.6). */
export function clearFailCount(reading: Reading, reason: string): void {
  const { model, resource, node } = reading;
  if (resource.clearedOn.has(node)) return;
  resource.clearedOn.add(node);
  model.needs.push({ kind: "clear-fail-count", resource, node, reason });
}
