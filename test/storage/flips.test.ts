import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSimulatedDisk } from "../../src/app/sim/disk.ts";
import { seededRandom } from "../../src/core/base/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import {
  createRaftStore,
  createStoreDirectory,
  type Opened,
  openStoreDirectory,
  type RaftStore,
  StoreError,
} from "../../src/io/storage/index.ts";
import { config, hard, IDENTITY, open, range, snapshotOf, textCommands, told, write } from "./harness.ts";

/** Flips in CI; `FLIPS=2000` is the soak run (issue 5: a flipped byte anywhere never changes what the cluster answers). */
const FLIPS = Number(process.env["FLIPS"] ?? "200");
const SEED = Number(process.env["SEED"] ?? "20261");

const STATE = Buffer.from("the state of the cluster at entry 40 ".repeat(20_000));
const WRITTEN = [...range(21, 40, 2), ...range(41, 60, 3), config(61, 3), ...range(62, 80, 4)];
const HARD = hard(4, 9, 75);

/** A store with everything in it: snapshot, compacted log, packs of several terms, a vote. */
async function fill(store: RaftStore<string>): Promise<void> {
  await store.save(write({ hard: hard(2, 77, 0), entries: range(1, 20, 2) }));
  await store.save(write({ entries: range(21, 40, 2) }));
  await store.save(write({ hard: hard(3, null, 30), entries: range(41, 60, 3) }));
  await store.takeSnapshot(snapshotOf(STATE, 40, 2), STATE);
  await store.compact({ term: range(20, 20, 2)[0]!.term, index: range(20, 20, 2)[0]!.index });
  await store.save(write({ hard: hard(4, 9, 60), entries: [config(61, 3), ...range(62, 70, 4)] }));
  await store.save(write({ hard: HARD, entries: range(71, 80, 4) }));
}

/** A finding that lets the member take part must come with exactly what was written; any other must keep it silent. */
async function judge(opened: Opened<string>, what: string): Promise<string> {
  if (opened.kind !== "opened") {
    assert.equal(opened.kind, "amnesia", what);
    return opened.kind;
  }
  const { loaded, store } = opened;
  const { restored, finding } = loaded;
  if (finding.kind === "recovering") {
    // Silent until repaired, and whatever is still there is a prefix of the truth.
    assert.equal(restored.recovering, true, what);
    const kept = told(restored.entries);
    const start = WRITTEN.findIndex((entry) => entry.index === restored.entries[0]?.index);
    assert.deepEqual(kept, kept.length === 0 ? [] : told(WRITTEN.slice(start, start + kept.length)), what);
  } else {
    assert.deepEqual(told(restored.entries), told(WRITTEN), what);
    assert.deepEqual(restored.hard, HARD, what);
    assert.deepEqual(Buffer.from((await store.loadSnapshot()) ?? []), STATE, what);
  }
  // The promise about votes is never forgotten or changed while the member may speak under this name.
  assert.deepEqual([restored.hard.term, restored.hard.vote], [HARD.term, HARD.vote], what);
  if (restored.snapshot !== null) assert.deepEqual(restored.snapshot, snapshotOf(STATE, 40, 2), what);
  await store.close();
  return finding.kind;
}

test(`${FLIPS} flipped bits of records: seen, or harmless`, async (context) => {
  const seen: Record<string, number> = {};
  for (let flip = 0; flip < FLIPS; flip += 1) {
    const seed = SEED + flip;
    const disk = createSimulatedDisk({ random: seededRandom(seed), schedule: (_ms, then) => queueMicrotask(then) });
    await createRaftStore({ ...disk.open(), identity: IDENTITY });
    const first = await open(disk);
    assert.equal(first.kind, "opened");
    if (first.kind !== "opened") return;
    await fill(first.store);
    await first.store.close();
    const hit = disk.flip();
    const kind = await judge(await open(disk), `seed ${seed}: ${hit}`);
    seen[kind] = (seen[kind] ?? 0) + 1;
  }
  context.diagnostic(`findings: ${JSON.stringify(seen)}`);
});

async function filesOf(directory: string): Promise<{ path: string; size: number }[]> {
  const found: { path: string; size: number }[] = [];
  for (const entry of await readdir(directory, { recursive: true })) {
    const path = join(directory, entry);
    const { size } = await stat(path);
    const isRecordFile = (await stat(path)).isFile() && !/LOG(\.old)?$|LOCK$/.test(entry);
    if (isRecordFile && size > 0) found.push({ path, size });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

test(`${FLIPS / 4} flipped bits in the files of a real LevelDB: seen, or harmless`, async (context) => {
  const home = await mkdtemp(join(tmpdir(), "quorate-flips-"));
  const random = seededRandom(SEED);
  const options = { commands: textCommands, expected: IDENTITY, fileSystem: "any", now: () => performance.now(), log: silentLog } as const;
  const seen: Record<string, number> = {};
  try {
    const original = join(home, "original");
    await createStoreDirectory({ directory: original, identity: IDENTITY, fileSystem: "any" });
    const first = await openStoreDirectory({ ...options, directory: original });
    assert.equal(first.kind, "opened");
    if (first.kind !== "opened") return;
    await fill(first.store);
    await first.store.close();
    // Odd copies were opened once more, so that their records lie in tables; even ones have all in the live log file.
    const tables = join(home, "tables");
    await cp(original, tables, { recursive: true });
    const again = await openStoreDirectory({ ...options, directory: tables });
    if (again.kind === "opened") await again.store.close();
    for (let flip = 0; flip < FLIPS / 4; flip += 1) {
      const directory = join(home, `copy-${flip}`);
      await cp(flip % 2 === 0 ? original : tables, directory, { recursive: true });
      const files = await filesOf(directory);
      // Every file equally often, else the snapshot's megabyte would take nearly all the flips.
      const file = files[random.below(files.length)]!;
      const at = random.below(file.size);
      const bit = 1 << random.below(8);
      const bytes = await readFile(file.path);
      bytes[at]! ^= bit;
      await writeFile(file.path, bytes);
      const what = `seed ${SEED} flip ${flip}: ${file.path.slice(directory.length)} byte ${at} bit ${bit}`;
      let kind: string;
      try {
        kind = await judge(await openStoreDirectory({ ...options, directory }), what);
      } catch (cause) {
        if (!(cause instanceof StoreError)) throw cause;
        kind = cause.detail.code;
      }
      seen[kind] = (seen[kind] ?? 0) + 1;
      await rm(directory, { recursive: true });
    }
  } finally {
    await rm(home, { recursive: true });
  }
  context.diagnostic(`findings: ${JSON.stringify(seen)}`);
});
