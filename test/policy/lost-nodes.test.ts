import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { readModel, schedule } from "../../src/core/policy/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/**
 * What the history of a node that went away cleanly does to it, without fencing (with shutdown locks it is read all the
 * same). Each row is what crm_simulate 2.1.5 shows for the same cluster.
 */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

type Row = { readonly task: string; readonly intervalMs: number; readonly rc: number; readonly lock: boolean; readonly unclean: boolean };

const ROWS: readonly Row[] = [
  // The failure asks for a stop that nobody can carry out.
  { task: "start", intervalMs: 0, rc: 1, lock: true, unclean: true },
  { task: "promote", intervalMs: 0, rc: 1, lock: true, unclean: true },
  { task: "demote", intervalMs: 0, rc: 1, lock: true, unclean: true },
  { task: "monitor", intervalMs: 10_000, rc: 1, lock: true, unclean: true },
  // A failed stop blocks the resource, and success asks for nothing.
  { task: "stop", intervalMs: 0, rc: 1, lock: true, unclean: false },
  { task: "promote", intervalMs: 0, rc: 0, lock: true, unclean: false },
  // The history is not read at all.
  { task: "promote", intervalMs: 0, rc: 1, lock: false, unclean: false },
];

for (const { task, intervalMs, rc, lock, unclean } of ROWS) {
  const title = `${task}${intervalMs > 0 ? ` every ${intervalMs} ms` : ""} with result ${rc}, locks ${lock ? "on" : "off"}`;
  test(`a node that left, ${title}: ${unclean ? "unclean" : "clean"}`, () => {
    const key = `5:3:0:11111111-2222-3333-4444-555555555555`;
    const entry = `id="s_${task}" operation_key="s_${task}_${intervalMs}" operation="${task}" interval="${intervalMs}"
      transition-key="${key}" transition-magic="0:${rc};${key}" call-id="3" rc-code="${rc}" op-status="0" last-rc-change="1699999700"`;
    const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
      <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/>
        <nvpair id="o2" name="shutdown-lock" value="${lock}"/></cluster_property_set></crm_config>
      <nodes><node id="1" uname="n1"/></nodes>
      <resources><clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>
        <primitive id="s" class="ocf" provider="pacemaker" type="Stateful"/></clone></resources><constraints/></configuration>
      <status><node_state id="1" uname="n1" in_ccm="false" crmd="offline" join="down" expected="down"><lrm id="1"><lrm_resources>
        <lrm_resource id="s" class="ocf" provider="pacemaker" type="Stateful"><lrm_rsc_op ${entry}/></lrm_resource>
      </lrm_resources></lrm></node_state></status></cib>`;
    const [node] = readModel(upgradeCib(parseXml(text)), 1_700_000_000_000, md5).nodes;
    assert.equal(node?.name, "n1");
    assert.equal(node.unclean, unclean);
    assert.equal(node.fencing?.reason, unclean ? "stop is unrunnable" : undefined);
  });
}

for (const [option, word, action] of [
  ["stonith-action", "poweroff", "off"],
  ["fencing-action", "poweroff", "off"],
  ["fencing-action", "reboot", "reboot"],
  ["fencing-action", "explode", "reboot"],
]) {
  test(`a lost node is fenced: ${option}=${word} means ${action}`, () => {
    const text = `<cib validate-with="pacemaker-3.10" have-quorum="1" crm_feature_set="3.19.0"><configuration>
      <crm_config><cluster_property_set id="o"><nvpair id="o1" name="${option}" value="${word}"/></cluster_property_set></crm_config>
      <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
      <resources><primitive id="f" class="stonith" type="fence_xvm"/></resources><constraints/></configuration>
      <status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/>
        <node_state id="2" uname="n2" in_ccm="false" crmd="offline" join="member" expected="member"/></status></cib>`;
    const { graph } = schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5);
    const fences = graph.actions.filter(({ kind }) => kind === "fence").map(({ key }) => key);
    assert.deepEqual(fences, [`stonith-n2-${action}`]);
  });
}
