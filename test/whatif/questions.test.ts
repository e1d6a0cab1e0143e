import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { attributeOf, childOf, type Element, idOf, withChildren } from "../../src/core/cib/index.ts";
import { readModel } from "../../src/core/policy/index.ts";
import { blastRadius, blastSets, clusterNodes, finalState, inject, planChange, settle } from "../../src/core/whatif/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

const hash = (text: string): string => createHash("md5").update(text).digest("hex");
const AT = { nowMs: 1_700_000_000_000, hash };

const node = (id: number): string =>
  `<node_state id="${id}" uname="n${id}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="${id}"><lrm_resources/></lrm></node_state>`;

/** Three nodes with a fencing device; `web` anywhere, `only` on n1 alone, `all` everywhere. */
const CIB = parseXml(`<cib validate-with="pacemaker-3.9" have-quorum="1" dc-uuid="1" crm_feature_set="3.19.0"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/><node id="3" uname="n3"/></nodes>
<resources><primitive id="power" class="stonith" type="fence_quorate_local"/>
<primitive id="web" class="ocf" provider="quorate" type="dummy"/><primitive id="only" class="ocf" provider="quorate" type="dummy"/>
<clone id="all"><primitive id="each" class="ocf" provider="quorate" type="dummy"/></clone></resources>
<constraints><rsc_location id="l1" rsc="only" node="n1" score="INFINITY"/><rsc_location id="l2" rsc="only" node="n2" score="-INFINITY"/>
<rsc_location id="l3" rsc="only" node="n3" score="-INFINITY"/><rsc_location id="w2" rsc="web" node="n2" score="50"/><rsc_location id="p3" rsc="power" node="n3" score="50"/></constraints>
</configuration><status>${node(1)}${node(2)}${node(3)}</status></cib>`);

describe("blast radius", () => {
  test("each node alone: what stops, moves, shrinks and is fenced", () => {
    const [first, second, third] = blastRadius(CIB, blastSets(["n1", "n2", "n3"], false), AT);
    assert.deepEqual(first?.effects, [
      { resource: "each", effect: "reduced", from: ["n1"], to: [] },
      { resource: "only", effect: "stopped", from: ["n1"], to: [] },
    ]);
    assert.deepEqual(
      second?.effects.filter((effect) => effect.resource === "web").map((effect) => [effect.effect, effect.from]),
      [["moved", ["n2"]]],
    );
    assert.deepEqual([first?.fenced, second?.fenced, third?.fenced], [["n1"], ["n2"], ["n3"]]);
    assert.ok(first?.quorate);
  });

  test("a pair of three takes the quorum: nothing is fenced, what is left stops", () => {
    const [blast] = blastRadius(CIB, [["n1", "n3"]], AT);
    assert.equal(blast?.quorate, false);
    assert.deepEqual(blast?.fenced, []);
    assert.ok(blast?.effects.some((effect) => effect.resource === "web" && effect.effect === "stopped"));
  });

  test("votes decide, not the number of nodes", () => {
    const votes = new Map([
      ["n1", 1],
      ["n2", 3],
      ["n3", 1],
    ]);
    assert.equal(blastRadius(CIB, [["n1", "n3"]], AT, { votes })[0]?.quorate, true);
    assert.equal(blastRadius(CIB, [["n2"]], AT, { votes })[0]?.quorate, false);
  });

  test("a witness votes though it is no node; a node that is down already does not", () => {
    const withWitness = new Map([
      ["n1", 1],
      ["n2", 1],
      ["n3", 0],
      ["w", 1],
    ]);
    assert.equal(blastRadius(CIB, [["n1"]], AT, { votes: withWitness })[0]?.quorate, true);
    assert.equal(blastRadius(CIB, [["n1", "n2"]], AT, { votes: withWitness })[0]?.quorate, false);
    const oneDown = inject(CIB, [{ kind: "node-down", node: "n3" }], 0);
    assert.equal(blastRadius(oneDown, [["n1"]], AT)[0]?.quorate, false);
    assert.equal(blastRadius(CIB, [["n1"]], AT)[0]?.quorate, true);
  });

  test("every node and every pair agrees with the node's loss carried out by hand", () => {
    for (const blast of blastRadius(CIB, blastSets(["n1", "n2", "n3"], true), AT)) {
      const calm = settle(CIB, AT.nowMs, hash).cib;
      const lost = inject(
        calm,
        [
          ...blast.lost.map((node) => ({ kind: "node-fail", node }) as const),
          ...(blast.quorate ? [] : [{ kind: "quorum", quorate: false } as const]),
        ],
        0,
      );
      const after = settle(lost, AT.nowMs, hash);
      assert.ok(after.complete);
      const { resources } = finalState(readModel(after.cib, AT.nowMs, hash));
      for (const { resource, effect, to } of blast.effects) {
        const nodes = (resources[resource] ?? []).map((each) => each.node).filter((node) => !blast.lost.includes(node));
        if (effect === "stopped") assert.deepEqual(nodes, [], `${blast.lost.join()}: ${resource}`);
        else for (const node of to) assert.ok(nodes.includes(node), `${blast.lost.join()}: ${resource}`);
      }
    }
  });

  test("a state that asks for the same for ever is settled, not followed", () => {
    const failed = inject(settle(CIB, AT.nowMs, hash).cib, [{ kind: "fail-count", resource: "web", node: "n2", count: "INFINITY" }], 0);
    const settled = settle(failed, AT.nowMs, hash);
    assert.ok(settled.complete);
    assert.ok(settled.plans.length <= 2, `${settled.plans.length} plans`);
  });

  test("sets: every node, and every two", () => {
    assert.deepEqual(blastSets(["a", "b", "c"], true), [["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"]]);
    assert.deepEqual(clusterNodes(readModel(CIB, AT.nowMs, hash)), ["n1", "n2", "n3"]);
  });

  test("an unknown node and too many sets are refused", () => {
    assert.throws(() => blastRadius(CIB, [["n9"]], AT), { detail: { code: "WHATIF_UNKNOWN" } });
    assert.throws(
      () =>
        blastRadius(
          CIB,
          Array.from({ length: 2_000 }, () => ["n1"]),
          AT,
        ),
      { detail: { code: "WHATIF_TOO_MANY" } },
    );
  });
});

describe("plan of a change", () => {
  const calm = settle(CIB, AT.nowMs, hash).cib;

  const without = (cib: Element, section: string, id: string): Element =>
    withChildren(
      cib,
      cib.children.map((part) =>
        part.name !== "configuration"
          ? part
          : withChildren(
              part,
              part.children.map((each) =>
                each.name === section
                  ? withChildren(
                      each,
                      each.children.filter((object) => idOf(object) !== id),
                    )
                  : each,
              ),
            ),
      ),
    );

  test("a settled cluster has nothing to do", () => {
    assert.deepEqual(planChange(calm, calm, 7, AT).actions, []);
    assert.deepEqual(planChange(calm, calm, 7, AT).edits, []);
  });

  test("a deleted resource is stopped; the edit is named", () => {
    const plan = planChange(calm, without(without(calm, "resources", "web"), "constraints", "w2"), 7, AT);
    assert.deepEqual(plan.edits, [
      { section: "resources", id: "web", change: "deleted" },
      { section: "constraints", id: "w2", change: "deleted" },
    ]);
    assert.ok(
      plan.actions.some((action) => /web +stop on n2/.test(action)),
      plan.actions.join("\n"),
    );
  });

  test("the id is that of the epoch and of what would be done", () => {
    const changed = without(calm, "constraints", "p3");
    assert.equal(planChange(calm, changed, 7, AT).id, planChange(calm, changed, 7, AT).id);
    assert.notEqual(planChange(calm, changed, 7, AT).id, planChange(calm, changed, 8, AT).id);
    assert.notEqual(planChange(calm, changed, 7, AT).id, planChange(calm, calm, 7, AT).id);
  });

  test("the input is not changed", () => {
    assert.equal(attributeOf(childOf(CIB, "status")!.children[0]!, "uname"), "n1");
  });
});
