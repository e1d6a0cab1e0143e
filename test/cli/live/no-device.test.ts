import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ServiceClient } from "../../../scripts/demo-client.ts";
import { DemoCluster } from "../../../scripts/demo-cluster.ts";

type Line = { readonly atNs: bigint; readonly node: string; readonly what: string };

/** The agents' common ledger: nanoseconds, node, resource, operation, pid. */
function readLedger(path: string): Line[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [at, node, , what] = line.split(" ");
      return { atNs: BigInt(at ?? "0"), node: node ?? "", what: what ?? "" };
    });
}

/**
 * RAFT.md §7: without a device, a silent node's resources are taken over once its own guardian has certainly stopped them.
 * The daemon alone is frozen, as a hang of it would; the guardian stays, walks its plan at the deadline, and only then,
 * by Tsafe, the others go on. What is asserted is the order, never the time.
 */
test("without a fencing device the old copy is dead before the new one starts", { timeout: 120_000 }, async () => {
  const cluster = await DemoCluster.create(mkdtempSync(join(tmpdir(), "quorate-demo-")), 3);
  const client = new ServiceClient(cluster.serviceUrl);
  after(async () => {
    client.stop();
    await cluster.destroy();
  });
  await cluster.form("nodevice");
  const ledger = join(cluster.base, "ledger");
  const web = `primitive web ocf:quorate:web params address=127.0.0.1 port=${cluster.servicePort} ledger=${ledger}\n`;
  await cluster.quorate(cluster.nodes[0]!, ["-w", "configure"], `${web}property stonith-enabled=true\n`);
  client.start();
  const before = await client.next(() => true, 30_000);
  const victim = cluster.node(before.node);
  const witness = cluster.nodes.find((node) => node !== victim)!;
  const taken = client.next((name) => name !== victim.name, 60_000);
  const watch = await (await cluster.api(witness)).watch("watch");
  const daemon = cluster.pidOf(victim, "daemon");
  assert.ok(daemon !== null);
  process.kill(daemon, "SIGSTOP");
  const order: string[] = [];
  let by = "";
  for await (const { event } of watch) {
    const command = String(event["command"]);
    if (command === "node.lost" || command === "node.fenced") order.push(command);
    if (command === "node.fenced") by = String((event["facts"] as { by?: unknown }).by);
    if (command === "intents.commit" && JSON.stringify(event["facts"]).includes("web start on")) {
      order.push("start");
      break;
    }
  }
  const answer = await taken;
  assert.deepEqual(order, ["node.lost", "node.fenced", "start"]);
  assert.equal(by, "tsafe");
  const lines = readLedger(ledger);
  const stopped = lines.find((line) => line.node === victim.name && line.what === "stop");
  const started = lines.find((line) => line.node === answer.node && line.what === "start");
  assert.ok(stopped !== undefined && started !== undefined, JSON.stringify(lines.map(({ node, what }) => `${node} ${what}`)));
  assert.ok(stopped.atNs < started.atNs, "the old copy stopped before the new one started");
});
