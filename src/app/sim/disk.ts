import type { Random } from "../../core/base/index.ts";
import {
  type DiskOperation,
  type DiskRange,
  type DiskRecord,
  type KeyValueDisk,
  keyText,
  SLOT_BYTES,
  type SlotFile,
  StoreError,
} from "../../io/storage/index.ts";

/** When the simulated disk answers. The simulator passes its virtual clock; contract tests answer at once. */
export type DiskSchedule = (delayMs: number, then: () => void) => void;

export type SimulatedDiskOptions = {
  readonly random: Random;
  readonly schedule: DiskSchedule;
  /** Time of one synced write, milliseconds, drawn from [min, max]. Default 0. */
  readonly syncMs?: { readonly min: number; readonly max: number };
};

/** `value` null: the record is deleted. */
type Change = { readonly key: string; readonly value: Uint8Array | null };
type Batch = { readonly changes: readonly Change[]; readonly synced: boolean; acknowledged: boolean };
type Slot = { durable: Uint8Array | null; pending: Uint8Array | null };

/**
 * A virtual disk: a database and a watermark file with one power supply. Batches are atomic. What was not synced is lost
 * or kept batch by batch at a power cut (LevelDB may lose an earlier one and keep a later one around a log switch).
 */
export interface SimulatedDisk {
  /** Opens both files for one run of the process. Handles of an earlier run answer no more. */
  open(): { readonly disk: KeyValueDisk; readonly slots: SlotFile };
  /** The process dies: writes that were handed over complete or not, nothing unsynced is lost. */
  kill(): void;
  /** The power fails: each unsynced batch and slot write survives or not, a slot may be torn. */
  powerCut(): void;
  /** Flips one bit of a stored byte (key, value or watermark). Returns what was hit, for the trace; null when empty. */
  flip(): string | null;
  /** One synced record is gone without a word, as LevelDB loses what stands behind a damaged byte. Null when empty. */
  loseRecord(): string | null;
  /** While full every write fails, and what was open stays unusable. */
  setFull(full: boolean): void;
  /** Everything is gone, as after a change of the disk. */
  wipe(): void;
  /** The next synced write fails and the disk stays unusable until opened anew; `false` takes that back. */
  failNextSync(fails?: boolean): void;
  /** Adds this much to every write from now on, milliseconds; 0 ends it. */
  setStallMs(delayMs: number): void;
  /** The record as a power cut at this instant would leave it at worst: only what was synced. */
  durable(key: Uint8Array): Uint8Array | null;
  recordCount(): number;
}

const keyBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

/** Makes an empty simulated disk. */
export function createSimulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
  return new Disk(options);
}

class Disk implements SimulatedDisk {
  readonly #options: SimulatedDiskOptions;
  /** What is synced, and what the process sees. Keys as latin1 text sort like their bytes. */
  #synced = new Map<string, Uint8Array>();
  #visible = new Map<string, Uint8Array>();
  /** Applied but not synced, in order. */
  #unsynced: Batch[] = [];
  /** Handed over, not yet applied. */
  #pending: Batch[] = [];
  #slots: [Slot, Slot] = [emptySlot(), emptySlot()];
  #run = 0;
  #failNext = false;
  #stallMs = 0;
  #full = false;
  constructor(options: SimulatedDiskOptions) {
    this.#options = options;
  }

  open(): { readonly disk: KeyValueDisk; readonly slots: SlotFile } {
    this.#run += 1;
    // LevelDB writes what it recovers from its log into a synced table before anything else.
    if (!this.#full) this.#syncAll();
    const handle: Handle = { run: this.#run, failed: false, closed: false, tail: Promise.resolve() };
    return { disk: this.#openDisk(handle), slots: this.#openSlots(handle) };
  }

  #delayMs(sync: boolean): number {
    const { syncMs, random } = this.#options;
    if (!sync || syncMs === undefined) return this.#stallMs;
    return this.#stallMs + syncMs.min + random.below(syncMs.max - syncMs.min + 1);
  }

  /** Resolves after the drawn delay; never, once the process that asked is dead. */
  #wait(handle: Handle, sync: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#options.schedule(this.#delayMs(sync), () => {
        if (handle.run === this.#run) resolve();
      });
    });
  }

  #openDisk(handle: Handle): KeyValueDisk {
    const check = (): void => {
      if (handle.failed || handle.closed) throw new StoreError("the simulated disk is unusable", { code: "STORE_FAILED" });
    };
    return {
      write: (operations, { sync }) => {
        check();
        // Kept as they are now: the caller may reuse its buffers.
        const batch: Batch = { changes: copied(operations), synced: sync, acknowledged: false };
        this.#pending.push(batch);
        const done = handle.tail.then(() => this.#finish(handle, batch));
        handle.tail = done.catch(() => {});
        return done;
      },
      get: async (key) => {
        check();
        const value = this.#visible.get(keyText(key));
        return value === undefined ? null : new Uint8Array(value);
      },
      range: (range) => this.#range(range),
      close: async () => {
        await handle.tail;
        handle.closed = true;
      },
    };
  }

  async #finish(handle: Handle, batch: Batch): Promise<void> {
    await this.#wait(handle, batch.synced);
    if (handle.failed) throw new StoreError("the simulated disk is unusable", { code: "STORE_FAILED" });
    if (this.#full || (batch.synced && this.#failNext)) {
      this.#failNext = false;
      handle.failed = true;
      // A record for which there was no space is torn: nobody reads it again. One whose sync failed may be whole.
      if (this.#full) this.#pending = this.#pending.filter((one) => one !== batch);
      throw new StoreError(this.#full ? "no space is left on the simulated disk" : "the simulated sync failed", { code: "STORE_FAILED" });
    }
    this.#pending = this.#pending.filter((one) => one !== batch);
    applyTo(this.#visible, batch.changes);
    batch.acknowledged = true;
    this.#unsynced.push(batch);
    if (batch.synced) this.#syncAll();
  }

  #syncAll(): void {
    for (const batch of this.#unsynced) applyTo(this.#synced, batch.changes);
    this.#unsynced = [];
  }

  async *#range(range: DiskRange): AsyncGenerator<DiskRecord> {
    const from = keyText(range.from);
    const to = keyText(range.to);
    const keys = [...this.#visible.keys()].filter((key) => key >= from && key < to).sort();
    for (const key of keys) {
      const value = this.#visible.get(key);
      if (value !== undefined) yield { key: keyBytes(key), value: new Uint8Array(value) };
    }
  }

  #openSlots(handle: Handle): SlotFile {
    return {
      read: async () => {
        const [a, b] = this.#slots.map((slot) => slot.pending ?? slot.durable) as [Uint8Array | null, Uint8Array | null];
        return [a, b];
      },
      write: async (slot, bytes, { sync }) => {
        const copy = new Uint8Array(bytes);
        this.#slots[slot].pending = copy;
        await this.#wait(handle, sync);
        if (!sync) return;
        for (const one of this.#slots) {
          one.durable = one.pending ?? one.durable;
          one.pending = null;
        }
      },
      close: async () => {},
    };
  }

  kill(): void {
    this.#run += 1;
    // A batch in flight had reached the kernel or not; each is possible, in order.
    const reached = this.#options.random.below(this.#pending.length + 1);
    for (const batch of this.#pending.slice(0, reached)) {
      applyTo(this.#visible, batch.changes);
      this.#unsynced.push(batch);
    }
    this.#pending = [];
  }

  powerCut(): void {
    this.kill();
    const { random } = this.#options;
    for (const batch of this.#unsynced) {
      if (random.below(2) === 0) applyTo(this.#synced, batch.changes);
    }
    this.#unsynced = [];
    this.#visible = new Map(this.#synced);
    for (const slot of this.#slots) {
      if (slot.pending === null) continue;
      slot.durable = surviving(slot, random);
      slot.pending = null;
    }
  }

  flip(): string | null {
    const { random } = this.#options;
    const keys = [...this.#visible.keys()].sort();
    const slots = this.#slots.flatMap((slot, number) => {
      const bytes = slot.pending ?? slot.durable;
      return bytes === null ? [] : [{ number, bytes }];
    });
    if (keys.length + slots.length === 0) return null;
    // Every record equally often: by bytes, one large snapshot would take nearly all the hits.
    const pick = random.below(keys.length + slots.length);
    const bit = 1 << random.below(8);
    const key = keys[pick];
    if (key !== undefined) return this.#flipRecord(key, random.below(key.length + (this.#visible.get(key)?.length ?? 0)), bit);
    const { number, bytes } = slots[pick - keys.length]!;
    // The padding behind the watermark means nothing; most hits should count.
    const at = random.below(random.below(8) === 0 ? bytes.length : 256);
    bytes[at] = bytes[at]! ^ bit;
    return `slot ${number} byte ${at} bit ${bit}`;
  }

  #flipRecord(key: string, at: number, bit: number): string {
    const value = this.#visible.get(key);
    const name = Buffer.from(key, "latin1").toString("hex");
    let newKey = key;
    const newValue = Uint8Array.from(value ?? []);
    if (at < key.length) {
      const bytes = keyBytes(key);
      bytes[at] = bytes[at]! ^ bit;
      newKey = keyText(bytes);
    } else newValue[at - key.length] = newValue[at - key.length]! ^ bit;
    for (const image of [this.#visible, this.#synced]) {
      if (!image.has(key)) continue;
      image.delete(key);
      image.set(newKey, newValue);
    }
    return `record ${name} ${at < key.length ? `key byte ${at}` : `value byte ${at - key.length}`} bit ${bit}`;
  }

  loseRecord(): string | null {
    const keys = [...this.#synced.keys()].sort();
    const key = keys[this.#options.random.below(Math.max(1, keys.length))];
    if (key === undefined) return null;
    this.#synced.delete(key);
    this.#visible.delete(key);
    return `record ${Buffer.from(key, "latin1").toString("hex")}`;
  }

  setFull(full: boolean): void {
    this.#full = full;
  }

  wipe(): void {
    this.#run += 1;
    this.#synced = new Map();
    this.#visible = new Map();
    this.#unsynced = [];
    this.#pending = [];
    this.#slots = [emptySlot(), emptySlot()];
  }

  failNextSync(fails = true): void {
    this.#failNext = fails;
  }

  setStallMs(delayMs: number): void {
    this.#stallMs = delayMs;
  }

  durable(key: Uint8Array): Uint8Array | null {
    return this.#synced.get(keyText(key)) ?? null;
  }

  recordCount(): number {
    return this.#visible.size;
  }
}

type Handle = { readonly run: number; failed: boolean; closed: boolean; tail: Promise<void> };

const emptySlot = (): Slot => ({ durable: null, pending: null });

/** The values of a batch share one buffer: many small ones cost more to make and to free than all else that is done here. */
function copied(operations: readonly DiskOperation[]): readonly Change[] {
  let sizeBytes = 0;
  for (const operation of operations) if (operation.kind === "put") sizeBytes += operation.value.length;
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  return operations.map((operation) => {
    const key = keyText(operation.key);
    if (operation.kind === "delete") return { key, value: null };
    bytes.set(operation.value, at);
    const value = bytes.subarray(at, at + operation.value.length);
    at += value.length;
    return { key, value };
  });
}

function applyTo(image: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const { key, value } of changes) {
    if (value === null) image.delete(key);
    else image.set(key, value);
  }
}

/** A slot write at a power cut: whole, not at all, or torn at a sector. */
function surviving(slot: Slot, random: Random): Uint8Array | null {
  const fate = random.below(3);
  if (fate === 0) return slot.pending;
  if (fate === 1 || slot.pending === null) return slot.durable;
  const torn = Uint8Array.from(slot.durable ?? new Uint8Array(SLOT_BYTES));
  const sectors = random.below(SLOT_BYTES / 512);
  torn.set(slot.pending.subarray(0, sectors * 512));
  return torn;
}
