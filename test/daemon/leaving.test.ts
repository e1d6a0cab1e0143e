import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LiveCluster, type LiveNode } from "./live-cluster.ts";
import { commit, dummy, put, quorate, runsOn } from "./live-support.ts";

/** Exit code of a daemon that is not to be started again (`RestartPreventExitStatus` of its unit). */
const LEFT = 100;

describe("nodes that leave by `cluster stop`", { concurrency: false, timeout: 180_000 }, () => {
  let cluster: LiveCluster;
  before(async () => {
    cluster = await LiveCluster.formed(3, { witness: true });
    await commit(cluster, cluster.nodes[0]!, [put("resources", dummy(cluster, "d1"))]);
  });
  after(() => cluster?.destroy());
  const online = (): Promise<void> =>
    cluster.until("all are online", 40_000, async () =>
      (await cluster.status(cluster.nodes[0]!)).nodes.every((node) => node.state === "online"),
    );
  const fencings = async (): Promise<number> => (await cluster.status(cluster.nodes[0]!)).fencing.history.length;

  test("one node, asked from another: its resources move, its daemon ends for good, nobody fences it", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const other = cluster.nodes.find((node) => node !== holder) as LiveNode;
    const done = await quorate(other, "cluster", "stop", holder.name);
    assert.equal(done.code, 0, done.text);
    assert.match(done.text, new RegExp(`${holder.name} has left`));
    assert.equal(await cluster.ended(holder, "daemon"), LEFT);
    await cluster.request(other, "wait.idle", { timeoutMs: 20_000 });
    assert.notEqual(runsOn(cluster, "d1"), holder.name);
    assert.equal((await cluster.status(other)).nodes.find((node) => node.name === holder.name)?.state, "offline");
    cluster.startDaemon(holder);
    await online();
    assert.equal(await fencings(), 0);
  });

  test("all of them, a witness too: everything stops, and starts again with the daemons", async () => {
    const done = await quorate(cluster.nodes[1]!, "cluster", "stop", "--all");
    assert.equal(done.code, 0, done.text);
    for (const node of cluster.nodes) {
      assert.match(done.text, new RegExp(`${node.name} has left`));
      assert.equal(await cluster.ended(node, "daemon"), LEFT);
    }
    assert.equal(runsOn(cluster, "d1"), null);
    cluster.disconnect();
    for (const node of cluster.nodes) cluster.startDaemon(node);
    await online();
    await cluster.until("d1 runs", 20_000, async () => runsOn(cluster, "d1") !== null);
    assert.equal(await fencings(), 0);
  });
});
