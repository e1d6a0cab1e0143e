import { type LogIndex, type Term, term } from "../../core/base/index.ts";
import type { CommandCodec } from "./frame.ts";

const NO_NUMBER = -1;

/** Walks the few forms of msgpack that the store writes; anything else leaves `ok` false. */
class Walker {
  readonly #bytes: Uint8Array;
  at: number;
  ok = true;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Big-endian, `size` bytes. */
  #read(size: number): number {
    let value = 0;
    for (let end = this.at + size; this.at < end; this.at += 1) value = value * 256 + (this.#bytes[this.at] ?? Number.NaN);
    return value;
  }

  /** A count that is not stored as a float; `NO_NUMBER` for everything else. */
  number(): number {
    const tag = this.#bytes[this.at] ?? 0xc1;
    this.at += 1;
    if (tag < 0x80) return tag;
    const size = tag === 0xcc ? 1 : tag === 0xcd ? 2 : tag === 0xce ? 4 : 0;
    const value = size === 0 ? Number.NaN : this.#read(size);
    if (!Number.isNaN(value)) return value;
    this.ok = false;
    return NO_NUMBER;
  }

  /** Length of a list (0x90, 0xdc, 0xdd) or of bytes (0xc4 to 0xc6) that begins here. */
  length(kind: "list" | "bytes"): number {
    const tag = this.#bytes[this.at] ?? 0xc1;
    this.at += 1;
    if (kind === "list" && tag >= 0x90 && tag < 0xa0) return tag - 0x90;
    const first = kind === "list" ? 0xdc - 1 : 0xc4;
    const size = 2 ** (tag - first);
    const smallest = kind === "list" ? 2 : 1;
    const value = tag >= first && size >= smallest && size <= 4 ? this.#read(size) : Number.NaN;
    if (!Number.isNaN(value)) return value;
    this.ok = false;
    return NO_NUMBER;
  }
}

/**
 * Where the elements of a msgpack list of byte strings lie: `from` and `to` of each, one after the other. Null when
 * these bytes are not exactly one such list.
 */
export function byteRanges(bytes: Uint8Array): readonly number[] | null {
  const walker = new Walker(bytes, 0);
  const count = walker.length("list");
  const ranges: number[] = [];
  for (let left = count; walker.ok && left > 0; left -= 1) {
    const length = walker.length("bytes");
    ranges.push(walker.at, walker.at + length);
    walker.at += length;
    if (walker.at > bytes.length) return null;
  }
  return walker.ok && walker.at === bytes.length ? ranges : null;
}

/**
 * An entry with a command, held as the bytes that the disk and the peers get. A log holds tens of thousands of entries for
 * minutes, and objects that live cost the collector far more than bytes. A command that was read or made anyway is handed out
 * once, to whoever applies it, and let go then; otherwise it is decoded each time that it is asked for: an entry that a
 * snapshot covers never is.
 */
export class LazyEntry<C> {
  readonly kind = "data";
  readonly term: Term;
  readonly index: LogIndex;
  readonly sizeBytes: number;
  /** `[term, kind, command]` as it was written. */
  readonly encoded: Uint8Array;
  readonly #commands: CommandCodec<C>;
  #known: C | undefined;

  constructor(id: Position, encoded: Uint8Array, sizeBytes: number, commands: CommandCodec<C>, known?: C) {
    this.term = id.term;
    this.index = id.index;
    this.encoded = encoded;
    this.sizeBytes = sizeBytes;
    this.#commands = commands;
    this.#known = known;
  }

  get data(): C {
    const known = this.#known;
    this.#known = undefined;
    return known ?? this.#decode();
  }

  /** Reads the command now, for the next who asks for it. Throws what the codec throws. */
  know(): this {
    this.#known = this.#decode();
    return this;
  }

  #decode(): C {
    return this.#commands.decode(this.encoded.subarray(this.encoded.length - this.sizeBytes));
  }
}

/** What msgpack writes for `[term, kind, data]`, with one copy of `data`; null: the term is stored as a float. */
export function encodedData(entryTerm: Term, dataKind: number, data: Uint8Array): Uint8Array | null {
  if (entryTerm > 0xffff_ffff) return null;
  const [tag, size] = entryTerm < 0x80 ? [0, 0] : entryTerm < 0x100 ? [0xcc, 1] : entryTerm < 0x1_0000 ? [0xcd, 2] : [0xce, 4];
  const lengthSize = data.length < 0x100 ? 1 : data.length < 0x1_0000 ? 2 : 4;
  const bytes = Buffer.allocUnsafe(4 + size + lengthSize + data.length);
  let at = 0;
  bytes[at++] = 0x93;
  bytes[at++] = size === 0 ? entryTerm : tag;
  if (size > 0) at = bytes.writeUIntBE(entryTerm, at, size);
  bytes[at++] = dataKind;
  bytes[at++] = lengthSize === 1 ? 0xc4 : lengthSize === 2 ? 0xc5 : 0xc6;
  at = bytes.writeUIntBE(data.length, at, lengthSize);
  bytes.set(data, at);
  return bytes;
}

type Position = { readonly term: Term; readonly index: LogIndex };

/** The entry in `encoded`; null when it carries no command or looks otherwise than `encodeEntry` writes it. */
export function lazyEntry<C>(encoded: Uint8Array, index: LogIndex, dataKind: number, commands: CommandCodec<C>): LazyEntry<C> | null {
  const walker = new Walker(encoded, 0);
  if (walker.length("list") !== 3) return null;
  const entryTerm = walker.number();
  if (walker.number() !== dataKind) return null;
  const length = walker.length("bytes");
  if (!walker.ok || walker.at + length !== encoded.length) return null;
  return new LazyEntry({ term: term(entryTerm), index }, encoded, length, commands);
}
