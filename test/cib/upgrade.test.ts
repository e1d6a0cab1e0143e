import assert from "node:assert/strict";
import { test } from "node:test";
import { attributeOf, childOf, childrenOf, type Element, upgradeCib, walk } from "../../src/core/cib/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** Upgrades a configuration of a schema, given by its sections. */
function upgrade(schema: string, sections: string): Element {
  return upgradeCib(parseXml(`<cib validate-with="${schema}"><configuration>${sections}</configuration></cib>`));
}

function find(cib: Element, name: string): Element[] {
  return [...walk(cib)].filter((found) => found.name === name);
}

const PRIMITIVE = '<primitive id="A" class="ocf" provider="pacemaker" type="Stateful"/>';

test("what is current is returned as it is", () => {
  const cib = parseXml('<cib validate-with="pacemaker-4.0"><configuration/></cib>');
  assert.equal(upgradeCib(cib), cib);
});

test("a master becomes a promotable clone", () => {
  const [clone] = find(upgrade("pacemaker-3.0", `<resources><master id="M">${PRIMITIVE}</master></resources>`), "clone");
  const pair = clone === undefined ? undefined : find(clone, "nvpair")[0];
  assert.equal(pair === undefined ? undefined : attributeOf(pair, "name"), "promotable");
});

test("each rule of a location constraint becomes a constraint", () => {
  const rule = (id: string): string => `<rule id="${id}" score="1"><expression id="e${id}" attribute="x" operation="defined"/></rule>`;
  const cib = upgrade("pacemaker-3.0", `<constraints><rsc_location id="l" rsc="A">${rule("r1")}${rule("r2")}</rsc_location></constraints>`);
  assert.deepEqual(
    find(cib, "rsc_location").map((constraint) => childrenOf(constraint, "rule").length),
    [1, 1],
  );
});

test("a lifetime limits the constraint", () => {
  const lifetime = '<lifetime><rule id="t"><date_expression id="d" operation="lt" end="2030-01-01"/></rule></lifetime>';
  const cib = upgrade(
    "pacemaker-3.0",
    `<constraints><rsc_location id="l" rsc="A" node="n1" score="5">${lifetime}</rsc_location></constraints>`,
  );
  const [constraint] = find(cib, "rsc_location");
  const rule = constraint === undefined ? undefined : childOf(constraint, "rule");
  assert.equal(rule === undefined ? undefined : attributeOf(rule, "score"), "5");
  assert.equal(find(cib, "lifetime").length, 0);
  assert.equal(find(cib, "date_expression").length, 1);
});

test("resources of classes that went are dropped with what names them", () => {
  const resources = '<resources><group id="G"><primitive id="N" class="nagios" type="check"/></group></resources>';
  const cib = upgrade("pacemaker-3.0", `${resources}<constraints><rsc_location id="l" rsc="G" node="n1" score="1"/></constraints>`);
  assert.equal(find(cib, "group").length, 0);
  assert.equal(find(cib, "rsc_location").length, 0);
});

test("properties with underscores get hyphens, poweroff becomes off (2.x)", () => {
  const set =
    '<crm_config><cluster_property_set id="o"><nvpair id="a" name="no_quorum_policy" value="ignore"/><nvpair id="b" name="stonith_action" value="poweroff"/></cluster_property_set></crm_config>';
  const pairs = find(upgrade("pacemaker-2.5", set), "nvpair").map((pair) => [attributeOf(pair, "name"), attributeOf(pair, "value")]);
  assert.deepEqual(pairs, [
    ["no-quorum-policy", "ignore"],
    ["stonith-action", "off"],
  ]);
});

test("requires of a start operation becomes the resource's (2.x)", () => {
  const op = '<operations><op id="o" name="start" interval="0" requires="nothing"/></operations>';
  const cib = upgrade(
    "pacemaker-2.5",
    `<resources><primitive id="A" class="ocf" provider="pacemaker" type="Dummy">${op}</primitive></resources>`,
  );
  const block = find(cib, "meta_attributes")[0];
  assert.equal(block === undefined ? undefined : attributeOf(childrenOf(block, "nvpair")[0]!, "value"), "nothing");
  assert.equal(attributeOf(find(cib, "op")[0]!, "requires"), undefined);
});

test("old default properties move to the defaults", () => {
  const set =
    '<crm_config><cluster_property_set id="o"><nvpair id="a" name="default-resource-stickiness" value="100"/></cluster_property_set></crm_config>';
  const configuration = childOf(upgrade("pacemaker-3.0", set), "configuration");
  const defaults = configuration === undefined ? undefined : childOf(configuration, "rsc_defaults");
  assert.equal(defaults === undefined ? undefined : attributeOf(find(defaults, "nvpair")[0]!, "name"), "resource-stickiness");
});
