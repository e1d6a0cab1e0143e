import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ServiceClient } from "./demo-client.ts";
import { DemoCluster, until } from "./demo-cluster.ts";
import { comeBack, demoConfiguration, type Failover, failover, leaderOf } from "./demo-failover.ts";

const NODES = 3;

const { values } = parseArgs({ options: { keep: { type: "boolean" }, runs: { type: "string" }, json: { type: "boolean" } } });
const keep = values.keep === true;
const runs = Number(values.runs ?? "1");
const quiet = values.json === true;

function say(text = ""): void {
  if (!quiet) process.stdout.write(`${text}\n`);
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, "    ");
}

function stageLines(run: Failover): string[] {
  const stages: readonly (readonly [number | null, string])[] = [
    [run.detectedMs, `the silence of ${run.victim} was noticed`],
    [run.electedMs, "another node was elected leader"],
    [run.fencingBegunMs, "fencing began"],
    [run.fencedMs, `${run.victim} was confirmed down`],
    [run.startOrderedMs, `the start on ${run.survivor} was ordered`],
    [run.startedMs, "the start was reported done"],
  ];
  return stages
    .filter((stage): stage is readonly [number, string] => stage[0] !== null)
    .sort((a, b) => a[0] - b[0])
    .map(([ms, text]) => `${String(Math.round(ms)).padStart(6)} ms  ${text}`);
}

async function setUp(cluster: DemoCluster): Promise<void> {
  const first = cluster.nodes[0]!;
  say(`Three nodes on this machine, under ${cluster.base}`);
  await cluster.form("demo");
  say(indent(await cluster.quorate(first, ["cluster", "status"])));
  say();
  say("A web service and a fencing device, in the crm language:");
  const text = demoConfiguration(cluster);
  say(indent(text));
  await cluster.quorate(first, ["-w", "configure"], text);
}

async function story(cluster: DemoCluster, client: ServiceClient): Promise<Failover[]> {
  await setUp(cluster);
  client.start();
  await client.next(() => true, 30_000);
  say();
  say(`The service answers on ${cluster.serviceUrl}: from ${client.last?.node}`);
  say(indent(await cluster.quorate(cluster.nodes[0]!, ["status"])));
  const results: Failover[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say();
    // Of several runs every other one takes the leader away as well.
    if (run % 2 === 0) await lead(cluster, client);
    say(`The node that runs it falls silent${runs > 1 ? ` (run ${run} of ${runs})` : ""}:`);
    const result = await failover(cluster, client, (text) => say(`     0 ms  ${text}`));
    results.push(result);
    for (const line of stageLines(result)) say(line);
    say(`outage: ${result.outageMs} ms`);
    say(`The service answers again, from ${result.survivor}.`);
    if (run === 1) say(indent(await cluster.quorate(cluster.node(result.survivor), ["status"])));
    await comeBack(cluster, result.victim);
    say(`${result.victim} is back.`);
    if (quiet && runs > 1) process.stderr.write(`run ${run}: outage ${result.outageMs} ms\n`);
  }
  say(indent(await cluster.quorate(cluster.nodes[0]!, ["status"])));
  return results;
}

/** Makes the node that serves the leader. */
async function lead(cluster: DemoCluster, client: ServiceClient): Promise<void> {
  const node = cluster.node(client.last?.node ?? "");
  await until(`${node.name} leads`, 20_000, async () => {
    const leader = leaderOf(await cluster.request(node, "status"));
    if (leader === node.name) return true;
    if (leader !== null) await cluster.request(cluster.node(leader), "cluster.transfer", { node: node.name });
    return false;
  });
}

async function stopAll(cluster: DemoCluster): Promise<void> {
  // One node after the other says goodbye would move the service about; the whole cluster is being taken down.
  await cluster.quorate(cluster.nodes[0]!, ["-w", "resource", "stop", "web"]);
  await until("the service is down", 20_000, async () => {
    try {
      await fetch(cluster.serviceUrl, { signal: AbortSignal.timeout(200) });
      return false;
    } catch {
      return true;
    }
  });
  await cluster.destroy();
}

function sayHowToTalk(cluster: DemoCluster): void {
  const first = cluster.nodes[0]!;
  say();
  say("The cluster is left running. Talk to it:");
  say(`    export QUORATE_SOCKET=${first.socketPath}`);
  say(`    ${join(cluster.root, "scripts", "quorate")} status`);
  say(`    curl ${cluster.serviceUrl}`);
  say("What `cluster start` does where systemd runs, after `cluster stop` or a fencing of n1:");
  for (const program of ["quorate-guardian", "quorated"] as const) say(`    ${cluster.startLine(first, program)} &`);
  say("Take it down:");
  say(`    ${join(cluster.root, "scripts", "demo.sh")} --stop ${cluster.base}`);
}

async function main(): Promise<void> {
  const cluster = await DemoCluster.create(mkdtempSync(join(tmpdir(), "quorate-demo-")), NODES);
  const client = new ServiceClient(cluster.serviceUrl);
  const end = (): void => {
    client.stop();
    cluster.destroy().finally(() => process.exit(1));
  };
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  try {
    const results = await story(cluster, client);
    client.stop();
    if (quiet) process.stdout.write(`${JSON.stringify(results)}\n`);
    if (keep) {
      sayHowToTalk(cluster);
      cluster.disconnect();
    } else {
      await stopAll(cluster);
      say();
      say("Everything is stopped and removed.");
    }
  } catch (error) {
    client.stop();
    for (const node of cluster.nodes) process.stderr.write(`--- ${node.name}\n${cluster.logTail(node)}\n`);
    if (!keep) await cluster.destroy();
    throw error;
  }
}

await main();
