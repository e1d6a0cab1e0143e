import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { canonicalText, type Element } from "../../src/core/cib/index.ts";
import { LiveCluster, type LiveNode } from "./live-cluster.ts";
import { commit, dummy, put } from "./live-support.ts";

/** More entries than the log keeps behind a snapshot for slow followers (RAFT.md §5: 1,024). */
const CHANGES = 2_200;
const SIDE_BY_SIDE = 32;

describe("snapshots", { concurrency: false, timeout: 240_000 }, () => {
  let cluster: LiveCluster;
  let first: LiveNode;
  before(async () => {
    cluster = await LiveCluster.formed(3, { settings: { snapshotLogBytes: 65_536 } });
    const [node] = cluster.nodes;
    assert.ok(node);
    first = node;
    await commit(cluster, first, [put("resources", dummy(cluster, "d1"))]);
  });
  after(async () => {
    await cluster?.destroy();
  });
  const cibOf = async (node: LiveNode): Promise<string> => {
    const { cib } = (await cluster.request(node, "cib.get", { section: "configuration" })) as { cib: Element };
    return canonicalText(cib);
  };

  test("a member that missed more than the log holds gets a snapshot and goes on from it", async () => {
    const late = cluster.node("n3");
    await cluster.request(late, "node.detach", { seconds: 120 });
    await cluster.signal(late, "daemon", "SIGKILL");
    let next = 0;
    const writer = async (): Promise<void> => {
      for (let count = next++; count < CHANGES; count = next++) {
        await cluster.request(first, "node.attribute", { node: "n1", name: `k${count % 50}`, value: String(count), lifetime: "reboot" });
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, writer));
    cluster.startDaemon(late);
    await cluster.until("the late member has caught up", 40_000, async () => (await cluster.status(late)).index >= CHANGES);
    await cluster.until("it is online", 20_000, async () => (await cluster.status(first)).nodes.every((node) => node.state === "online"));
    assert.match(cluster.logTail(late, 20_000), /a snapshot of the leader was taken over/);
    assert.equal(await cibOf(late), await cibOf(first));
    const status = (await cluster.request(late, "status")) as { cib: Element };
    assert.match(canonicalText(status.cib), new RegExp(`"${CHANGES - 1}"`));
  });

  test("a member starts from its own snapshot", async () => {
    const before = await cibOf(first);
    await cluster.signal(first, "daemon", "SIGTERM");
    cluster.startDaemon(first);
    await cluster.until("online", 30_000, async () => (await cluster.status(first)).nodes.every((node) => node.state === "online"));
    assert.equal(await cibOf(first), before);
    assert.match(cluster.logTail(first, 4_000), /"finding":"clean"/);
    assert.deepEqual(
      cluster
        .ledgerLines()
        .filter((line) => line[2] === "d1")
        .map((line) => line[3]),
      ["start"],
    );
  });
});
