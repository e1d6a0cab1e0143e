import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { INFINITY_SCORE } from "../../src/core/base/index.ts";
import { type Model, schedule } from "../../src/core/policy/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const NOW_MS = 1_700_000_000_000;

type Small = {
  readonly resources: string;
  readonly constraints?: string;
  /** Ids of active primitives by node. */
  readonly active?: Readonly<Record<string, readonly string[]>>;
};

/** A small healthy cluster of `node1` and `node2`, everything assigned. */
function assigned({ resources, constraints = "", active = {} }: Small): Model {
  const state = (id: string, node: string): string =>
    `<node_state id="${id}" uname="${node}" in_ccm="1" crmd="1" join="member" expected="member"><lrm id="${id}"><lrm_resources>${(
      active[node] ?? []
    )
      .map(
        (name, at) => `<lrm_resource id="${name}" class="ocf" provider="pacemaker" type="Stateful"><lrm_rsc_op id="${name}_start"
        operation="start" operation_key="${name}_start_0" call-id="${at + 1}" rc-code="0" op-status="0" interval="0"
        transition-key="1:1:0:6d0e1b7a-4b1c-4a6b-9c5e-0d6a2a8f3c11" last-rc-change="1699999000"/></lrm_resource>`,
      )
      .join("")}</lrm_resources></lrm></node_state>`;
  const cib = parseXml(`<cib validate-with="pacemaker-4.0" have-quorum="1" dc-uuid="1"><configuration>
    <crm_config><cluster_property_set id="options"><nvpair id="fencing" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
    <resources>${resources}</resources><constraints>${constraints}</constraints></configuration>
    <status>${state("1", "node1")}${state("2", "node2")}</status></cib>`);
  return schedule(cib, NOW_MS, md5, { scores: true }).model;
}

/** The scores that placement reports for a resource. */
function scoresOf(resource: string, small: Small): Record<string, number> {
  const model = assigned(small);
  const report = model.reports.findLast((one) => one.label === "primitive" && one.resource.id === resource);
  assert.ok(report !== undefined, `${resource} is reported`);
  return Object.fromEntries(report.scores.map(({ node, score }) => [node.name, score]));
}

const dummy = (id: string): string => `<primitive id="${id}" class="ocf" provider="pacemaker" type="Dummy"/>`;
const remote = (id: string): string => `<primitive id="${id}" class="ocf" provider="pacemaker" type="remote"/>`;

test("remote nodes that status never mentioned have no names yet: a dependent's preference counts for all of them", () => {
  const scores = scoresOf("web", {
    resources: dummy("web") + dummy("log") + remote("far1") + remote("far2"),
    constraints: `<rsc_colocation id="with" rsc="log" with-rsc="web" score="INFINITY"/>
      <rsc_location id="at" rsc="log" node="far2" score="7"/>`,
  });
  assert.deepEqual(scores, { far1: 7, far2: 7, node1: 0, node2: 0 });
});

test("a group instance whose unmanaged members are on two nodes has no node to be promoted on", () => {
  const member = (id: string): string => `<primitive id="${id}" class="ocf" provider="pacemaker" type="Stateful"/>`;
  const { promotions } = assigned({
    resources: `<clone id="pair"><meta_attributes id="meta"><nvpair id="m1" name="promotable" value="true"/>
      <nvpair id="m2" name="globally-unique" value="true"/><nvpair id="m3" name="clone-max" value="1"/>
      <nvpair id="m4" name="is-managed" value="false"/></meta_attributes><group id="both">${member("one")}${member("two")}</group></clone>`,
    active: { node1: ["one:0"], node2: ["two:0"] },
  });
  assert.deepEqual(
    promotions.map(({ instance, node, score }) => [instance.id, node, score]),
    [["both:0", null, -INFINITY_SCORE]],
  );
});
