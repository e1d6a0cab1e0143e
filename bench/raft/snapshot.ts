import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, type DemoNode, sleep, until } from "../../scripts/demo-cluster.ts";
import { leaderOf } from "./commit.ts";
import { electionsBetween, formatLatency, killDaemon, type Latency, latencyDuring, type Standing, standingOf } from "./steady.ts";

const MIB = 2 ** 20;
/** One attribute value; with its proposal it stays below the limit of an entry. */
const VALUE_BYTES = 512 * 1024;
const QUIET_MS = 4_000;
const CAUGHT_UP_MS = 300_000;
const TAKEN_OVER = "a snapshot of the leader was taken over";

export type SnapshotReport = {
  readonly stateMiB: number;
  readonly before: Latency;
  /** While the state grew and its snapshots were taken, by all three alike. */
  readonly growing: Latency;
  readonly sending: Latency;
  readonly sendingMs: number;
  readonly p50Ratio: number;
  readonly p99Ratio: number;
  /** Changes of term while the state grew, and while the snapshot was sent. */
  readonly elections: { readonly growing: number; readonly sending: number };
};

/** A member is away while the state grows to so many MiB; then it comes back and gets a snapshot. */
export async function benchSnapshot(base: string, stateMiB: number, say: (line: string) => void): Promise<SnapshotReport> {
  const directory = join(base, "snapshot");
  mkdirSync(directory);
  const cluster = await DemoCluster.create(directory, 3);
  try {
    await cluster.form("snapshot");
    const leader = await leaderOf(cluster);
    const away = cluster.nodes.find((node) => node !== leader)!;
    const before = await latencyDuring(leader.socketPath, () => sleep(QUIET_MS));
    await killDaemon(cluster, away);
    const start = await standingOf(cluster, leader);
    const growing = await latencyDuring(leader.socketPath, () => grow(cluster, leader, stateMiB));
    const grown = await standingOf(cluster, leader);
    const startedMs = performance.now();
    const sending = await latencyDuring(leader.socketPath, async () => {
      cluster.startDaemon(away);
      await until(`${away.name} has the snapshot and the log after it`, CAUGHT_UP_MS, async () => {
        await sleep(200);
        return hasSnapshot(away) && isCaughtUp(await standingOf(cluster, leader), away);
      });
    });
    const sendingMs = performance.now() - startedMs;
    const end = await standingOf(cluster, leader);
    const elections = { growing: electionsBetween(start, grown), sending: electionsBetween(grown, end) };
    const ratios = { p50Ratio: sending.p50Ms / before.p50Ms, p99Ratio: sending.p99Ms / before.p99Ms };
    const report = { stateMiB, before, growing, sending, sendingMs, ...ratios, elections };
    tell(report, say);
    return report;
  } finally {
    await cluster.destroy();
  }
}

function tell(report: SnapshotReport, say: (line: string) => void): void {
  const { before, growing, sending, elections } = report;
  say(formatLatency("before", before));
  say(formatLatency(`state grows to ${report.stateMiB} MiB`, growing));
  say(formatLatency(`snapshot sent in ${(report.sendingMs / 1000).toFixed(1)} s`, sending));
  say(`p50 ${report.p50Ratio.toFixed(2)} x, p99 ${report.p99Ratio.toFixed(2)} x of before`);
  say(`elections while it grew: ${elections.growing}; while the snapshot was sent: ${elections.sending}`);
}

/**
 * Values that the snapshot must carry, written until a snapshot holds all of them: one is taken when the log since the last
 * holds as much as that had, so everything is written twice. It stays out of what the policy engine reads of a node.
 */
async function grow(cluster: DemoCluster, leader: DemoNode, stateMiB: number): Promise<void> {
  const count = Math.ceil((stateMiB * MIB) / VALUE_BYTES);
  for (let number = 0; number < 2 * count; number += 1) {
    const value = `${number}`.padStart(VALUE_BYTES, "x");
    const params = { node: leader.name, name: `large-${number % count}`, value, lifetime: "reboot" };
    await cluster.request(leader, "node.attribute", params);
  }
}

const hasSnapshot = (node: DemoNode): boolean => readFileSync(join(node.directory, "quorated.log"), "utf8").includes(TAKEN_OVER);

/** A writer is always some entries ahead. */
const isCaughtUp = (standing: Standing, node: DemoNode): boolean => (standing.lag.get(node.name) ?? Number.POSITIVE_INFINITY) <= 16;
