import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, type DemoNode, sleep } from "../../scripts/demo-cluster.ts";
import { proposalCodec } from "../../src/app/daemon/index.ts";
import { logIndex, type Term } from "../../src/core/base/index.ts";
import type { Proposal } from "../../src/core/cib/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import type { Entry } from "../../src/core/raft/index.ts";
import { openStoreDirectory } from "../../src/io/storage/index.ts";
import { cpuSeconds } from "./cpu.ts";
import { memoryOf } from "./memory.ts";
import { killDaemon } from "./steady.ts";

/** Entries of one synced write, as many clients at once make them. */
const PACK_ENTRIES = 64;
/** Short values: a million entries must fit under the largest `snapshotLogBytes`, or a snapshot would cut the log. */
const VALUE_BYTES = 16;
const SNAPSHOT_LOG_BYTES = 256 * 1024 * 1024;
const LOOK_MS = 20;

type Start = {
  readonly entries: number;
  /** From the start of the process until the last entry is applied and the node leads. */
  readonly appliedMs: number;
  readonly cpuMs: number;
  readonly peakMiB: number;
};

export type ReplayReport = {
  readonly empty: Start;
  readonly full: Start;
  readonly microsecondsPerEntry: number;
  readonly cpuMicrosecondsPerEntry: number;
  readonly memoryBytesPerEntry: number;
};

/** A daemon alone, started on a short log and on one with so many entries more: the difference is what an entry costs. */
export async function benchReplay(base: string, entries: number, say: (line: string) => void): Promise<ReplayReport> {
  const directory = join(base, "replay");
  mkdirSync(directory);
  const cluster = await DemoCluster.create(directory, 1);
  const node = cluster.nodes[0]!;
  try {
    await cluster.form("replay", { snapshotLogBytes: SNAPSHOT_LOG_BYTES });
    await killDaemon(cluster, node);
    const empty = await startOnce(cluster, node, 0);
    const writtenMs = performance.now();
    const last = await appendEntries(node, entries);
    say(`${entries} entries written in ${((performance.now() - writtenMs) / 1000).toFixed(1)} s`);
    const full = await startOnce(cluster, node, last);
    const report = {
      empty,
      full,
      microsecondsPerEntry: (1e3 * (full.appliedMs - empty.appliedMs)) / entries,
      cpuMicrosecondsPerEntry: (1e3 * (full.cpuMs - empty.cpuMs)) / entries,
      memoryBytesPerEntry: ((full.peakMiB - empty.peakMiB) * 2 ** 20) / entries,
    };
    for (const start of [empty, full]) say(describe(start));
    const { microsecondsPerEntry: wall, cpuMicrosecondsPerEntry: cpu, memoryBytesPerEntry: memory } = report;
    say(`an entry costs ${wall.toFixed(1)} us, ${cpu.toFixed(1)} us of CPU and ${memory.toFixed(0)} bytes at the peak`);
    return report;
  } finally {
    await cluster.destroy();
  }
}

function describe(start: Start): string {
  const { appliedMs, cpuMs, peakMiB } = start;
  return `start on ${start.entries} entries: applied at ${appliedMs.toFixed(0)} ms, CPU ${cpuMs.toFixed(0)} ms, peak ${peakMiB.toFixed(0)} MiB`;
}

/** Starts the daemon, waits until it has applied `index`, and kills it. */
async function startOnce(cluster: DemoCluster, node: DemoNode, index: number): Promise<Start> {
  const startedMs = performance.now();
  cluster.startDaemon(node);
  // Reading a log of a million entries takes its time on a busy machine.
  await cluster.api(node, 600_000);
  for (;;) {
    const status = await cluster.request(node, "status", {}, 600_000);
    if (Number(status["index"]) >= index && status["quorate"] === true) break;
    await sleep(LOOK_MS);
  }
  const appliedMs = performance.now() - startedMs;
  const pid = cluster.pidOf(node, "daemon")!;
  const start = { entries: index, appliedMs, cpuMs: cpuSeconds(pid) * 1000, peakMiB: memoryOf(pid).peakMiB };
  await killDaemon(cluster, node);
  return start;
}

/** Adds committed entries to the store of a member whose daemon does not run; gives the index of the last. */
async function appendEntries(node: DemoNode, count: number): Promise<number> {
  const opened = await openStoreDirectory<Proposal>({
    directory: join(node.directory, "store"),
    commands: proposalCodec,
    expected: null,
    fileSystem: "any",
    now: () => performance.now(),
    log: silentLog,
  });
  if (opened.kind !== "opened") throw new Error(`the store is ${opened.kind}`);
  const { store, loaded } = opened;
  const { hard, mark, entries } = loaded.restored;
  const first = (entries.at(-1)?.index ?? mark.index) + 1;
  const last = first + count - 1;
  for (let from = first; from <= last; from += PACK_ENTRIES) {
    const pack = Array.from({ length: Math.min(PACK_ENTRIES, last - from + 1) }, (_, at) => entryAt(hard.term, from + at, node.name));
    await store.save({ hard: null, entries: pack, snapshot: null, recovered: false });
  }
  await store.save({ hard: { ...hard, commit: logIndex(last) }, entries: [], snapshot: null, recovered: false });
  await store.close();
  return last;
}

function entryAt(term: Term, index: number, node: string): Entry<Proposal> {
  const value = String(index).padStart(VALUE_BYTES, "x");
  const command = { kind: "attribute.set", changes: [{ node, name: `bench-${index % 256}`, value }] } as const;
  return { kind: "data", term, index: logIndex(index), data: { atMs: Date.now(), origin: null, command } };
}
