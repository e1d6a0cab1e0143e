import type { HistoryEntry } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import { ROLE } from "../model-values.ts";
import { markFailedStop } from "./fencing.ts";
import { compareEntries, indexHistories, RC, STATUS } from "./history.ts";
import { nodeByName } from "./nodes.ts";
import { becomeActive } from "./presence.ts";
import type { Reading } from "./reading.ts";

const MOVES: ReadonlySet<string> = new Set(["start", "stop", "migrate_to", "migrate_from"]);

function historyOn(reading: Reading, node: string): readonly HistoryEntry[] {
  const { model, resource } = reading;
  model.caches.histories ??= indexHistories(model.statusElement, model.featureSet);
  return model.caches.histories.find(resource.id, node);
}

/** The only entry that matches; several count as none (status.md 17.2). */
function onlyEntry(entries: readonly HistoryEntry[], matches: (entry: HistoryEntry) => boolean): HistoryEntry | null {
  const found = entries.filter(matches);
  return found.length === 1 ? found[0]! : null;
}

function migrateFromAt(reading: Reading, target: string, source: string): HistoryEntry | null {
  return onlyEntry(historyOn(reading, target), (entry) => entry.task === "migrate_from" && entry.migrateSource === source);
}

function migrateToAt(reading: Reading, source: string, target: string): HistoryEntry | null {
  return onlyEntry(historyOn(reading, source), (entry) => entry.task === "migrate_to" && entry.migrateTarget === target);
}

/** The migration entry was recorded on another node than the one looked at. */
function isElsewhere(than: HistoryEntry, node: string): boolean {
  return (than.task === "migrate_to" ? than.migrateSource : than.migrateTarget) !== node;
}

function movedOn(reading: Reading, node: string, than: HistoryEntry): boolean {
  return historyOn(reading, node).some(
    (entry) => MOVES.has(entry.task) && entry.xml !== than.xml && compareEntries(entry, than, isElsewhere(than, node)) > 0,
  );
}

function foundStopped(reading: Reading, node: string, than: HistoryEntry): boolean {
  const monitor = onlyEntry(
    historyOn(reading, node),
    (entry) => entry.task === "monitor" && entry.rc === RC.notRunning && entry.status === STATUS.done,
  );
  return monitor !== null && compareEntries(monitor, than, isElsewhere(than, node)) > 0;
}

/** X's state is newer than the migration: m is the migrate_from if there is one, but on the source the migrate_to, if known. */
function newerState(
  reading: Reading,
  node: string,
  migrateTo: HistoryEntry | null,
  migrateFrom: HistoryEntry | null,
  onSource: boolean,
): boolean {
  let than = migrateTo;
  if (migrateFrom !== null && !(onSource && migrateTo !== null)) than = migrateFrom;
  if (than === null) return false;
  return movedOn(reading, node, than) || foundStopped(reading, node, than);
}

function blank(reading: Reading, node: string): boolean {
  return historyOn(reading, node).every((entry) => entry.rc === RC.pending);
}

/** Source and target as the entry names them, if it names its own node rightly (status.md 17.1). */
function ends(reading: Reading, entry: HistoryEntry): { source: string; target: string } | null {
  const { migrateSource: source, migrateTarget: target } = entry;
  if (source === null || target === null) return null;
  const own = entry.task === "migrate_to" ? source : target;
  return own.toLowerCase() === reading.node.name.toLowerCase() ? { source, target } : null;
}

/** A successful migrate_to, read on the source (status.md 17.3). */
export function migrateToSucceeded(reading: Reading, entry: HistoryEntry): void {
  const { model, resource, node } = reading;
  const named = ends(reading, entry);
  if (named === null) {
    model.warnings.push(`migration entry ${entry.id} of ${resource.id} does not name its nodes`);
    return;
  }
  const { source, target } = named;
  const from = migrateFromAt(reading, target, source);
  const sourceMovedOn = movedOn(reading, source, entry);
  const targetNewer = newerState(reading, target, entry, from, false);
  if (sourceMovedOn && (from !== null || targetNewer)) return;
  if (from !== null && from.rc === RC.ok && from.status === STATUS.done) {
    resource.role = ROLE.stopped;
    resource.danglingSources.push(node);
    return;
  }
  resource.role = ROLE.started;
  const targetNode = nodeByName(model, target) ?? null;
  const targetOnline = targetNode?.online === true;
  if (from !== null && from.status !== STATUS.pending) {
    if (!targetNewer && targetOnline) becomeActive(reading, targetNode);
    else failMigration(reading);
    return;
  }
  if (targetOnline && blank(reading, target)) return;
  if (targetOnline && !targetNewer) {
    becomeActive(reading, targetNode);
    if (node.online) {
      resource.partialSource = node;
      resource.partialTarget = targetNode;
    }
  } else if (!sourceMovedOn) failMigration(reading);
}

function failMigration(reading: Reading): void {
  markFailedStop(reading.resource);
  reading.resource.noLiveMigration = true;
}

/** A failed migrate_to, read on the source (status.md 17.4). */
export function migrateToFailed(reading: Reading, entry: HistoryEntry): void {
  const { model, resource, node } = reading;
  const named = ends(reading, entry);
  if (named === null) return;
  const { source, target } = named;
  resource.role = ROLE.started;
  const from = onlyEntry(
    historyOn(reading, target),
    (other) => other.task === "migrate_from" && other.migrateSource === source && other.rc === RC.ok && other.status === STATUS.done,
  );
  if (!blank(reading, target) && !newerState(reading, target, entry, from, false)) {
    const targetNode: PolicyNode | undefined = nodeByName(model, target);
    if (targetNode?.online === true) becomeActive(reading, targetNode);
  } else if (!movedOn(reading, source, entry)) resource.danglingSources.push(node);
}

/** A failed migrate_from, read on the target (status.md 17.5). */
export function migrateFromFailed(reading: Reading, entry: HistoryEntry): void {
  const { model, resource } = reading;
  const named = ends(reading, entry);
  if (named === null) return;
  const { source, target } = named;
  resource.role = ROLE.started;
  const to = migrateToAt(reading, source, target);
  const succeeded = to !== null && to.rc === RC.ok && to.status === STATUS.done ? to : null;
  if (blank(reading, source) || newerState(reading, source, succeeded, entry, true)) return;
  const sourceNode = nodeByName(model, source);
  if (sourceNode?.online === true) becomeActive(reading, sourceNode, true);
}
