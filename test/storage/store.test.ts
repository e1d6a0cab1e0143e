import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedDisk } from "../../src/app/sim/disk.ts";
import { logIndex, seededRandom, term } from "../../src/core/base/index.ts";
import { createRaftStore, openRaftStore } from "../../src/io/storage/index.ts";
import { config, data, fresh, hard, IDENTITY, newDisk, open, range, reopen, snapshotOf, textCommands, told, write } from "./harness.ts";

test("an empty disk is new, unless this member has spoken before: then it is amnesia", async () => {
  assert.equal((await open(newDisk(1), null)).kind, "new");
  assert.equal((await open(newDisk(1))).kind, "amnesia");
  const { disk, store } = await fresh();
  await store.close();
  disk.wipe();
  assert.equal((await open(disk)).kind, "amnesia");
});

test("what was saved is there after a restart, in a store that counts its starts", async () => {
  const { disk, store } = await fresh();
  await store.save(write({ hard: hard(1, 77, 0), entries: [config(1, 1), ...range(2, 5, 1)] }));
  await store.save(write({ hard: hard(2, null, 3), entries: range(6, 8, 2) }));
  await store.close();
  disk.powerCut();
  const { loaded } = await reopen(disk);
  assert.deepEqual(loaded.finding, { kind: "clean" });
  assert.equal(loaded.boot, 2);
  assert.deepEqual(loaded.restored.hard, hard(2, null, 3));
  assert.deepEqual(told(loaded.restored.entries), told([config(1, 1), ...range(2, 5, 1), ...range(6, 8, 2)]));
  assert.deepEqual(loaded.restored.entries[0], config(1, 1));
  assert.deepEqual(loaded.restored.mark, { term: term(0), index: logIndex(0) });
});

test("a store of another member is refused, a new store is not made over an old one", async () => {
  const { disk, store } = await fresh();
  await store.close();
  await assert.rejects(open(disk, { ...IDENTITY, cluster: "ffffffffffffffff" } as never), /belongs to member 77/);
  await assert.rejects(createRaftStore({ ...disk.open(), identity: IDENTITY }), { detail: { code: "STORE_EXISTS" } });
});

test("entries replace the tail from their first index on: across packs, inside a pack, inside one group", async () => {
  const { disk, store } = await fresh();
  await store.save(write({ hard: hard(1, null, 0), entries: range(1, 10, 1) }));
  await store.save(write({ entries: range(11, 20, 1) }));
  await store.save(write({ hard: hard(2, null, 0), entries: range(5, 6, 2) }));
  await Promise.all([
    store.save(write({ hard: hard(3, null, 0), entries: range(7, 12, 3) })),
    store.save(write({ hard: hard(4, null, 0), entries: range(9, 9, 4) })),
    store.save(write({ hard: hard(5, null, 0), entries: range(10, 11, 5) })),
    store.save(write({ hard: hard(6, null, 0), entries: range(3, 4, 6) })),
    store.save(write({ entries: range(5, 7, 6) })),
  ]);
  await store.close();
  const { loaded } = await reopen(disk);
  assert.deepEqual(told(loaded.restored.entries), told([...range(1, 2, 1), ...range(3, 7, 6)]));
  assert.equal(loaded.finding.kind, "clean");
});

test("one write in flight: what gathers meanwhile is one write more", async () => {
  const { store } = await fresh();
  const before = store.stats().syncedWrites;
  await Promise.all(Array.from({ length: 200 }, (_, at) => store.save(write({ entries: [data(at + 1, 1)] }))));
  assert.equal(store.stats().syncedWrites - before, 2);
});

test("a failed sync is the end of the store", async () => {
  const { disk, store } = await fresh();
  disk.failNextSync();
  const first = store.save(write({ entries: range(1, 1, 1) }));
  const second = store.save(write({ entries: range(2, 2, 1) }));
  await assert.rejects(first, { detail: { code: "STORE_FAILED" } });
  await assert.rejects(second, { detail: { code: "STORE_FAILED" } });
  await assert.rejects(store.save(write({ hard: hard(9, null, 0) })), { detail: { code: "STORE_FAILED" } });
});

test("the age of the oldest unfinished write tells of a stalled disk", async () => {
  let nowMs = 100;
  const waiting: (() => void)[] = [];
  let held = false;
  const disk = createSimulatedDisk({
    random: seededRandom(1),
    schedule: (_ms, then) => (held ? waiting.push(then) : queueMicrotask(then)),
  });
  await createRaftStore({ ...disk.open(), identity: IDENTITY });
  const opened = await openRaftStore({ ...disk.open(), commands: textCommands, expected: null, now: () => nowMs });
  assert.equal(opened.kind, "opened");
  if (opened.kind !== "opened") return;
  assert.equal(opened.store.oldestWriteAgeMs(), 0);
  held = true;
  const saved = opened.store.save(write({ entries: range(1, 1, 1) }));
  nowMs = 1400;
  assert.equal(opened.store.oldestWriteAgeMs(), 1300);
  held = false;
  await Promise.resolve();
  for (const then of waiting.splice(0)) then();
  await saved;
  assert.equal(opened.store.oldestWriteAgeMs(), 0);
});

test("a snapshot of our own: pointer in force, log compacted to whole packs, deletion in slices", async () => {
  const { disk, store } = await fresh();
  for (let at = 0; at < 1300; at += 1) await store.save(write({ entries: [data(at + 1, 1)] }));
  const bytes = Buffer.alloc(700_000, 7);
  const meta = snapshotOf(bytes, 1200, 1);
  await store.takeSnapshot(meta, bytes);
  await store.compact({ term: term(1), index: logIndex(1100) });
  await store.save(write({ hard: hard(1, null, 1250), entries: [data(1301, 1)] }));
  assert.deepEqual(store.snapshot(), meta);
  assert.deepEqual(Buffer.from((await store.loadSnapshot()) ?? []), bytes);
  assert.equal((await store.readSnapshot(meta.last, 262_000, 1000))?.length, 1000);
  assert.equal(await store.readSnapshot({ term: term(1), index: logIndex(1199) }, 0, 10), null);
  await store.close();
  assert.ok(disk.recordCount() < 220, `${disk.recordCount()} records are left`);
  disk.powerCut();
  const { loaded, store: again } = await reopen(disk);
  assert.equal(loaded.finding.kind, "clean");
  assert.equal(loaded.restored.mark.index, 1100);
  assert.equal(loaded.restored.entries.length, 201);
  assert.deepEqual(loaded.restored.snapshot, meta);
  assert.deepEqual(Buffer.from((await again.loadSnapshot()) ?? []), bytes);
});

test("an incoming snapshot: chunks, hash, one write for pointer, hard state and mark; the old log goes", async () => {
  const { disk, store } = await fresh();
  await store.save(write({ hard: hard(1, null, 0), entries: range(1, 50, 1) }));
  await store.save(write({ entries: range(51, 90, 1) }));
  const bytes = Buffer.alloc(600_000, 3);
  const meta = snapshotOf(bytes, 60, 2);
  const chunk = (offset: number, size: number) => ({ snapshot: meta, offset, data: bytes.subarray(offset, offset + size) });
  await store.keepChunks([chunk(0, 262_144)]);
  assert.equal(await store.verifySnapshot(meta), false);
  await store.keepChunks([chunk(262_144, 262_144), chunk(262_144, 262_144), chunk(524_288, 75_712)]);
  assert.equal(await store.verifySnapshot(meta), true);
  await store.save(write({ hard: hard(2, null, 60), snapshot: { meta, keepSuffix: false }, entries: range(61, 63, 2) }));
  await store.close();
  disk.powerCut();
  const { loaded } = await reopen(disk);
  assert.equal(loaded.finding.kind, "clean");
  assert.deepEqual(loaded.restored.mark, { term: term(2), index: logIndex(60) });
  assert.deepEqual(told(loaded.restored.entries), told(range(61, 63, 2)));
});

test("a snapshot is verified behind the chunks that are still on their way to the disk", async () => {
  const { store } = await fresh();
  const bytes = Buffer.from("state");
  const meta = snapshotOf(bytes, 60, 1);
  const kept = store.keepChunks([{ snapshot: meta, offset: 0, data: bytes }]);
  assert.equal(await store.verifySnapshot(meta), true);
  await kept;
});

test("a snapshot is installed although the next one begins to come in while its write waits", async () => {
  const { disk, store } = await fresh();
  const bytes = Buffer.from("state");
  const meta = snapshotOf(bytes, 60, 1);
  const next = snapshotOf(Buffer.from("newer state"), 70, 1);
  await store.keepChunks([{ snapshot: meta, offset: 0, data: bytes }]);
  const before = store.save(write({ hard: hard(1, null, 0), entries: range(1, 50, 1) }));
  const installed = store.save(write({ hard: hard(1, null, 60), snapshot: { meta, keepSuffix: false } }));
  await store.keepChunks([{ snapshot: next, offset: 0, data: Buffer.from("newer state") }]);
  await Promise.all([before, installed]);
  assert.equal(await store.verifySnapshot(next), true);
  await store.close();
  disk.powerCut();
  const { loaded, store: again } = await reopen(disk);
  assert.equal(loaded.finding.kind, "clean");
  assert.deepEqual(loaded.restored.snapshot, meta);
  assert.deepEqual(Buffer.from((await again.loadSnapshot()) ?? []), bytes);
});

test("a snapshot of our own never replaces a newer one that was installed while it was being written", async () => {
  const bytes = Buffer.from("state");
  const installed = snapshotOf(bytes, 60, 2);
  const own = snapshotOf(Buffer.from("older state"), 40, 1);
  for (let turns = 0; turns < 30; turns += 1) {
    const { disk, store } = await fresh();
    await store.save(write({ hard: hard(1, null, 0), entries: range(1, 49, 1) }));
    await store.keepChunks([{ snapshot: installed, offset: 0, data: bytes }]);
    const taken = store.takeSnapshot(own, Buffer.from("older state"));
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    const before = store.save(write({ entries: [data(50, 1)] }));
    const after = store.save(write({ hard: hard(2, null, 60), snapshot: { meta: installed, keepSuffix: false } }));
    await Promise.all([taken, before, after]);
    assert.deepEqual(store.snapshot()?.last, installed.last, `${turns} turns later`);
    await store.close();
    disk.powerCut();
    const { loaded, store: again } = await reopen(disk);
    assert.equal(loaded.finding.kind, "clean");
    assert.deepEqual(Buffer.from((await again.loadSnapshot()) ?? []), bytes);
  }
});

test("a snapshot that a newer one replaces while it is read is no damage", async () => {
  const { store } = await fresh();
  await store.save(write({ hard: hard(1, null, 50), entries: range(1, 50, 1) }));
  const [older, newer] = [Buffer.alloc(20 * 262_144, 7), Buffer.alloc(1000, 3)];
  const meta = snapshotOf(older, 40, 1);
  await store.takeSnapshot(meta, older);
  const loading = store.loadSnapshot();
  const reading = store.readSnapshot(meta.last, 0, older.length);
  await store.takeSnapshot(snapshotOf(newer, 50, 1), newer);
  assert.equal(await reading, null);
  assert.deepEqual(Buffer.from((await loading) ?? []), newer);
});

test("an incoming snapshot that the log reaches beyond keeps the suffix; a wrong hash is seen", async () => {
  const { disk, store } = await fresh();
  await store.save(write({ hard: hard(1, null, 0), entries: range(1, 90, 1) }));
  const bytes = Buffer.from("state");
  const meta = snapshotOf(bytes, 60, 1);
  await store.keepChunks([{ snapshot: { ...meta, hash: "00".repeat(32) }, offset: 0, data: bytes }]);
  assert.equal(await store.verifySnapshot({ ...meta, hash: "00".repeat(32) }), false);
  await store.keepChunks([{ snapshot: meta, offset: 0, data: bytes }]);
  assert.equal(await store.verifySnapshot(meta), true);
  await store.save(write({ snapshot: { meta, keepSuffix: true } }));
  await store.compact({ term: term(1), index: logIndex(60) });
  await store.close();
  const { loaded } = await reopen(disk);
  assert.equal(loaded.restored.entries.length, 90, "the one pack cannot be cut before its end");
  assert.deepEqual(loaded.restored.snapshot, meta);
});

test("damage is recovering until the core says that the log is whole again, through restarts", async () => {
  const { disk, store } = await fresh();
  await store.save(write({ hard: hard(3, 9, 0), entries: range(1, 10, 3) }));
  await store.save(write({ entries: range(11, 20, 3) }));
  await store.save(write({ hard: hard(3, 9, 15), entries: range(21, 30, 3) }));
  await store.close();
  const raw = disk.open().disk;
  const key = Buffer.from([0x6c, 0, 0, 0, 0, 0, 0, 0, 11]);
  const value = Uint8Array.from((await raw.get(key)) ?? []);
  value[40]! ^= 1;
  await raw.write([{ kind: "put", key, value }], { sync: true });
  const first = await reopen(disk);
  assert.equal(first.loaded.finding.kind, "recovering");
  assert.deepEqual(first.loaded.restored.hard, hard(3, 9, 10));
  assert.equal(first.loaded.restored.entries.length, 10);
  assert.equal(first.loaded.restored.recovering, true);
  await first.store.save(write({ entries: range(11, 12, 4) }));
  await first.store.close();
  const second = await reopen(disk);
  assert.equal(second.loaded.restored.recovering, true, "a half repaired log must not vote");
  assert.deepEqual(told(second.loaded.restored.entries), told([...range(1, 10, 3), ...range(11, 12, 4)]));
  await second.store.save(write({ entries: range(13, 15, 4), recovered: true }));
  await second.store.close();
  const third = await reopen(disk);
  assert.equal(third.loaded.finding.kind, "clean");
  assert.equal(third.loaded.restored.entries.length, 15);
});

test("a database that silently forgot its last writes is found by the watermark; term and vote come from there", async () => {
  const { disk, store } = await fresh();
  await store.save(write({ hard: hard(1, 77, 0), entries: range(1, 3, 1) }));
  await store.close();
  const raw = disk.open();
  const keys = ["h", "h2", "t", "m"].map((name) => Buffer.from(name));
  const old = await Promise.all(keys.map((key) => raw.disk.get(key)));
  const again = await reopen(disk);
  await again.store.save(write({ hard: hard(8, 9, 0), entries: range(4, 6, 8) }));
  await again.store.close();
  const forged = disk.open().disk;
  await forged.write(
    [
      ...keys.map((key, at) => ({ kind: "put" as const, key, value: old[at]! })),
      { kind: "delete", key: Buffer.from([0x6c, 0, 0, 0, 0, 0, 0, 0, 4]) },
    ],
    { sync: true },
  );
  const { loaded } = await reopen(disk);
  assert.equal(loaded.finding.kind, "recovering");
  assert.equal(loaded.restored.hard.term, 8);
  assert.equal(loaded.restored.hard.vote, 9);
  assert.equal(loaded.restored.entries.length, 3);
});

test("both copies of term and vote lost: the watermark file still knows; lost there too, it is amnesia", async () => {
  const damaged = Buffer.alloc(4096, 1);
  for (const [lost, content, expected] of [
    [[], damaged, "opened"],
    [[0, 1], Buffer.alloc(4096), "amnesia"],
    // Whichever slot can still be read, the other may have held the newer promise.
    [[0], damaged, "amnesia"],
    [[1], damaged, "amnesia"],
  ] as const) {
    const { disk, store } = await fresh();
    await store.save(write({ hard: hard(4, 77, 0) }));
    await store.save(write({ hard: hard(5, 9, 0), entries: range(1, 3, 5) }));
    await store.close();
    const raw = disk.open();
    await raw.disk.write(
      [
        { kind: "delete", key: Buffer.from("h") },
        { kind: "put", key: Buffer.from("h2"), value: Buffer.from("rubbish") },
      ],
      { sync: true },
    );
    for (const slot of lost) await raw.slots.write(slot, content, { sync: true });
    const opened = await open(disk);
    assert.equal(opened.kind, expected);
    if (opened.kind === "opened") {
      assert.equal(opened.loaded.finding.kind, "recovering");
      assert.deepEqual([opened.loaded.restored.hard.term, opened.loaded.restored.hard.vote], [5, 9]);
    }
  }
});

test("power cuts at random moments lose nothing that was acknowledged and need no recovery", async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seededRandom(seed);
    const waiting: (() => void)[] = [];
    let stepping = false;
    const disk = createSimulatedDisk({ random, schedule: (_ms, then) => (stepping ? waiting.push(then) : queueMicrotask(then)) });
    await createRaftStore({ ...disk.open(), identity: IDENTITY });
    let acked = 0;
    let ofTerm = 1;
    for (let start = 0; start < 4; start += 1) {
      stepping = false;
      const { loaded, store } = await reopen(disk);
      assert.ok(loaded.finding.kind === "clean" || loaded.finding.kind === "torn-tail", `seed ${seed}: ${JSON.stringify(loaded.finding)}`);
      assert.ok(
        loaded.restored.entries.length >= acked,
        `seed ${seed}: ${loaded.restored.entries.length} of ${acked} acknowledged entries`,
      );
      let last = loaded.restored.entries.length;
      stepping = true;
      ofTerm = loaded.restored.hard.term + 1;
      for (let step = 0; step < 30; step += 1) {
        const count = random.below(4);
        const from = last + 1;
        last += count;
        const upTo = last;
        void store.save(write({ hard: hard(ofTerm, random.below(3), 0), entries: range(from, upTo, ofTerm) })).then(() => {
          acked = Math.max(acked, upTo);
        });
        if (random.below(3) > 0) waiting.shift()?.();
        for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
      }
      waiting.length = 0;
      disk.powerCut();
    }
  }
});
