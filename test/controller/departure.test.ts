import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/schedule.ts";
import { element } from "../../src/core/cib/index.ts";
import { exited, MiniCluster, type MiniNode } from "./mini-cluster.ts";

const started = new Set<string>();

/** Agents that remember: a resource runs on a node from its start to its stop there. `stopMs` for each stop. */
function formed(how: { readonly stopMs?: number; readonly witnesses?: readonly string[] } = {}): MiniCluster {
  started.clear();
  const agents = (node: string, action: { readonly operation: string; readonly resource: string }) => {
    const place = `${action.resource} ${node}`;
    if (action.operation === "start") started.add(place);
    if (action.operation === "stop") started.delete(place);
    const code = action.operation === "monitor" && !started.has(place) ? 7 : 0;
    return { outcome: exited(code), tookMs: action.operation === "stop" ? (how.stopMs ?? 20) : 5 };
  };
  const cluster = MiniCluster.formed({ schedule: schedulePlan, agents }, ["n1", "n2", "n3"], how.witnesses);
  const edits = ["a", "b", "c"].map((id) => ({
    section: "resources",
    id,
    before: null,
    after: element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, [
      element("operations", {}, [element("op", { id: `${id}-stop`, name: "stop", interval: "0", timeout: "20min" })]),
    ]),
  }));
  const answer = leader(cluster).request("config.commit", { edits });
  assert.ok(!(answer as { error?: unknown }).error, JSON.stringify(answer));
  leader(cluster).request("wait.idle", {});
  assert.equal(started.size, 3, "everything runs");
  return cluster;
}

function leader(cluster: MiniCluster): MiniNode {
  const found = cluster.leader();
  assert.ok(found);
  return found;
}

const others = (cluster: MiniCluster, name: string): MiniNode[] => [...cluster.nodes.values()].filter((node) => node.name !== name);
const onNode = (name: string): string[] => [...started].filter((place) => place.endsWith(` ${name}`));

describe("a node that is asked to leave", () => {
  for (const role of ["leader", "follower"] as const) {
    test(`moves everything, says goodbye and ends for good, and nobody fences it: the ${role}`, () => {
      const cluster = formed();
      const led = leader(cluster);
      const leaving = role === "leader" ? led : others(cluster, led.name)[0]!;
      const asked = others(cluster, leaving.name)[0]!;
      asked.request("node.shutdown", { node: leaving.name }, 60_000);
      cluster.until("its daemon ends", 5_000, () => leaving.ended !== null);
      assert.deepEqual({ ...leaving.ended }, { kind: "stop", reason: "shutdown complete", left: true });
      cluster.run(30_000);
      assert.equal(asked.core.state.nodes.get(leaving.name)?.membership, "offline");
      assert.deepEqual([started.size, onNode(leaving.name).length], [3, 0]);
      assert.equal(asked.core.state.fencingHistory.length, 0);
    });
  }

  test("comes back when its daemon is started again", () => {
    const cluster = formed();
    const leaving = others(cluster, leader(cluster).name)[0]!;
    leader(cluster).request("node.shutdown", { node: leaving.name }, 60_000);
    cluster.until("its daemon ends", 5_000, () => leaving.ended !== null);
    leaving.restart();
    cluster.until("it is online", 10_000, () => leader(cluster).core.state.nodes.get(leaving.name)?.membership === "online");
    cluster.run(10_000);
    assert.equal(leaving.ended, null, "what was asked of its predecessor is done with");
  });

  test("goes on leaving when its daemon is killed and started again in the middle of it, however long its stops take", () => {
    const cluster = formed({ stopMs: 600_000 });
    const leaving = [...cluster.nodes.values()].find((node) => onNode(node.name).length > 0 && node !== leader(cluster))!;
    assert.ok(leaving);
    leader(cluster).deliver({ kind: "request", id: 77_000, method: "node.shutdown", params: { node: leaving.name } });
    cluster.until("it stops what it runs", 10_000, () => onNode(leaving.name).length === 0);
    leaving.alive = false;
    cluster.run(100);
    leaving.restart();
    cluster.until("its daemon ends", 900_000, () => leaving.ended !== null);
    assert.equal(leaving.ended?.left, true);
    assert.equal(leader(cluster).core.state.fencingHistory.length, 0);
  });

  test("stays for the others when all leave at once", () => {
    for (const witnesses of [[], ["n3"]]) {
      const cluster = formed({ witnesses });
      for (const name of cluster.nodes.keys()) {
        leader(cluster).deliver({ kind: "request", id: 77_000 + name.length, method: "node.shutdown", params: { node: name } });
      }
      const all = [...cluster.nodes.values()];
      cluster.until("all daemons end", 30_000, () => all.every((node) => node.ended !== null));
      assert.deepEqual(
        all.map((node) => node.ended?.left),
        [true, true, true],
      );
      assert.equal(started.size, 0, "everything is stopped");
      for (const node of all) node.restart();
      cluster.until("all are back", 30_000, () => all.every((node) => node.core.self?.membership === "online") && started.size === 3);
      assert.equal(leader(cluster).core.state.fencingHistory.length, 0);
    }
  });

  test("does not wait for a quorum that is gone, if nothing runs there", () => {
    const cluster = formed();
    const idle = leader(cluster);
    idle.command({ kind: "attribute.set", changes: [{ node: idle.name, name: "standby", value: "on" }] });
    idle.request("wait.idle", {});
    for (const other of others(cluster, idle.name)) other.die();
    idle.deliver({ kind: "shutdown", mode: "shutdown" });
    cluster.until("its daemon ends", 10_000, () => idle.ended !== null);
    assert.equal(idle.ended?.left, true);
  });

  test("that nobody hears is not asked", () => {
    const cluster = formed();
    const gone = others(cluster, leader(cluster).name)[0]!;
    gone.die();
    cluster.until("it is missed", 20_000, () => leader(cluster).core.state.nodes.get(gone.name)?.membership !== "online");
    const answer = leader(cluster).request("node.shutdown", { node: gone.name }) as { readonly error: { readonly code: string } };
    assert.equal(answer.error.code, "NODE_NOT_ONLINE");
  });
});
