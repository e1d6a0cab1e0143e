import assert from "node:assert/strict";
import { test } from "node:test";
import { mayForget } from "../../src/core/controller/holds.ts";
import { type ResourceAction, Walk } from "../../src/core/transition/index.ts";
import { DUMMY, entry, graphOf, history } from "../policy/small-cluster.ts";

const FORMER = 'class="ocf" provider="pacemaker" type="Former"';

/** A clone whose agent was changed while it ran on both nodes: each instance asks for what the former one left on each. */
function made(): { readonly walk: Walk; readonly stop: ResourceAction; readonly own: ResourceAction; readonly other: ResourceAction } {
  const former = history("a", entry("a", "start"), FORMER);
  const graph = graphOf({
    resources: `<clone id="c"><primitive id="a" ${DUMMY}/></clone>`,
    nodes: ["n1", "n2"].map((name) => ({ name, histories: former })),
  });
  const walk = new Walk(graph);
  const there = graph.actions.filter((action): action is ResourceAction => action.kind === "resource" && action.node === "n1");
  const elsewhere = graph.actions.find((action) => action.key === "a_stop_0" && action.node === "n2") ?? assert.fail("n2 stops nothing");
  const find = (task: string, instance?: string): ResourceAction =>
    there.find((one) => one.task === task && (instance === undefined || one.instance === instance)) ?? assert.fail(`no ${task}`);
  const stop = find("stop");
  const own = find("delete", stop.instance);
  const other = there.find((one) => one.task === "delete" && one !== own) ?? assert.fail("one instance alone asks");
  // Once that one has stopped where it ran, nothing in the graph keeps its request waiting.
  walk.complete(elsewhere.id, "done");
  assert.ok(walk.ready().includes(stop) && walk.ready().includes(other) && !walk.ready().includes(own));
  return { walk, stop, own, other };
}

test("history that instances share is forgotten after the stop of what runs, and once", () => {
  const { walk, stop, own, other } = made();
  assert.equal(mayForget(walk, other), "later", "the old agent's service still runs");
  walk.markSent(stop.id);
  assert.equal(mayForget(walk, other), "later");
  walk.complete(stop.id, "done");
  assert.deepEqual([mayForget(walk, other), mayForget(walk, own)], ["now", "now"]);
  walk.markSent(other.id);
  assert.equal(mayForget(walk, own), "later", "it is being forgotten");
  walk.complete(other.id, "done");
  assert.equal(mayForget(walk, own), "done");
});

test("after a stop that failed nothing of the node is forgotten", () => {
  const { walk, stop, other } = made();
  walk.markSent(stop.id);
  walk.complete(stop.id, "failed");
  assert.equal(mayForget(walk, other), "later");
  assert.ok(!walk.ready().includes(other), "and it does not keep the walk from ending");
});
