import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** What is done about resources that history knows and the configuration does not. Each was found with crm_simulate 2.1.5. */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const EMPTY_DIGEST = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
const OTHER_DIGEST = "0123456789abcdef0123456789abcdef";

type How = {
  readonly standby?: boolean;
  readonly failed?: boolean;
  readonly digest?: string;
  /** Of a monitor; cluster-wide, none by default. */
  readonly failCount?: number;
  readonly inactive?: boolean;
};

function keysOf(how: How): readonly string[] {
  const rc = how.failed === true ? 6 : 0;
  if (how.inactive === true)
    return keysWith(how, '<lrm_rsc_op id="gone_last_0" operation="monitor" interval="0" call-id="3" rc-code="7" op-status="0"/>');
  const key = "5:3:0:11111111-2222-3333-4444-555555555555";
  const entry = `id="gone_last_${how.failed === true ? "failure_" : ""}0" operation_key="gone_start_0" operation="start" interval="0"
    transition-key="${key}" transition-magic="0:${rc};${key}" on_node="n1" call-id="3" rc-code="${rc}" op-status="0"
    last-rc-change="1699990000" op-digest="${how.digest ?? EMPTY_DIGEST}"`;
  return keysWith(how, `<lrm_rsc_op ${entry}/>`);
}

function keysWith(how: How, entry: string): readonly string[] {
  const failCount = `<transient_attributes id="1"><instance_attributes id="t">
    <nvpair id="t1" name="fail-count-gone#monitor_10000" value="${how.failCount ?? 0}"/></instance_attributes></transient_attributes>`;
  const standby =
    how.standby === true ? '<instance_attributes id="a"><nvpair id="a1" name="standby" value="on"/></instance_attributes>' : "";
  const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1">${standby}</node></nodes><resources/><constraints/></configuration><status>
    <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">${failCount}<lrm id="1"><lrm_resources>
    <lrm_resource id="gone" class="ocf" provider="pacemaker" type="Dummy">${entry}</lrm_resource>
    </lrm_resources></lrm></node_state></status></cib>`;
  return schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5)
    .graph.actions.map(({ key: id }) => id)
    .sort();
}

test("a removed resource is stopped and its history deleted (actions.md A15)", () => {
  assert.deepEqual(keysOf({}), ["gone_delete_0", "gone_stop_0"]);
});

test("on a standby node its history stays, also where it runs: definitions are checked where resources may run (actions.md 2)", () => {
  assert.deepEqual(keysOf({ standby: true }), ["gone_stop_0"]);
});

test("its fail counts are cleared whether it is active or not, on a standby node, too (actions.md A15)", () => {
  assert.deepEqual(keysOf({ failCount: 2 }), ["gone_clear_failcount_0", "gone_delete_0", "gone_stop_0"]);
  assert.deepEqual(keysOf({ failCount: 2, inactive: true }), ["gone_clear_failcount_0", "gone_delete_0"]);
  assert.deepEqual(keysOf({ failCount: 2, inactive: true, standby: true }), ["gone_clear_failcount_0"]);
  assert.deepEqual(keysOf({ inactive: true }), ["gone_delete_0"]);
});

test("a failed start with other parameters has its fail count cleared although the resource is gone (status.md 19.4.5)", () => {
  assert.deepEqual(keysOf({ failed: true, digest: OTHER_DIGEST }), ["gone_clear_failcount_0", "gone_stop_0"]);
  assert.deepEqual(keysOf({ failed: true }), ["gone_stop_0"]);
});

test("on a remote node that is only about to be connected the history stays for now", () => {
  const key = "5:3:7:11111111-2222-3333-4444-555555555555";
  const keys = (connected: boolean): readonly string[] => {
    const start = "6:3:0:11111111-2222-3333-4444-555555555555";
    const up = `<lrm_rsc_op id="r_last_0" operation_key="r_start_0" operation="start" interval="0" transition-key="${start}"
      transition-magic="0:0;${start}" call-id="4" rc-code="0" op-status="0"/>`;
    const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
      <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
      <nodes><node id="1" uname="n1"/></nodes><resources><primitive id="r" class="ocf" provider="pacemaker" type="remote"/></resources>
      <constraints/></configuration><status>
      <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
      ${connected ? `<lrm_resource id="r" class="ocf" provider="pacemaker" type="remote">${up}</lrm_resource>` : ""}</lrm_resources></lrm></node_state>
      <node_state id="r" uname="r" remote_node="true" in_ccm="true"><lrm id="r"><lrm_resources>
      <lrm_resource id="gone" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="gone_last_0" operation_key="gone_monitor_0"
      operation="monitor" interval="0" transition-key="${key}" transition-magic="0:7;${key}" call-id="3" rc-code="7" op-status="0"/></lrm_resource>
      </lrm_resources></lrm></node_state></status></cib>`;
    const { graph } = schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5);
    return graph.actions.map(({ key: id }) => id).filter((id) => id.startsWith("gone_"));
  };
  assert.deepEqual(keys(true), ["gone_delete_0"]);
  assert.deepEqual(keys(false), []);
});
