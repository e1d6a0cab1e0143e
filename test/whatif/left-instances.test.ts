import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { readModel } from "../../src/core/policy/index.ts";
import { finalState } from "../../src/core/whatif/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** What is shown of instances on nodes that are down (status.md 28.13). crm_simulate 2.1.5 shows managed ones alike. */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** With shutdown locks the history of nodes that are down is read, too. */
function shown(how: {
  readonly cloned: boolean;
  readonly managed: boolean;
  readonly fencing: boolean;
  /** No longer configured. */
  readonly removed?: boolean;
}): unknown {
  const key = "5:3:0:11111111-2222-3333-4444-555555555555";
  const resource = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="m">
    <nvpair id="m1" name="is-managed" value="${how.managed}"/></meta_attributes></primitive>`;
  const cib = parseXml(`<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="${how.fencing}"/><nvpair id="o2" name="shutdown-lock" value="true"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
    <resources>${how.removed === true ? "" : how.cloned ? `<clone id="c">${resource}</clone>` : resource}<primitive id="f" class="stonith" type="fence_xvm"/></resources>
    <constraints/></configuration><status>
    <node_state id="1" uname="n1" in_ccm="false" crmd="offline" join="member" expected="member"><lrm id="1"><lrm_resources>
    <lrm_resource id="a" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="a_last_0" operation_key="a_start_0" operation="start"
    interval="0" transition-key="${key}" transition-magic="0:0;${key}" call-id="3" rc-code="0" op-status="0"/></lrm_resource>
    </lrm_resources></lrm></node_state>
    <node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources/></lrm></node_state>
    </status></cib>`);
  return (finalState(readModel(upgradeCib(cib), 1_700_000_000_000, md5)).resources["a"] ?? []).map(({ node, flags }) => [node, ...flags]);
}

test("a clone's instance on a node that is down is left out, unless nobody manages it or the node may still run it", () => {
  assert.deepEqual(shown({ cloned: true, managed: true, fencing: false }), []);
  assert.deepEqual(shown({ cloned: true, managed: false, fencing: false }), [["n1", "unmanaged"]]);
  assert.deepEqual(shown({ cloned: true, managed: true, fencing: true }), [["n1"]]);
});

test("a primitive is shown where it was", () => {
  assert.deepEqual(shown({ cloned: false, managed: true, fencing: false }), [["n1"]]);
});

test("a primitive that is no longer configured is left out like an instance", () => {
  assert.deepEqual(shown({ cloned: false, managed: true, fencing: false, removed: true }), []);
  assert.deepEqual(shown({ cloned: false, managed: true, fencing: true, removed: true }), [["n1", "orphaned"]]);
});
