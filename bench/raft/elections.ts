import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, type DemoNode, sleep, until } from "../../scripts/demo-cluster.ts";
import { ApiFault } from "../../src/io/api/index.ts";
import { attributeOf, leaderOf } from "./commit.ts";
import { percentile } from "./load.ts";

/** A client that got no answer asks once more after this long, milliseconds, without giving up its first question. */
const ASK_AGAIN_MS = 20;

export type ElectionsReport = {
  readonly runs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly samplesMs: readonly number[];
};

/** SIGKILL to the leader's daemon until a survivor answers a write that was asked for after it. Default timings. */
export async function benchElections(base: string, runs: number, say: (line: string) => void): Promise<ElectionsReport> {
  const directory = join(base, "elections");
  mkdirSync(directory);
  const cluster = await DemoCluster.create(directory, 3);
  const samplesMs: number[] = [];
  try {
    await cluster.form("bench");
    for (let run = 0; run < runs; run += 1) samplesMs.push(await killOnce(cluster, run));
  } finally {
    await cluster.destroy();
  }
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const at = (part: number): number => percentile(sorted, part);
  const report = { runs, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? Number.NaN, samplesMs };
  const [p50, p90, p99] = [report.p50Ms, report.p90Ms, report.p99Ms].map((ms) => ms.toFixed(0));
  say(`leader killed to next commit, ${runs} runs: p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms, max ${report.maxMs.toFixed(0)} ms`);
  return report;
}

async function killOnce(cluster: DemoCluster, run: number): Promise<number> {
  const leader = await leaderOf(cluster);
  const others = cluster.nodes.filter((node) => node !== leader);
  const survivor = others[run % others.length]!;
  await caughtUp(cluster, leader);
  const pid = cluster.pidOf(leader, "daemon");
  if (pid === null) throw new Error(`${leader.name} has no daemon`);
  const killedMs = performance.now();
  process.kill(pid, "SIGKILL");
  const tookMs = (await firstAnswer(cluster, survivor, run)) - killedMs;
  cluster.startDaemon(leader);
  return tookMs;
}

/** All three at the same place and online: an election is measured, not a catch-up. */
async function caughtUp(cluster: DemoCluster, leader: DemoNode): Promise<void> {
  await until("everybody has caught up", 30_000, async () => {
    const all = await Promise.all(cluster.nodes.map((node) => cluster.request(node, "status")));
    const nodes = (all[0]?.["nodes"] ?? []) as readonly { state: string }[];
    const online = nodes.length === cluster.nodes.length && nodes.every((node) => node.state === "online");
    const led = all.every((status) => (status["leader"] as { node: string } | null)?.node === leader.name);
    return online && led && all.every((status) => status["index"] === all[0]?.["index"]);
  });
}

async function firstAnswer(cluster: DemoCluster, survivor: DemoNode, run: number): Promise<number> {
  const client = await cluster.api(survivor);
  return new Promise((resolve, reject) => {
    let done = false;
    const ask = async (number: number): Promise<void> => {
      try {
        await client.request("node.attribute", attributeOf(number));
        done = true;
        resolve(performance.now());
      } catch (error) {
        // Lost with the old leader, or refused while there is none; the next question is on its way.
        if (!(error instanceof ApiFault && error.detail.retryable)) reject(error as Error);
      }
    };
    const keepAsking = async (): Promise<void> => {
      for (let number = run * 10_000; !done; number += 1) {
        void ask(number);
        await sleep(ASK_AGAIN_MS);
      }
    };
    void keepAsking();
  });
}
