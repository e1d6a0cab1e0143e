import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSimulatedDisk } from "../../src/app/sim/disk.ts";
import { seededRandom } from "../../src/core/base/index.ts";
import { type KeyValueDisk, openLevelDisk, openSlotFile, SLOT_BYTES, type SlotFile } from "../../src/io/storage/index.ts";

/** A machine whose process can be started again over the same files. */
type Machine = { start(): Promise<{ disk: KeyValueDisk; slots: SlotFile }>; remove(): Promise<void> };

const MACHINES: readonly (readonly [string, () => Promise<Machine>])[] = [
  [
    "LevelDB",
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "quorate-disk-"));
      return {
        start: async () => ({ disk: await openLevelDisk(join(directory, "db")), slots: await openSlotFile(join(directory, "watermark")) }),
        remove: () => rm(directory, { recursive: true }),
      };
    },
  ],
  [
    "simulated",
    async () => {
      const disk = createSimulatedDisk({ random: seededRandom(1), schedule: (_ms, then) => queueMicrotask(then) });
      return { start: async () => disk.open(), remove: async () => {} };
    },
  ],
];

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const put = (key: Uint8Array, value: Uint8Array) => ({ kind: "put", key, value }) as const;

async function all(disk: KeyValueDisk, from: Uint8Array, to: Uint8Array): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of disk.range({ from, to }))
    found.push(`${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`);
  return found;
}

for (const [name, make] of MACHINES) {
  const contract = (what: string, body: (machine: Machine) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const machine = await make();
      try {
        await body(machine);
      } finally {
        await machine.remove();
      }
    });
  };

  contract("what is written is read, and is there after a restart", async (machine) => {
    const first = await machine.start();
    assert.equal(await first.disk.get(bytes(1)), null);
    await first.disk.write([put(bytes(1), bytes(10)), put(bytes(2), bytes())], { sync: true });
    await first.disk.write([put(bytes(3), bytes(30))], { sync: false });
    assert.deepEqual(Uint8Array.from((await first.disk.get(bytes(1))) ?? []), bytes(10));
    await first.slots.close();
    await first.disk.close();
    const second = await machine.start();
    assert.deepEqual(await all(second.disk, bytes(), bytes(255)), ["01=0a", "02=", "03=1e"]);
    await second.slots.close();
    await second.disk.close();
  });

  contract("ranges are in the unsigned order of bytes, from inclusive, to exclusive", async (machine) => {
    const { disk, slots } = await machine.start();
    const keys = [bytes(0x6c, 0xff), bytes(0x6c), bytes(0x6c, 0), bytes(0x6c, 0x80, 1), bytes(0x6d), bytes(0x6b, 0xff), bytes(0x6c, 0x7f)];
    await disk.write(
      keys.map((key) => put(key, bytes(1))),
      { sync: true },
    );
    assert.deepEqual(await all(disk, bytes(0x6c), bytes(0x6d)), ["6c=01", "6c00=01", "6c7f=01", "6c8001=01", "6cff=01"]);
    assert.deepEqual(await all(disk, bytes(0x6e), bytes(0x6f)), []);
    await slots.close();
    await disk.close();
  });

  contract("the last operation of a batch on a key counts; writes take effect in the order they were asked for", async (machine) => {
    const { disk, slots } = await machine.start();
    await disk.write([put(bytes(1), bytes(1)), { kind: "delete", key: bytes(1) }, put(bytes(2), bytes(1)), put(bytes(2), bytes(2))], {
      sync: true,
    });
    assert.deepEqual(await all(disk, bytes(), bytes(255)), ["02=02"]);
    // Many rounds: where two writes may overtake each other they seldom do.
    for (let round = 0; round < 100; round += 1) {
      const writes: Promise<void>[] = [];
      for (let value = 0; value < 20; value += 1) writes.push(disk.write([put(bytes(7), bytes(value))], { sync: value % 10 === 0 }));
      await Promise.all(writes);
      assert.deepEqual(Uint8Array.from((await disk.get(bytes(7))) ?? []), bytes(19), `round ${round}`);
    }
    await slots.close();
    await disk.close();
  });

  contract("what was handed over may be changed by its owner afterwards", async (machine) => {
    const { disk, slots } = await machine.start();
    const value = bytes(1, 2, 3);
    await disk.write([put(bytes(1), value)], { sync: true });
    value[0] = 99;
    const read = (await disk.get(bytes(1))) ?? bytes();
    assert.deepEqual(Uint8Array.from(read), bytes(1, 2, 3));
    await slots.close();
    await disk.close();
  });

  contract("a closed disk refuses", async (machine) => {
    const { disk, slots } = await machine.start();
    await slots.close();
    await disk.close();
    await assert.rejects(async () => disk.write([put(bytes(1), bytes(1))], { sync: true }));
    await assert.rejects(async () => disk.get(bytes(1)));
  });

  contract("closing waits for writes that nobody waited for", async (machine) => {
    const first = await machine.start();
    const writes: Promise<void>[] = [];
    for (let value = 0; value < 10; value += 1) writes.push(first.disk.write([put(bytes(7), bytes(value))], { sync: false }));
    await first.slots.close();
    await first.disk.close();
    await Promise.all(writes);
    const second = await machine.start();
    assert.deepEqual(await all(second.disk, bytes(), bytes(255)), ["07=09"]);
    await second.slots.close();
    await second.disk.close();
  });

  contract("slots: empty at first, written in turn, each its own", async (machine) => {
    const first = await machine.start();
    for (const slot of await first.slots.read()) assert.ok(slot === null || slot.every((byte) => byte === 0));
    await first.slots.write(0, new Uint8Array(SLOT_BYTES).fill(1), { sync: true });
    await first.slots.write(1, new Uint8Array(SLOT_BYTES).fill(2), { sync: false });
    await first.slots.write(0, new Uint8Array(SLOT_BYTES).fill(3), { sync: false });
    await first.slots.close();
    await first.disk.close();
    const second = await machine.start();
    const [a, b] = await second.slots.read();
    assert.deepEqual([a?.[0], a?.[SLOT_BYTES - 1], b?.[0], b?.length], [3, 3, 2, SLOT_BYTES]);
    await second.slots.close();
    await second.disk.close();
  });
}
