import type { HistoryEntry } from "../model-history.ts";
import { topOf } from "../model-queries.ts";
import { HANDLING, MINUS_INFINITY, ROLE } from "../model-values.ts";
import { fenceNode, markFailedStop, needStop } from "./fencing.ts";
import { RC } from "./history.ts";
import { migrateFromFailed, migrateToFailed } from "./migration.ts";
import type { FailurePlan } from "./on-fail.ts";
import type { Outcome } from "./outcome.ts";
import { blockResource } from "./presence.ts";
import { isProbe, type Reading, raiseToActive, reportFailure } from "./reading.ts";
import { addScore, addScoreEverywhere, banTarget, replaceByBan } from "./scores.ts";
import { applySuccess } from "./success.ts";

/** A failure that counts as success (status.md 16.3). */
export function ignoreFailure(reading: Reading, entry: HistoryEntry, plan: FailurePlan): void {
  applySuccess(reading, entry, entry.expectedRc ?? RC.ok);
  reading.resource.failureIgnored = true;
  reportFailure(reading, entry, false);
  if (plan.handling === HANDLING.restartContainer && reading.handling <= HANDLING.restart) reading.handling = HANDLING.restartContainer;
}

/** status.md 16.4–16.6. */
export function applyFailure(reading: Reading, entry: HistoryEntry, rc: number, outcome: Outcome, plan: FailurePlan): void {
  const { model, resource, node } = reading;
  const cause = { kind: "failure", id: entry.id, detail: `${entry.task} failed` } as const;
  if (outcome === "agent-missing") {
    if (plan.handling === HANDLING.ignore && reading.handling < HANDLING.ban) reading.handling = HANDLING.ban;
    addScore(banTarget(resource), node, MINUS_INFINITY, cause);
  }
  if (outcome === "not-connected" && node.connection !== null && node.connection.managed) markFailedStop(node.connection);
  reading.lastFailure = entry;
  if (!(rc === RC.notInstalled && !model.options.symmetric)) reportFailure(reading, entry, false);
  if (plan.handling > reading.handling) reading.handling = plan.handling;
  applyByTask(reading, entry, rc, plan);
  if (isProbe(entry) && rc === RC.notInstalled) resource.role = ROLE.stopped;
  else raiseToActive(resource);
  if (plan.roleAfter !== ROLE.started && plan.roleAfter > resource.nextRole) resource.nextRole = plan.roleAfter;
  if (plan.roleAfter === ROLE.stopped) {
    const top = topOf(resource);
    replaceByBan(model, top.kind === "clone" && !top.globallyUnique ? top : resource, cause);
  }
  if (outcome === "hard") addScore(banTarget(resource), node, MINUS_INFINITY, cause);
  else if (outcome === "fatal") addScoreEverywhere(model, banTarget(resource), MINUS_INFINITY, cause);
}

function applyByTask(reading: Reading, entry: HistoryEntry, rc: number, plan: FailurePlan): void {
  const { resource, node } = reading;
  switch (entry.task) {
    case "stop":
      addScore(resource, node, MINUS_INFINITY, { kind: "failure", id: entry.id, detail: "stop failed" });
      return;
    case "migrate_to":
      migrateToFailed(reading, entry);
      return;
    case "migrate_from":
      migrateFromFailed(reading, entry);
      return;
    case "promote":
      resource.role = ROLE.promoted;
      return;
    case "demote":
      if (plan.handling === HANDLING.block) {
        resource.role = ROLE.promoted;
        resource.nextRole = ROLE.stopped;
      } else resource.role = rc === RC.notRunning ? ROLE.stopped : ROLE.unpromoted;
      return;
    default:
  }
}

/** Applies the handling in force after all entries (status.md 16.7). */
export function applyHandling(reading: Reading, stopLater: (launched: Reading["resource"]) => void): void {
  const { node } = reading;
  if (node.unclean) return;
  handle(reading, stopLater);
  markSeenIfConnectionFailed(reading);
}

function handle(reading: Reading, stopLater: (launched: Reading["resource"]) => void): void {
  const { model, resource, node } = reading;
  const wasActive = resource.role > ROLE.stopped;
  switch (reading.handling) {
    case HANDLING.ignore:
      return;
    case HANDLING.demote:
      resource.failed = true;
      model.needs.push({ kind: "demote", resource, node, handling: reading.handling });
      return;
    case HANDLING.fence:
      fenceNode(model, node, `${resource.id} failed there`);
      return;
    case HANDLING.standby:
      node.standby = true;
      node.standbyOnFail = true;
      return;
    case HANDLING.block:
      blockResource(resource);
      return;
    case HANDLING.ban:
      addScore(resource, node, MINUS_INFINITY, { kind: "failure", detail: "on-fail=migrate" });
      return;
    case HANDLING.stop:
      resource.nextRole = ROLE.stopped;
      return;
    case HANDLING.restart:
      if (!wasActive) return;
      markFailedStop(resource);
      needStop(model, resource, node, reading.handling);
      return;
    case HANDLING.restartContainer:
      markFailedStop(resource);
      if (resource.launcher !== null && resource.inBundle !== null) stopLater(resource);
      else if (resource.launcher !== null) needStop(model, resource.launcher, node, reading.handling);
      else if (wasActive) needStop(model, resource, node, reading.handling);
      return;
    case HANDLING.resetRemote:
      resetRemote(reading, wasActive);
  }
}

function resetRemote(reading: Reading, wasActive: boolean): void {
  const { model, resource, node } = reading;
  markFailedStop(resource);
  const remote = resource.remoteNode;
  if (model.options.fencingEnabled && remote !== null && !remote.wasFenced) fenceNode(model, remote, "remote connection is unrecoverable");
  if (wasActive) needStop(model, resource, node, reading.handling);
  if (resource.reconnectIntervalMs > 0) resource.nextRole = ROLE.stopped;
}

/**
 * A failed connection of an unclean remote node, unclean for that failure too, keeps the node from being absolved by its
 * connection's placement (16.9; seen with crm_simulate).
 */
function markSeenIfConnectionFailed(reading: Reading): void {
  const { resource } = reading;
  const remote = resource.remoteNode;
  if (remote !== null && remote.kind === "remote" && remote.unclean && reading.handling !== HANDLING.ignore) remote.seen = true;
}
