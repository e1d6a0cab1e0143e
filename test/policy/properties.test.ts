import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { INFINITY_SCORE, type Random, seededRandom } from "../../src/core/base/index.ts";
import { type Element, withChildren } from "../../src/core/cib/index.ts";
import { type Plan, schedule } from "../../src/core/policy/index.ts";
import { actionsInLoops, type GraphAction } from "../../src/core/transition/index.ts";
import { executeTransition } from "../../src/core/whatif/index.ts";
import { randomCib } from "./random-cib.ts";

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const NOW_MS = 1_700_000_000_000;
const SEEDS = Array.from({ length: 150 }, (_, at) => 1000 + at);

function forEachSeed(check: (cib: Element, plan: Plan, seed: number) => void): void {
  for (const seed of SEEDS) {
    const cib = randomCib(seed);
    check(cib, schedule(cib, NOW_MS, md5, { scores: true }), seed);
  }
}

function describe(action: GraphAction): string {
  return `${action.kind} ${action.key} ${action.node ?? "-"}`;
}

/** Actions with what they wait for, by name: equal for equal plans whatever the numbers are. */
function outline(plan: Plan): string[] {
  const name = new Map(plan.graph.actions.map((action) => [action.id, describe(action)]));
  return plan.graph.actions
    .map(
      (action) =>
        `${describe(action)} <- ${action.inputs
          .map((input) => name.get(input))
          .sort()
          .join(", ")}`,
    )
    .sort();
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const list = [...items];
  for (let at = list.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [list[at], list[other]] = [list[other]!, list[at]!];
  }
  return list;
}

/** Node entries, histories within a node and the spelling of attributes in another order: it means the same. */
function reordered(cib: Element, random: Random): Element {
  const visit = (at: Element): Element => {
    const children = at.children.map(visit);
    const free = at.name === "nodes" || at.name === "lrm_resources" || at.name === "configuration";
    const attributes = Object.fromEntries(shuffled(Object.entries(at.attributes), random));
    return { ...withChildren(at, free ? shuffled(children, random) : children), attributes };
  };
  return visit(cib);
}

test("the same state in another order gives the same plan", () => {
  forEachSeed((cib, plan, seed) => {
    const other = schedule(reordered(cib, seededRandom(seed)), NOW_MS, md5);
    assert.deepEqual(outline(other), outline(plan), `seed ${seed}`);
  });
});

test("no managed resource is assigned where its score is -INFINITY", () => {
  forEachSeed((_cib, plan, seed) => {
    for (const resource of plan.model.primitives) {
      if (resource.node === null || !resource.managed) continue;
      assert.ok(resource.table.get(resource.node.index) > -INFINITY_SCORE, `seed ${seed}: ${resource.id} on ${resource.node.name}`);
    }
  });
});

test("nothing that requires fencing starts before every fencing of the transition", () => {
  forEachSeed((_cib, plan, seed) => {
    const fences = plan.graph.actions.filter((action) => action.kind === "fence" && action.task !== "on").map((action) => action.id);
    for (const action of plan.graph.actions) {
      if (action.kind !== "resource" || (action.task !== "start" && action.task !== "promote")) continue;
      if (action.agent.agentClass === "stonith") continue;
      for (const fence of fences) assert.ok(action.inputs.includes(fence), `seed ${seed}: ${describe(action)}`);
    }
  });
});

test("graphs have no loops and inputs are actions of the same graph", () => {
  forEachSeed((_cib, plan, seed) => {
    assert.deepEqual(actionsInLoops(plan.graph), [], `seed ${seed}`);
    for (const action of plan.graph.actions) {
      for (const input of action.inputs) assert.ok(plan.graph.actions[input - 1] !== undefined, `seed ${seed}`);
    }
  });
});

test("no node runs anything but probes before its fencing", () => {
  forEachSeed((_cib, plan, seed) => {
    const fenced = new Map(plan.graph.actions.filter((action) => action.kind === "fence").map((action) => [action.node, action.id]));
    for (const action of plan.graph.actions) {
      if (action.kind === "resource" && fenced.has(action.node)) assert.equal(action.task, "monitor", `seed ${seed}: ${describe(action)}`);
    }
  });
});

test("once a transition is carried out, a second run plans nothing", () => {
  forEachSeed((cib, plan, seed) => {
    const after = executeTransition(cib, plan.graph, { wallSec: NOW_MS / 1000 });
    assert.ok(after.complete, `seed ${seed}: entries are left over`);
    const second = schedule(after.cib, NOW_MS, md5);
    const real = second.graph.actions.filter((action) => action.kind !== "pseudo").map(describe);
    assert.deepEqual(real, [], `seed ${seed}`);
  });
});

test("the same input gives the same graph, number by number", () => {
  forEachSeed((cib, plan, seed) => {
    assert.deepEqual(schedule(cib, NOW_MS, md5).graph, plan.graph, `seed ${seed}`);
  });
});
