import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import type { TransitionGraph } from "../../src/core/transition/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** Starts that are wanted and cannot happen, or that nothing leads to. Each case is what crm_simulate 2.1.5 does with it. */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const DUMMY = 'class="ocf" provider="pacemaker" type="Dummy"';

function history(id: string, task: "start" | "monitor", digest = "f2317cad3d54cec5d7d7aa7d0bf35cf8"): string {
  const rc = task === "start" ? 0 : 7;
  const key = `5:3:${rc}:11111111-2222-3333-4444-555555555555`;
  return `<lrm_resource id="${id}" ${DUMMY}><lrm_rsc_op id="${id}_last_0" operation_key="${id}_${task}_0" operation="${task}" interval="0"
    transition-key="${key}" transition-magic="0:${rc};${key}" call-id="3" rc-code="${rc}" op-status="0" op-digest="${digest}"/></lrm_resource>`;
}

/** Three nodes, of which n3 has left; with shutdown locks its history counts all the same. */
function planOf(resources: string, constraints: string, histories: readonly [string, string, string]): TransitionGraph {
  const states = histories.map((lrm, at) => {
    const left =
      at === 2
        ? 'in_ccm="false" crmd="offline" join="down" expected="down"'
        : 'in_ccm="true" crmd="online" join="member" expected="member"';
    return `<node_state id="${at + 1}" uname="n${at + 1}" ${left}><lrm id="${at + 1}"><lrm_resources>${lrm}</lrm_resources></lrm></node_state>`;
  });
  const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/>
      <nvpair id="o2" name="shutdown-lock" value="true"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/><node id="3" uname="n3"/></nodes><resources>${resources}</resources>
    <constraints>${constraints}</constraints></configuration><status>${states.join("")}</status></cib>`;
  return schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5).graph;
}

const keys = (graph: TransitionGraph): readonly string[] => graph.actions.map((action) => `${action.key} ${action.node ?? "-"}`);

function precedes(graph: TransitionGraph, first: string, then: string): boolean {
  const byId = new Map(graph.actions.map((action) => [action.id, action]));
  const named = (name: string) => graph.actions.find((action) => `${action.key} ${action.node ?? "-"}` === name);
  const target = named(then);
  const source = named(first);
  assert.ok(source !== undefined && target !== undefined, `${first} and ${then} are planned`);
  const waiting = [target];
  const seen = new Set(waiting);
  for (const action of waiting) {
    for (const id of action.inputs) {
      const input = byId.get(id);
      if (input === undefined || seen.has(input)) continue;
      seen.add(input);
      waiting.push(input);
    }
  }
  return seen.has(source);
}

test("an instance that cannot stop on a node that left is told where it will be (actions.md O7)", () => {
  const resources = `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="notify" value="true"/></meta_attributes>
    <primitive id="s" ${DUMMY}/></clone>`;
  const graph = planOf(resources, "", ["", "", history("s", "start")]);
  const starts = keys(graph).filter((key) => /^s(:\d+)?_start_0 /.test(key));
  const told = keys(graph).filter((key) => /^s(:\d+)?_post_notify_start_0 /.test(key));
  assert.equal(starts.length, 1, "the start of the other instance waits for a stop that never comes");
  assert.equal(told.length, 2);
});

for (const { title, banned, waits } of [
  { title: "that moves waits", banned: "n2", waits: true },
  { title: "that goes nowhere does not wait", banned: null, waits: false },
]) {
  test(`the stop of a group's member ${title} for the probes of what comes before it (actions.md O5.3)`, () => {
    const nodes = banned === null ? ["n1", "n2", "n3"] : [banned];
    const locations = nodes.map((node, at) => `<rsc_location id="l${at}" rsc="a" node="${node}" score="-INFINITY"/>`).join("");
    const resources = `<primitive id="first" ${DUMMY}/><group id="g"><primitive id="a" ${DUMMY}/><primitive id="b" ${DUMMY}/></group>`;
    const graph = planOf(resources, `${locations}<rsc_order id="r" first="first" then="g"/>`, [
      history("first", "start") + history("a", "monitor") + history("b", "monitor"),
      history("a", "monitor") + history("b", "start"),
      "",
    ]);
    assert.equal(precedes(graph, "first_monitor_0 n2", "b_stop_0 n2"), waits);
  });
}

for (const [title, perHost, held] of [
  ["waits for the probes of the other containers where each needs a host for itself", 1, true],
  ["waits for its own container's probes only where they share hosts", 2, false],
] as const) {
  test(`the restart of a bundle's connection ${title} (actions.md O5.3, O5.5)`, () => {
    const resources = `<bundle id="b"><podman image="i:1" replicas="2" replicas-per-host="${perHost}"/><network ip-range-start="192.168.122.131"/>
      <primitive id="p" ${DUMMY}/></bundle>`;
    const key = "5:3:0:11111111-2222-3333-4444-555555555555";
    const connection = `<lrm_resource id="b-0" class="ocf" provider="pacemaker" type="remote"><lrm_rsc_op id="b-0_monitor_30000" operation="monitor"
      operation_key="b-0_monitor_30000" interval="30000" transition-key="${key}" transition-magic="0:0;${key}" call-id="3" rc-code="0" op-status="0"/></lrm_resource>`;
    const graph = planOf(resources, "", [history("b-podman-1", "monitor") + connection, "", ""]);
    assert.equal(precedes(graph, "b-podman-0_monitor_0 n2", "b-0_stop_0 n1"), true);
    assert.equal(precedes(graph, "b-podman-1_monitor_0 n2", "b-0_stop_0 n1"), held);
  });
}
