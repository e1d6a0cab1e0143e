import type { HistoryEntry } from "../model-history.ts";
import { HANDLING, MINUS_INFINITY, ROLE } from "../model-values.ts";
import { hasExpired } from "./expiry.ts";
import { applyFailure, ignoreFailure } from "./failure.ts";
import { canFence, needStop } from "./fencing.ts";
import { RC, STATUS } from "./history.ts";
import { nodeByName } from "./nodes.ts";
import { failurePlan } from "./on-fail.ts";
import { blockResource } from "./presence.ts";
import { isProbe, type Reading, raiseToActive, reportFailure } from "./reading.ts";
import { addScore, banTarget } from "./scores.ts";
import { applySuccess } from "./success.ts";

/** What an entry comes to (status.md 14.4, 14.5). */
export type Outcome = "pending" | "success" | "failure" | "hard" | "fatal" | "agent-missing" | "not-connected";

/** Reads one entry: from result to effect on the resource (status.md 14.1). */
export function readOutcome(reading: Reading, entry: HistoryEntry): void {
  const expired = hasExpired(reading, entry);
  const rc = entry.rc === RC.degraded ? RC.ok : entry.rc === RC.degradedPromoted ? RC.promoted : entry.rc;
  if (rc !== entry.rc && !expired) reportFailure(reading, entry, false);
  const maskable = isMaskable(reading, entry, rc);
  if (expired && rc !== entry.expectedRc && ignoreExpired(reading, entry, maskable)) return;
  if (maskable) {
    maskFailure(reading, entry);
    return;
  }
  const outcome = outcomeOf(reading, entry, rc, expired);
  switch (outcome) {
    case "pending":
      applyPending(reading, entry);
      return;
    case "success":
      applySuccess(reading, entry, rc);
      return;
    default: {
      const plan = failurePlan(reading.model, reading.resource, entry.task, entry.intervalMs);
      const pretend = plan.handling === HANDLING.ignore || (plan.handling === HANDLING.restartContainer && entry.task === "stop");
      if (pretend && outcome !== "agent-missing") ignoreFailure(reading, entry, plan);
      else applyFailure(reading, entry, rc, outcome, plan);
    }
  }
}

/** A probe that cannot find the agent or its tools means "not running" (status.md 14.3). */
function isMaskable(reading: Reading, entry: HistoryEntry, rc: number): boolean {
  if (!isProbe(entry) || reading.resource.inBundle !== null) return false;
  if (entry.status === STATUS.notInstalled) return true;
  return (entry.status === STATUS.done || entry.status === STATUS.error) && (rc === RC.notInstalled || rc === RC.invalid);
}

function maskFailure(reading: Reading, entry: HistoryEntry): void {
  const { resource, node } = reading;
  resource.role = ROLE.stopped;
  reading.handling = HANDLING.ignore;
  resource.nextRole = ROLE.unknown;
  reportFailure(reading, entry, true);
  addScore(banTarget(resource), node, MINUS_INFINITY, { kind: "failure", id: entry.id, detail: "probe failed" });
}

/** Effects of expiry (status.md 19.5); true: the entry is done with. */
function ignoreExpired(reading: Reading, entry: HistoryEntry, maskable: boolean): boolean {
  const { model, resource, node } = reading;
  if (maskable) {
    if (resource.role <= ROLE.stopped) resource.role = ROLE.unknown;
    return true;
  }
  if (entry.intervalMs === 0) return true;
  if (!node.online || node.unclean) return false;
  if (isKnownToRun(reading, entry)) return true;
  resource.rescheduled.add(`${entry.task}_${entry.intervalMs}@${node.name}`);
  model.needs.push({ kind: "reschedule", resource, node, task: entry.task, intervalMs: entry.intervalMs });
  return true;
}

/** Since its last start the resource has had a success of the same operation, with the same parameters: it goes on. */
function isKnownToRun({ entries }: Reading, failed: HistoryEntry): boolean {
  const earlier = entries.slice(0, entries.indexOf(failed));
  const sinceStart = earlier.slice(earlier.findLastIndex(({ task }) => task === "start") + 1);
  return sinceStart.some(
    ({ task, intervalMs, rc, expectedRc, digest }) =>
      task === failed.task && intervalMs === failed.intervalMs && rc === expectedRc && digest !== null && digest === failed.digest,
  );
}

function outcomeOf(reading: Reading, entry: HistoryEntry, rc: number, expired: boolean): Outcome {
  switch (entry.status) {
    case STATUS.pending:
      return "pending";
    case STATUS.noFenceDevice:
    case STATUS.noSecrets:
    case STATUS.hard:
      return "hard";
    case STATUS.fatal:
      return "fatal";
    case STATUS.notInstalled:
      return "agent-missing";
    case STATUS.notConnected:
      return "not-connected";
    case STATUS.timeout:
    case STATUS.notSupported:
    case STATUS.invalid:
      return "failure";
    default:
      return judgeResult(reading, entry, rc, expired);
  }
}

/** status.md 14.5. */
function judgeResult(reading: Reading, entry: HistoryEntry, rc: number, expired: boolean): Outcome {
  const { resource } = reading;
  const expected = entry.expectedRc;
  const plain: Outcome = expected !== null && rc === expected ? "success" : "failure";
  const probe = isProbe(entry);
  switch (rc) {
    case RC.ok:
      return probe && expected === RC.notRunning ? "success" : plain;
    case RC.notRunning:
      if (!probe && expected !== rc && resource.managed) return plain;
      resource.role = ROLE.stopped;
      reading.handling = HANDLING.ignore;
      resource.nextRole = ROLE.unknown;
      return "success";
    case RC.promoted:
      if (!expired || rc === expected) resource.role = ROLE.promoted;
      return probe && rc !== expected ? "success" : plain;
    case RC.failedPromoted:
      if (!expired) resource.role = ROLE.promoted;
      return "failure";
    case RC.notConfigured:
      return "fatal";
    case RC.unimplemented:
      if (entry.intervalMs > 0) return "failure";
      blockFailedStop(reading, entry, expired);
      return "hard";
    case RC.invalid:
    case RC.privileges:
    case RC.notInstalled:
      blockFailedStop(reading, entry, expired);
      return "hard";
    default:
      // "Done" with a code that means neither running nor stopped is a failure even where it was expected.
      return entry.status === STATUS.done ? "failure" : plain;
  }
}

/** A stop that failed for good on a node that cannot be fenced leaves nothing to be done (14.5.3). */
function blockFailedStop(reading: Reading, entry: HistoryEntry, expired: boolean): void {
  if (entry.task === "stop" && !expired && !canFence(reading.model, reading.node)) blockResource(reading.resource);
}

/** status.md 15.4. */
function applyPending(reading: Reading, entry: HistoryEntry): void {
  const { model, resource, node, lastFailure } = reading;
  if (
    lastFailure !== null &&
    lastFailure.task === entry.task &&
    lastFailure.intervalMs === entry.intervalMs &&
    (lastFailure.lastRcChange ?? 0) >= (entry.lastRcChange ?? 0)
  ) {
    return;
  }
  if (entry.task === "start") {
    resource.startPending = true;
    raiseToActive(resource);
  } else if (entry.task === "promote") resource.role = ROLE.promoted;
  else if (entry.task === "migrate_to" && node.unclean) {
    const target = entry.migrateTarget === null ? undefined : nodeByName(model, entry.migrateTarget);
    if (target !== undefined) {
      needStop(model, resource, target, HANDLING.ignore);
    }
  }
  if (!isProbe(entry)) resource.pending ??= { task: entry.task, intervalMs: entry.intervalMs, node };
}
