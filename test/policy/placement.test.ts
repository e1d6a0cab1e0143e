import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { schedule } from "../../src/core/policy/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const NOW_MS = 1_700_000_000_000;

type Small = { readonly resources: string; readonly constraints: string };

/** Scores that placement reports for a resource in a small healthy cluster of `node1` and `node2`. */
function scoresOf(resource: string, { resources, constraints }: Small): Record<string, number> {
  const cib = parseXml(`<cib validate-with="pacemaker-4.0" have-quorum="1" dc-uuid="1"><configuration>
    <crm_config><cluster_property_set id="options"><nvpair id="fencing" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
    <resources>${resources}</resources><constraints>${constraints}</constraints></configuration><status>
    <node_state id="1" uname="node1" in_ccm="1" crmd="1" join="member" expected="member"/>
    <node_state id="2" uname="node2" in_ccm="1" crmd="1" join="member" expected="member"/></status></cib>`);
  const { model } = schedule(cib, NOW_MS, md5, { scores: true });
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
