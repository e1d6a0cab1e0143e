import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** Recurring operations behind a connection that starts anew (actions.md O13). Seen with crm_simulate 2.1.5. */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const UUID = "11111111-2222-3333-4444-555555555555";

function entry(resource: string, task: string, intervalMs: number, call: number): string {
  const key = `${call}:1:0:${UUID}`;
  return `<lrm_rsc_op id="${resource}_${intervalMs === 0 ? "last_0" : `${task}_${intervalMs}`}" operation_key="${resource}_${task}_${intervalMs}"
    operation="${task}" interval="${intervalMs}" transition-key="${key}" transition-magic="0:0;${key}" call-id="${call}" rc-code="0" op-status="0"/>`;
}

const history = (id: string, entries: string): string =>
  `<lrm_resource id="${id}" class="ocf" provider="pacemaker" type="Dummy">${entries}</lrm_resource>`;

const lrm = (id: string, resources: string): string => `<lrm id="${id}"><lrm_resources>${resources}</lrm_resources></lrm>`;

/** A guest that must move with what runs inside it, whose monitor is or is not configured any more. */
function keys(operations: string): readonly string[] {
  const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>
    <primitive id="vm" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="vm-m"><nvpair id="vm-g" name="remote-node" value="g"/></meta_attributes></primitive>
    <primitive id="a" class="ocf" provider="pacemaker" type="Dummy">${operations}</primitive>
    </resources><constraints><rsc_location id="l1" rsc="vm" node="n1" score="-INFINITY"/><rsc_location id="l2" rsc="a" node="g" score="INFINITY"/></constraints>
    </configuration><status>
    <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">${lrm(
      "1",
      history("vm", entry("vm", "start", 0, 2)) +
        `<lrm_resource id="g" class="ocf" provider="pacemaker" type="remote" container="vm">${entry("g", "start", 0, 3)}</lrm_resource>`,
    )}</node_state>
    <node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member">${lrm("2", "")}</node_state>
    <node_state id="g" uname="g" remote_node="true" in_ccm="true">${lrm("g", history("a", entry("a", "start", 0, 4) + entry("a", "monitor", 10_000, 5)))}</node_state>
    </status></cib>`;
  return schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5)
    .graph.actions.map(({ key }) => key)
    .filter((key) => /^a_(start|stop|monitor)_\d+$/u.test(key))
    .sort();
}

test("with its guest a resource restarts, and its monitor", () => {
  const configured = '<operations><op id="a-monitor" name="monitor" interval="10s"/></operations>';
  assert.deepEqual(
    keys(configured).filter((key) => key !== "a_monitor_0"),
    ["a_monitor_10000", "a_start_0", "a_stop_0"],
  );
});

test("a monitor that is cancelled does not come back with the connection", () => {
  // The cancellation keeps the key of what it cancels.
  const found = keys("").filter((key) => key !== "a_monitor_0");
  assert.deepEqual(found, ["a_monitor_10000", "a_start_0", "a_stop_0"]);
});
