import type { LogIndex, MemberId } from "../../core/base/index.ts";
import type { Entry, EntryId, HardState, Restored, SnapshotChunk, SnapshotInstall, SnapshotMeta } from "../../core/raft/index.ts";
import type { ClusterId } from "../wire/index.ts";

/** Who this store belongs to (key `m`). Written once, before anything else. */
export type StoreIdentity = {
  readonly cluster: ClusterId;
  readonly member: MemberId;
  readonly nodeName: string;
  /** Wall clock at creation, milliseconds since 1970; for people only. */
  readonly createdAtMs: number;
};

/**
 * What start-up found (RAFT.md §6). `clean` and `torn-tail`: take part as usual. `recovering`: the log lost something
 * that may have been acknowledged; neither vote nor campaign until caught up. `amnesia`: the old vote is unknown, so
 * this member id must never speak again; the node rejoins under a new one.
 */
export type Finding =
  | { readonly kind: "clean" }
  | { readonly kind: "torn-tail"; readonly droppedFrom: LogIndex }
  | {
      readonly kind: "recovering";
      readonly damage: readonly string[];
      /** False: an earlier start found it, and the log is not repaired yet. */
      readonly isNew: boolean;
    };

/** What a start has to work with. */
export type Loaded<C> = {
  readonly finding: Finding;
  readonly identity: StoreIdentity;
  /** Starts of this store including this one, already durable: the `boot` of every frame. */
  readonly boot: number;
  /** For `RaftOptions.restored`. Read the snapshot's bytes with `RaftStore.loadSnapshot`. */
  readonly restored: Restored<C>;
  /** Damage that was repaired without loss (one of two copies); worth a warning. */
  readonly notes: readonly string[];
};

export type Opened<C> =
  | { readonly kind: "opened"; readonly loaded: Loaded<C>; readonly store: RaftStore<C> }
  /** Nothing was ever stored here; call `createRaftStore` first. */
  | { readonly kind: "new" }
  | { readonly kind: "amnesia"; readonly reasons: readonly string[] };

/**
 * The durable part of one Ready (or of several, merged). Applied in this order: `snapshot`, then `entries`, which
 * replace everything from `entries[0].index` on. A `Ready` fits as it is.
 */
export type StoreWrite<C> = {
  readonly hard: HardState | null;
  readonly entries: readonly Entry<C>[];
  /** Puts a snapshot in force whose chunks are kept and verified. */
  readonly snapshot: SnapshotInstall | null;
  /** Ends the `recovering` finding durably, with this write. */
  readonly recovered: boolean;
};

export type StoreStats = {
  readonly syncedWrites: number;
  readonly entriesWritten: number;
  readonly bytesWritten: number;
  readonly lastSyncMs: number;
  readonly waiting: number;
};

/**
 * One member's durable Raft state. Every promise that rejects means that the disk failed: the store is dead from then
 * on, every later call rejects with `STORE_FAILED`, and the process must stop (RAFT.md §6: never retry a sync).
 */
export interface RaftStore<C> {
  readonly identity: StoreIdentity;
  /** Durable when the promise resolves. One write is in flight; calls made meanwhile form the next one, in order. */
  save(write: StoreWrite<C>): Promise<void>;
  /**
   * Keeps chunks of an incoming snapshot (`Ready.chunks`): resolves when they may be acknowledged; the last one is
   * synced. Offset 0 begins anew. A snapshot of another position or hash replaces what was collected.
   */
  keepChunks(chunks: readonly SnapshotChunk[]): Promise<void>;
  /** Answers `Ready.verify`: are all chunks of `meta` here, intact, and is the SHA-256 of the whole right? */
  verifySnapshot(meta: SnapshotMeta): Promise<boolean>;
  /** Writes a snapshot taken by this node's own state machine and puts it in force; the log stays until `compact`. */
  takeSnapshot(meta: SnapshotMeta, bytes: Uint8Array): Promise<void>;
  /** The bytes of the snapshot in force as one array, verified. Null when there is none. */
  loadSnapshot(): Promise<Uint8Array | null>;
  /** Answers `Ready.compactTo`: moves the log mark (synced), then deletes in slices of `SLICE_KEYS_MAX`, unsynced. */
  compact(to: EntryId): Promise<void>;
  /**
   * Bytes [offset, offset + length) of the snapshot in force, for an outgoing `snapChunk`. Null if `last` is no longer
   * its position. Rejects with `STORE_DAMAGED` when a chunk fails its checksum.
   */
  readSnapshot(last: EntryId, offset: number, length: number): Promise<Uint8Array | null>;
  /** The current snapshot. */
  snapshot(): SnapshotMeta | null;
  /** Age of the oldest unfinished write, milliseconds; 0 when none is under way (RAFT.md §6, disk stall). */
  oldestWriteAgeMs(): number;
  stats(): StoreStats;
  /** Waits for writes under way, then closes the files. */
  close(): Promise<void>;
}
