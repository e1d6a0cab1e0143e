import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** Where a resource's meta attributes come from (status.md 3.4). Seen with crm_simulate 2.1.5. */

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

const meta = (id: string, value: string): string =>
  `<meta_attributes id="${id}"><nvpair id="${id}-role" name="target-role" value="${value}"/></meta_attributes>`;

const stopped = (id: string): string =>
  `<primitive id="${id}" class="ocf" provider="pacemaker" type="Dummy">${meta(`${id}-m`, "Stopped")}</primitive>`;

function started(defaults: string): readonly string[] {
  const text = `<cib validate-with="pacemaker-3.7" have-quorum="1" crm_feature_set="3.15.0"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/></nodes><resources>
    <group id="g">${meta("g-m", "#default")}${stopped("a")}</group><clone id="c">${meta("c-m", "#default")}${stopped("b")}</clone>
    </resources><constraints/><rsc_defaults>${defaults}</rsc_defaults></configuration><status>
    <node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources/></lrm></node_state>
    </status></cib>`;
  const { graph } = schedule(upgradeCib(parseXml(text)), 1_700_000_000_000, md5);
  return graph.actions
    .map(({ key }) => key)
    .filter((key) => /^[ab](:\d+)?_start_0$/u.test(key))
    .sort();
}

test("a parent's #default takes nothing from the resource itself", () => {
  assert.deepEqual(started(""), []);
});

test("rsc_defaults' #default does", () => {
  assert.deepEqual(started(meta("d-m", "#default")), ["a_start_0", "b_start_0"]);
});
