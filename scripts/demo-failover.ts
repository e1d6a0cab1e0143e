import type { Answer, ServiceClient } from "./demo-client.ts";
import { type DemoCluster, type DemoNode, until } from "./demo-cluster.ts";

/** What one failover took; every number is milliseconds since the freeze. Null: that stage was not seen. */
export type Failover = {
  readonly victim: string;
  readonly survivor: string;
  readonly victimLed: boolean;
  readonly frozenProcesses: number;
  /** The cluster declared the node lost. */
  readonly detectedMs: number | null;
  /** A survivor led; null when the victim did not lead. */
  readonly electedMs: number | null;
  readonly fencingBegunMs: number | null;
  readonly fencedMs: number | null;
  /** The start was committed. */
  readonly startOrderedMs: number | null;
  readonly startedMs: number | null;
  /** From the last answer of the old copy to the first of the new one, as a client saw it. */
  readonly outageMs: number;
};

type Seen = { readonly command: string; readonly facts: string; readonly atMs: number; readonly index: number };

/** Milliseconds in which the service must answer from another node, and in which a node must be back. */
const TAKEOVER_TIMEOUT_MS = 60_000;
/** Milliseconds to wait for the last stage before the table is printed without it. */
const REPORT_TIMEOUT_MS = 2_000;

/** Freezes the node that serves, waits for the service to answer from another, and reads the stages from the log. */
export async function failover(cluster: DemoCluster, client: ServiceClient, onStage: (text: string) => void = () => {}): Promise<Failover> {
  const serving = client.last;
  if (serving === null) throw new Error("the service does not answer");
  const victim = cluster.node(serving.node);
  const survivors = cluster.nodes.filter((node) => node !== victim);
  const witness = survivors[0]!;
  const before = await cluster.request(witness, "status");
  const victimLed = leaderOf(before) === victim.name;
  const seen = new Map<number, Seen>();
  const watches = await Promise.all(survivors.map((node) => watchLog(cluster, node, seen)));
  const answered = client.next((name) => name !== victim.name && name !== "", TAKEOVER_TIMEOUT_MS);
  const frozen = cluster.freeze(victim);
  const zeroMs = Date.now();
  onStage(`froze ${frozen.length} processes of ${victim.name}${victimLed ? " (it led the cluster)" : ""}: ${frozen.join(" ")}`);
  const elected = victimLed ? until("a new leader", TAKEOVER_TIMEOUT_MS, () => leaderAmong(cluster, survivors)) : Promise.resolve(null);
  const lastOld = client.last ?? serving;
  const [answer, electedAtMs]: [Answer, number | null] = await Promise.all([answered, elected]);
  // The customer is served before the report of the start has gone through the log.
  await until("the start's report", REPORT_TIMEOUT_MS, () => stages(seen, zeroMs).startedMs !== null).catch(() => null);
  for (const close of watches) close();
  return {
    victim: victim.name,
    survivor: answer.node,
    victimLed,
    frozenProcesses: frozen.length,
    ...stages(seen, zeroMs),
    electedMs: since(electedAtMs, zeroMs),
    outageMs: answer.atMs - Math.min(lastOld.atMs, zeroMs),
  };
}

function stages(
  seen: ReadonlyMap<number, Seen>,
  zeroMs: number,
): Pick<Failover, "detectedMs" | "fencingBegunMs" | "fencedMs" | "startOrderedMs" | "startedMs"> {
  const events = [...seen.values()].sort((a, b) => a.index - b.index);
  const about = (command: string): Seen | undefined => events.find((event) => event.command === command);
  const fenced = about("node.fenced");
  const ordered = events.find(
    (event) => event.command === "intents.commit" && event.index > (fenced?.index ?? 0) && /web start on/.test(event.facts),
  );
  const started = events.find((event) => event.command === "results.record" && event.index > (ordered?.index ?? Number.POSITIVE_INFINITY));
  return {
    detectedMs: since(about("node.lost")?.atMs ?? null, zeroMs),
    fencingBegunMs: since(about("fencing.attempt")?.atMs ?? null, zeroMs),
    fencedMs: since(fenced?.atMs ?? null, zeroMs),
    startOrderedMs: since(ordered?.atMs ?? null, zeroMs),
    startedMs: since(started?.atMs ?? null, zeroMs),
  };
}

function since(atMs: number | null, zeroMs: number): number | null {
  return atMs === null ? null : Math.max(0, atMs - zeroMs);
}

/** Notes when each entry was first seen applied on a survivor. */
async function watchLog(cluster: DemoCluster, node: DemoNode, seen: Map<number, Seen>): Promise<() => void> {
  const watch = await (await cluster.api(node)).watch("watch");
  const read = async (): Promise<void> => {
    for await (const { event, index } of watch) {
      if (event.kind !== "applied" || seen.has(index)) continue;
      seen.set(index, { command: String(event["command"]), facts: JSON.stringify(event["facts"] ?? {}), atMs: Date.now(), index });
    }
  };
  // The end of the watch ends the reading; there is nobody left to tell about it.
  read().catch(() => {});
  return () => watch.close();
}

async function leaderAmong(cluster: DemoCluster, survivors: readonly DemoNode[]): Promise<number | null> {
  for (const node of survivors) {
    const leader = leaderOf(await cluster.request(node, "status", {}, 1_000));
    if (survivors.some((item) => item.name === leader)) return Date.now();
  }
  return null;
}

/** The name of the leader in a `status` answer. */
export function leaderOf(status: Readonly<Record<string, unknown>>): string | null {
  const leader = status["leader"];
  return typeof leader === "object" && leader !== null ? String((leader as { node?: unknown }).node) : null;
}

/** Starts the victim again and waits until it is online and nothing is left to do. */
export async function comeBack(cluster: DemoCluster, name: string): Promise<void> {
  const node = cluster.node(name);
  const witness = cluster.nodes.find((item) => item !== node)!;
  cluster.start(node);
  await until(`${name} online`, TAKEOVER_TIMEOUT_MS, async () => nodeState(await cluster.request(witness, "status"), name) === "online");
  await cluster.request(witness, "wait.idle", { timeoutMs: TAKEOVER_TIMEOUT_MS }, TAKEOVER_TIMEOUT_MS + 5_000);
}

/** The state of a node in a `status` answer. */
export function nodeState(status: Readonly<Record<string, unknown>>, name: string): string | null {
  const rows = status["nodes"];
  if (!Array.isArray(rows)) return null;
  const row = rows.find((item: { name?: unknown }) => item.name === name) as { state?: unknown } | undefined;
  return typeof row?.state === "string" ? row.state : null;
}

/** The service and the fencing device, in the crm language. */
export function demoConfiguration(cluster: DemoCluster): string {
  const hosts = cluster.nodes.map((node) => node.name).join(" ");
  return [
    `primitive web ocf:quorate:web params address=127.0.0.1 port=${cluster.servicePort} text="hello from" op monitor interval=10s`,
    `primitive power stonith:fence_quorate_local params base="${cluster.base}" pcmk_host_list="${hosts}"`,
    "rsc_defaults resource-stickiness=100",
    "property stonith-enabled=true",
    "",
  ].join("\n");
}
