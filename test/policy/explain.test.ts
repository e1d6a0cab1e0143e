import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { childOf, type Element, idOf, upgradeCib } from "../../src/core/cib/index.ts";
import { schedule } from "../../src/core/policy/index.ts";
import { applyChange, explain, explainModel, inject, placesAfter, proposeChanges, totalOf } from "../../src/core/whatif/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";
import { generateCib } from "./fuzz/generate.ts";

const NOW_MS = 1_700_000_000_000;
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** Two online nodes, no fencing; resources and constraints as given. */
function cluster(resources: string, constraints = "", status = ""): Element {
  const node = (id: number): string =>
    `<node_state id="${id}" uname="n${id}" in_ccm="true" crmd="online" join="member" expected="member">${id === 1 ? status : ""}</node_state>`;
  return parseXml(`<cib validate-with="pacemaker-3.9" have-quorum="1"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
    <resources>${resources}</resources><constraints>${constraints}</constraints></configuration>
    <status>${node(1)}${node(2)}</status></cib>`);
}

const dummy = (id: string, meta = ""): string => `<primitive id="${id}" class="ocf" provider="pacemaker" type="Dummy">${meta}</primitive>`;

test("a location constraint is a term with its id", () => {
  const cib = cluster(dummy("A"), '<rsc_location id="here" rsc="A" node="n2" score="50"/>');
  const [instance] = explain(cib, NOW_MS, md5, "A").instances;
  assert.equal(instance?.node, "n2");
  const row = instance.nodes.find((candidate) => candidate.node === "n2");
  assert.equal(row?.score, 50);
  assert.deepEqual(
    row.terms.map((term) => [term.kind, term.id, term.score]),
    [["location", "here", 50]],
  );
});

test("a colocation says through whom it acts", () => {
  const cib = cluster(
    dummy("A") + dummy("B"),
    '<rsc_location id="la" rsc="A" node="n2" score="INFINITY"/><rsc_colocation id="ab" rsc="B" with-rsc="A" score="INFINITY"/>',
  );
  const [instance] = explain(cib, NOW_MS, md5, "B", "n1").instances;
  const terms = instance?.nodes[0]?.terms ?? [];
  assert.ok(terms.some((term) => term.kind === "colocation" && term.id === "ab" && term.through === "A" && term.score === -1_000_000));
});

test("the smallest change: drop the constraint that forbids", () => {
  const constraints = '<rsc_location id="no1" rsc="A" node="n1" score="-INFINITY"/><rsc_location id="like2" rsc="A" node="n2" score="10"/>';
  const cib = cluster(dummy("A"), constraints);
  const proposal = proposeChanges(cib, NOW_MS, md5, "A", "n1");
  assert.ok(proposal !== null);
  const changed = proposal.changes.reduce(applyChange, cib);
  assert.equal(explain(changed, NOW_MS, md5, "A").instances[0]?.node, "n1");
  assert.ok(proposal.changes.some((change) => change.kind === "drop-constraint" && change.id === "no1"));
});

test("the smallest change: start what is disabled", () => {
  const meta = '<meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes>';
  const cib = cluster(dummy("A", meta));
  assert.deepEqual(proposeChanges(cib, NOW_MS, md5, "A")?.changes, [
    { kind: "set-meta", resource: "A", name: "target-role", value: "Started" },
  ]);
});

/** Each obstacle alone, and the one change that takes it away. */
const OBSTACLES: readonly {
  readonly name: string;
  readonly cib: () => Element;
  readonly node: string;
  readonly changes: readonly unknown[];
}[] = [
  {
    name: "an ordering whose first resource is disabled",
    cib: () =>
      cluster(
        dummy("A", '<meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes>') + dummy("B"),
        '<rsc_order id="ab" first="A" then="B"/><rsc_location id="b2" rsc="B" node="n2" score="5"/>',
      ),
    node: "n2",
    changes: [{ kind: "set-meta", resource: "A", name: "target-role", value: "Started" }],
  },
  {
    name: "a ticket that was never heard of",
    cib: () =>
      cluster(
        dummy("A"),
        '<rsc_ticket id="t" ticket="site" rsc="A" loss-policy="stop"/><rsc_location id="a1" rsc="A" node="n1" score="5"/>',
      ),
    node: "n1",
    changes: [{ kind: "grant-ticket", ticket: "site" }],
  },
  {
    name: "a resource in maintenance that does not run",
    cib: () => cluster(dummy("A", '<meta_attributes id="m"><nvpair id="m1" name="maintenance" value="true"/></meta_attributes>')),
    node: "n1",
    changes: [{ kind: "set-meta", resource: "A", name: "maintenance", value: "false" }],
  },
  {
    name: "a colocation with something that is elsewhere",
    cib: () =>
      cluster(
        dummy("A") + dummy("B"),
        '<rsc_location id="la" rsc="A" node="n2" score="INFINITY"/><rsc_colocation id="ab" rsc="B" with-rsc="A" score="INFINITY"/><rsc_location id="lb" rsc="B" node="n1" score="5"/>',
      ),
    node: "n1",
    changes: [{ kind: "drop-constraint", id: "ab" }],
  },
  {
    name: "nothing but a preference for another node",
    cib: () => cluster(dummy("A")),
    node: "n2",
    changes: [{ kind: "prefer", resource: "A", node: "n2" }],
  },
];

for (const { name, cib, node, changes } of OBSTACLES) {
  test(`the smallest change: ${name}`, () => {
    const asked = cib();
    const id = idOf(childOf(childOf(asked, "configuration")!, "resources")!.children.at(-1)!)!;
    const proposal = proposeChanges(asked, NOW_MS, md5, id, node);
    assert.deepEqual(proposal, { changes, node });
    assert.ok(placesAfter(schedule(proposal.changes.reduce(applyChange, asked), NOW_MS, md5), id).includes(node));
  });
}

test("a node that is away cannot be made to run anything", () => {
  const away = cluster(dummy("A"));
  const down = inject(away, [{ kind: "node-down", node: "n2" }], NOW_MS / 1000);
  assert.equal(proposeChanges(down, NOW_MS, md5, "A", "n2"), null);
});

test("nothing to change where it runs already", () => {
  assert.deepEqual(proposeChanges(cluster(dummy("A")), NOW_MS, md5, "A")?.changes, []);
});

test("unknown resources and nodes are refused", () => {
  assert.throws(() => explain(cluster(dummy("A")), NOW_MS, md5, "B"), { detail: { code: "RESOURCE_UNKNOWN" } });
  assert.throws(() => explain(cluster(dummy("A")), NOW_MS, md5, "A", "n9"), { detail: { code: "NODE_UNKNOWN" } });
});

test("terms add up to the score in generated clusters (seeds 1 to 60)", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const { model } = schedule(upgradeCib(generateCib(seed).cib), NOW_MS, md5, { explain: true });
    for (const primitive of model.primitives) {
      for (const instance of explainModel(model, primitive.id).instances) {
        for (const row of instance.nodes) {
          if (row.score !== null) assert.equal(totalOf(row.terms), row.score, `seed ${seed}: ${instance.resource} on ${row.node}`);
        }
      }
    }
  }
});
