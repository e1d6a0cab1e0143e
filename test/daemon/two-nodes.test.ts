import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LiveCluster, type LiveNode } from "./live-cluster.ts";
import { commit, dummy, put, quorate, runsOn } from "./live-support.ts";

/** What docs/two-nodes.md tells an operator to type, on two data nodes and a witness without a guardian. */
describe("two data nodes and a witness, by the book", { concurrency: false, timeout: 180_000 }, () => {
  let cluster: LiveCluster;
  let alpha: LiveNode;
  let beta: LiveNode;
  let witness: LiveNode;

  const ok = async (node: LiveNode, ...words: readonly string[]): Promise<string> => {
    const { code, text } = await quorate(node, ...words);
    assert.equal(code, 0, `${words.join(" ")}: ${text}`);
    return text;
  };
  const token = async (): Promise<string> => (await ok(alpha, "cluster", "token")).trim();
  const leads = (name: string, at: LiveNode): Promise<void> =>
    cluster.until(`${name} leads`, 15_000, async () => (await cluster.status(at)).leader?.node === name);
  const term = async (node: LiveNode): Promise<number> => ((await cluster.request(node, "cluster.status")) as { term: number }).term;

  before(async () => {
    cluster = await LiveCluster.apart(3, 2, { selfFenceMs: 6_000 });
    const [first, second, third] = cluster.nodes;
    assert.ok(first && second && third);
    [alpha, beta, witness] = [first, second, third];
    for (const node of cluster.nodes)
      await cluster.until("it answers", 15_000, async () => (await cluster.status(node)).nodes.length === 0);
  });
  after(() => cluster?.destroy());

  test("it is formed, healthy without a guardian on the witness, and the witness cannot be made the leader", async () => {
    await ok(alpha, "cluster", "init", "--name", "shop");
    await ok(beta, "cluster", "join", `127.0.0.1:${alpha.port}`, "--token", await token());
    await ok(witness, "cluster", "join", `127.0.0.1:${alpha.port}`, "--token", await token(), "--witness");
    await cluster.until("healthy", 20_000, async () => (await quorate(alpha, "cluster", "health")).text.includes("healthy"));
    assert.match(await ok(beta, "cluster", "status"), /n3 +witness +1 /);
    assert.match(await ok(witness, "status"), /n3: +online +1 vote +a witness: votes, runs nothing/);
    const refused = await quorate(alpha, "cluster", "transfer", "n3");
    assert.equal(refused.code, 1);
    assert.match(refused.text, /is a witness/);
    await ok(alpha, "configure", "property", "wait-for-all=true");
  });

  test("a leader that shuts down hands over first: one change of term, nobody waits for a silence", async () => {
    await commit(cluster, alpha, [put("resources", dummy(cluster, "d1"))]);
    await ok(beta, "cluster", "transfer", "n1");
    await leads("n1", beta);
    const before = await term(beta);
    assert.equal(await cluster.signal(alpha, "daemon", "SIGQUIT"), 100);
    await leads("n2", beta);
    assert.equal(await term(beta), before + 1);
    await cluster.until("d1 runs on beta", 20_000, async () => runsOn(cluster, "d1") === "n2");
    cluster.startDaemon(alpha);
    await cluster.until("all online", 20_000, async () => (await cluster.status(beta)).nodes.every((node) => node.state === "online"));
  });

  test("the loss of the witness stops nothing; a member takes itself out, and joins again", async () => {
    await cluster.signal(witness, "daemon", "SIGKILL");
    await cluster.until("the witness is lost", 20_000, async () =>
      (await cluster.status(beta)).nodes.some((node) => node.name === "n3" && node.state === "lost"),
    );
    assert.match((await quorate(alpha, "cluster", "health")).text, /n3 is lost/);
    assert.equal(runsOn(cluster, "d1"), "n2");
    await ok(alpha, "cluster", "remove", "n3");
    await ok(beta, "cluster", "transfer", "n2").catch(() => "it leads already");
    await leads("n2", beta);
    await ok(alpha, "cluster", "remove", "n1");
    await cluster.until("it knows", 20_000, async () => /has removed this member/.test(JSON.stringify(await cluster.status(alpha))));
    const invitation = (await ok(beta, "cluster", "token")).trim();
    await ok(alpha, "cluster", "join", `127.0.0.1:${beta.port}`, "--token", invitation);
    await cluster.until("healthy", 20_000, async () => (await quorate(beta, "cluster", "health")).text.includes("healthy"));
  });
});
