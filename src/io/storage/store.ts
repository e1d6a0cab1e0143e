import { createHash } from "node:crypto";
import { invariant, type LogIndex, type MemberId } from "../../core/base/index.ts";
import type { EntryId, SnapshotChunk, SnapshotMeta } from "../../core/raft/index.ts";
import type { CommandCodec } from "../wire/index.ts";
import { Batch, type Layout } from "./batch.ts";
import type { DiskOperation, KeyValueDisk, SlotFile } from "./disk.ts";
import { refusedWrite, StoreError } from "./errors.ts";
import { emptyHard, type Image, loadStore, readChunk } from "./load.ts";
import type { Pointer } from "./log-walk.ts";
import { chunkKey, type HardRecord, MARK_START, seal, sealWatermark } from "./records.ts";
import type { Loaded, Opened, RaftStore, StoreIdentity, StoreStats, StoreWrite } from "./types.ts";

/** Bytes of a snapshot chunk as the store cuts it (RAFT.md §5). */
export const SNAPSHOT_CHUNK_BYTES = 256 * 1024;
/** Keys deleted in one slice (RAFT.md §5). */
export const SLICE_KEYS_MAX = 512;
/** The watermark file is synced when its last sync is older than this, milliseconds (RAFT.md §6). */
export const WATERMARK_SYNC_MS = 1000;

export type StoreOptions<C> = {
  readonly disk: KeyValueDisk;
  readonly slots: SlotFile;
  readonly commands: CommandCodec<C>;
  /** Who the certificates say this node is; null before it has any. An empty store under a known name is amnesia. */
  readonly expected: { readonly cluster: string; readonly member: MemberId; readonly nodeName: string } | null;
  /** Monotonic milliseconds. */
  readonly now: () => number;
};

/**
 * Makes the store of a new member: identity, empty log, term 0. Call it before the member's certificate is saved, so
 * that a crash between the two leaves a store without a name instead of a name without a store (which is amnesia).
 * Throws `STORE_EXISTS` if anything is stored here.
 */
export async function createRaftStore(options: {
  readonly disk: KeyValueDisk;
  readonly slots: SlotFile;
  readonly identity: StoreIdentity;
}): Promise<void> {
  const commands = { encode: () => new Uint8Array(), decode: () => null };
  const found = await loadStore({ disk: options.disk, slots: options.slots, commands, expected: null });
  if (found.kind !== "new") throw new StoreError("there is a store here already", { code: "STORE_EXISTS" });
  const layout: Layout = { hard: emptyHard(), mark: MARK_START, packs: [], configIndexes: [], pointer: null, garbage: [], stale: [] };
  const batch = new Batch(layout, options.disk);
  batch.putIdentity(options.identity);
  batch.putMark(MARK_START);
  await options.disk.write(batch.finish(), { sync: true });
  await options.slots.write(layout.hard.sequence % 2 === 0 ? 0 : 1, watermarkOf(options.identity, layout.hard), { sync: true });
}

/**
 * Verifies the store and opens it for one more start: the new `boot` is durable when this resolves, and so is a finding
 * of damage. Throws `STORE_OTHER_MEMBER` if the store is intact but not the certificate's.
 */
export async function openRaftStore<C>(options: StoreOptions<C>): Promise<Opened<C>> {
  const found = await loadStore(options);
  if (found.kind !== "image") return found;
  const { image } = found;
  const { expected } = options;
  if (expected !== null && (expected.cluster !== image.identity.cluster || expected.member !== image.identity.member)) {
    const detail = `the store belongs to member ${image.identity.member} of cluster ${image.identity.cluster}`;
    throw new StoreError(`${detail}, the certificate to member ${expected.member} of ${expected.cluster}`, { code: "STORE_OTHER_MEMBER" });
  }
  const store = new Store(options, image);
  await store.begin(image);
  const loaded: Loaded<C> = {
    finding: image.finding,
    identity: image.identity,
    boot: image.hard.boot + 1,
    restored: {
      hard: { term: image.hard.term, vote: image.hard.vote, commit: image.hard.commit },
      mark: { term: image.mark.prevTerm, index: (image.mark.first - 1) as LogIndex },
      snapshot: image.pointer?.meta ?? null,
      entries: image.entries,
      recovering: image.finding.kind === "recovering",
    },
    notes: image.notes,
  };
  return { kind: "opened", loaded, store };
}

function watermarkOf(identity: StoreIdentity, hard: HardRecord): Uint8Array {
  const { sequence, boot, term, vote, lastIndex, chain } = hard;
  return sealWatermark({ cluster: identity.cluster, member: identity.member, sequence, boot, term, vote, lastIndex, chain });
}

/** Work for the next synced write. */
type Work<C> =
  | { readonly kind: "write"; readonly write: StoreWrite<C>; readonly installs: Incoming | null }
  | { readonly kind: "compact"; readonly to: EntryId }
  | { readonly kind: "pointer"; readonly pointer: Pointer };

type Waiting<C> = {
  readonly work: Work<C>;
  readonly askedAtMs: number;
  readonly done: () => void;
  readonly failed: (cause: unknown) => void;
};

/** A snapshot on its way in: its chunks are on the disk, no pointer names them yet. */
type Incoming = { readonly meta: SnapshotMeta; readonly generation: number; readonly offsets: number[]; received: number };

class Store<C> implements RaftStore<C> {
  readonly identity: StoreIdentity;
  readonly #options: StoreOptions<C>;
  readonly #layout: Layout;
  #generation: number;
  #queue: Waiting<C>[] = [];
  /** What the write in flight carries; empty when none is. */
  #inFlight: readonly Waiting<C>[] = [];
  #running: Promise<void> | null = null;
  #incoming: Incoming | null = null;
  /** Ends when all chunks handed over so far are on disk. */
  #keeping: Promise<void> = Promise.resolve();
  #dead: Error | null = null;
  #closed = false;
  #promise: { readonly term: number; readonly vote: MemberId | null };
  #slotSyncedAtMs: number;
  #slotBusy: Promise<void> | null = null;
  #slotNext: Uint8Array | null = null;
  #stats = { syncedWrites: 0, entriesWritten: 0, bytesWritten: 0, lastSyncMs: 0 };

  constructor(options: StoreOptions<C>, image: Image<C>) {
    this.#options = options;
    this.identity = image.identity;
    this.#layout = {
      hard: image.hard,
      mark: image.mark,
      packs: [...image.packs],
      configIndexes: image.entries.filter((entry) => entry.kind === "config").map((entry) => entry.index),
      pointer: image.pointer,
      garbage: [...image.garbage],
      stale: [...image.stale],
    };
    this.#generation = image.maxGeneration + 1;
    this.#promise = { term: image.hard.term, vote: image.hard.vote };
    this.#slotSyncedAtMs = options.now();
  }

  /** The first write of a start: the new boot number, and whatever start-up found out. */
  async begin(image: Image<C>): Promise<void> {
    const batch = new Batch(this.#layout, this.#options.disk);
    if (image.identityLost) batch.putIdentity(this.identity);
    if (image.finding.kind === "recovering") batch.putMark(this.#layout.mark);
    if (image.pointerLost) batch.dropPointer();
    if (image.finding.kind === "torn-tail") batch.dropStale();
    batch.setHard({ boot: image.hard.boot + 1 });
    await this.#commit(batch.finish());
    await this.#writeSlot(true);
  }

  save(write: StoreWrite<C>): Promise<void> {
    return this.#enqueue({ kind: "write", write, installs: write.snapshot === null ? null : this.#claim(write.snapshot.meta) });
  }

  /** Taken out at once: while the write waits for earlier ones, the next snapshot may begin to come in. */
  #claim(meta: SnapshotMeta): Incoming {
    const incoming = this.#incoming;
    invariant(incoming !== null && sameSnapshot(incoming.meta, meta), "a snapshot is installed whose chunks were not kept");
    this.#incoming = null;
    return incoming;
  }

  compact(to: EntryId): Promise<void> {
    return this.#enqueue({ kind: "compact", to });
  }

  #enqueue(work: Work<C>): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    return new Promise((done, failed) => {
      this.#queue.push({ work, askedAtMs: this.#options.now(), done, failed });
      this.#pump();
    });
  }

  #refusal(): Error | null {
    if (this.#dead !== null) return this.#dead;
    return this.#closed ? new StoreError("the store is closed", { code: "STORE_CLOSED" }) : null;
  }

  /** One write in flight: whatever gathers meanwhile is the next one (RAFT.md §2 feature 14). */
  #pump(): void {
    if (this.#running !== null) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (this.#queue.length > 0) this.#pump();
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const items = this.#queue;
      this.#queue = [];
      this.#inFlight = items;
      try {
        await this.#writeAll(items);
      } catch (cause) {
        this.#die(cause, items);
        return;
      }
      this.#inFlight = [];
      for (const item of items) item.done();
    }
    await this.#sweep();
  }

  async #writeAll(items: readonly Waiting<C>[]): Promise<void> {
    // A Ready may carry only messages that wait for earlier writes, which are done by now.
    if (items.every(({ work }) => work.kind === "write" && isEmpty(work.write))) return;
    const batch = new Batch(this.#layout, this.#options.disk);
    for (const { work } of items) {
      if (work.kind === "write") await this.#collect(batch, work.write, work.installs);
      else if (work.kind === "compact") batch.compact(work.to.index);
      else this.#pointTo(batch, work.pointer);
    }
    await this.#commit(batch.finish());
    // A promise about votes must survive a database that loses its copies of `h`, so it waits for the second file too.
    const { term, vote } = this.#layout.hard;
    if (term !== this.#promise.term || vote !== this.#promise.vote) {
      await this.#writeSlot(true);
      this.#promise = { term, vote };
    } else this.#writeSlotSoon();
  }

  async #collect(batch: Batch, write: StoreWrite<C>, installs: Incoming | null): Promise<void> {
    if (write.snapshot !== null && installs !== null) {
      const { meta, generation, offsets } = installs;
      this.#switchPointer(batch, { meta, generation, chunks: offsets.length, offsets }, write.snapshot.keepSuffix);
    }
    await batch.append(write.entries, this.#options.commands);
    this.#stats.entriesWritten += write.entries.length;
    if (write.hard !== null) batch.setHard({ term: write.hard.term, vote: write.hard.vote, commit: write.hard.commit });
    if (write.recovered) {
      batch.dropStale();
      batch.setHard({ recovering: false });
    }
  }

  /** A snapshot of our own. One that was installed while this one was written, or waited for its turn, is newer. */
  #pointTo(batch: Batch, pointer: Pointer): void {
    const current = this.#layout.pointer;
    if (current !== null && current.meta.last.index > pointer.meta.last.index) this.#discard(pointer.generation, pointer.chunks);
    else this.#switchPointer(batch, pointer, true);
  }

  #switchPointer(batch: Batch, pointer: Pointer, keepSuffix: boolean): void {
    const old = this.#layout.pointer;
    batch.install(pointer, keepSuffix);
    if (old !== null) this.#discard(old.generation, old.chunks);
  }

  #discard(generation: number, chunks: number): void {
    for (let chunk = 0; chunk < chunks; chunk += 1) this.#layout.garbage.push(chunkKey(generation, chunk));
  }

  async #commit(operations: readonly DiskOperation[]): Promise<void> {
    const startedMs = this.#options.now();
    await orFailed(this.#options.disk.write(operations, { sync: true }));
    this.#stats.lastSyncMs = this.#options.now() - startedMs;
    this.#stats.syncedWrites += 1;
    for (const one of operations) this.#stats.bytesWritten += one.key.length + (one.kind === "put" ? one.value.length : 0);
  }

  /** A failed write or sync is the end of this handle: the kernel may have dropped the pages (ATC20, RAFT.md §6). */
  #die(cause: unknown, items: readonly Waiting<C>[]): void {
    this.#dead ??= cause instanceof Error ? cause : new StoreError(String(cause), { code: "STORE_FAILED" });
    const waiting = [...items, ...this.#queue];
    this.#queue = [];
    this.#inFlight = [];
    for (const item of waiting) item.failed(this.#dead);
  }

  async #writeSlot(sync: boolean): Promise<void> {
    await this.#slotBusy;
    const slot = this.#layout.hard.sequence % 2 === 0 ? 0 : 1;
    await orFailed(this.#options.slots.write(slot, watermarkOf(this.identity, this.#layout.hard), { sync }));
    if (sync) this.#slotSyncedAtMs = this.#options.now();
  }

  /** Not waited for: only the newest watermark matters, so at most one write runs and one waits. */
  #writeSlotSoon(): void {
    this.#slotNext = watermarkOf(this.identity, this.#layout.hard);
    if (this.#slotBusy !== null) return;
    this.#slotBusy = this.#writeSlots().then(
      () => {
        this.#slotBusy = null;
      },
      (cause) => {
        this.#slotBusy = null;
        this.#die(cause, []);
      },
    );
  }

  async #writeSlots(): Promise<void> {
    let slot: 0 | 1 = this.#layout.hard.sequence % 2 === 0 ? 0 : 1;
    while (this.#slotNext !== null) {
      const bytes = this.#slotNext;
      this.#slotNext = null;
      const sync = this.#options.now() - this.#slotSyncedAtMs >= WATERMARK_SYNC_MS;
      await orFailed(this.#options.slots.write(slot, bytes, { sync }));
      if (sync) this.#slotSyncedAtMs = this.#options.now();
      slot = slot === 0 ? 1 : 0;
    }
  }

  /** Deletes what nothing names any more, a slice at a time, whenever no write waits. Unsynced: it may be repeated. */
  async #sweep(): Promise<void> {
    while (this.#layout.garbage.length > 0 && this.#queue.length === 0 && this.#dead === null) {
      const slice = this.#layout.garbage.splice(0, SLICE_KEYS_MAX);
      try {
        const deletes = slice.map((key) => ({ kind: "delete", key }) as const);
        await orFailed(this.#options.disk.write(deletes, { sync: false }));
      } catch (cause) {
        this.#die(cause, []);
      }
    }
  }

  keepChunks(chunks: readonly SnapshotChunk[]): Promise<void> {
    const kept = this.#keeping.then(() => this.#keepAll(chunks));
    // Whoever asked hears of a failure; those behind it only wait for its end.
    this.#keeping = kept.catch(() => {});
    return kept;
  }

  async #keepAll(chunks: readonly SnapshotChunk[]): Promise<void> {
    for (const chunk of chunks) {
      const refusal = this.#refusal();
      if (refusal !== null) throw refusal;
      await this.#keepChunk(chunk);
    }
  }

  async #keepChunk({ snapshot, offset, data }: SnapshotChunk): Promise<void> {
    let incoming = this.#incoming;
    if (incoming === null || !sameSnapshot(incoming.meta, snapshot) || offset === 0) {
      if (incoming !== null) this.#discard(incoming.generation, incoming.offsets.length);
      incoming = { meta: snapshot, generation: this.#generation, offsets: [], received: 0 };
      this.#generation += 1;
      this.#incoming = incoming;
    }
    if (offset < incoming.received) return;
    invariant(offset === incoming.received, `a snapshot chunk at ${offset} leaves a gap after ${incoming.received}`);
    const number = incoming.offsets.length;
    incoming.offsets.push(offset);
    incoming.received += data.length;
    await this.#putChunk(incoming.generation, number, { offset, data });
  }

  /**
   * Synced each, unlike RAFT.md §6 ("last one synced"): LevelDB may lose an unsynced batch of before a log switch and
   * keep a later synced one, and the chunks of one large snapshot span several logs.
   */
  async #putChunk(generation: number, number: number, chunk: { offset: number; data: Uint8Array }): Promise<void> {
    const key = chunkKey(generation, number);
    try {
      await orFailed(this.#options.disk.write([{ kind: "put", key, value: seal(key, chunk) }], { sync: true }));
    } catch (cause) {
      this.#die(cause, []);
      throw this.#dead ?? cause;
    }
  }

  async verifySnapshot(meta: SnapshotMeta): Promise<boolean> {
    // The last chunk may still be on its way to the disk: read now it would be missing, and all were sent again, for ever.
    await this.#keeping;
    const incoming = this.#incoming;
    if (incoming === null || !sameSnapshot(incoming.meta, meta) || incoming.received !== meta.sizeBytes) return false;
    const hash = createHash("sha256");
    for (let number = 0; number < incoming.offsets.length; number += 1) {
      const chunk = await readChunk(this.#options.disk, incoming.generation, number);
      if (chunk === null) return false;
      hash.update(chunk.data);
    }
    return hash.digest("hex") === meta.hash;
  }

  async takeSnapshot(meta: SnapshotMeta, bytes: Uint8Array): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
    invariant(bytes.length === meta.sizeBytes, "a snapshot has another size than it says");
    const generation = this.#generation;
    this.#generation += 1;
    const offsets: number[] = [];
    for (let offset = 0; offset < bytes.length || offsets.length === 0; offset += SNAPSHOT_CHUNK_BYTES) {
      const data = bytes.subarray(offset, offset + SNAPSHOT_CHUNK_BYTES);
      offsets.push(offset);
      await this.#putChunk(generation, offsets.length - 1, { offset, data });
    }
    await this.#enqueue({ kind: "pointer", pointer: { meta, generation, chunks: offsets.length, offsets } });
  }

  async loadSnapshot(): Promise<Uint8Array | null> {
    while (this.#layout.pointer !== null) {
      const bytes = await this.#loadWhole(this.#layout.pointer);
      if (bytes !== null) return bytes;
    }
    return null;
  }

  /** Copied and hashed chunk by chunk: between two of them the node answers its leader. Null when a newer one took its place. */
  async #loadWhole(pointer: Pointer): Promise<Uint8Array | null> {
    const bytes = Buffer.allocUnsafe(pointer.meta.sizeBytes);
    const hash = createHash("sha256");
    for (let number = 0; number < pointer.chunks; number += 1) {
      const data = await this.#chunkData(pointer, number);
      if (data === null) return null;
      hash.update(data);
      bytes.set(data, pointer.offsets[number]);
    }
    if (hash.digest("hex") !== pointer.meta.hash) throw new StoreError("the snapshot's hash does not hold", { code: "STORE_DAMAGED" });
    return bytes;
  }

  /** Null when another snapshot has come in force since: the chunks of this one are deleted then, which is no damage. */
  async #chunkData(pointer: Pointer, number: number): Promise<Uint8Array | null> {
    const chunk = await readChunk(this.#options.disk, pointer.generation, number);
    if (this.#layout.pointer !== pointer) return null;
    if (chunk === null || chunk.offset !== pointer.offsets[number]) {
      throw new StoreError(`chunk ${number} of the snapshot is damaged`, { code: "STORE_DAMAGED" });
    }
    return chunk.data;
  }

  async readSnapshot(last: EntryId, offset: number, length: number): Promise<Uint8Array | null> {
    const pointer = this.#layout.pointer;
    if (pointer === null || pointer.meta.last.index !== last.index || pointer.meta.last.term !== last.term) return null;
    const end = Math.min(offset + length, pointer.meta.sizeBytes);
    const parts: Uint8Array[] = [];
    let number = pointer.offsets.findLastIndex((start) => start <= offset);
    for (let at = offset; at < end; number += 1) {
      const data = await this.#chunkData(pointer, number);
      if (data === null) return null;
      const start = pointer.offsets[number] ?? 0;
      const part = data.subarray(at - start, end - start);
      if (part.length === 0) break;
      parts.push(part);
      at += part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  snapshot(): SnapshotMeta | null {
    return this.#layout.pointer?.meta ?? null;
  }

  oldestWriteAgeMs(): number {
    const oldest = this.#inFlight[0] ?? this.#queue[0];
    return oldest === undefined ? 0 : Math.max(0, this.#options.now() - oldest.askedAtMs);
  }

  stats(): StoreStats {
    return { ...this.#stats, waiting: this.#inFlight.length + this.#queue.length };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#running !== null) await this.#running;
    while (this.#slotBusy !== null) await this.#slotBusy;
    await this.#options.slots.close();
    await this.#options.disk.close();
  }
}

function isEmpty(write: StoreWrite<unknown>): boolean {
  return write.hard === null && write.entries.length === 0 && write.snapshot === null && !write.recovered;
}

/** Names a refusal of the disk for what it is; defects of ours keep their own names. */
async function orFailed(writing: Promise<void>): Promise<void> {
  try {
    await writing;
  } catch (cause) {
    throw cause instanceof StoreError ? cause : refusedWrite(cause);
  }
}

function sameSnapshot(a: SnapshotMeta, b: SnapshotMeta): boolean {
  return a.last.index === b.last.index && a.last.term === b.last.term && a.hash === b.hash && a.sizeBytes === b.sizeBytes;
}
