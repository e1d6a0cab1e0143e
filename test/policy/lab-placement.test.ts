import assert from "node:assert/strict";
import { test } from "node:test";
import { entry, graphOf, history, keys, primitive, REMOTE, STATEFUL } from "./small-cluster.ts";

/** Rules about constraints, instances and where they are placed that small clusters showed crm_simulate to follow. */

function set(...members: readonly string[]): string {
  return `<resource_set id="s-${members.join("-")}">${members.map((id) => `<resource_ref id="${id}"/>`).join("")}</resource_set>`;
}

/** Where a resource starts, if it does. */
function nodeOf(graph: ReturnType<typeof graphOf>, id: string): string | null {
  return graph.actions.find(({ key }) => key === `${id}_start_0`)?.node ?? null;
}

test("a member that names no resource, as the id of a cloned primitive, ends what the constraint says (status.md 25.4)", () => {
  const resources = `${["a", "b", "d"].map((id) => primitive(id)).join("")}<clone id="c">${primitive("cloned")}</clone>`;
  const nodes = [{ name: "n1" }, { name: "n2" }, { name: "n3" }];
  const places = (constraints: string): readonly (string | null)[] => {
    const graph = graphOf({ resources, constraints, nodes });
    return ["a", "b", "d"].map((id) => nodeOf(graph, id));
  };
  const location = (...sets: readonly string[]): string => `<rsc_location id="l" node="n3" score="50">${sets.join("")}</rsc_location>`;
  assert.deepEqual(places(location(set("a", "b"), set("d"))), ["n3", "n3", "n3"]);
  assert.deepEqual(places(location(set("a", "cloned", "b"), set("d"))), ["n3", "n1", "n2"]);
  const ticket = `<rsc_ticket id="t" ticket="t" loss-policy="stop">${set("a", "cloned", "b")}${set("d")}</rsc_ticket>`;
  assert.deepEqual(
    places(ticket).map((node) => node !== null),
    [false, true, true],
  );
  const ordered = (...sets: readonly string[]): boolean => {
    const graph = graphOf({ resources, constraints: `<rsc_order id="o">${sets.join("")}</rsc_order>`, nodes });
    const before = graph.actions.find(({ key }) => key === "a_start_0")?.id;
    return graph.actions.some(({ key, inputs }) => key === "d_start_0" && before !== undefined && inputs.includes(before));
  };
  assert.ok(ordered(set("a"), set("d")));
  assert.ok(!ordered(set("a"), set("d", "cloned")));
});

test("a colocation of sets reaches as far as its members are known (assignment.md 8.6)", () => {
  const followed = (dependents: string, primaries: string): readonly string[] => {
    const free = (text: string): string => text.replace("<resource_set", '<resource_set sequential="false"');
    const graph = graphOf({
      resources: `${["a", "b", "p"].map((id) => primitive(id)).join("")}<clone id="c">${primitive("cloned")}</clone>`,
      constraints: `<rsc_location id="l" rsc="p" node="n3" score="50"/>
        <rsc_colocation id="k" score="INFINITY">${free(dependents)}${free(primaries)}</rsc_colocation>`,
      nodes: [{ name: "n1" }, { name: "n2" }, { name: "n3" }],
    });
    return ["a", "b"].filter((id) => nodeOf(graph, id) === "n3");
  };
  assert.deepEqual(followed(set("a", "b"), set("p")), ["a", "b"]);
  assert.deepEqual(followed(set("a", "cloned", "b"), set("p")), ["a"]);
  assert.deepEqual(followed(set("cloned", "a", "b"), set("p")), []);
  assert.deepEqual(followed(set("a", "b"), set("p", "cloned")), ["a"]);
});

test("a rule of alternatives lets nothing onto the nodes of a bundle, one of conditions does (assignment.md 4.16, 2.7)", () => {
  for (const operator of ["or", "and"]) {
    const graph = graphOf({
      resources: `${primitive("a")}<bundle id="b"><docker image="i" replicas="1"/><network ip-range-start="192.168.1.9"/>${primitive("in")}</bundle>`,
      constraints: `<rsc_location id="l" rsc="a"><rule id="r" boolean-op="${operator}" score="INFINITY">
        <expression id="e" attribute="nothing" operation="not_defined"/></rule></rsc_location>
        <rsc_location id="l2" rsc="a" node="n1" score="-INFINITY"/>`,
      nodes: [{ name: "n1" }],
    });
    assert.equal(nodeOf(graph, "a"), operator === "or" ? null : "b-0");
  }
});

test("an instance of a cloned group stays on its node also when a member has failed (assignment.md 10.9)", () => {
  const meta = '<meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>';
  const failed = entry("q", "start", { rc: 1 }).replaceAll("5:3:1:", "5:3:0:").replace("q_last_0", "q_last_failure_0");
  const made = keys(
    graphOf({
      resources: `<clone id="c">${meta}<group id="g"><primitive id="p" ${STATEFUL}/><primitive id="q" ${STATEFUL}/></group></clone>`,
      nodes: [
        { name: "n1", attributes: { "master-p": "10" } },
        { name: "n2", histories: history("p", entry("p", "start"), STATEFUL) + history("q", failed, STATEFUL) },
        { name: "n3" },
      ],
    }),
  );
  assert.ok(made.includes("q_stop_0 n2"));
  assert.ok(!made.includes("p_stop_0 n2"));
});

test("an instance whose members are apart does not probe a node that another has for itself (status.md 23.4)", () => {
  // Remote nodes that status never mentioned match each other, so a group may come apart over them.
  const far = (id: string): string => `<primitive id="${id}" class="ocf" provider="pacemaker" type="remote"/>`;
  const graph = graphOf({
    resources: `<clone id="c"><group id="g">${primitive("p")}${primitive("q")}</group></clone>${far("far1")}${far("far2")}`,
    nodes: [{ name: "n1" }, { name: "n2", leaves: true, histories: history("q", entry("q", "start")) }],
  });
  const stop = graph.actions.find(({ key }) => key === "q_stop_0");
  assert.equal(stop?.node, "n2");
  const waitsFor = graph.actions.filter(({ id, key }) => key.endsWith("_monitor_0") && stop.inputs.includes(id));
  assert.deepEqual(waitsFor.map(({ key, node }) => `${key} ${node ?? ""}`).sort(), [
    "p_monitor_0 far2",
    "p_monitor_0 n1",
    "q_monitor_0 far2",
    "q_monitor_0 n1",
  ]);
});

test("a promotion score of a cloned group's member counts where that member is known, not another one (assignment.md 11.4)", () => {
  const idle = (id: string): string => history(id, entry(id, "monitor", { rc: 7 }), STATEFUL);
  const promoted = (known: readonly string[]): boolean => {
    const graph = graphOf({
      resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/><nvpair id="m2" name="clone-max" value="1"/>
        </meta_attributes><group id="g"><primitive id="p" ${STATEFUL}/><primitive id="q" ${STATEFUL}/></group></clone>`,
      constraints: '<rsc_location id="l" rsc="c" node="n1" score="-INFINITY"/>',
      nodes: [
        { name: "n1", histories: idle("p") + idle("q") },
        { name: "n2", histories: known.map(idle).join(""), attributes: { "master-q": "100" } },
      ],
    });
    assert.ok(keys(graph).includes("q_start_0 n2"));
    return keys(graph).includes("q_promote_0 n2");
  };
  assert.equal(promoted(["p"]), false);
  assert.equal(promoted(["p", "q"]), true);
});

test("instances are compared as a merge sort does, where the comparison is not transitive (assignment.md 10.5)", () => {
  const active = history("p", entry("p", "start")) + history("q", entry("q", "start"));
  const migrates = (max: number): boolean =>
    keys(
      graphOf({
        resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-max" value="${max}"/></meta_attributes>
          <group id="g">${primitive("p", '<meta_attributes id="pm"><nvpair id="pm1" name="allow-migrate" value="true"/></meta_attributes>')}
          ${primitive("q")}</group></clone>`,
        constraints: '<rsc_location id="l" rsc="c" node="n2" score="-INFINITY"/>',
        nodes: [
          { name: "n1" },
          { name: "n2", histories: history("p", entry("p", "start")) },
          { name: "n3", histories: active, attributes: { maintenance: "true" } },
        ],
      }),
    ).includes("p_migrate_to_0 n2");
  assert.equal(migrates(3), true);
  assert.equal(migrates(4), false);
});

test("a finite colocation with a clone takes its instances as they were assigned, until no node would be left (assignment.md 8.22)", () => {
  const placed = (instance: string): readonly string[] =>
    keys(
      graphOf({
        resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="globally-unique" value="true"/></meta_attributes>
          ${primitive("p")}</clone>${primitive("a")}`,
        constraints: '<rsc_colocation id="k" rsc="a" with-rsc="c" score="-50"/>',
        nodes: [{ name: "n1" }, { name: "n2", histories: history(instance, entry(instance, "start")) }],
      }),
    ).filter((key) => key.startsWith("a_start_0"));
  // The instance that runs is assigned first, whatever its number.
  assert.deepEqual(placed("p:0"), ["a_start_0 n1"]);
  assert.deepEqual(placed("p:1"), ["a_start_0 n1"]);
});

test("what needs no fencing is an instance of its own on a dead node, for each member of a cloned group (status.md 12.3.3)", () => {
  const told = (members: readonly string[]): boolean =>
    keys(
      graphOf({
        fencing: true,
        resources: `<primitive id="f" class="stonith" type="fence_xvm"/><clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-max" value="2"/><nvpair id="m2" name="requires" value="quorum"/>
          </meta_attributes><group id="g">${primitive("p")}${primitive("q")}</group></clone>`,
        nodes: [
          { name: "n1" },
          { name: "n2" },
          { name: "n3", lost: true, histories: members.map((id) => history(id, entry(id, "start"))).join("") },
        ],
      }),
    ).includes("g:3_stop_0 -");
  assert.equal(told(["p"]), false);
  assert.equal(told(["p", "q"]), true);
});

test("sorted for utilization, each colocation of a chain counts with its own factor alone (assignment.md 5.3, 8.36)", () => {
  // The first in the order gets the first node that nothing speaks against.
  const placed = (score: number): string | null => {
    const graph = graphOf({
      placement: "utilization",
      resources: ["other", "a", "b", "c"].map((id) => primitive(id)).join(""),
      constraints: `<rsc_location id="l1" rsc="a" node="n1" score="-100"/><rsc_location id="l2" rsc="other" node="n1" score="${score}"/>
        <rsc_colocation id="k1" rsc="b" with-rsc="a" score="INFINITY"/><rsc_colocation id="k2" rsc="c" with-rsc="b" score="500"/>`,
      nodes: [{ name: "n1" }, { name: "n2" }, { name: "n3" }],
    });
    return nodeOf(graph, "other");
  };
  assert.equal(placed(-50), "n2");
  assert.equal(placed(-150), "n3");
});

test("a shutdown lock holds a guest's connection on the node that leaves, a remote node's moves (status.md 24.3)", () => {
  const connected = (id: string): readonly string[] =>
    keys(
      graphOf({
        resources: `<primitive id="far" ${REMOTE}/>${primitive("v", '<meta_attributes id="m"><nvpair id="m1" name="remote-node" value="guest"/></meta_attributes>')}`,
        nodes: [{ name: "n1", leaves: true, histories: history(id, entry(id, "start"), REMOTE) }, { name: "n2" }],
        locks: true,
      }),
    ).filter((key) => key.startsWith(`${id}_`) && key.endsWith(" n2") && !key.includes("monitor"));
  assert.deepEqual(connected("guest"), []);
  assert.deepEqual(connected("far"), ["far_migrate_from_0 n2", "far_start_0 n2"]);
});
