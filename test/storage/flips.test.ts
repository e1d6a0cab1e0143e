import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createSimulatedDisk } from "../../src/app/sim/disk.ts";
import { seededRandom } from "../../src/core/base/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import { createRaftStore, createStoreDirectory, openStoreDirectory } from "../../src/io/storage/index.ts";
import { fill, judge } from "./flip-judge.ts";
import type { FlipOrder, FlipReport } from "./flip-worker.ts";
import { IDENTITY, open, textCommands } from "./harness.ts";

/** Flips in CI; `FLIPS=2000` is the soak run (issue 5: a flipped byte anywhere never changes what the cluster answers). */
const FLIPS = Number(process.env["FLIPS"] ?? "200");
const SEED = Number(process.env["SEED"] ?? "20261");
/** A flip that kills the process more often was not put aside as it should be: the third start looks before it opens. */
const DEATHS_MAX = 3;

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

/** Two stores with the same content: one has it in LevelDB's live log, one was opened again and has it in tables. */
async function makeOriginals(home: string): Promise<void> {
  const options = { commands: textCommands, expected: IDENTITY, fileSystem: "any", now: () => performance.now(), log: silentLog } as const;
  const original = join(home, "original");
  await createStoreDirectory({ directory: original, identity: IDENTITY, fileSystem: "any" });
  const first = await openStoreDirectory({ ...options, directory: original });
  assert.equal(first.kind, "opened");
  if (first.kind !== "opened") return;
  await fill(first.store);
  await first.store.close();
  const tables = join(home, "tables");
  await cp(original, tables, { recursive: true });
  const again = await openStoreDirectory({ ...options, directory: tables });
  if (again.kind === "opened") await again.store.close();
}

/** Runs the worker until it ends; gives the flip at which it died, or null. */
function runWorker(order: FlipOrder, onReport: (report: FlipReport) => void): Promise<string | null> {
  return new Promise((resolve) => {
    // Compiled tests lie beside a compiled worker, sources beside a source.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const child = fork(fileURLToPath(new URL(`./flip-worker.${extension}`, import.meta.url)), {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child.on("message", (report: FlipReport) => onReport(report));
    child.on("exit", (_code, signal) => resolve(signal));
    child.send(order);
  });
}

type Outcome = { readonly seen: Readonly<Record<string, number>>; readonly wrong: readonly string[]; readonly killers: readonly number[] };

async function flipFiles(home: string, seed: number, from: number, to: number): Promise<Outcome> {
  const seen: Record<string, number> = {};
  const wrong: string[] = [];
  const killers: number[] = [];
  let next = from;
  await makeOriginals(home);
  while (next < to) {
    const signal = await runWorker({ home, seed, from: next, to }, (report) => {
      next = report.flip + 1;
      if (report.kind === "wrong") wrong.push(report.what);
      else seen[report.finding] = (seen[report.finding] ?? 0) + 1;
    });
    if (signal === null) break;
    // LevelDB's own assertion ended the process. The next start must see that and put the database aside.
    killers.push(next);
    const deaths = killers.filter((flip) => flip === next).length;
    assert.ok(deaths < DEATHS_MAX, `flip ${next} (seed ${seed}) kills every start`);
  }
  assert.equal(next, to, "the worker ended before its work was done");
  return { seen, wrong, killers };
}

async function inHome(body: (home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "quorate-flips-"));
  try {
    await body(home);
  } finally {
    await rm(home, { recursive: true });
  }
}

test(`${FLIPS / 4} flipped bits in the files of a real LevelDB: seen, or harmless`, (context) =>
  inHome(async (home) => {
    const { seen, wrong, killers } = await flipFiles(home, SEED, 0, FLIPS / 4);
    assert.deepEqual(wrong, []);
    context.diagnostic(`findings: ${JSON.stringify(seen)}${killers.map((flip) => `; flip ${flip} killed the process`).join("")}`);
  }));

test("a flip that LevelDB answers by killing the process: the next start puts the database aside and recovers", (context) =>
  inHome(async (home) => {
    // Found by a run of 800. Should a later layout put other bytes there, the flip is still judged like any other.
    const { seen, wrong, killers } = await flipFiles(home, 777_000, 60, 61);
    assert.deepEqual(wrong, []);
    assert.deepEqual(Object.values(seen), [1]);
    context.diagnostic(`killed: ${killers.length > 0}, findings: ${JSON.stringify(seen)}`);
  }));
