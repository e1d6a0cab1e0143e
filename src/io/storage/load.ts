import { createHash } from "node:crypto";
import { logIndex, term } from "../../core/base/index.ts";
import type { Entry } from "../../core/raft/index.ts";
import type { CommandCodec } from "../wire/index.ts";
import type { DiskRange, DiskRecord, KeyValueDisk, SlotFile } from "./disk.ts";
import { LogWalk, type Pack, type Pointer, packEntries } from "./log-walk.ts";
import {
  CHAIN_START,
  CHUNK_RANGE,
  chunkFromPlain,
  chunkKey,
  type HardRecord,
  hardFromPlain,
  identityFromPlain,
  KEYS,
  keyNumber,
  LOG_RANGE,
  type MarkRecord,
  markFromPlain,
  nextChain,
  type PointerRecord,
  packFromPlain,
  packKey,
  pointerFromPlain,
  unseal,
  unsealWatermark,
  type WatermarkRecord,
} from "./records.ts";
import type { Finding, StoreIdentity } from "./types.ts";

export type Image<C> = {
  readonly finding: Finding;
  readonly identity: StoreIdentity;
  /** `m` has to be written again. */
  readonly identityLost: boolean;
  readonly hard: HardRecord;
  readonly mark: MarkRecord;
  readonly packs: readonly Pack[];
  readonly entries: readonly Entry<C>[];
  readonly pointer: Pointer | null;
  /** `s` names a snapshot that is damaged. */
  readonly pointerLost: boolean;
  readonly maxGeneration: number;
  /** Keys behind the mark or of old snapshots: may go at any time. */
  readonly garbage: readonly Uint8Array[];
  /** Keys beyond the intact log: must go in the same write that puts something in their place. */
  readonly stale: readonly Uint8Array[];
  /** Repaired without loss; for the log. */
  readonly notes: readonly string[];
};

export type LoadResult<C> =
  | { readonly kind: "new" }
  | { readonly kind: "amnesia"; readonly reasons: readonly string[] }
  | { readonly kind: "image"; readonly image: Image<C> };

export type LoadOptions<C> = {
  readonly disk: KeyValueDisk;
  readonly slots: SlotFile;
  readonly commands: CommandCodec<C>;
  /** Who the certificates say this node is; null before it has any. */
  readonly expected: { readonly cluster: string; readonly member: number; readonly nodeName: string } | null;
};

/**
 * Reads and verifies everything (RAFT.md §6, start-up). What LevelDB answers is not believed: each record has a checksum
 * over key and value, packs form a hash chain whose end both `h` and the watermark name. Changes nothing.
 */
export async function loadStore<C>(options: LoadOptions<C>): Promise<LoadResult<C>> {
  const damage: string[] = [];
  const notes: string[] = [];
  const { watermark, doubtful } = await readWatermark(options.slots, notes);
  const singles = await readSingles(options.disk);
  const noSingles = [singles.identity, singles.hard, singles.hardCopy, singles.mark, singles.pointer].every((one) => one === "missing");
  const empty = noSingles && (await isEmpty(options.disk, LOG_RANGE));
  // With the watermark file left, term and vote are known and the member can repair itself; without it nothing is.
  if (empty && watermark === null) {
    if (options.expected === null) return { kind: "new" };
    return { kind: "amnesia", reasons: ["the store is empty, but this member has spoken before"] };
  }
  const identity = chooseIdentity(singles.identity, watermark, options.expected);
  if (identity.kind === "amnesia") return identity;
  if (identity.lost) damage.push("the identity record is damaged");
  const chosen = chooseHard(singles.hard, singles.hardCopy, { watermark, doubtful }, { damage, notes });
  if (chosen === null) return { kind: "amnesia", reasons: ["term and vote are unreadable in the store and in the watermark file"] };
  const snapshot = await readSnapshotState(options.disk, singles.pointer, damage);
  const walk = new LogWalk({ mark: singles.mark, pointer: snapshot.pointer, hard: chosen, watermark, commands: options.commands }, damage);
  await readLog(options.disk, walk, damage);
  const walked = walk.finish();
  const isNew = damage.length > 0;
  if (chosen.recovering) damage.push("an earlier start found damage that is not repaired yet");
  const recovering = isNew || chosen.recovering;
  const tornFrom = !recovering && walked.tornFrom !== null ? walked.tornFrom : null;
  const finding: Finding = recovering
    ? { kind: "recovering", damage, isNew }
    : tornFrom === null
      ? { kind: "clean" }
      : { kind: "torn-tail", droppedFrom: tornFrom };
  const last = walked.end;
  // A commit hint beyond what is still here would make the core wait for entries that it cannot have.
  const floor = snapshot.pointer?.meta.last.index ?? logIndex(0);
  const commit = logIndex(Math.max(floor, Math.min(chosen.commit, last.index)));
  const hard = { ...chosen, commit, lastIndex: last.index, lastTerm: last.term, chain: last.chain, recovering };
  return {
    kind: "image",
    image: {
      finding,
      identity: identity.identity,
      identityLost: identity.lost,
      hard,
      mark: walked.mark,
      packs: walked.packs,
      entries: walked.entries,
      pointer: snapshot.pointer,
      pointerLost: snapshot.pointer === null && singles.pointer !== "missing",
      maxGeneration: snapshot.maxGeneration,
      garbage: [...walked.garbage, ...snapshot.garbage],
      stale: walked.stale,
      notes,
    },
  };
}

/** The newest slot that can be read. `doubtful`: the other one cannot, and may have been the newer. */
type Watermark = { readonly watermark: WatermarkRecord | null; readonly doubtful: boolean };

async function readWatermark(slots: SlotFile, notes: string[]): Promise<Watermark> {
  let watermark: WatermarkRecord | null = null;
  let doubtful = false;
  for (const slot of await slots.read()) {
    const record = unsealWatermark(slot);
    if (record === "damaged") {
      notes.push("one slot of the watermark file is damaged");
      doubtful = true;
    } else if (record !== "missing" && (watermark === null || record.sequence > watermark.sequence)) watermark = record;
  }
  return { watermark, doubtful };
}

async function readSingles(disk: KeyValueDisk) {
  const [identity, hard, hardCopy, mark, pointer] = await Promise.all([
    readOne(disk, KEYS.identity, identityFromPlain),
    readOne(disk, KEYS.hard, hardFromPlain),
    readOne(disk, KEYS.hardCopy, hardFromPlain),
    readOne(disk, KEYS.mark, markFromPlain),
    readOne(disk, KEYS.snapshot, pointerFromPlain),
  ]);
  return { identity, hard, hardCopy, mark, pointer };
}

async function readOne<T>(disk: KeyValueDisk, key: Uint8Array, read: (value: unknown) => T): Promise<T | "missing" | "damaged"> {
  let bytes: Uint8Array | null;
  try {
    bytes = await disk.get(key);
  } catch {
    // The database itself noticed; for us that is one damaged record more.
    return "damaged";
  }
  return unseal(key, bytes, read);
}

type ChosenIdentity =
  | { readonly kind: "identity"; readonly identity: StoreIdentity; readonly lost: boolean }
  | { readonly kind: "amnesia"; readonly reasons: readonly string[] };

function chooseIdentity(
  stored: StoreIdentity | "missing" | "damaged",
  watermark: WatermarkRecord | null,
  expected: LoadOptions<unknown>["expected"],
): ChosenIdentity {
  if (typeof stored === "object") {
    const agrees = watermark === null || (watermark.cluster === stored.cluster && watermark.member === stored.member);
    if (agrees) return { kind: "identity", identity: stored, lost: false };
    return { kind: "amnesia", reasons: ["store and watermark file belong to different members"] };
  }
  // The certificate and the watermark file name the same member: nobody else's promises can be meant.
  if (expected !== null && watermark !== null && watermark.cluster === expected.cluster && watermark.member === expected.member) {
    const identity = { cluster: watermark.cluster, member: watermark.member, nodeName: expected.nodeName, createdAtMs: 0 };
    return { kind: "identity", identity, lost: true };
  }
  return { kind: "amnesia", reasons: [`the identity record is ${stored}`] };
}

type Stored<T> = T | "missing" | "damaged";

/** The newest promise that can still be read, from `h`, its copy and the watermark file; null if none can. */
function chooseHard(
  first: Stored<HardRecord>,
  copy: Stored<HardRecord>,
  { watermark, doubtful }: Watermark,
  found: { readonly damage: string[]; readonly notes: string[] },
): HardRecord | null {
  const readable = [first, copy].filter((one): one is HardRecord => typeof one === "object");
  const newest = readable.reduce<HardRecord | null>((best, one) => (best === null || one.sequence > best.sequence ? one : best), null);
  if (newest === null) {
    // An older slot may know an older term only: a vote of the newer one would be given twice.
    if (watermark === null || doubtful) return null;
    found.damage.push("term and vote are readable in the watermark file only");
    return { ...emptyHard(), ...promiseOf(watermark) };
  }
  if (readable.length < 2 || readable.some((one) => one.sequence !== newest.sequence))
    found.notes.push("one copy of term and vote was damaged");
  if (watermark !== null && watermark.sequence > newest.sequence) {
    found.damage.push(`the database forgot writes ${newest.sequence + 1} to ${watermark.sequence}`);
    return { ...newest, ...promiseOf(watermark) };
  }
  if (watermark !== null && watermark.sequence === newest.sequence && !Buffer.from(watermark.chain).equals(newest.chain)) {
    found.damage.push("the log's end differs from the watermark");
  }
  return newest;
}

const promiseOf = (watermark: WatermarkRecord) => ({
  term: watermark.term,
  vote: watermark.vote,
  boot: watermark.boot,
  sequence: watermark.sequence,
  lastIndex: watermark.lastIndex,
  chain: watermark.chain,
});

export function emptyHard(): HardRecord {
  const zero = logIndex(0);
  return {
    term: term(0),
    vote: null,
    commit: zero,
    configIndex: zero,
    boot: 0,
    sequence: 0,
    lastIndex: zero,
    lastTerm: term(0),
    chain: CHAIN_START,
    recovering: false,
  };
}

/** What cannot be read counts as damage, here as elsewhere. */
async function isEmpty(disk: KeyValueDisk, range: DiskRange): Promise<boolean> {
  try {
    for await (const _ of disk.range(range)) return false;
    return true;
  } catch {
    return false;
  }
}

/** A pack at a time: a start holds what it keeps of the log, not the log. */
async function readLog<C>(disk: KeyValueDisk, walk: LogWalk<C>, damage: string[]): Promise<void> {
  const records = disk.range(LOG_RANGE)[Symbol.asyncIterator]();
  while (true) {
    let next: IteratorResult<DiskRecord>;
    try {
      next = await records.next();
    } catch (cause) {
      damage.push(`the log cannot be read to its end: ${cause instanceof Error ? cause.message : String(cause)}`);
      return;
    }
    if (next.done === true) return;
    walk.take(next.value);
  }
}

async function readSnapshotState(disk: KeyValueDisk, stored: Stored<PointerRecord>, damage: string[]) {
  const garbage: Uint8Array[] = [];
  const current: Uint8Array[] = [];
  const offsets: number[] = [];
  let maxGeneration = typeof stored === "object" ? stored.generation : 0;
  let readBytes = 0;
  const hash = createHash("sha256");
  try {
    for await (const { key, value } of disk.range(CHUNK_RANGE)) {
      const generation = keyNumber(key, 0, 2);
      if (generation !== null) maxGeneration = Math.max(maxGeneration, generation);
      if (typeof stored !== "object" || generation !== stored.generation) {
        garbage.push(key);
        continue;
      }
      current.push(key);
      const chunk = unseal(key, value, chunkFromPlain);
      if (typeof chunk !== "object" || keyNumber(key, 1, 2) !== offsets.length || chunk.offset !== readBytes) continue;
      offsets.push(chunk.offset);
      readBytes += chunk.data.length;
      hash.update(chunk.data);
    }
  } catch (cause) {
    damage.push(`snapshot chunks cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (stored === "missing") return { pointer: null, maxGeneration, garbage };
  const whole =
    stored !== "damaged" &&
    offsets.length === stored.chunks &&
    readBytes === stored.meta.sizeBytes &&
    hash.digest("hex") === stored.meta.hash;
  if (whole) return { pointer: { ...stored, offsets }, maxGeneration, garbage };
  damage.push(stored === "damaged" ? "the snapshot pointer is damaged" : "the snapshot is damaged");
  return { pointer: null, maxGeneration, garbage: [...garbage, ...current] };
}

/** Reads one pack again, for cutting it. Null when it is damaged. */
export async function rereadPack(disk: KeyValueDisk, pack: Pack): Promise<readonly Uint8Array[] | null> {
  const key = packKey(pack.first);
  const record = unseal(key, await disk.get(key), packFromPlain);
  if (typeof record !== "object" || !Buffer.from(nextChain(record.prevChain, record.payload)).equals(pack.chain)) return null;
  return packEntries(record);
}

/** Reads and checks one chunk. Null when it is damaged. */
export async function readChunk(disk: KeyValueDisk, generation: number, chunk: number) {
  const key = chunkKey(generation, chunk);
  const record = unseal(key, await disk.get(key), chunkFromPlain);
  return typeof record === "object" ? record : null;
}
