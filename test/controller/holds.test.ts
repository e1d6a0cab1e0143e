import assert from "node:assert/strict";
import { test } from "node:test";
import { mayForget } from "../../src/core/controller/holds.ts";
import { emptyGraph, type ResourceAction, type ResourceTask, Walk } from "../../src/core/transition/index.ts";

function action(id: number, task: ResourceTask, inputs: readonly number[], instance = "a:0", node = "n1"): ResourceAction {
  return {
    kind: "resource",
    id,
    key: `a_${task}_0`,
    inputs,
    priority: 0,
    reason: null,
    task,
    resource: "a",
    instance,
    historyName: "a",
    agent: { agentClass: "ocf", provider: "quorate", type: "dummy" },
    node,
    nodeId: node,
    router: null,
    intervalMs: 0,
    timeoutMs: 20_000,
    startDelayMs: 0,
    targetRc: 0,
    params: {},
    meta: {},
    digests: { all: "" },
    canFail: false,
    migration: null,
    notification: null,
    cancels: null,
    shutdownLock: null,
    downs: [],
  };
}

/** As the policy engine orders them: `a:0` stops, its history goes, it starts; `a:1` asks for the same history at any time. */
const STOP = 1;
const OWN = 2;
const OTHER = 4;
const actions = [action(STOP, "stop", []), action(OWN, "delete", [STOP]), action(3, "start", [OWN]), action(OTHER, "delete", [], "a:1")];
const made = (): Walk => new Walk({ ...emptyGraph(), actions: [...actions, action(5, "delete", [], "a:1", "n2")] });
const may = (walk: Walk, id: number): string => mayForget(walk, walk.graph.actions[id - 1] as ResourceAction);

test("history that instances share is forgotten after the stop of what runs, and once", () => {
  const walk = made();
  assert.equal(may(walk, OTHER), "later", "the old agent's service still runs");
  assert.equal(may(walk, 5), "now", "on another node nothing runs");
  walk.markSent(STOP);
  assert.equal(may(walk, OTHER), "later");
  walk.complete(STOP, "done");
  assert.equal(may(walk, OTHER), "now");
  assert.equal(may(walk, OWN), "now");
  walk.markSent(OTHER);
  assert.equal(may(walk, OWN), "later", "it is being forgotten");
  walk.complete(OTHER, "done");
  assert.equal(may(walk, OWN), "done");
});

test("after a stop that failed nothing is forgotten", () => {
  const walk = made();
  walk.markSent(STOP);
  walk.complete(STOP, "failed");
  assert.equal(may(walk, OTHER), "later");
  assert.ok(walk.finished(), "and the walk ends all the same");
});
