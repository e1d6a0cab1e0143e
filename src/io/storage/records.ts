import { createHash, hash } from "node:crypto";
import { type LogIndex, logIndex, type MemberId, memberId, type Term, term } from "../../core/base/index.ts";
import type { SnapshotMeta } from "../../core/raft/index.ts";
import {
  bytesOf,
  countOf,
  crc32c,
  fieldsOf,
  flagOf,
  isClusterId,
  Malformed,
  nullable,
  packBytes,
  snapshotFromPlain,
  snapshotToPlain,
  textOf,
  unpackBytes,
} from "../wire/index.ts";
import { SLOT_BYTES } from "./disk.ts";
import type { StoreIdentity } from "./types.ts";

/** Layout of keys and records. A store of another format is refused. */
export const STORE_FORMAT = 1;
/** Bytes of a link of the hash chain. */
export const CHAIN_BYTES = 16;

const text = new TextEncoder();
/** The keys of RAFT.md §6. */
export const KEYS = {
  identity: text.encode("m"),
  hard: text.encode("h"),
  hardCopy: text.encode("h2"),
  mark: text.encode("t"),
  snapshot: text.encode("s"),
  watermark: text.encode("w"),
} as const;
const LOG_PREFIX = "l".charCodeAt(0);
const CHUNK_PREFIX = "c".charCodeAt(0);

function numbered(prefix: number, ...numbers: readonly number[]): Uint8Array {
  const key = Buffer.alloc(1 + 8 * numbers.length);
  key[0] = prefix;
  numbers.forEach((number, at) => {
    key.writeBigUInt64BE(BigInt(number), 1 + 8 * at);
  });
  return key;
}

export const packKey = (first: number): Uint8Array => numbered(LOG_PREFIX, first);
export const chunkKey = (generation: number, chunk: number): Uint8Array => numbered(CHUNK_PREFIX, generation, chunk);
export const LOG_RANGE = { from: new Uint8Array([LOG_PREFIX]), to: new Uint8Array([LOG_PREFIX + 1]) } as const;
export const CHUNK_RANGE = { from: new Uint8Array([CHUNK_PREFIX]), to: new Uint8Array([CHUNK_PREFIX + 1]) } as const;
export const chunkRange = (generation: number) => ({ from: chunkKey(generation, 0), to: chunkKey(generation + 1, 0) });

/** A key as text, one character a byte: such texts are equal, and sort, as their keys do. */
export function keyText(key: Uint8Array): string {
  return String.fromCharCode.apply(null, key as unknown as number[]);
}

/** Number after the prefix of a pack or chunk key; null for a key that has another length (a flipped byte). */
export function keyNumber(key: Uint8Array, at: 0 | 1, count: 1 | 2): number | null {
  if (key.length !== 1 + 8 * count) return null;
  const view = new DataView(key.buffer, key.byteOffset + 1 + 8 * at);
  const value = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}

/** CRC-32C over key and value, then the value: a record that turns up under another key is found as well. */
export function seal(key: Uint8Array, value: unknown): Uint8Array {
  return sealBody(key, packBytes(value));
}

/** `seal` for a value that is packed already. */
export function sealBody(key: Uint8Array, body: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(4 + body.length);
  bytes.writeUInt32BE(crc32c(body, crc32c(key)), 0);
  bytes.set(body, 4);
  return bytes;
}

/** The value, or `damaged` if anything about it is not as it was written. */
export function unseal<T>(key: Uint8Array, bytes: Uint8Array | null, read: (value: unknown) => T): T | "missing" | "damaged" {
  if (bytes === null) return "missing";
  if (bytes.length <= 4) return "damaged";
  const body = bytes.subarray(4);
  if (crc32c(body, crc32c(key)) !== new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)) return "damaged";
  try {
    return read(unpackBytes(body));
  } catch (cause) {
    if (cause instanceof StoreFormatError) throw cause;
    return "damaged";
  }
}

/** Whole and well-formed, but written by another version of this program. */
export class StoreFormatError extends Error {
  override readonly name = "StoreFormatError";
}

export const identityToPlain = (identity: StoreIdentity): unknown => ({ format: STORE_FORMAT, ...identity });

export function identityFromPlain(value: unknown): StoreIdentity {
  const fields = fieldsOf(value, "identity");
  if (fields["format"] !== STORE_FORMAT)
    throw new StoreFormatError(`store format ${String(fields["format"])}, this version knows ${STORE_FORMAT}`);
  const cluster = textOf(fields["cluster"], "cluster", 16);
  if (!isClusterId(cluster)) throw new Malformed("cluster id");
  return {
    cluster,
    member: memberId(countOf(fields["member"], "member")),
    nodeName: textOf(fields["nodeName"], "node name", 256),
    createdAtMs: countOf(fields["createdAtMs"], "created"),
  };
}

/** Keys `h` and `h2`. Beyond RAFT.md §6 it names the end of the log, so that a lost tail shows without the watermark. */
export type HardRecord = {
  readonly term: Term;
  readonly vote: MemberId | null;
  readonly commit: LogIndex;
  readonly configIndex: LogIndex;
  readonly boot: number;
  readonly sequence: number;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly chain: Uint8Array;
  /** Damage was found and the log is not yet repaired; survives restarts until the core says otherwise. */
  readonly recovering: boolean;
};

const chainFrom = (value: unknown): Uint8Array => {
  const bytes = bytesOf(value, "chain");
  if (bytes.length !== CHAIN_BYTES) throw new Malformed("chain has another length");
  return new Uint8Array(bytes);
};
const voteFrom = (value: unknown): MemberId | null => nullable(value, (id) => memberId(countOf(id, "vote")));

export function hardFromPlain(value: unknown): HardRecord {
  const fields = fieldsOf(value, "hard state");
  return {
    term: term(countOf(fields["term"], "term")),
    vote: voteFrom(fields["vote"]),
    commit: logIndex(countOf(fields["commit"], "commit")),
    configIndex: logIndex(countOf(fields["configIndex"], "config index")),
    boot: countOf(fields["boot"], "boot"),
    sequence: countOf(fields["sequence"], "sequence"),
    lastIndex: logIndex(countOf(fields["lastIndex"], "last index")),
    lastTerm: term(countOf(fields["lastTerm"], "last term")),
    chain: chainFrom(fields["chain"]),
    recovering: flagOf(fields["recovering"], "recovering"),
  };
}

/** The watermark: the newest promise that left this node, kept outside the database that may forget it. */
export type WatermarkRecord = {
  readonly cluster: string;
  readonly member: MemberId;
  readonly sequence: number;
  readonly boot: number;
  readonly term: Term;
  readonly vote: MemberId | null;
  readonly lastIndex: LogIndex;
  readonly chain: Uint8Array;
};

export function sealWatermark(record: WatermarkRecord): Uint8Array {
  const sealed = seal(KEYS.watermark, record);
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt32BE(sealed.length, 0);
  slot.set(sealed, 4);
  return slot;
}

export function unsealWatermark(slot: Uint8Array | null): WatermarkRecord | "missing" | "damaged" {
  if (slot === null || slot.every((byte) => byte === 0)) return "missing";
  if (slot.length < 8) return "damaged";
  const length = new DataView(slot.buffer, slot.byteOffset).getUint32(0);
  if (length > slot.length - 4) return "damaged";
  return unseal(KEYS.watermark, slot.subarray(4, 4 + length), (value) => {
    const fields = fieldsOf(value, "watermark");
    return {
      cluster: textOf(fields["cluster"], "cluster", 16),
      member: memberId(countOf(fields["member"], "member")),
      sequence: countOf(fields["sequence"], "sequence"),
      boot: countOf(fields["boot"], "boot"),
      term: term(countOf(fields["term"], "term")),
      vote: voteFrom(fields["vote"]),
      lastIndex: logIndex(countOf(fields["lastIndex"], "last index")),
      chain: chainFrom(fields["chain"]),
    };
  });
}

/** Key `t`: where the log begins. */
export type MarkRecord = { readonly first: LogIndex; readonly prevTerm: Term; readonly prevChain: Uint8Array };

/** The chain of a log that begins after nothing. */
export const CHAIN_START: Uint8Array = new Uint8Array(CHAIN_BYTES);
export const MARK_START: MarkRecord = { first: logIndex(1), prevTerm: term(0), prevChain: CHAIN_START };

export function markFromPlain(value: unknown): MarkRecord {
  const fields = fieldsOf(value, "mark");
  return {
    first: logIndex(countOf(fields["first"], "first")),
    prevTerm: term(countOf(fields["prevTerm"], "term")),
    prevChain: chainFrom(fields["prevChain"]),
  };
}

/** Keys `l`+first: what one append wrote. */
export type PackRecord = {
  readonly first: LogIndex;
  readonly count: number;
  readonly prevTerm: Term;
  readonly prevChain: Uint8Array;
  /** msgpack of the list of entries, each as bytes. */
  readonly payload: Uint8Array;
  readonly chain: Uint8Array;
};

export function packFromPlain(value: unknown): PackRecord {
  const fields = fieldsOf(value, "pack");
  return {
    first: logIndex(countOf(fields["first"], "first")),
    count: countOf(fields["count"], "count"),
    prevTerm: term(countOf(fields["prevTerm"], "term")),
    prevChain: chainFrom(fields["prevChain"]),
    payload: bytesOf(fields["payload"], "payload"),
    chain: chainFrom(fields["chain"]),
  };
}

/** Up to here a copy of both parts costs less than a hash object that takes them one by one, bytes. */
const HASH_AT_ONCE_BYTES = 4096;

/** SHA-256(previous link, payload), cut to `CHAIN_BYTES`. */
export function nextChain(previous: Uint8Array, payload: Uint8Array): Uint8Array {
  const digest =
    payload.length <= HASH_AT_ONCE_BYTES
      ? hash("sha256", Buffer.concat([previous, payload]), "buffer")
      : createHash("sha256").update(previous).update(payload).digest();
  return new Uint8Array(digest.subarray(0, CHAIN_BYTES));
}

/** The link before the first entry after an installed snapshot: both sides of a restart derive the same. */
export function snapshotChain(hash: string): Uint8Array {
  return nextChain(CHAIN_START, text.encode(hash));
}

/** Key `s`. */
export type PointerRecord = { readonly meta: SnapshotMeta; readonly generation: number; readonly chunks: number };

export const pointerToPlain = (pointer: PointerRecord): unknown => ({ ...pointer, meta: snapshotToPlain(pointer.meta) });

export function pointerFromPlain(value: unknown): PointerRecord {
  const fields = fieldsOf(value, "snapshot pointer");
  return {
    meta: snapshotFromPlain(fields["meta"]),
    generation: countOf(fields["generation"], "generation"),
    chunks: countOf(fields["chunks"], "chunks"),
  };
}

/** Keys `c`+generation+n. */
export type ChunkRecord = { readonly offset: number; readonly data: Uint8Array };

export function chunkFromPlain(value: unknown): ChunkRecord {
  const fields = fieldsOf(value, "chunk");
  return { offset: countOf(fields["offset"], "offset"), data: bytesOf(fields["data"], "data") };
}
