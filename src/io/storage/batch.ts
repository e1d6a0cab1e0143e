import { invariant, type LogIndex, logIndex } from "../../core/base/index.ts";
import type { Entry } from "../../core/raft/index.ts";
import { type CommandCodec, encodeEntry, packBytes, unpackBytes } from "../wire/index.ts";
import type { DiskOperation, KeyValueDisk } from "./disk.ts";
import { StoreError } from "./errors.ts";
import { rereadPack } from "./load.ts";
import type { Pack, Pointer } from "./log-walk.ts";
import {
  type HardRecord,
  identityToPlain,
  KEYS,
  keyText,
  type MarkRecord,
  nextChain,
  type PackRecord,
  packKey,
  pointerToPlain,
  seal,
  sealBody,
  snapshotChain,
} from "./records.ts";
import type { StoreIdentity } from "./types.ts";

/** Entries of one write are cut into packs of about this size, bytes, so that a cut after a conflict stays cheap. */
export const PACK_BYTES_MAX = 1024 * 1024;

/** What the store knows about its own durable image; `Batch` changes it as it collects a write. */
export type Layout = {
  hard: HardRecord;
  mark: MarkRecord;
  packs: Pack[];
  /** Indexes of configuration entries in the log, ascending; `h` names the last. */
  configIndexes: LogIndex[];
  pointer: Pointer | null;
  /** May be deleted at any time. */
  garbage: Uint8Array[];
  /** Must be deleted in the same write that appends. */
  stale: Uint8Array[];
};

/** A raw entry on its way into a pack. */
type Raw = { readonly bytes: Uint8Array; readonly term: PackRecord["prevTerm"] };

/** Collects one synced write: several Readys become few records and one `h`. */
export class Batch {
  readonly #layout: Layout;
  readonly #disk: KeyValueDisk;
  readonly #operations = new Map<string, DiskOperation>();
  /** Entries after the last pack, not yet formed into packs. */
  #tail: Raw[] = [];
  /** Packs formed in this very batch, which the disk does not hold yet. */
  readonly #formed = new Map<Pack, Raw[]>();
  constructor(layout: Layout, disk: KeyValueDisk) {
    this.#layout = layout;
    this.#disk = disk;
  }

  #put(key: Uint8Array, value: unknown): void {
    this.#operations.set(keyText(key), { kind: "put", key, value: seal(key, value) });
  }

  #delete(key: Uint8Array): void {
    this.#operations.set(keyText(key), { kind: "delete", key });
  }

  #packsEnd(): LogIndex {
    const last = this.#layout.packs.at(-1);
    return logIndex(last === undefined ? this.#layout.mark.first - 1 : last.first + last.count - 1);
  }

  lastIndex(): LogIndex {
    return logIndex(this.#packsEnd() + this.#tail.length);
  }

  putIdentity(identity: StoreIdentity): void {
    this.#put(KEYS.identity, identityToPlain(identity));
  }

  /** Forgets a pointer whose snapshot is damaged, so that a repaired store starts clean. */
  dropPointer(): void {
    this.#layout.pointer = null;
    this.#delete(KEYS.snapshot);
  }

  putMark(mark: MarkRecord): void {
    this.#layout.mark = mark;
    this.#put(KEYS.mark, mark);
  }

  setHard(change: Partial<HardRecord>): void {
    this.#layout.hard = { ...this.#layout.hard, ...change };
  }

  dropStale(): void {
    for (const key of this.#layout.stale) this.#delete(key);
    this.#layout.stale = [];
  }

  /** Appends entries; what stands at or after the first of them is replaced. */
  async append<C>(entries: readonly Entry<C>[], commands: CommandCodec<C>): Promise<void> {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index <= this.lastIndex() + 1, `entry ${first.index} would leave a gap after ${this.lastIndex()}`);
    this.dropStale();
    if (first.index <= this.lastIndex()) await this.#truncate(first.index);
    for (const entry of entries) {
      this.#tail.push({ bytes: encodeEntry(entry, commands), term: entry.term });
      if (entry.kind === "config") this.#layout.configIndexes.push(entry.index);
    }
  }

  async #truncate(from: LogIndex): Promise<void> {
    const layout = this.#layout;
    layout.configIndexes = layout.configIndexes.filter((index) => index < from);
    const packsEnd = this.#packsEnd();
    if (from > packsEnd) {
      this.#tail.length = from - packsEnd - 1;
      return;
    }
    invariant(from >= layout.mark.first, `entry ${from} lies behind the log mark ${layout.mark.first}`);
    this.#tail = [];
    while (true) {
      const last = layout.packs.at(-1);
      if (last === undefined || last.first + last.count - 1 < from) return;
      layout.packs.pop();
      this.#delete(packKey(last.first));
      if (last.first >= from) continue;
      const kept = await this.#rawEntries(last);
      this.#tail = kept.slice(0, from - last.first);
      return;
    }
  }

  /** Entries of a stored pack, with their terms (the first element of each). */
  async #rawEntries(pack: Pack): Promise<Raw[]> {
    const known = this.#formed.get(pack);
    if (known !== undefined) return known;
    const raw = await rereadPack(this.#disk, pack);
    if (raw === null) throw new StoreError(`the pack at entry ${pack.first} is damaged`, { code: "STORE_DAMAGED" });
    return raw.map((bytes) => ({ bytes, term: (unpackBytes(bytes) as [PackRecord["prevTerm"]])[0] }));
  }

  /** Puts a snapshot in force. Without `keepSuffix` the whole log goes and begins anew after the snapshot. */
  install(pointer: Pointer, keepSuffix: boolean): void {
    const layout = this.#layout;
    this.#put(KEYS.snapshot, pointerToPlain({ meta: pointer.meta, generation: pointer.generation, chunks: pointer.chunks }));
    layout.pointer = pointer;
    if (keepSuffix) return;
    this.dropStale();
    this.#tail = [];
    for (const pack of layout.packs) {
      // Keys after the snapshot will be used again, so they cannot wait for the lazy deletion.
      if (pack.first > pointer.meta.last.index) this.#delete(packKey(pack.first));
      else layout.garbage.push(packKey(pack.first));
    }
    layout.packs = [];
    layout.configIndexes = [];
    this.putMark({
      first: logIndex(pointer.meta.last.index + 1),
      prevTerm: pointer.meta.last.term,
      prevChain: snapshotChain(pointer.meta.hash),
    });
  }

  /** Moves the mark so that entries up to `to` may go, rounded down to a whole pack (only there is a chain link). */
  compact(to: LogIndex): void {
    this.#formPacks();
    const layout = this.#layout;
    const kept = layout.packs.findIndex((pack) => pack.first + pack.count - 1 > to);
    const count = kept === -1 ? layout.packs.length : kept;
    if (count === 0) return;
    const gone = layout.packs.slice(0, count);
    const before = gone.at(-1)!;
    layout.packs = layout.packs.slice(count);
    for (const pack of gone) {
      layout.garbage.push(packKey(pack.first));
    }
    this.putMark({ first: logIndex(before.first + before.count), prevTerm: before.lastTerm, prevChain: before.chain });
    layout.configIndexes = layout.configIndexes.filter((index) => index >= layout.mark.first);
  }

  #formPacks(): void {
    let group: Raw[] = [];
    let size = 0;
    for (const raw of this.#tail) {
      if (size > 0 && size + raw.bytes.length > PACK_BYTES_MAX) {
        this.#formPack(group);
        group = [];
        size = 0;
      }
      group.push(raw);
      size += raw.bytes.length;
    }
    if (group.length > 0) this.#formPack(group);
    this.#tail = [];
  }

  #formPack(raws: Raw[]): void {
    const { packs, mark } = this.#layout;
    const previous = packs.at(-1);
    const first = logIndex(this.#packsEnd() + 1);
    const prevTerm = previous?.lastTerm ?? mark.prevTerm;
    const prevChain = previous?.chain ?? mark.prevChain;
    const payload = packBytes(raws.map((raw) => raw.bytes));
    const chain = nextChain(prevChain, payload);
    const record: PackRecord = { first, count: raws.length, prevTerm, prevChain, payload, chain };
    this.#put(packKey(first), record);
    const pack: Pack = { first, count: raws.length, prevTerm, prevChain, chain, lastTerm: raws.at(-1)!.term };
    packs.push(pack);
    this.#formed.set(pack, raws);
  }

  /** Forms the packs and both copies of `h`; after it the layout is what the disk will hold. */
  finish(): readonly DiskOperation[] {
    this.#formPacks();
    const layout = this.#layout;
    const last = layout.packs.at(-1);
    this.setHard({
      sequence: layout.hard.sequence + 1,
      configIndex: layout.configIndexes.at(-1) ?? layout.pointer?.meta.last.index ?? logIndex(0),
      lastIndex: this.#packsEnd(),
      lastTerm: last?.lastTerm ?? layout.mark.prevTerm,
      chain: last?.chain ?? layout.mark.prevChain,
    });
    const body = packBytes(layout.hard);
    const copies = [KEYS.hard, KEYS.hardCopy].map((key) => ({ kind: "put" as const, key, value: sealBody(key, body) }));
    return [...this.#operations.values(), ...copies];
  }
}
