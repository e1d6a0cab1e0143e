import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import type { GraphAction, TransitionGraph } from "../../src/core/transition/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/**
 * Actions that prepare nodes, or take them away: unfencing, remote and guest nodes. The fuzzer found each as a difference
 * from crm_simulate 2.1.5 (test/policy/fuzz).
 */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const EMPTY_DIGEST = "f2317cad3d54cec5d7d7aa7d0bf35cf8";

function history(id: string, agent: string, task: "start" | "monitor"): string {
  const rc = task === "start" ? 0 : 7;
  const key = `5:3:${rc}:11111111-2222-3333-4444-555555555555`;
  const entry = `id="${id}_last_0" operation_key="${id}_${task}_0" operation="${task}" interval="0" transition-key="${key}"
    transition-magic="0:${rc};${key}" call-id="3" rc-code="${rc}" op-status="0" op-digest="${EMPTY_DIGEST}"`;
  return `<lrm_resource id="${id}" ${agent}><lrm_rsc_op ${entry}/></lrm_resource>`;
}

const DUMMY = 'class="ocf" provider="pacemaker" type="Dummy"';
const REMOTE = 'class="ocf" provider="pacemaker" type="remote"';
const DEVICE = 'class="stonith" type="fence_xvm"';

type Instance = { readonly id: string; readonly agent: string; readonly on: string };

/** Nodes n1 and n2, everything known everywhere; `inside` are histories of a remote or guest node. */
function clusterOf(how: {
  readonly fencing: boolean;
  readonly resources: string;
  readonly constraints?: string;
  readonly active: readonly Instance[];
  readonly inside?: { readonly node: string; readonly histories: string };
}): TransitionGraph {
  const states = ["n1", "n2"].map((node, at) => {
    const histories = how.active.map(({ id, agent, on }) => history(id, agent, on === node ? "start" : "monitor")).join("");
    return `<node_state id="${at + 1}" uname="${node}" in_ccm="true" crmd="online" join="member" expected="member">
      <lrm id="${at + 1}"><lrm_resources>${histories}</lrm_resources></lrm></node_state>`;
  });
  const inside =
    how.inside === undefined
      ? ""
      : `<node_state id="${how.inside.node}" uname="${how.inside.node}" remote_node="true" in_ccm="true">
          <lrm id="${how.inside.node}"><lrm_resources>${how.inside.histories}</lrm_resources></lrm></node_state>`;
  const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="${how.fencing}"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>${how.resources}</resources>
    <constraints>${how.constraints ?? ""}</constraints></configuration><status>${states.join("")}${inside}</status></cib>`;
  return schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5).graph;
}

function keys(graph: TransitionGraph): readonly string[] {
  return graph.actions.map((action) => `${action.key} ${action.node ?? "-"}`);
}

/** Whether one action comes before another, directly or through others. */
function precedes(graph: TransitionGraph, first: string, then: string): boolean {
  const find = (key: string): GraphAction => {
    const found = graph.actions.find((action) => `${action.key} ${action.node ?? "-"}` === key);
    assert.ok(found, `${key} is not in the graph: ${keys(graph).join(", ")}`);
    return found;
  };
  const wanted = find(first).id;
  const waiting = [...find(then).inputs];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (at === wanted) return true;
    waiting.push(...graph.actions[at - 1]!.inputs);
  }
  return false;
}

const UNFENCING = `<primitive id="F" ${DEVICE}><meta_attributes id="fm"><nvpair id="fp" name="provides" value="unfencing"/></meta_attributes></primitive>`;

test("a node that was never unfenced is, although what needs it runs there already (status.md 22.3)", () => {
  const resources = `${UNFENCING}<primitive id="A" ${DUMMY}/>`;
  const active = [
    { id: "F", agent: DEVICE, on: "n1" },
    { id: "A", agent: DUMMY, on: "n2" },
  ];
  const graph = clusterOf({ fencing: true, resources, active });
  assert.ok(keys(graph).includes("stonith-n2-on n2"));
  assert.ok(precedes(graph, "A_stop_0 n2", "stonith-n2-on n2"), "A is stopped before its node is unfenced");
  assert.ok(precedes(graph, "stonith-n2-on n2", "A_start_0 n2"), "and starts after that");
});

test("without fencing no node is unfenced (status.md 7.9)", () => {
  const active = [{ id: "F", agent: DEVICE, on: "n1" }];
  assert.deepEqual(keys(clusterOf({ fencing: false, resources: UNFENCING, active })), []);
});

test("a connection migrates after what stops behind it (actions.md M5, O12)", () => {
  const resources = `<primitive id="r" ${REMOTE}/>
    <primitive id="A" ${DUMMY}><meta_attributes id="am"><nvpair id="ap" name="target-role" value="Stopped"/></meta_attributes></primitive>`;
  const constraints = '<rsc_location id="l" rsc="r" node="n2" score="INFINITY"/>';
  const active = [
    { id: "r", agent: REMOTE, on: "n1" },
    { id: "A", agent: DUMMY, on: "nowhere" },
  ];
  const inside = { node: "r", histories: history("A", DUMMY, "start") };
  const graph = clusterOf({ fencing: false, resources, constraints, active, inside });
  assert.ok(precedes(graph, "A_stop_0 r", "r_migrate_to_0 n1"));
});

test("a guest node goes down after the last of what migrated away from it (actions.md O13)", () => {
  const meta = (id: string, name: string, value: string): string =>
    `<meta_attributes id="${id}m"><nvpair id="${id}p" name="${name}" value="${value}"/></meta_attributes>`;
  const resources = `<primitive id="V" ${DUMMY}>${meta("V", "remote-node", "g")}</primitive>
    <primitive id="A" ${DUMMY}>${meta("A", "allow-migrate", "true")}</primitive>`;
  const constraints = `<rsc_location id="l1" rsc="V" node="n2" score="INFINITY"/><rsc_location id="l2" rsc="A" node="n1" score="INFINITY"/>`;
  const active = [
    { id: "V", agent: DUMMY, on: "n1" },
    { id: "g", agent: REMOTE, on: "n1" },
    { id: "A", agent: DUMMY, on: "nowhere" },
  ];
  const inside = { node: "g", histories: history("A", DUMMY, "start") + history("V", DUMMY, "monitor") };
  const graph = clusterOf({ fencing: false, resources, constraints, active, inside });
  assert.ok(keys(graph).includes("A_migrate_to_0 g"), "A migrates");
  assert.ok(precedes(graph, "A_stop_0 g", "g_stop_0 n1"));
});

test("what must be apart starts after the live stop of what migrates away (actions.md O15)", () => {
  const meta = '<meta_attributes id="Am"><nvpair id="Ap" name="allow-migrate" value="true"/></meta_attributes>';
  const resources = `<primitive id="A" ${DUMMY}>${meta}</primitive><primitive id="B" ${DUMMY}/>`;
  const constraints = `<rsc_location id="l1" rsc="A" node="n2" score="INFINITY"/><rsc_location id="l2" rsc="B" node="n1" score="INFINITY"/>
    <rsc_colocation id="c" rsc="B" with-rsc="A" score="-INFINITY"/>`;
  const active = [
    { id: "A", agent: DUMMY, on: "n1" },
    { id: "B", agent: DUMMY, on: "nowhere" },
  ];
  const graph = clusterOf({ fencing: false, resources, constraints, active });
  assert.ok(keys(graph).includes("A_migrate_to_0 n1"), "A migrates");
  assert.ok(precedes(graph, "A_stop_0 n1", "B_start_0 n1"));
});
