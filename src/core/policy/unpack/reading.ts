import type { Model } from "../model.ts";
import type { HistoryEntry } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import { topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { HANDLING, type Handling, ROLE, type Role } from "../model-values.ts";

/** What evolves while the entries of one history are read (status.md 14). */
export type Reading = {
  readonly model: Model;
  readonly resource: Resource;
  readonly node: PolicyNode;
  readonly entries: readonly HistoryEntry[];
  /** The severest handling still in force. */
  handling: Handling;
  lastFailure: HistoryEntry | null;
};

export function isProbe(entry: HistoryEntry): boolean {
  return entry.task === "monitor" && entry.intervalMs === 0;
}

/** The role of a resource known to be active (status.md 15.2). */
export function activeRole(resource: Resource): Role {
  return topOf(resource).promotable ? ROLE.unpromoted : ROLE.started;
}

export function raiseToActive(resource: Resource): void {
  if (resource.role < ROLE.started) resource.role = activeRole(resource);
}

/** Ends a handling that a success ends (status.md 15.3). */
export function clearHandling(reading: Reading): void {
  const { resource } = reading;
  switch (reading.handling) {
    case HANDLING.ignore:
    case HANDLING.demote:
    case HANDLING.restart:
    case HANDLING.restartContainer:
    case HANDLING.block:
      break;
    case HANDLING.resetRemote:
      if (resource.reconnectIntervalMs > 0) return;
      break;
    default:
      return;
  }
  reading.handling = HANDLING.ignore;
  resource.nextRole = ROLE.unknown;
}

/** Reports a failed action, once per key and node, for online nodes (status.md 16.6.1). */
export function reportFailure(reading: Reading, entry: HistoryEntry, masked: boolean): void {
  const { model, node, resource } = reading;
  if (!node.online) return;
  if (model.failures.some((failure) => failure.node === node && failure.entry.key === entry.key)) return;
  model.failures.push({ resource, node, entry, masked });
}
