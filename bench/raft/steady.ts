import { type DemoCluster, type DemoNode, sleep, until } from "../../scripts/demo-cluster.ts";
import { attributeOf } from "./commit.ts";
import { apiConnection, percentile } from "./load.ts";

/** Pause between two commits, milliseconds: a client that looks how long a commit takes, not one that loads. */
const PAUSE_MS = 10;

export type Latency = {
  readonly commits: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};

/** One client that commits one small change after the other while `work` runs. */
export async function latencyDuring(socketPath: string, work: () => Promise<void>): Promise<Latency> {
  const connection = await apiConnection(socketPath, "node.attribute", attributeOf);
  const latenciesMs: number[] = [];
  let failed = 0;
  let ended = false;
  const client = async (): Promise<void> => {
    for (let number = 0; !ended; number += 1) {
      const askedMs = performance.now();
      try {
        await connection.put(number);
        latenciesMs.push(performance.now() - askedMs);
      } catch {
        failed += 1;
      }
      await sleep(PAUSE_MS);
    }
  };
  const clients = client();
  try {
    await work();
  } finally {
    ended = true;
    await clients;
    connection.close();
  }
  const sorted = latenciesMs.sort((a, b) => a - b);
  const at = (part: number): number => percentile(sorted, part);
  return { commits: sorted.length, failed, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? Number.NaN };
}

export function formatLatency(name: string, { commits, failed, p50Ms, p99Ms, maxMs }: Latency): string {
  const failures = failed === 0 ? "" : `, ${failed} FAILED`;
  return `${name}: ${commits} commits, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, max ${maxMs.toFixed(0)} ms${failures}`;
}

/** SIGKILL to the daemon of a node, and the end of its process. */
export async function killDaemon(cluster: DemoCluster, node: DemoNode): Promise<void> {
  const pid = cluster.pidOf(node, "daemon");
  if (pid === null) throw new Error(`${node.name} has no daemon`);
  process.kill(pid, "SIGKILL");
  await until(`the end of the daemon of ${node.name}`, 10_000, () => cluster.pidOf(node, "daemon") === null);
  cluster.disconnect();
}

export type Standing = { readonly term: number; readonly leader: string | null; readonly lag: ReadonlyMap<string, number | null> };

/** Who leads, as the leader says it, and how far the others are behind. */
export async function standingOf(cluster: DemoCluster, node: DemoNode): Promise<Standing> {
  const status = await cluster.request(node, "cluster.status");
  const leader = status["leader"] as { node: string | null } | null;
  const members = status["members"] as readonly { node: string; lag: number | null }[];
  return { term: Number(status["term"]), leader: leader?.node ?? null, lag: new Map(members.map((one) => [one.node, one.lag])) };
}

/** Every election that ends, and every step-down that is followed by one, raises the term. */
export const electionsBetween = (before: Standing, after: Standing): number => after.term - before.term;
