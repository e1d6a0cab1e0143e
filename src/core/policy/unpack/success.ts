import type { HistoryEntry } from "../model-history.ts";
import { HANDLING, ROLE } from "../model-values.ts";
import { RC } from "./history.ts";
import { migrateToSucceeded } from "./migration.ts";
import { clearHandling, type Reading, raiseToActive } from "./reading.ts";

/** Effect of a successful, or pretended successful, result (status.md 15.1). */
export function applySuccess(reading: Reading, entry: HistoryEntry, rc: number): void {
  const { resource } = reading;
  if (rc === RC.notInstalled) {
    resource.role = ROLE.stopped;
    return;
  }
  if (rc === RC.notRunning) {
    clearHandling(reading);
    return;
  }
  switch (entry.task) {
    case "monitor":
      raiseToActive(resource);
      if (reading.lastFailure !== null && reading.lastFailure.key === entry.key) clearHandling(reading);
      return;
    case "start":
    case "migrate_from":
      resource.role = ROLE.started;
      clearHandling(reading);
      return;
    case "stop":
      resource.role = ROLE.stopped;
      clearHandling(reading);
      return;
    case "promote":
      resource.role = ROLE.promoted;
      clearHandling(reading);
      return;
    case "demote":
      resource.role = ROLE.unpromoted;
      if (reading.handling === HANDLING.demote) clearHandling(reading);
      return;
    case "migrate_to":
      migrateToSucceeded(reading, entry);
      return;
    default:
      raiseToActive(resource);
  }
}
