import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, type DemoNode, sleep } from "../../scripts/demo-cluster.ts";
import { connectApi } from "../../src/io/api/index.ts";
import { leaderOf } from "./commit.ts";
import { electionsBetween, formatLatency, type Latency, latencyDuring, standingOf } from "./steady.ts";

const QUIET_MS = 4_000;
/** Questions that wait at the worker at any time: it is never idle between two. */
const ASKERS = 2;

export type PolicyReport = {
  readonly resources: number;
  readonly before: Latency;
  readonly computing: Latency;
  /** Time that the worker computed, as it says itself, and its longest single computation, milliseconds. */
  readonly computedMs: number;
  readonly longestMs: number;
  readonly p50Ratio: number;
  readonly p99Ratio: number;
  readonly elections: number;
};

/** The leader's policy worker computes without a pause for so many seconds; commits and the office must not mind. */
export async function benchPolicy(
  base: string,
  options: { readonly resources: number; readonly seconds: number },
  say: (line: string) => void,
): Promise<PolicyReport> {
  const directory = join(base, "policy");
  mkdirSync(directory);
  const cluster = await DemoCluster.create(directory, 3);
  try {
    await cluster.form("policy");
    await configure(cluster, options.resources);
    const leader = await leaderOf(cluster);
    const before = await latencyDuring(leader.socketPath, () => sleep(QUIET_MS));
    const start = await standingOf(cluster, leader);
    let worked = { computedMs: 0, longestMs: 0 };
    const computing = await latencyDuring(leader.socketPath, async () => {
      worked = await compute(leader, options.seconds * 1000);
    });
    const elections = electionsBetween(start, await standingOf(cluster, leader));
    const ratios = { p50Ratio: computing.p50Ms / before.p50Ms, p99Ratio: computing.p99Ms / before.p99Ms };
    const report = { resources: options.resources, before, computing, ...worked, ...ratios, elections };
    say(formatLatency("before", before));
    say(formatLatency(`while the policy worker computed ${(worked.computedMs / 1000).toFixed(1)} s`, computing));
    say(`longest computation ${worked.longestMs.toFixed(0)} ms; p50 ${ratios.p50Ratio.toFixed(2)} x, p99 ${ratios.p99Ratio.toFixed(2)} x`);
    say(`elections: ${elections}`);
    return report;
  } finally {
    await cluster.destroy();
  }
}

/** In maintenance nothing is started, so that the bench is about computing alone. */
async function configure(cluster: DemoCluster, resources: number): Promise<void> {
  const lines = Array.from({ length: resources }, (_, at) => `primitive d${at} ocf:quorate:dummy op monitor interval=10s`);
  const properties = "property stonith-enabled=false maintenance-mode=true enable-startup-probes=false";
  await cluster.quorate(cluster.nodes[0]!, ["configure"], [properties, ...lines, ""].join("\n"));
}

/** Asks for the plan again and again until the worker has spent so long on the answers. */
async function compute(leader: DemoNode, wantedMs: number): Promise<{ readonly computedMs: number; readonly longestMs: number }> {
  const client = await connectApi({ kind: "unix", path: leader.socketPath });
  let computedMs = 0;
  let longestMs = 0;
  const ask = async (): Promise<void> => {
    while (computedMs < wantedMs) {
      const answer = (await client.request("policy", {}, { timeoutMs: 60_000 })) as { readonly computedMs: number };
      computedMs += answer.computedMs;
      longestMs = Math.max(longestMs, answer.computedMs);
    }
  };
  await Promise.all(Array.from({ length: ASKERS }, () => ask()));
  client.close();
  return { computedMs, longestMs };
}
