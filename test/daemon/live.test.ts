import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Element, element } from "../../src/core/cib/index.ts";
import { LiveCluster, type LiveNode, pause } from "./live-cluster.ts";
import { commit, dummy, ledgerOf, nvpairs, put, runsOn } from "./live-support.ts";

/** Daemons that are killed in the storm; `LIVE_KILLS` for longer runs. */
const KILLS = Number(process.env["LIVE_KILLS"] ?? "12");

async function anyone(cluster: LiveCluster, not: LiveNode): Promise<LiveNode> {
  const other = cluster.nodes.find((node) => node !== not);
  assert.ok(other);
  return other;
}

describe("three daemons, guardians and agents of this machine", { concurrency: false, timeout: 150_000 }, () => {
  let cluster: LiveCluster;
  before(async () => {
    cluster = await LiveCluster.formed(3);
    const [first] = cluster.nodes;
    assert.ok(first);
    const power = element("primitive", { id: "power", class: "stonith", type: "fence_quorate_local" }, [
      nvpairs("instance_attributes", "power-params", { base: cluster.base, pcmk_host_list: "n1 n2 n3", ledger: cluster.ledger }),
    ]);
    await commit(cluster, first, [put("resources", dummy(cluster, "d1")), put("resources", dummy(cluster, "d2")), put("resources", power)]);
  });
  after(async () => {
    await cluster?.destroy();
  });

  test("resources are placed once, spread over nodes", async () => {
    assert.deepEqual(
      ledgerOf(cluster, "d1").map((entry) => entry.action),
      ["start"],
    );
    assert.deepEqual(
      ledgerOf(cluster, "d2").map((entry) => entry.action),
      ["start"],
    );
    assert.notEqual(runsOn(cluster, "d1"), runsOn(cluster, "d2"));
  });

  test("kill -9 of daemons under a stream of changes: nothing acknowledged is lost, no resource is touched", async () => {
    const acknowledged: string[] = [];
    let going = true;
    const writer = (async () => {
      for (let count = 1; going; count += 1) {
        const id = `p${count}`;
        const node = cluster.nodes[count % 3];
        assert.ok(node);
        try {
          const after = element("rsc_location", { id, rsc: "d1", node: "n1", score: "0" });
          await cluster.request(node, "config.commit", { edits: [put("constraints", after)] }, 5_000);
          acknowledged.push(id);
        } catch {
          // Not acknowledged: it may have happened or not, both are right.
          await pause();
        }
      }
    })();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = cluster.nodes[kill % 3];
      assert.ok(victim);
      await cluster.signal(victim, "daemon", "SIGKILL");
      cluster.startDaemon(victim);
      const before = acknowledged.length;
      await cluster.until("changes go on", 20_000, async () => acknowledged.length > before + 3);
    }
    going = false;
    await writer;
    const [first] = cluster.nodes;
    assert.ok(first);
    await cluster.request(first, "wait.idle", { timeoutMs: 30_000 });
    const { cib } = (await cluster.request(first, "cib.get", { section: "configuration" })) as { cib: Element };
    const kept = new Set(cib.children.find((child) => child.name === "constraints")?.children.map((child) => child.attributes["id"]));
    assert.deepEqual(
      acknowledged.filter((id) => !kept.has(id)),
      [],
      "every acknowledged change is there",
    );
    assert.deepEqual(
      ledgerOf(cluster, "d1").map((entry) => entry.action),
      ["start"],
      "d1 was not touched",
    );
    assert.deepEqual(
      ledgerOf(cluster, "d2").map((entry) => entry.action),
      ["start"],
      "d2 was not touched",
    );
    assert.deepEqual((await cluster.status(first)).fencing.history, [], "nobody was fenced");
  });

  test("SIGTERM leaves resources with the guardian; the daemon comes back to them", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const other = await anyone(cluster, holder);
    assert.equal(await cluster.signal(holder, "daemon", "SIGTERM"), 0);
    await cluster.until(
      "detached",
      10_000,
      async () => (await cluster.status(other)).nodes.find((node) => node.name === holder.name)?.state === "detached",
    );
    await pause(2_000);
    cluster.startDaemon(holder);
    await cluster.until(
      "online again",
      20_000,
      async () => (await cluster.status(other)).nodes.find((node) => node.name === holder.name)?.state === "online",
    );
    await cluster.request(other, "wait.idle", { timeoutMs: 20_000 });
    assert.deepEqual(
      ledgerOf(cluster, "d1").map((entry) => entry.action),
      ["start"],
    );
    assert.deepEqual((await cluster.status(other)).fencing.history, []);
  });

  test("a node that falls silent is fenced, and only then its resource starts elsewhere", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const other = await anyone(cluster, holder);
    cluster.signalAll(holder, "SIGSTOP");
    await cluster.until("d1 runs elsewhere", 30_000, async () => runsOn(cluster, "d1") !== holder.name);
    const lines = cluster.ledgerLines();
    const fencedAt = lines.findIndex((line) => line[1] === holder.name && line[3] === "fenced");
    const startedAt = lines.findIndex((line) => line[2] === "d1" && line[3] === "start" && line[1] !== holder.name);
    assert.ok(fencedAt >= 0 && startedAt > fencedAt, "fenced before started elsewhere");
    assert.equal((await cluster.status(other)).nodes.find((node) => node.name === holder.name)?.state, "fenced");
    cluster.startGuardian(holder);
    cluster.startDaemon(holder);
    await cluster.until("back online", 30_000, async () => (await cluster.status(other)).nodes.every((node) => node.state === "online"));
    await cluster.request(other, "wait.idle", { timeoutMs: 20_000 });
  });

  test("a node that shuts down hands its resources over first", async () => {
    const holder = cluster.node(runsOn(cluster, "d1") ?? "");
    const other = await anyone(cluster, holder);
    assert.equal(await cluster.signal(holder, "daemon", "SIGQUIT"), 100);
    assert.equal(
      ledgerOf(cluster, "d1")
        .filter((entry) => entry.node === holder.name)
        .at(-1)?.action,
      "stop",
    );
    await cluster.request(other, "wait.idle", { timeoutMs: 20_000 });
    assert.notEqual(runsOn(cluster, "d1"), holder.name);
    assert.equal((await cluster.status(other)).nodes.find((node) => node.name === holder.name)?.state, "offline");
    cluster.startDaemon(holder);
    await cluster.until("back online", 30_000, async () => (await cluster.status(other)).nodes.every((node) => node.state === "online"));
  });
});
