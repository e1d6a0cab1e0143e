import { invariant, type LogIndex, logIndex, type Term, term } from "../base/index.ts";
import { emptyConfiguration } from "./configuration.ts";
import { ENTRY_OVERHEAD_BYTES } from "./limits.ts";
import type { Configuration, Entry, EntryId, EntryOf, Limits, Restored, SnapshotMeta } from "./types.ts";

type ConfigRow = { readonly index: LogIndex; readonly configuration: Configuration };

/**
 * The log in memory: everything after the mark. Mutable, owned by one server; entries themselves never change.
 * `stored` = last index known durable here; `writeFrom` = first index not yet handed out for writing.
 */
export type RaftLog<C> = {
  mark: EntryId;
  entries: Entry<C>[];
  sizes: number[];
  bytes: number;
  /** Bytes of the entries after the newest snapshot: what a new one would save. */
  freshBytes: number;
  stored: LogIndex;
  writeFrom: LogIndex;
  snapshot: SnapshotMeta | null;
  /** The configuration in force at `baseIndex`, and the later ones of the log, ascending. */
  base: Configuration;
  baseIndex: LogIndex;
  configs: ConfigRow[];
  readonly sizeOf: (command: C) => number;
  readonly entryOf: EntryOf<C>;
};

/** An entry whose command is held as it is. */
export function plainEntry<C>({ term, index }: EntryId, data: C): Entry<C> {
  return { term, index, kind: "data", data };
}

/** Bytes that an entry counts in every limit. A configuration counts a flat size per member, close to its encoding. */
export function entryBytes<C>(entry: Entry<C>, sizeOf: (command: C) => number): number {
  switch (entry.kind) {
    case "data":
      return ENTRY_OVERHEAD_BYTES + (entry.sizeBytes ?? sizeOf(entry.data));
    case "config":
      return ENTRY_OVERHEAD_BYTES + 128 * (entry.configuration.members.size + entry.configuration.voters.size + 1);
    default:
      return ENTRY_OVERHEAD_BYTES;
  }
}

export function restoreLog<C>(restored: Restored<C>, sizeOf: (command: C) => number, entryOf: EntryOf<C> = plainEntry<C>): RaftLog<C> {
  const { snapshot, mark } = restored;
  invariant(snapshot === null ? mark.index === 0 : mark.index <= snapshot.last.index, "the log mark lies beyond the snapshot");
  const log: RaftLog<C> = {
    mark,
    entries: [],
    sizes: [],
    bytes: 0,
    freshBytes: 0,
    stored: mark.index,
    writeFrom: logIndex(mark.index + 1),
    snapshot,
    base: snapshot?.configuration ?? emptyConfiguration(),
    baseIndex: snapshot?.last.index ?? logIndex(0),
    configs: [],
    sizeOf,
    entryOf,
  };
  appendEntries(log, restored.entries);
  if (snapshot !== null && lastIndex(log) < snapshot.last.index) installSnapshot(log, snapshot);
  log.stored = lastIndex(log);
  log.writeFrom = logIndex(log.stored + 1);
  return log;
}

export function lastIndex<C>(log: RaftLog<C>): LogIndex {
  return logIndex(log.mark.index + log.entries.length);
}

export function lastId<C>(log: RaftLog<C>): EntryId {
  const entry = log.entries.at(-1);
  return entry === undefined ? log.mark : { term: entry.term, index: entry.index };
}

/** Term of the entry at `index`; null when it was compacted away or does not exist yet. */
export function termAt<C>(log: RaftLog<C>, index: LogIndex): Term | null {
  if (index === log.mark.index) return log.mark.term;
  return log.entries[index - log.mark.index - 1]?.term ?? null;
}

export function holds<C>(log: RaftLog<C>, id: EntryId): boolean {
  return termAt(log, id.index) === id.term;
}

export function entryAt<C>(log: RaftLog<C>, index: LogIndex): Entry<C> {
  const entry = log.entries[index - log.mark.index - 1];
  invariant(entry !== undefined, `entry ${index} is not in the log`);
  return entry;
}

export function sizeAt<C>(log: RaftLog<C>, index: LogIndex): number {
  return log.sizes[index - log.mark.index - 1] ?? 0;
}

/** Appends contiguous entries whose terms do not fall. */
export function appendEntries<C>(log: RaftLog<C>, entries: readonly Entry<C>[]): void {
  for (const entry of entries) {
    const last = lastId(log);
    invariant(entry.index === last.index + 1, `entry ${entry.index} does not follow ${last.index}`);
    invariant(entry.term >= last.term, `term of entry ${entry.index} falls from ${last.term} to ${entry.term}`);
    const size = entryBytes(entry, log.sizeOf);
    log.entries.push(entry);
    log.sizes.push(size);
    log.bytes += size;
    if (entry.index > log.baseIndex) log.freshBytes += size;
    if (entry.kind === "config" && entry.index > log.baseIndex) {
      log.configs.push({ index: entry.index, configuration: entry.configuration });
    }
  }
}

/** Drops `from` and all that follows; a configuration that goes with it is no longer in force. */
export function truncateFrom<C>(log: RaftLog<C>, from: LogIndex): void {
  const keep = from - log.mark.index - 1;
  invariant(keep >= 0, `cannot truncate from ${from}, the log starts after ${log.mark.index}`);
  const dropped = log.sizes.slice(keep).reduce((sum, size) => sum + size, 0);
  log.bytes -= dropped;
  // Nothing at or below a snapshot is ever truncated: it is committed.
  log.freshBytes -= dropped;
  log.entries.length = keep;
  log.sizes.length = keep;
  log.stored = logIndex(Math.min(log.stored, from - 1));
  log.writeFrom = logIndex(Math.min(log.writeFrom, from));
  while ((log.configs.at(-1)?.index ?? 0) >= from) log.configs.pop();
}

/** Entries from `from` on, at most `maxBytes` of them but at least one if there is any. */
export function sliceEntries<C>(log: RaftLog<C>, from: LogIndex, maxBytes: number): readonly Entry<C>[] {
  const start = from - log.mark.index - 1;
  invariant(start >= 0, `entry ${from} was compacted away`);
  let end = start;
  let bytes = 0;
  while (end < log.entries.length) {
    bytes += log.sizes[end] ?? 0;
    if (end > start && bytes > maxBytes) break;
    end += 1;
  }
  return log.entries.slice(start, end);
}

/** Sum of the sizes of the entries in [from, to]. */
export function bytesBetween<C>(log: RaftLog<C>, from: LogIndex, to: LogIndex): number {
  let bytes = 0;
  for (let index = Math.max(from, log.mark.index + 1); index <= to; index += 1) bytes += sizeAt(log, logIndex(index));
  return bytes;
}

/**
 * The last position at or below `upTo` whose term is at most `atMost`: where two logs could still agree, so that one
 * round trip skips a whole term (Raft paper §5.3). Terms never fall, hence a binary search.
 */
export function lastWithTermAtMost<C>(log: RaftLog<C>, upTo: LogIndex, atMost: Term): EntryId {
  let low = log.mark.index as number;
  let high = Math.min(upTo, lastIndex(log)) as number;
  if (high < low) return { index: logIndex(high), term: term(0) };
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((termAt(log, logIndex(middle)) ?? 0) <= atMost) low = middle;
    else high = middle - 1;
  }
  const found = termAt(log, logIndex(low)) ?? term(0);
  // Below the mark the terms are no longer known: answer the position before it without a term.
  if (found > atMost) return { index: logIndex(Math.max(0, low - 1)), term: term(0) };
  return { index: logIndex(low), term: found };
}

/** Drops entries up to and including `to` from memory. The host deletes the stored ones at its leisure. */
export function compactLog<C>(log: RaftLog<C>, to: EntryId): void {
  const count = to.index - log.mark.index;
  invariant(count >= 0 && holds(log, to), `cannot compact to ${to.index}`);
  for (const size of log.sizes.slice(0, count)) log.bytes -= size;
  log.entries = log.entries.slice(count);
  log.sizes = log.sizes.slice(count);
  log.mark = to;
}

/** A snapshot of the own state machine becomes the base of configurations; entries stay until compaction. */
export function rebase<C>(log: RaftLog<C>, snapshot: SnapshotMeta): void {
  invariant(holds(log, snapshot.last), `the snapshot at ${snapshot.last.index} is not of this log`);
  log.snapshot = snapshot;
  log.base = snapshot.configuration;
  log.baseIndex = snapshot.last.index;
  log.configs = log.configs.filter((row) => row.index > snapshot.last.index);
  log.freshBytes = bytesBetween(log, logIndex(snapshot.last.index + 1), lastIndex(log));
}

/**
 * Up to where the log may go after its snapshot: the newest `keepEntries` before it stay for slow followers, as long as
 * they are not more bytes than `Limits` says (RAFT.md §5). Null: there is nothing to drop.
 */
export function compactionPoint<C>(
  log: RaftLog<C>,
  { keepEntries, keepBytes, keepBytesMax }: Pick<Limits, "keepEntries" | "keepBytes" | "keepBytesMax">,
): EntryId | null {
  const bytesMax = Math.min(keepBytesMax, Math.max(keepBytes, log.snapshot?.sizeBytes ?? 0));
  const end = Math.min(log.baseIndex, log.stored);
  let first = end + 1;
  let bytes = 0;
  while (first - 1 > log.mark.index && end - first + 1 < keepEntries) {
    bytes += sizeAt(log, logIndex(first - 1));
    if (bytes > bytesMax) break;
    first -= 1;
  }
  const to = logIndex(first - 1);
  const toTerm = to > log.mark.index ? termAt(log, to) : null;
  return toTerm === null ? null : { term: toTerm, index: to };
}

/** Replaces the whole log by a received snapshot. `stored` follows when the write has finished. */
export function installSnapshot<C>(log: RaftLog<C>, snapshot: SnapshotMeta): void {
  log.mark = snapshot.last;
  log.entries = [];
  log.sizes = [];
  log.bytes = 0;
  log.freshBytes = 0;
  log.configs = [];
  log.snapshot = snapshot;
  log.base = snapshot.configuration;
  log.baseIndex = snapshot.last.index;
  log.writeFrom = logIndex(snapshot.last.index + 1);
}

/** The configuration in force: the latest appended one, committed or not (Raft thesis §4.1). */
export function configuration<C>(log: RaftLog<C>): Configuration {
  return log.configs.at(-1)?.configuration ?? log.base;
}

/** Index of the configuration in force. */
export function configIndex<C>(log: RaftLog<C>): LogIndex {
  return log.configs.at(-1)?.index ?? log.baseIndex;
}

export function configurationAt<C>(log: RaftLog<C>, index: LogIndex): Configuration {
  invariant(index >= log.baseIndex, `the configuration at ${index} is no longer known`);
  let found = log.base;
  for (const row of log.configs) if (row.index <= index) found = row.configuration;
  return found;
}
