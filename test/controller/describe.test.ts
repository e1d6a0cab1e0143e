import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/schedule.ts";
import { element } from "../../src/core/cib/index.ts";
import { exited, MiniCluster, type MiniNode } from "./mini-cluster.ts";

/** What a member has told its log, without the times. */
const told = (node: MiniNode): string[] => node.logs.map((line) => line.replace(/^\d+ /, ""));
const find = (node: MiniNode, start: string): string[] => told(node).filter((line) => line.startsWith(start));

test("the log tells of nodes by name and of results by what was done", () => {
  let monitors = 0;
  const agents = (_node: string, action: { readonly operation: string; readonly intervalMs: number }) => {
    if (action.operation !== "monitor") return { outcome: exited(0), tookMs: 5 };
    if (action.intervalMs === 0) return { outcome: exited(7), tookMs: 5 };
    monitors += 1;
    return monitors < 5 ? { outcome: exited(0), tookMs: 5 } : { outcome: { ...exited(1), reason: "it smokes" }, tookMs: 5 };
  };
  const cluster = MiniCluster.formed({ schedule: schedulePlan, agents }, ["n1", "n2", "n3"]);
  const first = cluster.nodes.get("n1")!;
  const op = element("operations", {}, [element("op", { id: "o", name: "monitor", interval: "1s" })]);
  const web = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "web" }, [op]);
  first.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: web }] });
  cluster.until("the monitor has failed", 30_000, () => find(first, "actions ended").some((line) => line.includes("it smokes")));
  const ended = find(first, "actions ended").join("\n");
  assert.match(ended, /"web monitor on n\d: not running"/);
  assert.match(ended, /"web start on n\d: ok"/);
  assert.match(ended, /"web monitor on n\d: error \(it smokes\)"/);
  assert.equal(find(first, "a node is online").length, 3, "a node that greets again with news of itself is no news");
  const gone = cluster.nodes.get("n3")!;
  gone.die();
  cluster.until("n3 is lost", 20_000, () => find(first, "a node is lost").length === 1);
  assert.match(find(first, "a node is lost")[0] ?? "", /"node":"n3"/);
});

test("a member that is a quorum by itself is warned about", () => {
  const cluster = MiniCluster.formed({ schedule: schedulePlan, agents: () => ({ outcome: exited(0), tookMs: 5 }) }, ["n1", "n2", "n3"]);
  const first = cluster.nodes.get("n1")!;
  const warnings = (): readonly string[] => (first.request("status", {}) as { readonly warnings: readonly string[] }).warnings;
  const alone = (): readonly string[] => warnings().filter((line) => line.includes("more than half"));
  assert.deepEqual(alone(), []);
  first.request("cluster.votes", { node: "n2", votes: 2 });
  assert.deepEqual(alone(), [], "half is no quorum");
  first.request("cluster.votes", { node: "n2", votes: 3 });
  assert.deepEqual(alone(), ["n2 alone has more than half of the votes: without it there is no quorum, whoever else is there"]);
});

test("a guardian that does not tell the end of an action is warned about", () => {
  const agents = (_node: string, action: { readonly operation: string }) =>
    action.operation === "monitor" ? { outcome: exited(7), tookMs: 5 } : null;
  const cluster = MiniCluster.formed({ schedule: schedulePlan, agents }, ["n1", "n2", "n3"]);
  const first = cluster.nodes.get("n1")!;
  const late = (): readonly string[] =>
    (first.request("status", {}) as { readonly warnings: readonly string[] }).warnings.filter((line) =>
      line.includes("guardian has not told"),
    );
  const op = element("operations", {}, [element("op", { id: "o", name: "start", interval: "0", timeout: "5s" })]);
  const web = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "web" }, [op]);
  first.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: web }] });
  cluster.until("the start was asked", 10_000, () => cluster.ran.some((ran) => ran.action.operation === "start"));
  cluster.run(20_000);
  assert.deepEqual(late(), [], "it may wait for its turn");
  cluster.run(10_000);
  const [line = ""] = late();
  assert.match(
    line,
    /^node n\d: its guardian has not told the end of the start of web that was asked (2[5-9]|3\d) s ago; does quorate-guardian/,
  );
});
