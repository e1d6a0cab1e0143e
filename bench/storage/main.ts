import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { logIndex, memberId, term } from "../../src/core/base/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import { createStoreDirectory, openLevelDisk, openStoreDirectory } from "../../src/io/storage/index.ts";
import { percentile } from "../raft/load.ts";

const USAGE = `usage: node dist/bench/storage/main.js [--rounds N] [--bytes N] [--dir DIR] [--json]

A synced write of 1 and of 64 entries: through the store, through LevelDB alone, and as a bare append with fdatasync,
turn by turn in one run, so that all see the same machine.
`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "400" },
    bytes: { type: "string", default: "300" },
    dir: { type: "string", default: tmpdir() },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Rounds before the clock counts: the compiler of the machine must have seen the code. */
const WARM_UP_ROUNDS = 100;

type Subject = { readonly name: string; write(count: number): Promise<void> | void; close(): Promise<void> | void };

async function storeSubject(directory: string, bytes: number): Promise<Subject> {
  const identity = { cluster: "be9c400000000000", member: memberId(1), nodeName: "bench", createdAtMs: 0 };
  await createStoreDirectory({ directory, identity, fileSystem: "any" });
  const commands = { encode: (command: Uint8Array) => command, decode: (command: Uint8Array) => command };
  const now = (): number => performance.now();
  const opened = await openStoreDirectory({ directory, commands, expected: identity, fileSystem: "any", now, log: silentLog });
  if (opened.kind !== "opened") throw new Error(`the store is ${opened.kind}`);
  let last = 0;
  return {
    name: "store",
    write: (count) => {
      const from = last + 1;
      last += count;
      // Each command is its own bytes: an entry that was encoded before would flatter the store.
      const entries = Array.from({ length: count }, (_, at) => ({
        kind: "data" as const,
        term: term(1),
        index: logIndex(from + at),
        data: Buffer.alloc(bytes, at),
      }));
      return opened.store.save({ hard: null, entries, snapshot: null, recovered: false });
    },
    close: () => opened.store.close(),
  };
}

async function levelSubject(directory: string, bytes: number): Promise<Subject> {
  const disk = await openLevelDisk(directory);
  let key = 0;
  return {
    name: "LevelDB, one record",
    write: (count) => {
      key += 1;
      const name = Buffer.alloc(9);
      name.writeUInt32BE(key, 5);
      return disk.write([{ kind: "put", key: name, value: Buffer.alloc(bytes * count, key) }], { sync: true });
    },
    close: () => disk.close(),
  };
}

function rawSubject(path: string, bytes: number): Subject {
  const file = openSync(path, "a");
  return {
    name: "append + fdatasync",
    write: (count) => {
      writeSync(file, Buffer.alloc(bytes * count, 1));
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

async function asyncRawSubject(path: string, bytes: number): Promise<Subject> {
  const file = await open(path, "a");
  return {
    name: "append + fdatasync, thread pool",
    write: async (count) => {
      await file.write(Buffer.alloc(bytes * count, 1));
      await file.datasync();
    },
    close: () => file.close(),
  };
}

async function run(): Promise<void> {
  const home = mkdtempSync(join(values.dir, "quorate-bench-"));
  const bytes = Number(values.bytes);
  const subjects = [
    await storeSubject(join(home, "store"), bytes),
    await levelSubject(join(home, "level"), bytes),
    rawSubject(join(home, "raw"), bytes),
    await asyncRawSubject(join(home, "raw-async"), bytes),
  ];
  try {
    for (const count of [1, 64]) {
      const times = new Map<string, number[]>(subjects.map((subject) => [subject.name, []]));
      for (let round = -WARM_UP_ROUNDS; round < Number(values.rounds); round += 1) {
        for (const subject of subjects) {
          const startedMs = performance.now();
          await subject.write(count);
          if (round >= 0) times.get(subject.name)?.push(performance.now() - startedMs);
        }
      }
      report(count, times);
    }
  } finally {
    for (const subject of subjects) await subject.close();
    rmSync(home, { recursive: true });
  }
}

function report(count: number, times: ReadonlyMap<string, readonly number[]>): void {
  const base = percentile(
    (times.get("append + fdatasync, thread pool") ?? []).toSorted((a, b) => a - b),
    0.5,
  );
  for (const [name, unsorted] of times) {
    const sorted = unsorted.toSorted((a, b) => a - b);
    const p50Ms = percentile(sorted, 0.5);
    const p99Ms = percentile(sorted, 0.99);
    const ratio = p50Ms / base;
    const line = `${name}: ${count} x ${values.bytes} B, p50 ${p50Ms.toFixed(3)} ms, p99 ${p99Ms.toFixed(3)} ms, ${ratio.toFixed(2)} x fdatasync`;
    process.stdout.write(
      values.json ? `${JSON.stringify({ name, count, bytes: Number(values.bytes), p50Ms, p99Ms, ratio })}\n` : `${line}\n`,
    );
  }
}

if (values.help) process.stdout.write(USAGE);
else await run();
