import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { readModel, schedule } from "../../src/core/policy/index.ts";
import { executeTransition, simulationResult } from "../../src/core/whatif/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** How resources that a shutdown lock holds on a node are shown after a transition. As crm_simulate 2.1.5 shows them. */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const NOW_SEC = 1_700_000_000;

function shown(how: { readonly configured: boolean; readonly maintenance: boolean }): unknown {
  const key = "5:3:0:11111111-2222-3333-4444-555555555555";
  const cib = upgradeCib(
    parseXml(`<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
      <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/><nvpair id="o2" name="shutdown-lock" value="true"/>
      <nvpair id="o3" name="maintenance-mode" value="${how.maintenance}"/></cluster_property_set></crm_config>
      <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
      <resources>${how.configured ? '<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/>' : ""}</resources><constraints/></configuration><status>
      <node_state id="1" uname="n1" in_ccm="false" crmd="offline" join="down" expected="down"><lrm id="1"><lrm_resources>
      <lrm_resource id="a" class="ocf" provider="pacemaker" type="Dummy" shutdown-lock="${NOW_SEC - 60}"><lrm_rsc_op id="a_last_0" operation_key="a_stop_0"
      operation="stop" interval="0" transition-key="${key}" transition-magic="0:0;${key}" call-id="3" rc-code="0" op-status="0"/></lrm_resource>
      </lrm_resources></lrm></node_state>
      <node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources/></lrm></node_state>
      </status></cib>`),
  );
  const plan = schedule(cib, NOW_SEC * 1000, md5);
  const { cib: after } = executeTransition(cib, plan.graph, { wallSec: NOW_SEC });
  return simulationResult(plan, readModel(after, NOW_SEC * 1000, md5)).final.resources["a"] ?? null;
}

test("a locked resource is shown on the node that it is locked to", () => {
  assert.deepEqual(shown({ configured: true, maintenance: false }), [{ node: "n1", role: "Stopped", flags: ["locked"] }]);
});

test("in maintenance it says so", () => {
  assert.deepEqual(shown({ configured: true, maintenance: true }), [{ node: "n1", role: "Stopped", flags: ["locked", "maintenance"] }]);
});

test("one that is no longer configured is not shown", () => {
  const state = shown({ configured: false, maintenance: false });
  assert.ok(state === null || (Array.isArray(state) && state.length === 0));
});
