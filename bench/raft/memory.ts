import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, until } from "../../scripts/demo-cluster.ts";
import { attributeOf, daemonsOf, leaderOf } from "./commit.ts";
import { heapPath, probedHeaps } from "./heap-probe.ts";
import { apiConnection } from "./load.ts";

/** Samples along the way. The first half warms up: code is compiled, the log fills to its bound, caches take their size. */
const SAMPLES = 20;
const CONNECTIONS = 16;
const HEAP_ANSWER_MS = 30_000;
/** The log in memory grows to this and is cut, again and again; with the default of 8 MiB that wave would hide a slope. */
const SNAPSHOT_LOG_BYTES = 1024 * 1024;

/** Memory of a process as the kernel counts it, MiB; `peakMiB` is the highest resident size so far. */
export function memoryOf(pid: number): { readonly pssMiB: number; readonly rssMiB: number; readonly peakMiB: number } {
  const field = (file: string, name: string): number => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"));
    return Number(found?.[1] ?? Number.NaN) / 1024;
  };
  return { pssMiB: field("smaps_rollup", "Pss"), rssMiB: field("status", "VmRSS"), peakMiB: field("status", "VmHWM") };
}

type Sample = { readonly commits: number; readonly pssMiB: number; readonly rssMiB: number; readonly heapMiB: number };
export type MemoryRow = {
  readonly role: "leader" | "follower";
  readonly samples: readonly Sample[];
  /** Bytes for one commit more, by least squares over the second half. */
  readonly slope: { readonly pss: number; readonly heap: number };
};
export type MemoryReport = {
  readonly commits: number;
  readonly seconds: number;
  readonly failed: number;
  readonly rows: readonly MemoryRow[];
};

/** So many commits by many clients, as fast as they go, or for `limitS`; leader and followers are looked at along the way. */
export async function benchMemory(
  base: string,
  options: { readonly commits: number; readonly clients: number; readonly limitS: number },
  say: (line: string) => void,
): Promise<MemoryReport> {
  const directory = join(base, "memory");
  mkdirSync(directory);
  const cluster = await DemoCluster.create(directory, 3);
  try {
    await probedHeaps(directory, () => cluster.form("memory", { snapshotLogBytes: SNAPSHOT_LOG_BYTES }));
    const leader = await leaderOf(cluster);
    const pids = daemonsOf(cluster);
    const rows = pids.map((pid, at) => ({ pid, role: cluster.nodes[at] === leader ? ("leader" as const) : ("follower" as const) }));
    const samples = new Map<number, Sample[]>(pids.map((pid) => [pid, []]));
    const startedMs = performance.now();
    const look = async (commits: number): Promise<void> => {
      for (const pid of pids) {
        const { pssMiB, rssMiB } = memoryOf(pid);
        const sample = { commits, pssMiB, rssMiB, heapMiB: await heapOf(directory, pid) };
        samples.get(pid)?.push(sample);
      }
    };
    const done = await load(leader.socketPath, { ...options, untilMs: startedMs + options.limitS * 1000 }, look);
    const seconds = (performance.now() - startedMs) / 1000;
    const report = { ...done, seconds, rows: rows.map(({ pid, role }) => rowOf(role, samples.get(pid) ?? [])) };
    say(`${done.commits} commits in ${seconds.toFixed(0)} s (${(done.commits / seconds).toFixed(0)}/s), ${done.failed} failed`);
    for (const row of report.rows) say(describe(row));
    return report;
  } finally {
    await cluster.destroy();
  }
}

/** Bytes that live in the heap and in buffers beside it, MiB, after a full collection. */
async function heapOf(directory: string, pid: number): Promise<number> {
  const path = heapPath(directory, pid);
  rmSync(path, { force: true });
  process.kill(pid, "SIGUSR2");
  const text = await until(`the heap of ${pid}`, HEAP_ANSWER_MS, () => (existsSync(path) ? readFileSync(path, "utf8") || null : null));
  return Number(text) / 2 ** 20;
}

async function load(
  socketPath: string,
  options: { readonly commits: number; readonly clients: number; readonly untilMs: number },
  look: (commits: number) => Promise<void>,
): Promise<{ readonly commits: number; readonly failed: number }> {
  const connections = await Promise.all(
    Array.from({ length: Math.min(options.clients, CONNECTIONS) }, () => apiConnection(socketPath, "node.attribute", attributeOf)),
  );
  let number = 0;
  let commits = 0;
  let failed = 0;
  for (let sample = 1; sample <= SAMPLES && performance.now() < options.untilMs; sample += 1) {
    const target = Math.round((options.commits * sample) / SAMPLES);
    const client = async (at: number): Promise<void> => {
      while (number < target && performance.now() < options.untilMs) {
        number += 1;
        try {
          await connections[at % connections.length]!.put(number);
          commits += 1;
        } catch {
          failed += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: options.clients }, (_, at) => client(at)));
    await look(commits);
  }
  for (const connection of connections) connection.close();
  return { commits, failed };
}

function rowOf(role: MemoryRow["role"], samples: readonly Sample[]): MemoryRow {
  const half = samples.slice(Math.floor(samples.length / 2));
  return { role, samples, slope: { pss: slopeOf(half, (one) => one.pssMiB), heap: slopeOf(half, (one) => one.heapMiB) } };
}

/** Least squares, bytes per commit. */
function slopeOf(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map((one) => one.commits));
  const y = mean(samples.map(of));
  const above = samples.reduce((sum, one) => sum + (one.commits - x) * (of(one) - y), 0);
  const below = samples.reduce((sum, one) => sum + (one.commits - x) ** 2, 0);
  return (above / below) * 2 ** 20;
}

function describe({ role, samples, slope }: MemoryRow): string {
  const [first, middle, last] = [samples[0], samples[Math.floor(samples.length / 2)], samples.at(-1)];
  const tell = (name: string, of: (sample: Sample) => number): string =>
    `${name} ${[first, middle, last].map((one) => (one === undefined ? "-" : of(one).toFixed(1))).join(" -> ")} MiB`;
  const trend = `slope of the second half ${slope.heap.toFixed(1)} (heap) and ${slope.pss.toFixed(1)} (PSS) bytes a commit`;
  return `${role}: ${tell("heap", (one) => one.heapMiB)}, ${tell("PSS", (one) => one.pssMiB)}; ${trend}`;
}
