import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MemberId } from "../../core/base/index.ts";
import type { Log } from "../../core/ports/index.ts";
import type { CommandCodec } from "../wire/index.ts";
import type { DiskOperation, KeyValueDisk, SlotFile } from "./disk.ts";
import { refusedWrite, StoreError } from "./errors.ts";
import { openLevelDisk } from "./level-disk.ts";
import { diesOnOpening } from "./probe.ts";
import { openSlotFile } from "./slot-file.ts";
import { createRaftStore, openRaftStore } from "./store.ts";
import type { Opened, StoreIdentity } from "./types.ts";

/** `statfs` types on which the fsync of a new file also commits its directory entry (RAFT.md §6; OSDI14). */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext"],
  [0x58465342, "xfs"],
  [0x794c7630, "overlay"],
]);
const TMPFS = 0x01021994;

const DATABASE = "db";
const WATERMARK = "watermark";
/**
 * Stands while the database is being opened and for `OPENING_MS` after, and counts the starts that died meanwhile. After
 * `CUT_MAX` in a row the next one looks first whether the database is what kills (see `diesOnOpening`). One is most often
 * a daemon that somebody killed: the look costs a second, and a killed daemon must be back soon (RAFT.md §7).
 */
const OPENING = "opening";
const CUT_MAX = 2;
const OPENING_MS = 1000;
/** Two write buffers, a log until its snapshot, and that snapshot, of a small cluster; bytes. */
export const ROOM_BYTES = 64 * 1024 * 1024;
/** Bytes of one synced batch while records are copied. */
const COPY_BYTES = 1024 * 1024;

export type StoreDirectoryOptions<C> = {
  /** Made with mode 0700 when missing. Holds the database and the watermark file. */
  readonly directory: string;
  readonly commands: CommandCodec<C>;
  readonly expected: { readonly cluster: string; readonly member: MemberId; readonly nodeName: string } | null;
  /** `strict`: ext, xfs, overlay. `memory`: tmpfs too (tests and demonstrations). `any`: the operator insists. */
  readonly fileSystem?: "strict" | "memory" | "any";
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly log: Log;
};

/** Refuses file systems that promise less than the store needs. Throws `STORE_FILE_SYSTEM`. */
export async function checkFileSystem(directory: string, allowed: "strict" | "memory" | "any"): Promise<void> {
  if (allowed === "any") return;
  const { type } = await statfs(directory);
  if (FILE_SYSTEMS.has(type) || (allowed === "memory" && type === TMPFS)) return;
  const known = [...FILE_SYSTEMS.values()].join(", ");
  throw new StoreError(`${directory} is on a file system (type 0x${type.toString(16)}) that the store does not trust; it wants ${known}`, {
    code: "STORE_FILE_SYSTEM",
    path: directory,
  });
}

/**
 * Refuses a disk that is all but full before anything is promised to a cluster: a join that fails half-way has used its
 * token up, and leaves a member behind that never comes. Throws `STORE_NO_ROOM`.
 */
export async function checkRoom(directory: string, wantedBytes = ROOM_BYTES): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= wantedBytes) return;
  const [free, wanted] = [bavail * bsize, wantedBytes].map((bytes) => Math.floor(bytes / 1024 / 1024));
  throw new StoreError(`${directory} is on a disk with ${free} MiB left; a member needs ${wanted} MiB at least`, {
    code: "STORE_NO_ROOM",
    path: directory,
  });
}

/** Makes the store of a new member in a directory. See `createRaftStore` for when. Throws `StoreError`. */
export async function createStoreDirectory(
  options: Pick<StoreDirectoryOptions<unknown>, "directory" | "fileSystem"> & { readonly identity: StoreIdentity },
): Promise<void> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  await checkFileSystem(options.directory, options.fileSystem ?? "strict");
  const disk = await openLevelDisk(join(options.directory, DATABASE));
  const slots = await openSlots(options.directory, disk);
  try {
    await createRaftStore({ disk, slots, identity: options.identity });
    await syncDirectory(options.directory);
  } catch (cause) {
    throw cause instanceof StoreError ? cause : refusedWrite(cause, options.directory);
  } finally {
    await slots.close();
    await disk.close();
  }
}

/**
 * Opens a member's store for one more start and tells the log what was found. A database that LevelDB cannot open, or
 * whose tables are damaged, is put aside as `db.damaged-<n>` and replaced by a copy of every record that could be read;
 * nothing is repaired by guesswork (RAFT.md §6, `repair`).
 */
export async function openStoreDirectory<C>(options: StoreDirectoryOptions<C>): Promise<Opened<C>> {
  const { directory, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await checkFileSystem(directory, options.fileSystem ?? "strict");
  let disk = await openOrReplace(directory, log);
  let opened = await openWith(options, disk);
  if (opened.kind === "opened" && opened.loaded.finding.kind === "recovering" && opened.loaded.finding.isNew) {
    for (const damage of opened.loaded.finding.damage) log.error({ directory, damage }, "damage in the store");
    // The damaged tables would go on to poison compactions, so the readable records move to a database of their own.
    await opened.store.close();
    disk = await rewrite(directory, log);
    opened = await openWith(options, disk);
  }
  report(opened, log, directory);
  return opened;
}

async function openWith<C>(options: StoreDirectoryOptions<C>, disk: KeyValueDisk): Promise<Opened<C>> {
  const slots = await openSlots(options.directory, disk);
  const { commands, expected, now } = options;
  try {
    const opened = await openRaftStore({ disk, slots, commands, expected, now });
    if (opened.kind === "opened") return opened;
    await slots.close();
    await disk.close();
    return opened;
  } catch (cause) {
    await slots.close();
    await disk.close();
    throw cause;
  }
}

async function openSlots(directory: string, disk: KeyValueDisk): Promise<SlotFile> {
  try {
    return await openSlotFile(join(directory, WATERMARK));
  } catch (cause) {
    await disk.close();
    throw new StoreError("the watermark file does not open", { code: "STORE_FAILED", path: join(directory, WATERMARK) }, cause);
  }
}

async function openOrReplace(directory: string, log: Log): Promise<KeyValueDisk> {
  const path = join(directory, DATABASE);
  const marker = join(directory, OPENING);
  await finishRewrite(directory, log);
  const cuts = await cutsBefore(marker);
  if (cuts >= CUT_MAX && (await exists(path)) && (await diesOnOpening(path))) {
    const aside = await putAside(directory);
    log.error({ code: "STORE_DAMAGED", path, aside }, "opening the database kills the process; it was put aside");
  }
  await writeFile(marker, String(cuts + 1)).catch((cause: unknown) => {
    throw refusedWrite(cause, directory);
  });
  try {
    return watched(await openLevelDisk(path), marker);
  } catch (cause) {
    if (!(cause instanceof StoreError && cause.detail.code === "STORE_DAMAGED")) throw cause;
    const aside = await putAside(directory);
    log.error({ code: "STORE_DAMAGED", path, aside, cause: cause.message }, "the database does not open; it was put aside");
    return watched(await openLevelDisk(path), marker);
  }
}

/** How many starts in a row have died while they opened the database. An empty file counts: an earlier version wrote it. */
async function cutsBefore(marker: string): Promise<number> {
  try {
    return Number(await readFile(marker, "utf8")) || CUT_MAX;
  } catch {
    return 0;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Takes the marker away once the database has been open for a while, or was closed in order. */
function watched(disk: KeyValueDisk, marker: string): KeyValueDisk {
  const forget = (): Promise<void> => rm(marker, { force: true }).catch(() => {});
  const timer = setTimeout(() => void forget(), OPENING_MS);
  timer.unref();
  return {
    ...disk,
    close: async () => {
      clearTimeout(timer);
      await disk.close();
      await forget();
    },
  };
}

async function putAside(directory: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const aside = join(directory, `${DATABASE}.damaged-${number}`);
    if (await exists(aside)) continue;
    await rename(join(directory, DATABASE), aside);
    await syncDirectory(directory);
    return aside;
  }
}

async function rewrite(directory: string, log: Log): Promise<KeyValueDisk> {
  const path = join(directory, DATABASE);
  const fresh = join(directory, `${DATABASE}.new`);
  await writeFile(join(directory, OPENING), "1");
  const source = await openLevelDisk(path);
  const target = await openLevelDisk(fresh);
  const gathered: DiskOperation[] = [];
  let records = 0;
  let size = 0;
  try {
    for await (const { key, value } of source.range({ from: new Uint8Array(0), to: new Uint8Array([0xff]) })) {
      gathered.push({ kind: "put", key, value });
      records += 1;
      size += value.length;
      if (size < COPY_BYTES) continue;
      await target.write(gathered.splice(0), { sync: true });
      size = 0;
    }
  } catch (cause) {
    log.warn({ records, cause: String(cause) }, "part of the damaged database cannot be read");
  }
  await target.write(gathered, { sync: true });
  await source.close();
  await target.close();
  const aside = await putAside(directory);
  await rename(fresh, path);
  await syncDirectory(directory);
  log.warn({ records, aside }, "the readable records of the damaged database were copied to a new one");
  return watched(await openLevelDisk(path), join(directory, OPENING));
}

/**
 * What a crash in the middle of `rewrite` left. Beside the damaged database the copy may be cut off: it is made again.
 * Once that is put aside the copy is whole, and the only place where this member's records still stand.
 */
async function finishRewrite(directory: string, log: Log): Promise<void> {
  const path = join(directory, DATABASE);
  const fresh = join(directory, `${DATABASE}.new`);
  if (await exists(path)) {
    await rm(fresh, { recursive: true, force: true });
    return;
  }
  if (!(await exists(fresh))) return;
  await rename(fresh, path);
  await syncDirectory(directory);
  log.warn({ path }, "an earlier start copied the readable records of a damaged database and died; the copy is used");
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function report(opened: Opened<unknown>, log: Log, directory: string): void {
  if (opened.kind === "amnesia") {
    log.error({ directory, reasons: opened.reasons }, "this member has lost its memory: it must rejoin under a new member id");
    return;
  }
  if (opened.kind === "new") return;
  const { finding, boot, restored, notes } = opened.loaded;
  const facts = { directory, boot, term: restored.hard.term, first: restored.mark.index + 1, entries: restored.entries.length };
  for (const note of notes) log.warn({ directory }, note);
  if (finding.kind === "clean") log.info(facts, "the store is clean");
  else if (finding.kind === "torn-tail")
    log.warn({ ...facts, droppedFrom: finding.droppedFrom }, "the last write was torn; nobody was told of it");
  else log.error({ ...facts, damage: finding.damage }, "the store is damaged: this member does not vote until it has caught up");
}
