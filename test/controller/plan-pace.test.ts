import assert from "node:assert/strict";
import { test } from "node:test";
import { incarnation, logIndex, memberId, term } from "../../src/core/base/index.ts";
import { apply, type CibState, type Command, type Element, emptyState, isSettled, type Proposal, walk } from "../../src/core/cib/index.ts";
import { type FromPlanner, type PlannedTransition, Planner } from "../../src/core/controller/index.ts";
import type { Entry } from "../../src/core/raft/index.ts";
import { emptyGraph } from "../../src/core/transition/index.ts";
import { exited, MiniCluster } from "./mini-cluster.ts";

const nothing = (): PlannedTransition => ({ graph: emptyGraph(), summary: [], placements: null, scores: null, recheckAtMs: null });
const agents = () => ({ outcome: exited(0), tookMs: 5 });
const holds = (cib: Element, name: string, value: string): boolean =>
  [...walk(cib)].some(({ attributes }) => attributes["name"] === name && attributes["value"] === value);

test("attributes that stream in are planned for together; what may call for an action is planned for at once", () => {
  const plans: Element[] = [];
  const schedule = (cib: Element): PlannedTransition => {
    plans.push(cib);
    return nothing();
  };
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
  const leader = cluster.leader() ?? assert.fail("there is no leader");
  cluster.until("all is settled", 5_000, () => isSettled(leader.core.state));
  cluster.run(500);
  const set = (value: number): unknown =>
    leader.request("node.attribute", { node: "n1", name: "load", value: `${value}`, lifetime: "reboot" });
  const before = plans.length;
  const startedMs = cluster.nowMs;
  set(0);
  cluster.until("the first one is planned for", 20, () => plans.length === before + 1);
  let last = 0;
  while (cluster.nowMs < startedMs + 1_000) set(++last);
  assert.ok(last > 40, `${last} changes are no stream`);
  assert.ok(plans.length - before < 15, `${plans.length - before} plans for ${last} changes`);
  cluster.until("the last one is planned for", 120, () => holds(plans.at(-1)!, "load", `${last}`));
  // A record that a change has overtaken is refused, and tried again after 300 ms.
  cluster.until("all is settled again", 400, () => isSettled(leader.core.state));

  set(1_000);
  set(1_001);
  leader.request("node.attribute", { node: "n2", name: "kept", value: "yes", lifetime: "forever" });
  const configuredMs = cluster.nowMs;
  cluster.until("the configuration is planned for", 20, () => holds(plans.at(-1)!, "kept", "yes"));
  assert.ok(holds(plans.at(-1)!, "load", "1001"), "and with it what had waited");
  assert.ok(cluster.nowMs - configuredMs < 20);
});

test("while a plan is held back for its time the planner is not idle", () => {
  const planner = new Planner({ schedule: nothing, hash: (text) => text, elapsedMs: () => 0 });
  let state: CibState = emptyState();
  const log = (atMs: number, command: Command): Entry<Proposal> => {
    const proposal = { atMs, origin: null, command };
    const index = logIndex(state.index + 1);
    const { state: next, result } = apply(state, index, proposal);
    assert.ok(result.ok, JSON.stringify(result));
    state = next;
    return { term: term(1), index, kind: "data", data: proposal };
  };
  const idle = (answers: readonly FromPlanner[]): boolean | undefined => answers.findLast((answer) => answer.kind === "progress")?.idle;
  log(0, { kind: "cluster.create", clusterId: "00112233aabbccdd", name: "c", node: "n1", memberId: memberId(1) });
  const facts = { guarantee: "guardian", stopBoundMs: 4500, trips: 0, version: "1", featureLevelMax: 1 } as const;
  log(0, { kind: "node.hello", memberId: memberId(1), incarnation: incarnation("i1"), ...facts });
  planner.handle({ kind: "load", state });
  assert.equal(idle(planner.handle({ kind: "lead", session: 1, node: "n1", nowMs: 0 })), true);
  const seen: (boolean | undefined)[] = [];
  for (let number = 1; number <= 60; number += 1) {
    const entry = log(number, { kind: "attribute.set", changes: [{ node: "n1", name: "a", value: String(number) }] });
    seen.push(idle(planner.handle({ kind: "applied", entries: [entry], nowMs: number })));
  }
  assert.deepEqual([seen[0], seen.at(-1)], [true, false]);
  assert.equal(idle(planner.handle({ kind: "applied", entries: [], nowMs: 1_000 })), true);
});
