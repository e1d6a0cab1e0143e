import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LiveCluster, type LiveNode } from "./live-cluster.ts";
import { commit, dummy, put, runsOn } from "./live-support.ts";

type Members = {
  readonly totalVotes: number;
  readonly quorumVotes: number;
  readonly leader: { readonly node: string } | null;
  readonly members: readonly { readonly node: string; readonly votes: number }[];
};

describe("joining, votes, transfer and removal", { concurrency: false, timeout: 120_000 }, () => {
  let cluster: LiveCluster;
  let first: LiveNode;
  before(async () => {
    cluster = await LiveCluster.formed(3);
    const [node] = cluster.nodes;
    assert.ok(node);
    first = node;
    await commit(cluster, first, [put("resources", dummy(cluster, "d1"))]);
  });
  after(async () => {
    await cluster?.destroy();
  });
  const members = async (): Promise<Members> => (await cluster.request(first, "cluster.status")) as Members;

  test("a token serves once, a wrong one never, and a member does not join twice", async () => {
    const second = cluster.node("n2");
    await assert.rejects(
      cluster.request(second, "cluster.join", { address: `127.0.0.1:${first.port}`, token: "q1.x" }),
      /member of a cluster already/,
    );
    await assert.rejects(cluster.request(first, "cluster.init", { name: "again" }), /member of a cluster already/);
    await assert.rejects(cluster.request(first, "internal.create", { clusterId: "x", name: "x" }), /no method/);
  });

  test("votes are data: a node with two votes, then one again", async () => {
    await cluster.request(first, "cluster.votes", { node: "n2", votes: 2 });
    assert.deepEqual(await members().then((now) => [now.totalVotes, now.quorumVotes]), [4, 3]);
    await cluster.request(first, "cluster.votes", { node: "n2", votes: 1 });
    assert.deepEqual(await members().then((now) => [now.totalVotes, now.quorumVotes]), [3, 2]);
  });

  test("leadership is handed over by order, and no resource notices", async () => {
    const leader = (await members()).leader?.node ?? "";
    const target = cluster.nodes.find((node) => node.name !== leader);
    assert.ok(target);
    await cluster.request(cluster.node(leader), "cluster.transfer", { node: target.name });
    await cluster.until("the target leads", 10_000, async () => (await members()).leader?.node === target.name);
    await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
    assert.deepEqual(
      cluster
        .ledgerLines()
        .filter((line) => line[2] === "d1")
        .map((line) => line[3]),
      ["start"],
    );
  });

  test("a node with resources is not removed; an empty one is, and the cluster goes on with two", async () => {
    const holder = runsOn(cluster, "d1") ?? "";
    await assert.rejects(cluster.request(first, "cluster.remove", { node: holder }), /resources run there: d1 on n1/);
    const victim = cluster.nodes.find((node) => node.name !== holder && node.name !== first.name);
    assert.ok(victim);
    await cluster.request(first, "cluster.remove", { node: victim.name });
    const now = await members();
    assert.deepEqual(
      now.members.map((member) => member.node).sort(),
      cluster.nodes
        .map((node) => node.name)
        .filter((name) => name !== victim.name)
        .sort(),
    );
    await cluster.request(first, "wait.idle", { timeoutMs: 20_000 });
    await cluster.request(first, "node.attribute", { node: first.name, name: "after", value: "1", lifetime: "forever" });
    assert.equal(
      (await cluster.status(first)).nodes.some((node) => node.name === victim.name),
      false,
    );
  });
});
