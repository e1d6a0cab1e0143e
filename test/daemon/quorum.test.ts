import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LiveCluster, type LiveNode } from "./live-cluster.ts";
import { activeCopies, commit, dummy, ledgerOf, put, runsOn } from "./live-support.ts";

describe("a node without quorum", { concurrency: false, timeout: 120_000 }, () => {
  let cluster: LiveCluster;
  let first: LiveNode;
  before(async () => {
    cluster = await LiveCluster.formed(3, { selfFenceMs: 5_000 });
    const [node] = cluster.nodes;
    assert.ok(node);
    first = node;
    await commit(cluster, first, [put("resources", dummy(cluster, "d1"))]);
  });
  after(async () => {
    await cluster?.destroy();
  });

  test("stops what it runs, refuses changes, fences nobody; with quorum it goes on, one copy at a time", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const others = cluster.nodes.filter((node) => node !== holder);
    for (const node of others) await cluster.signal(node, "daemon", "SIGSTOP");
    await cluster.until("the guardian stops d1", 20_000, async () => activeCopies(cluster, "d1") === 0);
    const status = await cluster.status(holder);
    assert.equal(status.quorate, false);
    await assert.rejects(cluster.request(holder, "cib.get"), /no leader/);
    await assert.rejects(
      cluster.request(holder, "config.commit", { edits: [put("resources", dummy(cluster, "d9"))] }),
      /no leader|unknown/,
    );
    assert.deepEqual(status.fencing.history, []);
    for (const node of others) await cluster.signal(node, "daemon", "SIGCONT");
    await cluster.until("d1 runs again", 40_000, async () => activeCopies(cluster, "d1") === 1);
    await cluster.until("everybody is back", 40_000, async () =>
      (await cluster.status(first)).nodes.every((node) => node.state === "online"),
    );
    await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
    assert.equal(activeCopies(cluster, "d1"), 1);
    let running = 0;
    for (const entry of ledgerOf(cluster, "d1")) {
      running += entry.action === "start" ? 1 : -1;
      assert.ok(running <= 1, "never two copies");
    }
  });
});
