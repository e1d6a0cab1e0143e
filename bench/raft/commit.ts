import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DemoCluster, type DemoNode, until } from "../../scripts/demo-cluster.ts";
import { type EtcdCluster, startEtcd } from "./etcd.ts";
import { apiConnection, formatLoad, type LoadConnection, type LoadResult, type LoadSamples, runLoad, summarise } from "./load.ts";
import { startSkeleton } from "./skeleton.ts";

const VALUE_BYTES = 256;
/** Connections of many clients, the same for all three systems. */
const CONNECTIONS_MAX = 16;

/**
 * A transient node attribute: what resource agents and operators really write, one entry and one synced write of a
 * majority each. Every change of one also lets the leader's policy worker look at the cluster again (some ten times a
 * second), in the same run and on the same cores.
 */
export const attributeOf = (number: number): unknown => ({
  node: "n1",
  name: `bench-${number % 256}`,
  value: String(number).padStart(VALUE_BYTES, "x"),
  lifetime: "reboot",
});

/** The node whose daemon leads. */
export async function leaderOf(cluster: DemoCluster): Promise<DemoNode> {
  return until("a leader", 20_000, async () => {
    for (const node of cluster.nodes) {
      const status = await cluster.request(node, "status");
      const leader = (status["leader"] as { node: string } | null)?.node;
      if (leader !== undefined) return cluster.node(leader);
    }
    return null;
  });
}

/** The disk alone: an append and fdatasync, nothing else. One client only, because it blocks. */
async function diskConnection(path: string): Promise<LoadConnection> {
  const file = openSync(path, "a");
  return {
    put: async (number) => {
      writeSync(file, String(number).padStart(VALUE_BYTES, "x"));
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

export function daemonsOf(cluster: DemoCluster): readonly number[] {
  return cluster.nodes.map((node) => {
    const pid = cluster.pidOf(node, "daemon");
    if (pid === null) throw new Error(`${node.name} has no daemon`);
    return pid;
  });
}

type System = {
  readonly name: string;
  readonly onlyOne?: true;
  readonly pids: readonly number[];
  readonly connect: () => Promise<LoadConnection>;
};
export type CommitRow = { readonly system: string; readonly clients: number } & LoadResult;
export type CommitReport = {
  readonly rows: readonly CommitRow[];
  readonly etcd: string | null;
  readonly ratios: {
    readonly oneClientToSkeleton: number;
    readonly oneClientToEtcd: number | null;
    readonly manyToSkeleton: number;
    readonly manyToEtcd: number | null;
  };
};

/** Seconds of one turn, and of the load before the first: daemons run for months, their code is compiled in the first minute. */
type CommitOptions = { readonly seconds: number; readonly warmSeconds: number; readonly rounds: number; readonly clients: number };

/** All systems stand at once and take turns, so that a busy minute of the machine hits each alike. */
export async function benchCommit(base: string, options: CommitOptions, say: (line: string) => void): Promise<CommitReport> {
  const directories = { skeleton: join(base, "skeleton"), quorate: join(base, "quorate"), etcd: join(base, "etcd") };
  for (const directory of Object.values(directories)) mkdirSync(directory);
  const cluster = await DemoCluster.create(directories.quorate, 3);
  const skeleton = await startSkeleton(directories.skeleton);
  let etcd: EtcdCluster | null = null;
  try {
    etcd = await startEtcd(directories.etcd);
    await cluster.form("bench");
    const { socketPath } = await leaderOf(cluster);
    const data = "x".repeat(VALUE_BYTES);
    const systems: System[] = [
      { name: "fdatasync", onlyOne: true, pids: [], connect: () => diskConnection(join(base, "raw")) },
      { name: "skeleton", pids: skeleton.pids, connect: () => apiConnection(skeleton.socketPath, "bench.put", () => ({ data })) },
      { name: "quorate", pids: daemonsOf(cluster), connect: () => apiConnection(socketPath, "node.attribute", attributeOf) },
    ];
    if (etcd === null) say("etcd is not installed: no comparison with it");
    else systems.push({ name: "etcd", pids: etcd.pids, connect: etcd.connect });
    const rows = await takeTurns(systems, options, say);
    return { rows, etcd: etcd?.version ?? null, ratios: ratiosOf(rows, options.clients) };
  } finally {
    await skeleton.stop();
    await etcd?.stop();
    await cluster.destroy();
  }
}

async function takeTurns(systems: readonly System[], options: CommitOptions, say: (line: string) => void): Promise<readonly CommitRow[]> {
  const rows: CommitRow[] = [];
  const { clients: many, warmSeconds: seconds } = options;
  for (const { connect, pids, onlyOne } of systems) {
    if (onlyOne === true) continue;
    await runLoad({ connect, clients: many, connections: Math.min(many, CONNECTIONS_MAX), pids, seconds });
  }
  for (const clients of [1, options.clients]) {
    const present = systems.filter((system) => clients === 1 || system.onlyOne !== true);
    const samples = new Map<string, LoadSamples[]>(present.map(({ name }) => [name, []]));
    const connections = Math.min(clients, CONNECTIONS_MAX);
    for (let round = 0; round < options.rounds; round += 1) {
      for (const { name, connect, pids } of present) {
        samples.get(name)?.push(await runLoad({ connect, clients, connections, pids, seconds: options.seconds }));
      }
    }
    for (const { name } of present) {
      const result = summarise(samples.get(name) ?? []);
      rows.push({ system: name, clients, ...result });
      say(formatLoad(`${clients} client${clients === 1 ? "" : "s"}, ${name}`, result));
    }
  }
  return rows;
}

function ratiosOf(rows: readonly CommitRow[], clients: number): CommitReport["ratios"] {
  const find = (system: string, count: number): CommitRow | undefined => rows.find((row) => row.system === system && row.clients === count);
  const p50 = (system: string): number => find(system, 1)?.p50Ms ?? Number.NaN;
  const rate = (system: string): number => find(system, clients)?.perSecond ?? Number.NaN;
  const hasEtcd = find("etcd", 1) !== undefined;
  return {
    oneClientToSkeleton: p50("quorate") / p50("skeleton"),
    oneClientToEtcd: hasEtcd ? p50("quorate") / p50("etcd") : null,
    manyToSkeleton: rate("quorate") / rate("skeleton"),
    manyToEtcd: hasEtcd ? rate("quorate") / rate("etcd") : null,
  };
}
