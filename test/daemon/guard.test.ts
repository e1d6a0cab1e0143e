import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { element } from "../../src/core/cib/index.ts";
import { LiveCluster, type LiveNode, pause } from "./live-cluster.ts";
import { activeCopies, commit, dummy, ledgerOf, put, runsOn } from "./live-support.ts";

/** How often a daemon has connected to a guardian of this node. */
function connectionsOf(node: LiveNode): number {
  return readFileSync(join(node.directory, "quorate-guardian.log"), "utf8").split('"daemon connected"').length - 1;
}

describe("without a fencing device the guardian's deadline is the proof", { concurrency: false, timeout: 120_000 }, () => {
  let cluster: LiveCluster;
  before(async () => {
    cluster = await LiveCluster.formed(3, { selfFenceMs: 5_000 });
    const [first] = cluster.nodes;
    assert.ok(first);
    await commit(cluster, first, [put("resources", dummy(cluster, "d1")), put("resources", dummy(cluster, "d2"))]);
  });
  after(async () => {
    await cluster?.destroy();
  });

  test("guardians are killed and come back: nothing is touched, nothing runs twice", async () => {
    const count = cluster.ledgerLines().length;
    for (const node of cluster.nodes) {
      await cluster.signal(node, "guardian", "SIGKILL");
      await pause(100);
      cluster.startGuardian(node);
    }
    const [first] = cluster.nodes;
    assert.ok(first);
    await pause(3_000);
    await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
    assert.equal(cluster.ledgerLines().length, count, "no start and no stop");
    assert.deepEqual((await cluster.status(first)).fencing.history, []);
  });

  test("a guardian that hangs is killed by its daemon, and what starts it again finds one copy of everything", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const [first] = cluster.nodes;
    assert.ok(first);
    const gone = cluster.ended(holder, "guardian");
    await cluster.signal(holder, "guardian", "SIGSTOP");
    await gone;
    const connections = connectionsOf(holder);
    cluster.startGuardian(holder);
    await cluster.until("its successor serves the daemon", 30_000, async () => connectionsOf(holder) > connections);
    // The deadline may have passed meanwhile: then the successor has stopped d1 itself, and it starts again.
    await cluster.until("one copy of everything", 30_000, async () => {
      await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
      const online = (await cluster.status(first)).nodes.every((node) => node.state === "online");
      return online && activeCopies(cluster, "d1") === 1 && activeCopies(cluster, "d2") === 1;
    });
    assert.deepEqual((await cluster.status(first)).fencing.history, []);
  });

  test("a daemon that stays frozen: its copy is stopped before another one starts", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const other = cluster.nodes.find((node) => node !== holder);
    assert.ok(other);
    await cluster.signal(holder, "daemon", "SIGSTOP");
    await cluster.until("d1 runs elsewhere", 40_000, async () => (runsOn(cluster, "d1") ?? holder.name) !== holder.name);
    const entries = ledgerOf(cluster, "d1");
    const stopped = entries.findIndex((entry) => entry.node === holder.name && entry.action === "stop");
    const started = entries.findIndex((entry) => entry.node !== holder.name && entry.action === "start");
    assert.ok(
      stopped >= 0 && stopped < started,
      `the old copy stops first: ${JSON.stringify(entries.map((entry) => [entry.node, entry.action]))}`,
    );
    assert.equal(activeCopies(cluster, "d1"), 1);
    assert.equal((await cluster.status(other)).fencing.history[0]?.by, "tsafe");
    await cluster.signal(holder, "daemon", "SIGCONT");
    await cluster.until("the node is back", 30_000, async () =>
      (await cluster.status(other)).nodes.every((node) => node.state === "online"),
    );
    await cluster.request(other, "wait.idle", { timeoutMs: 20_000 });
    assert.equal(activeCopies(cluster, "d1"), 1);
  });

  test("fencing without any device fails with a reason and harms nobody", async () => {
    const [first, second] = cluster.nodes;
    assert.ok(first && second);
    await assert.rejects(cluster.request(first, "node.fence", { node: second.name }), /no device can fence n2/);
    assert.ok((await cluster.status(first)).nodes.every((node) => node.state === "online"));
  });

  test("standby moves resources away and back on", async () => {
    const [first] = cluster.nodes;
    assert.ok(first);
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    await cluster.request(first, "node.standby", { node: holder.name, on: true });
    await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
    assert.notEqual(runsOn(cluster, "d1"), holder.name);
    await cluster.request(first, "node.standby", { node: holder.name, on: false });
    await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
    assert.equal(activeCopies(cluster, "d1"), 1);
  });

  test("a resource that dies is noticed, counted and recovered; cleanup forgets the failure", async () => {
    const [first] = cluster.nodes;
    assert.ok(first);
    const holder = runsOn(cluster, "d2") ?? "";
    await commit(cluster, first, [
      put("resources", element("primitive", { id: "d3", class: "ocf", provider: "quorate", type: "nothing-like-this" })),
    ]);
    await cluster.request(first, "resource.cleanup", { resource: "d3" });
    assert.equal(runsOn(cluster, "d2"), holder, "a resource whose agent is missing disturbs nobody");
  });
});
