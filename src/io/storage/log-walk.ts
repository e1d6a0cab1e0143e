import { type LogIndex, logIndex } from "../../core/base/index.ts";
import type { Entry } from "../../core/raft/index.ts";
import { byteRanges, type CommandCodec, committedEntry, decodeEntry } from "../wire/index.ts";
import type { DiskRecord } from "./disk.ts";
import {
  type HardRecord,
  keyNumber,
  MARK_START,
  type MarkRecord,
  nextChain,
  type PackRecord,
  type PointerRecord,
  packFromPlain,
  packKey,
  snapshotChain,
  unseal,
  type WatermarkRecord,
} from "./records.ts";

/** A pack as the running store remembers it. */
export type Pack = Omit<PackRecord, "payload"> & { readonly lastTerm: PackRecord["prevTerm"] };

/** The snapshot in force. `offsets[n]` is where chunk n begins. */
export type Pointer = PointerRecord & { readonly offsets: readonly number[] };

export type WalkInput<C> = {
  readonly mark: MarkRecord | "missing" | "damaged";
  readonly pointer: Pointer | null;
  readonly hard: HardRecord;
  readonly watermark: WatermarkRecord | null;
  readonly commands: CommandCodec<C>;
};

/** What the walk has found; `garbage` and `stale` as in `Image`. */
export type Walked<C> = {
  readonly mark: MarkRecord;
  readonly packs: readonly Pack[];
  readonly entries: readonly Entry<C>[];
  readonly garbage: readonly Uint8Array[];
  readonly stale: readonly Uint8Array[];
  readonly end: End;
  readonly tornFrom: LogIndex | null;
};

type End = { readonly index: LogIndex; readonly term: PackRecord["prevTerm"]; readonly chain: Uint8Array };

/** Follows the packs from the mark as far as the chain holds, and compares the end with what `h` and the watermark know. */
export class LogWalk<C> {
  readonly #input: WalkInput<C>;
  readonly #damage: string[];
  readonly #mark: MarkRecord;
  /** The beginning of the log is lost, so nothing of it can be used. */
  readonly #abandoned: boolean;
  readonly #packs: Pack[] = [];
  readonly #entries: Entry<C>[] = [];
  readonly #garbage: Uint8Array[] = [];
  readonly #stale: Uint8Array[] = [];
  #end: End;
  #broken: boolean;
  #tornFrom: LogIndex | null = null;

  /** Adds to `damage` what it finds, now and later. */
  constructor(input: WalkInput<C>, damage: string[]) {
    this.#input = input;
    this.#damage = damage;
    const start = chooseMark(input, damage);
    this.#mark = start.mark;
    this.#abandoned = start.abandoned;
    this.#broken = start.abandoned;
    this.#end = { index: logIndex(start.mark.first - 1), term: start.mark.prevTerm, chain: start.mark.prevChain };
  }

  /** The next record of the log, in the order of their keys. */
  take({ key, value }: DiskRecord): void {
    const first = keyNumber(key, 0, 1);
    if (!this.#abandoned && first !== null && first < this.#mark.first) {
      this.#garbage.push(key);
      return;
    }
    const end = this.#end;
    const known = this.#input.hard.lastIndex;
    const read = this.#broken ? null : readPack({ key, value }, end, this.#input);
    // More than `h` knows of: the same write would have moved `h` as well, so nobody was told of it.
    if (read === null || (end.index === known && read.pack.first > known)) {
      if (!this.#broken) this.#tornFrom = end.index === known ? logIndex(end.index + 1) : null;
      this.#broken = true;
      this.#stale.push(key);
      return;
    }
    this.#packs.push(read.pack);
    for (const entry of read.entries) this.#entries.push(entry);
    this.#end = { index: logIndex(read.pack.first + read.pack.count - 1), term: read.pack.lastTerm, chain: read.pack.chain };
  }

  /** After the last record. */
  finish(): Walked<C> {
    const { pointer } = this.#input;
    const end = this.#end;
    const found = { mark: this.#mark, garbage: this.#garbage, stale: this.#stale, end };
    if (this.#abandoned) return { ...found, packs: [], entries: [], tornFrom: null };
    checkEnd(end, this.#input, this.#damage);
    if (pointer === null || end.index >= pointer.meta.last.index) {
      return { ...found, packs: this.#packs, entries: this.#entries, tornFrom: this.#tornFrom };
    }
    // What is left of the log ends before the snapshot: only the snapshot counts, and the log begins anew after it.
    this.#damage.push(`the log ends at ${end.index}, before the snapshot at ${pointer.meta.last.index}`);
    const mark = markAfter(pointer);
    const keys = [...this.#garbage, ...this.#packs.map((pack) => packKey(pack.first)), ...this.#stale];
    const emptyEnd = { index: pointer.meta.last.index, term: mark.prevTerm, chain: mark.prevChain };
    return { mark, packs: [], entries: [], garbage: [], stale: keys, end: emptyEnd, tornFrom: null };
  }
}

function checkEnd(end: End, { hard, watermark }: WalkInput<unknown>, damage: string[]): void {
  if (end.index !== hard.lastIndex || !Buffer.from(end.chain).equals(hard.chain)) {
    damage.push(`the log holds up to entry ${end.index}, but entry ${hard.lastIndex} was written`);
  }
  if (end.index < hard.commit) damage.push(`entry ${hard.commit} was committed, the log ends at ${end.index}`);
  if (watermark !== null && watermark.sequence === hard.sequence && watermark.lastIndex !== end.index) {
    damage.push(`the watermark names entry ${watermark.lastIndex}, the log ends at ${end.index}`);
  }
}

const markAfter = ({ meta }: Pointer): MarkRecord => ({
  first: logIndex(meta.last.index + 1),
  prevTerm: meta.last.term,
  prevChain: snapshotChain(meta.hash),
});

/** Where the log begins. `abandoned`: its beginning is lost, so nothing of it can be used. */
function chooseMark(input: WalkInput<unknown>, damage: string[]): { readonly mark: MarkRecord; readonly abandoned: boolean } {
  const { mark, pointer } = input;
  const afterSnapshot = pointer === null ? MARK_START : markAfter(pointer);
  if (typeof mark !== "object") {
    damage.push(`the log mark is ${mark}`);
    return { mark: afterSnapshot, abandoned: true };
  }
  const covered = pointer?.meta.last.index ?? 0;
  if (mark.first > covered + 1) {
    damage.push(`entries ${covered + 1} to ${mark.first - 1} are neither in the log nor in a snapshot`);
    return { mark: afterSnapshot, abandoned: true };
  }
  return { mark, abandoned: false };
}

function readPack<C>(
  { key, value }: DiskRecord,
  end: End,
  { hard, commands }: WalkInput<C>,
): { readonly pack: Pack; readonly entries: readonly Entry<C>[] } | null {
  const record = unseal(key, value, packFromPlain);
  if (typeof record !== "object" || record.first !== keyNumber(key, 0, 1) || record.first !== end.index + 1) return null;
  if (record.prevTerm !== end.term || !Buffer.from(record.prevChain).equals(end.chain)) return null;
  if (!Buffer.from(nextChain(record.prevChain, record.payload)).equals(record.chain)) return null;
  const raw = packEntries(record);
  if (raw === null) return null;
  // Whole but unreadable entries come from a newer version: that stops the start, it is no damage.
  const entries = raw.map((bytes, at) => {
    const index = logIndex(record.first + at);
    return index <= hard.commit ? committedEntry(bytes, index, commands) : decodeEntry(bytes, index, commands);
  });
  let last = record.prevTerm;
  for (const entry of entries) {
    if (entry.term < last) return null;
    last = entry.term;
  }
  const { first, count, prevTerm, chain } = record;
  return { pack: { first, count, prevTerm, prevChain: end.chain, chain, lastTerm: last }, entries };
}

/** The encoded entries of a pack; null if there are not as many as it says. */
export function packEntries({ payload, count }: PackRecord): readonly Uint8Array[] | null {
  const ranges = byteRanges(payload);
  if (ranges === null || count === 0 || ranges.length !== 2 * count) return null;
  return Array.from({ length: count }, (_, at) => payload.subarray(ranges[2 * at], ranges[2 * at + 1]));
}
