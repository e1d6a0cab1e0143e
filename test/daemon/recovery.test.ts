import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { element, walk } from "../../src/core/cib/index.ts";
import { LiveCluster, type LiveNode, pause } from "./live-cluster.ts";
import { activeCopies, commit, dummy, nvpairs, put, quorate, runsOn } from "./live-support.ts";

type Member = {
  readonly node: string;
  readonly votes: number;
  readonly learner: boolean;
  readonly witness: boolean;
  readonly match: number;
};
type ClusterStatus = { readonly totalVotes: number; readonly joint: boolean; readonly members: readonly Member[] };

describe("two data nodes and a witness: daily work and the last resort", () => {
  let cluster: LiveCluster;
  let n1: LiveNode;
  let n2: LiveNode;
  let n3: LiveNode;
  const members = async (at: LiveNode): Promise<ClusterStatus> => (await cluster.request(at, "cluster.status")) as ClusterStatus;
  const member = async (at: LiveNode, name: string): Promise<Member | undefined> =>
    (await members(at)).members.find((row) => row.node === name);
  const leads = (at: LiveNode, name: string): Promise<void> =>
    cluster.until(`${name} leads`, 15_000, async () => (await cluster.status(at)).leader?.node === name);

  before(async () => {
    cluster = await LiveCluster.formed(3, { witness: true });
    n1 = cluster.node("n1");
    n2 = cluster.node("n2");
    n3 = cluster.node("n3");
    await commit(
      cluster,
      n1,
      ["d1", "d2", "d3", "d4"].map((id) => put("resources", dummy(cluster, id))),
    );
  });
  after(() => cluster.destroy());

  test("the witness votes and holds the log, and nothing is ever placed there", async () => {
    const row = await member(n1, "n3");
    assert.deepEqual([row?.witness, row?.votes, row?.learner], [true, 1, false]);
    for (const id of ["d1", "d2", "d3", "d4"]) assert.match(runsOn(cluster, id) ?? "nowhere", /^n[12]$/);
    const { cib } = (await cluster.request(n1, "cib.get", {})) as { cib: Parameters<typeof walk>[0] };
    const names = [...walk(cib)]
      .filter((found) => found.name === "node" || found.name === "node_state")
      .map((found) => found.attributes["uname"]);
    assert.deepEqual([...new Set(names)].sort(), ["n1", "n2"]);
    const shown = await quorate(n3, "cluster", "status");
    assert.match(shown.text, /n3\s+witness\s+1/);
  });

  test("a leader that goes to standby hands over to the other data node", async () => {
    const leader = (await cluster.status(n1)).leader?.node ?? "n1";
    const other = leader === "n1" ? "n2" : "n1";
    assert.equal((await quorate(cluster.node(leader), "node", "standby", leader)).code, 0);
    await leads(n1, other);
    assert.equal((await quorate(n3, "node", "online", leader)).code, 0);
    assert.equal((await quorate(n3, "cluster", "transfer", "n1")).code, 0);
    await leads(n2, "n1");
  });

  test("votes, demotion, promotion and addresses are changed from any member", async () => {
    assert.equal((await quorate(n3, "cluster", "votes", "n1", "3")).code, 0);
    await cluster.until("five votes", 10_000, async () => (await members(n1)).totalVotes === 5);
    assert.equal((await quorate(n1, "cluster", "votes", "n1", "1")).code, 0);
    assert.equal((await quorate(n1, "cluster", "demote", "n2")).code, 0);
    assert.equal((await member(n1, "n2"))?.learner, true);
    // The leader looks for learners that should vote every two seconds: this one must stay what it is.
    await pause(2_500);
    assert.equal((await member(n1, "n2"))?.learner, true);
    const last = await quorate(n1, "cluster", "demote", "n1");
    assert.equal(last.code, 1);
    assert.match(last.text, /last member that votes/);
    assert.equal((await quorate(n1, "cluster", "promote", "n2")).code, 0);
    assert.equal((await member(n1, "n2"))?.votes, 1);
    const moved = await quorate(n2, "cluster", "address", "n2", `127.0.0.1:${n2.port}`, `127.0.0.2:${n2.port}`);
    assert.equal(moved.code, 0, moved.text);
    const row = (await members(n1)).members.find((found) => found.node === "n2") as unknown as { addresses: string[] };
    assert.equal(row.addresses.length, 2);
    for (const wrong of ["nonsense", "n2:0", "n2:65536", "n2:7100/x", ""]) {
      assert.match((await quorate(n1, "cluster", "address", "n2", wrong)).text, /^ERROR: parameter addresses must be .* host:port/, wrong);
    }
    const nowhere = await quorate(n1, "cluster", "address", "n2", "127.0.0.1:1");
    assert.match(nowhere.text, /^ERROR: n2 does not answer there .*--force/);
    const others = await quorate(n1, "cluster", "address", "n2", `127.0.0.1:${n2.port}`, `127.0.0.1:${n1.port}`);
    assert.match(others.text, /^ERROR: another member than n2 answers at /);
    const after = (await members(n1)).members.find((found) => found.node === "n2") as unknown as { addresses: string[] };
    assert.deepEqual(after.addresses, row.addresses, "nothing has changed");
    assert.equal((await quorate(n1, "cluster", "address", "n2", "--force", ...row.addresses)).code, 0);
    // A number that is refused only when the daemon is connected already: the program must end all the same.
    assert.match((await quorate(n1, "cluster", "votes", "n2", "-1")).text, /^ERROR: NUMBER must be an integer of at least 0/);
  });

  test("a backup is checked before it is used, and brings the configuration back", async () => {
    const file = join(cluster.base, "backup.json");
    const made = await quorate(n2, "cluster", "backup", file);
    assert.equal(made.code, 0, made.text);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const damaged = join(cluster.base, "damaged.json");
    writeFileSync(damaged, readFileSync(file, "utf8").replace('"d4"', '"d5"'));
    const refused = await quorate(n1, "-F", "cluster", "restore", damaged);
    assert.equal(refused.code, 1);
    assert.match(refused.text, /damaged/);
    const foreign = join(cluster.base, "foreign.json");
    const snapshot = { version: 1, state: {} };
    const sha256 = createHash("sha256").update(JSON.stringify(snapshot)).digest("hex");
    writeFileSync(foreign, JSON.stringify({ format: "quorate-backup", version: 1, sha256, snapshot }));
    const strange = await quorate(n1, "-F", "cluster", "restore", foreign);
    assert.equal(strange.code, 1);
    assert.match(strange.text, /^ERROR: .*foreign.json holds no state that this build reads: .*\n$/);
    await commit(cluster, n1, [
      put("crm_config", element("cluster_property_set", { id: "later" }, nvpairs("set", "later", { "sim-value": "1" }).children)),
    ]);
    assert.equal((await quorate(n1, "-w", "-F", "resource", "stop", "d4")).code, 0);
    assert.equal(activeCopies(cluster, "d4"), 0);
    assert.match((await quorate(n1, "cluster", "restore", file, "--dry-run")).text, /delete crm_config later/);
    const restored = await quorate(n1, "-w", "-F", "cluster", "restore", file);
    assert.equal(restored.code, 0, restored.text);
    assert.equal(activeCopies(cluster, "d4"), 1);
    const { cib } = (await cluster.request(n1, "cib.get", {})) as { cib: Parameters<typeof walk>[0] };
    assert.equal(
      [...walk(cib)].some((found) => found.attributes["id"] === "later"),
      false,
    );
  });

  test("force-new-cluster wants the name typed and no quorum; nothing of the lost node starts before it is confirmed down", async () => {
    const early = await quorate(n2, "cluster", "force-new-cluster", "live");
    assert.equal(early.code, 1);
    assert.match(early.text, /there is a quorum/);
    const lost = ["d1", "d2", "d3", "d4"].filter((id) => runsOn(cluster, id) === "n1");
    assert.ok(lost.length > 0);
    cluster.signalAll(n1, "SIGKILL");
    cluster.signalAll(n3, "SIGKILL");
    await cluster.until("no quorum", 15_000, async () => !(await cluster.status(n2)).quorate);
    const untyped = await quorate(n2, "-F", "cluster", "force-new-cluster");
    assert.equal(untyped.code, 1);
    assert.match(untyped.text, /last resort/);
    const forced = await quorate(n2, "cluster", "force-new-cluster", "live");
    assert.equal(forced.code, 0, forced.text);
    await cluster.until("n1 is lost", 15_000, async () => {
      const status = await cluster.status(n2);
      return status.quorate && status.nodes.some((node) => node.name === "n1" && node.state === "lost");
    });
    await pause(1_500);
    for (const id of lost) assert.equal(runsOn(cluster, id), "n1", "its last word is from n1: nobody else started it");
    assert.equal((await quorate(n2, "-w", "-F", "node", "clearstate", "n1")).code, 0);
    for (const id of lost) await cluster.until(`${id} runs on n2`, 15_000, async () => runsOn(cluster, id) === "n2");
    for (const name of ["n1", "n3"]) {
      const removed = await quorate(n2, "cluster", "remove", name);
      assert.equal(removed.code, 0, removed.text);
    }
    assert.deepEqual(
      (await cluster.status(n2)).nodes.map((node) => node.name),
      ["n2"],
    );
  });
});
