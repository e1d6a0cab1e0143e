import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withoutSecretPairs, withoutSecretValues } from "../../src/app/cli/report.ts";
import { renderStatus } from "../../src/app/cli/status-text.ts";
import { viewOfCib } from "../../src/app/cli/view-read.ts";
import { formatXml, parseXml } from "../../src/io/xml/index.ts";

const op = (resource: string, task: string, rc: number, call: number, extra = ""): string =>
  `<lrm_rsc_op id="${resource}_${task}_0" operation_key="${resource}_${task}_0" operation="${task}" interval="0" call-id="${call}" rc-code="${rc}" op-status="0" transition-key="1:1:${task === "monitor" ? 7 : 0}:x" transition-magic="0:${rc};1:1:${task === "monitor" ? 7 : 0}:x" last-rc-change="1700000000" exec-time="12" ${extra}/>`;

const history = (resource: string, ops: string): string =>
  `<lrm_resource id="${resource}" class="ocf" provider="quorate" type="dummy">${ops}</lrm_resource>`;

const state = (id: number, name: string, resources: string, attributes = ""): string =>
  `<node_state id="${id}" uname="${name}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="${id}"><lrm_resources>${resources}</lrm_resources></lrm>${attributes}</node_state>`;

const CIB = `<cib have-quorum="1" dc-uuid="1" validate-with="pacemaker-3.9" crm_feature_set="3.19.0">
<configuration><crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"><instance_attributes id="a"><nvpair id="a1" name="standby" value="on"/></instance_attributes></node></nodes>
<resources><primitive id="web" class="ocf" provider="quorate" type="dummy"/>
<primitive id="off" class="ocf" provider="quorate" type="dummy"><instance_attributes id="off-p"><nvpair id="off-p1" name="passwd" value="topsecret"/></instance_attributes><meta_attributes id="off-m"><nvpair id="off-m1" name="target-role" value="Stopped"/></meta_attributes></primitive>
<group id="grp"><primitive id="a" class="ocf" provider="quorate" type="dummy"/></group>
<clone id="all"><primitive id="each" class="ocf" provider="quorate" type="dummy"/></clone></resources><constraints/></configuration>
<status>${state(1, "n1", history("web", op("web", "start", 0, 5)) + history("a", op("a", "start", 1, 6, 'exit-reason="no disk"')) + history("each", op("each", "start", 0, 7)), '<transient_attributes id="1"><instance_attributes id="s1"><nvpair id="s2" name="fail-count-a#start_0" value="INFINITY"/></instance_attributes></transient_attributes>')}${state(2, "n2", history("each", op("each", "start", 0, 3)))}</status></cib>`;

const NOW_MS = 1_700_000_100_000;

describe("status", () => {
  test("the view says role, place and condition", async () => {
    const view = await viewOfCib(parseXml(CIB), NOW_MS);
    const web = view.resources.find((item) => item.id === "web");
    assert.deepEqual([web?.role, web?.nodes, web?.agent, web?.flags], ["Started", ["n1"], "ocf:quorate:dummy", []]);
    const off = view.resources.find((item) => item.id === "off");
    assert.deepEqual([off?.role, off?.nodes, off?.flags], ["Stopped", [], ["disabled"]]);
    assert.deepEqual(view.resources.find((item) => item.id === "all")?.nodes, ["n1", "n2"]);
    assert.deepEqual(view.failCounts, [{ resource: "a", node: "n1", count: 1_000_000 }]);
    assert.equal(view.failures[0]?.reason, "no disk");
    assert.equal(view.nodes.find((item) => item.name === "n2")?.standby, true);
  });

  test("the page names what needs a person", async () => {
    const view = await viewOfCib(parseXml(CIB), NOW_MS);
    const answer = {
      phase: "member",
      cluster: { id: "c", name: "shop" },
      leader: { node: "n1", memberId: 1 },
      term: 3,
      quorate: false,
      stale: true,
      index: 12,
      epoch: 4,
      clockMs: NOW_MS,
      nodes: [
        { name: "n1", state: "online", votes: 1, learner: false, guarantee: "watchdog", tsafeMs: 9_500 },
        { name: "n2", state: "lost", votes: 1, learner: false, guarantee: "none", tsafeMs: null },
      ],
      transition: { inFlight: [{ task: "start", resource: "web", node: "n1" }], waiting: 2 },
      fencing: {
        pending: [
          { target: "n2", action: "reboot", reason: "silent", current: { device: "power", by: "n1" }, lastFailure: null, tsafeInMs: null },
        ],
        history: [
          { target: "n2", action: "off", reason: "operator", by: "operator", ok: true, startedMs: 1, finishedMs: 41, detail: null },
        ],
      },
      policyFailure: null,
      warnings: ["fencing is disabled"],
    };
    const text = renderStatus(answer, view, { byNode: false, inactive: true, failCounts: true }).join("\n");
    for (const part of [
      "NO QUORUM",
      "what this node last knew",
      "guarded by watchdog; safe without fencing after 9.5 s",
      "no guarantee: only confirmed fencing frees its resources",
      "web (ocf:quorate:dummy): Started n1",
      "off (ocf:quorate:dummy): Stopped (disabled)",
      "Started: n1, n2",
      "a  n1  INFINITY",
      "no disk",
      "pending: reboot of n2 (silent) by power on n1",
      "off of n2 done by operator in 40 ms",
      "start of web on n1",
      "2 more to come",
      "fencing is disabled",
    ]) {
      assert.ok(text.includes(part), `missing: ${part}\n${text}`);
    }
  });

  test("by node: what runs where", async () => {
    const view = await viewOfCib(parseXml(CIB), NOW_MS);
    const lines = renderStatus({ cluster: { name: "shop" }, nodes: [] }, view, { byNode: true, inactive: false, failCounts: false });
    const at = lines.indexOf("On n1:");
    assert.ok(at > 0 && lines[at + 1]?.includes("Started n1"), lines.join("\n"));
  });

  test("a daemon without a cluster says what to do", async () => {
    const view = { resources: [], failures: [], nodes: [], failCounts: [], notices: [] };
    const lines = renderStatus({ phase: "uninitialised", cluster: null, nodes: [] }, view, {
      byNode: false,
      inactive: false,
      failCounts: false,
    });
    assert.match(lines[0] ?? "", /no member of a cluster/);
  });

  test("a report holds no secrets", () => {
    const text = formatXml(withoutSecretPairs(parseXml(CIB)));
    assert.ok(!text.includes("topsecret"));
    assert.ok(text.includes('name="passwd" value="******"'));
    assert.deepEqual(withoutSecretValues({ a: [{ params: { passwd: "x", ip: "1" } }] }), {
      a: [{ params: { passwd: "******", ip: "1" } }],
    });
  });
});
