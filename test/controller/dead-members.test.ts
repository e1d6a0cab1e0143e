import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attributeOf, type Element, element, walk } from "../../src/core/cib/index.ts";
import type { PlannedTransition, Schedule } from "../../src/core/controller/index.ts";
import { emptyGraph, type GraphAction } from "../../src/core/transition/index.ts";
import { exited, MiniCluster, type MiniNode } from "./mini-cluster.ts";

/** Lost nodes are fenced, and nothing else is ever done; without a device Tsafe is the proof. */
const schedule = (cib: Element): PlannedTransition => {
  const states = [...walk(cib)].filter((found) => found.name === "node_state");
  const lost = states.filter((state) => attributeOf(state, "crmd") === "offline" && attributeOf(state, "expected") === "member");
  const actions = lost.map((state, at): GraphAction => {
    const facts = { node: attributeOf(state, "uname") ?? "", nodeId: attributeOf(state, "id") ?? "", params: {}, meta: {}, downs: [] };
    const base = { id: at + 1, inputs: [], priority: 0, reason: null, key: `stonith-${at}`, timeoutMs: 1_000, priorityDelayS: null };
    return { ...base, ...facts, kind: "fence", task: "reboot" };
  });
  return { graph: { ...emptyGraph(), actions }, summary: [], placements: null, scores: null, recheckAtMs: null };
};
const agents = () => ({ outcome: exited(0), tookMs: 5 });

function formed(
  size: number,
  properties: Readonly<Record<string, string>>,
  how: { readonly witnesses?: readonly string[]; readonly schedule?: Schedule } = {},
): MiniCluster {
  const names = Array.from({ length: size }, (_, at) => `n${at + 1}`);
  const cluster = MiniCluster.formed({ schedule: how.schedule ?? schedule, agents }, names, how.witnesses);
  const pairs = Object.entries(properties).map(([name, value]) => element("nvpair", { id: `s-${name}`, name, value }));
  const after = element("cluster_property_set", { id: "s" }, pairs);
  const answer = only(cluster).request("config.commit", { edits: [{ section: "crm_config", id: "s", before: null, after }] });
  assert.ok(!(answer as { error?: unknown }).error, JSON.stringify(answer));
  return cluster;
}

function only(cluster: MiniCluster): MiniNode {
  const leader = cluster.leader();
  assert.ok(leader);
  return leader;
}

const names = (cluster: MiniCluster): string => [...only(cluster).core.state.nodes.keys()].join(" ");
const members = (cluster: MiniCluster): number => only(cluster).core.raftStatus.configuration.members.size;

/** A follower dies and is proven down. */
function dies(cluster: MiniCluster, name: string): void {
  const node = cluster.nodes.get(name);
  assert.ok(node && node !== cluster.leader(), `${name} follows`);
  node.die();
  cluster.until(`${name} is fenced`, 60_000, () => only(cluster).core.state.nodes.get(name)?.membership === "fenced");
}

describe("dead members", () => {
  test("are removed after the time that was asked for, and never below the size", () => {
    const cluster = formed(5, { "dead-member-timeout": "30s", "cluster-size": "4" });
    dies(cluster, "n4");
    cluster.run(25_000);
    assert.equal(members(cluster), 5, "not before its time");
    cluster.until("n4 is removed", 15_000, () => members(cluster) === 4);
    assert.equal(names(cluster), "n1 n2 n3 n5");
    dies(cluster, "n5");
    cluster.run(200_000);
    assert.equal(members(cluster), 4, "the fifth stays: four voters are asked for");
    assert.match(names(cluster), /n5/);
  });

  test("stay for ever unless both properties are set, and status says what is missing", () => {
    for (const properties of [
      {},
      { "cluster-size": "2" },
      { "dead-member-timeout": "1s" },
      { "dead-member-timeout": "0", "cluster-size": "1" },
    ]) {
      const cluster = formed(3, properties as Readonly<Record<string, string>>);
      dies(cluster, "n3");
      cluster.run(60_000);
      assert.equal(members(cluster), 3, JSON.stringify(properties));
      const { warnings } = only(cluster).request("status", {}) as { warnings: readonly string[] };
      const told = warnings.some((warning) => warning.startsWith("dead-member-timeout removes nobody"));
      assert.equal(told, "dead-member-timeout" in properties && !("cluster-size" in properties), JSON.stringify(properties));
    }
  });

  test("a member that is silent but not proven down is never touched; a silent witness has nothing to prove", () => {
    const blind = (): PlannedTransition => ({ graph: emptyGraph(), summary: [], placements: null, scores: null, recheckAtMs: null });
    const wish = { "dead-member-timeout": "10s", "cluster-size": "3" };
    const cluster = formed(5, wish, { witnesses: ["n5"], schedule: blind });
    cluster.nodes.get("n4")?.die();
    cluster.until("n4 is lost", 10_000, () => only(cluster).core.state.nodes.get("n4")?.membership === "lost");
    cluster.run(60_000);
    assert.equal(members(cluster), 5, "lost is not dead");
    cluster.nodes.get("n5")?.die();
    cluster.until("the witness is removed", 40_000, () => members(cluster) === 4);
    assert.equal(names(cluster), "n1 n2 n3 n4");
  });
});
