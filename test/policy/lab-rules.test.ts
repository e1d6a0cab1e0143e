import assert from "node:assert/strict";
import { test } from "node:test";
import { DUMMY, EMPTY, entry, graphOf, history, keys } from "./small-cluster.ts";

/** Rules about constraints, instances and recurring operations that the fuzzer found as differences from crm_simulate 2.1.5. */

const STATEFUL = DUMMY.replace("Dummy", "Stateful");

function primitive(id: string, inside = ""): string {
  return `<primitive id="${id}" ${DUMMY}>${inside}</primitive>`;
}

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

test("a connection that migrates waits for every stop of what stops behind it, on whatever node (actions.md M5)", () => {
  const running = history("a", entry("a", "start"));
  const graph = graphOf({
    resources: `<primitive id="far" class="ocf" provider="pacemaker" type="remote"/>${primitive("a")}`,
    constraints: '<rsc_location id="l" rsc="far" node="n2" score="INFINITY"/><rsc_location id="l2" rsc="a" node="n3" score="INFINITY"/>',
    nodes: [
      { name: "n1", histories: history("far", entry("far", "start"), DUMMY.replace("Dummy", "remote")) + running },
      { name: "n2" },
      { name: "n3" },
      { name: "far", remote: true, histories: running },
    ],
  });
  const leave = graph.actions.find(({ key }) => key === "far_migrate_to_0");
  assert.ok(leave !== undefined);
  const stops = graph.actions.filter(({ key }) => key === "a_stop_0");
  assert.deepEqual(stops.map(({ node }) => node).sort(), ["far", "n1"]);
  for (const stop of stops) assert.ok(leave.inputs.includes(stop.id), stop.node ?? "");
});

test("what failed in the Promoted role and stays on its node as Unpromoted has its Promoted monitor cancelled (actions.md A3, R5)", () => {
  const monitors = `<operations><op id="o1" name="monitor" interval="11s" role="Promoted"/><op id="o2" name="monitor" interval="10s" role="Unpromoted"/></operations>`;
  const digest = 'op-digest="4811cef7f7f94e3a35a70be7916cb2fd"';
  const good = entry("p", "monitor", { intervalMs: 11_000, rc: 8, digest });
  const bad = entry("p", "monitor", { intervalMs: 10_000, rc: 1, digest })
    .replaceAll("5:3:1:", "5:3:0:")
    .replace("p_monitor_10000", "p_last_failure_0");
  const made = keys(
    graphOf({
      resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>
        <primitive id="p" ${STATEFUL}>${monitors}</primitive></clone>`,
      nodes: [{ name: "n1", histories: history("p", good + bad, STATEFUL) }],
    }),
  );
  for (const key of ["p_demote_0 n1", "p_stop_0 n1", "p_start_0 n1", "p_monitor_11000 n1"]) assert.ok(made.includes(key), key);
});

test("what is demoted on its node does not ask for unfencing; it restarts if others do (actions.md O17, A3)", () => {
  const device = `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="d"><nvpair id="d1" name="provides" value="unfencing"/>
    </meta_attributes></primitive>`;
  const clone = `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>
    <primitive id="p" ${STATEFUL}/></clone>`;
  const made = (task: string, others: string, attributes: Readonly<Record<string, string>> = {}): readonly string[] =>
    keys(
      graphOf({
        fencing: true,
        resources: device + clone + others,
        constraints: '<rsc_location id="l" rsc="dev" node="n1" score="-INFINITY"/>',
        nodes: [
          {
            name: "n1",
            attributes,
            histories:
              history("p", entry("p", task), STATEFUL) +
              history("dev", entry("dev", "monitor", { rc: 7 }), 'class="stonith" type="fence_xvm"'),
          },
        ],
      }),
    ).filter((key) => /stonith|p_/.test(key));
  assert.deepEqual(
    made("promote", "").filter((key) => !key.startsWith("p_")),
    [],
  );
  assert.ok(made("promote", "").includes("p_demote_0 n1"));
  assert.ok(!made("promote", "").includes("p_start_0 n1"));
  assert.ok(made("start", "").includes("stonith-n1-on n1"));
  assert.ok(made("promote", primitive("other")).includes("p_start_0 n1"));
});

test("an instance that goes nowhere waits with its stop for probes if its start is counted for clone-min (actions.md O5.3, U3)", () => {
  const stopWaits = (minimum: number): boolean => {
    const graph = graphOf({
      resources: `${primitive("a")}<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-min" value="${minimum}"/></meta_attributes>
        ${primitive("p")}</clone>${primitive("after")}`,
      constraints: `<rsc_location id="l" rsc="c" node="n1" score="-INFINITY"/><rsc_order id="o1" first="a" then="c"/>
        <rsc_order id="o2" first="c" then="after"/>`,
      nodes: [{ name: "n1", histories: history("p", entry("p", "start")) }, { name: "n2" }],
    });
    const stop = graph.actions.find(({ key }) => key === "p_stop_0");
    assert.equal(stop?.node, "n1");
    return graph.actions.some(({ id, key }) => key === "a_monitor_0" && stop.inputs.includes(id));
  };
  assert.equal(stopWaits(0), false);
  assert.equal(stopWaits(1), true);
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

test("what an unmanaged or failed instance left behind under another agent, another instance deletes (actions.md A10)", () => {
  const former = entry("p", "stop", { digest: `op-digest="${EMPTY}"` });
  const failed = entry("p", "monitor", { intervalMs: 10_000, rc: 1 })
    .replaceAll("5:3:1:", "5:3:0:")
    .replace("p_monitor_10000", "p_last_failure_0");
  const made = keys(
    graphOf({
      resources: `<clone id="c">${primitive("p")}</clone>`,
      constraints: '<rsc_location id="l" rsc="c" node="n1" score="-INFINITY"/>',
      nodes: [
        { name: "n1", histories: history("p", former, DUMMY.replace("Dummy", "Former")) },
        { name: "n2", histories: history("p", entry("p", "start") + failed) },
        { name: "n3", histories: history("p", entry("p", "start")) },
      ],
    }),
  );
  assert.equal(made.filter((key) => /^p(:\d)?_delete_0 n1$/.test(key)).length, 1);
});

test("another agent's history is deleted by each instance that is known under its name (actions.md A10)", () => {
  const former = history("p", entry("p", "start"), DUMMY.replace("Dummy", "Former"));
  const made = keys(
    graphOf({
      resources: `<clone id="c">${primitive("p")}</clone>`,
      nodes: [{ name: "n1", histories: former }, { name: "n2", histories: history("p", entry("p", "start")) }, { name: "n3" }],
    }),
  );
  // The third instance has never been anywhere.
  assert.deepEqual(
    made.filter((key) => key.includes("_delete_0")).map((key) => key.replace(/^p:\d/, "p")),
    ["p_delete_0 n1", "p_delete_0 n1"],
  );
});

test("what is half handed over stops on both nodes, also if only what is unexpected is to stop (actions.md A3)", () => {
  const moved = entry("p", "migrate_to").replace("/>", ' migrate_source="n1" migrate_target="n2"/>');
  const made = keys(
    graphOf({
      resources: `<primitive id="p" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="multiple-active" value="stop_unexpected"/></meta_attributes></primitive>`,
      constraints: '<rsc_location id="l" rsc="p" node="n1" score="INFINITY"/>',
      nodes: [
        { name: "n1", histories: history("p", moved) },
        { name: "n2", histories: history("p", entry("p", "monitor", { rc: 7 })) },
      ],
    }),
  );
  assert.deepEqual([...made].sort(), ["p_start_0 n1", "p_stop_0 n1", "p_stop_0 n2"]);
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

test("a blocked start of a cloned group does not shield its members from what else concerns the clone (actions.md U9, F9)", () => {
  const stopped = (group: boolean): boolean => {
    const member = primitive("a");
    const graph = graphOf({
      resources: `${primitive("off", `<meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes>`)}
        ${primitive("new")}<clone id="c">${group ? `<group id="g">${member}</group>` : member}</clone>`,
      // The first alone leaves the running instance in peace; the second restarts it, and it may not come up again.
      constraints: `<rsc_order id="c1" first="off" then="c" symmetrical="false"/><rsc_order id="c2" first="new" then="c"/>`,
      nodes: [{ name: "n1", histories: history("a", entry("a", "start")) }],
    });
    return keys(graph).includes("a_stop_0 n1") && !keys(graph).includes("a_start_0 n1");
  };
  assert.ok(stopped(false));
  assert.ok(stopped(true));
});

const BUNDLE = `<bundle id="b"><podman image="i" replicas="2"/><network control-port="3121"/>${primitive("in")}</bundle>`;
const PODMAN = 'class="ocf" provider="heartbeat" type="podman"';
const REMOTE = 'class="ocf" provider="pacemaker" type="remote"';

/** A replica of `BUNDLE` that runs: watched, so that no digest of its parameters is compared. */
function replica(number: number): string {
  const watched = (id: string, agent: string): string => history(id, entry(id, "monitor", { intervalMs: 10_000 }), agent);
  return watched(`b-podman-${number}`, PODMAN) + watched(`b-${number}`, REMOTE);
}

test("what follows a bundle restarts when a replica starts on any node, after a clone only with the instance beside it (actions.md U8)", () => {
  const restarts = (first: string, resource: string, n1: string): boolean => {
    const graph = graphOf({
      resources: `${primitive("x")}${resource}`,
      constraints: `<rsc_order id="c1" first="${first}" then="x"/>`,
      nodes: [{ name: "n1", histories: history("x", entry("x", "start")) + n1 }, { name: "n2" }],
    });
    assert.ok(keys(graph).some((key) => key.includes("_start_0 n2")));
    return keys(graph).includes("x_stop_0 n1");
  };
  assert.equal(restarts("b", BUNDLE, replica(0)), true);
  assert.equal(restarts("c", `<clone id="c">${primitive("a")}</clone>`, history("a", entry("a", "start"))), false);
});

test("a bundle begins to start for what starts inside, not for what cannot because its container stops (actions.md O14)", () => {
  const begins = (constraints: string, digest?: string): readonly boolean[] => {
    const made = keys(
      graphOf({
        resources: BUNDLE,
        constraints,
        nodes: [
          { name: "n1", histories: replica(0) },
          { name: "n2", histories: replica(1) },
        ],
        guests: {
          "b-0": history("in", entry("in", "start")),
          "b-1": history("in", entry("in", "start", digest === undefined ? {} : { digest })),
        },
      }),
    );
    return ["b-clone_start_0 -", "b_start_0 -"].map((point) => made.includes(point));
  };
  assert.deepEqual(begins("", 'op-digest="0"'), [true, true]);
  assert.deepEqual(begins(`<rsc_location id="l" rsc="b" node="n2" score="-INFINITY"/>`), [true, false]);
});

test("what another agent started does not migrate, what has other parameters does (actions.md A10, M4)", () => {
  const migrates = (agent: string, digest: string): boolean =>
    keys(
      graphOf({
        resources: primitive("a", `<meta_attributes id="m"><nvpair id="m1" name="allow-migrate" value="true"/></meta_attributes>`),
        constraints: `<rsc_location id="l" rsc="a" node="n2" score="INFINITY"/>`,
        nodes: [{ name: "n1", histories: history("a", entry("a", "start", { digest }), agent) }, { name: "n2" }],
      }),
    ).includes("a_migrate_to_0 n1");
  assert.equal(migrates(DUMMY, 'op-digest="0"'), true);
  assert.equal(migrates(STATEFUL, 'op-digest="0"'), false);
});

test("behind a container that goes nowhere nothing waits for the probes of what the bundle follows (actions.md O5.3)", () => {
  const stopWaits = (banned: boolean): boolean => {
    const graph = graphOf({
      resources: `${primitive("first")}${BUNDLE}`,
      constraints: `<rsc_order id="o" first="first" then="b"/>${banned ? '<rsc_location id="l" rsc="b" node="n1" score="-INFINITY"/>' : ""}`,
      nodes: [{ name: "n1", histories: replica(0) }],
      guests: { "b-0": history("in", entry("in", "start")) },
    });
    const probe = graph.actions.find(({ key }) => key === "first_monitor_0");
    const stop = graph.actions.find(({ key }) => key === "b-0_stop_0");
    assert.ok(probe !== undefined && stop !== undefined);
    return stop.inputs.includes(probe.id);
  };
  assert.equal(stopWaits(true), false);
  assert.equal(stopWaits(false), true);
});

test("a monitor known to run is repeated behind a new connection without the result that was expected of it (actions.md R2)", () => {
  const monitors = '<operations><op id="o1" name="monitor" interval="11s" role="Promoted"/></operations>';
  const graph = graphOf({
    resources: `<primitive id="far" ${REMOTE}><meta_attributes id="f"><nvpair id="f1" name="multiple-active" value="stop_start"/></meta_attributes></primitive>
      <clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/><nvpair id="m2" name="clone-max" value="1"/></meta_attributes>
      <primitive id="p" ${STATEFUL}>${monitors}</primitive></clone>`,
    constraints: '<rsc_location id="l" rsc="c" node="far" score="-INFINITY"/>',
    nodes: [
      { name: "n1", histories: history("far", entry("far", "start"), REMOTE) },
      { name: "n2", histories: history("far", entry("far", "start"), REMOTE) },
      {
        name: "far",
        remote: true,
        histories: history("p", entry("p", "promote") + entry("p", "monitor", { intervalMs: 11_000, rc: 8 }), STATEFUL),
      },
    ],
  });
  const repeated = graph.actions.find(({ key }) => key === "p_monitor_11000");
  assert.ok(repeated?.kind === "resource");
  assert.equal(repeated.node, "far");
  assert.equal(repeated.targetRc, 0);
});

test("a cloned group of which some member can start holds up nothing beside it (actions.md F12)", () => {
  const stopped = (id: string, off: boolean): string =>
    primitive(id, off ? `<meta_attributes id="m-${id}"><nvpair id="m1-${id}" name="target-role" value="Stopped"/></meta_attributes>` : "");
  const startsBeside = (first: boolean, last: boolean): boolean =>
    keys(
      graphOf({
        resources: `<clone id="c"><group id="g">${stopped("a", !first)}${stopped("b", !last)}</group></clone>${primitive("beside")}`,
        constraints: `<rsc_colocation id="k" rsc="beside" with-rsc="c" score="INFINITY"/>`,
        nodes: [{ name: "n1" }],
      }),
    ).includes("beside_start_0 n1");
  assert.equal(startsBeside(true, true), true);
  assert.equal(startsBeside(true, false), true);
  assert.equal(startsBeside(false, true), false);
});

test("of an instance beyond clone-max the monitors are cancelled too, of what finds no place they go with the stop (actions.md A8)", () => {
  const made = (active: readonly string[], fencing: boolean, banned: readonly string[]): readonly string[] =>
    keys(
      graphOf({
        // Fencing without a device: nothing is managed but what nobody tried to place.
        fencing,
        resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-max" value="2"/></meta_attributes>${primitive("a")}</clone>`,
        constraints: banned.map((node) => `<rsc_location id="l-${node}" rsc="c" score="-INFINITY" node="${node}"/>`).join(""),
        nodes: ["n1", "n2", "n3"].map((name) => ({
          name,
          histories: history("a", active.includes(name) ? entry("a", "monitor", { intervalMs: 10_000 }) : entry("a", "monitor", { rc: 7 })),
        })),
      }),
    ).filter((key) => key.endsWith("n2"));
  assert.deepEqual(made(["n2"], false, ["n1", "n2", "n3"]), ["a_stop_0 n2"]);
  assert.deepEqual([...made(["n1", "n2", "n3"], true, ["n1", "n2"])].sort(), ["a_monitor_10000 n2", "a_stop_0 n2"]);
});

test("a clone of which an instance moves keeps what follows it from migrating, on whatever node that is (actions.md M4, F5)", () => {
  const migrates = (leaves: boolean): boolean => {
    const graph = graphOf({
      resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-max" value="1"/></meta_attributes>${primitive("a")}</clone>
        ${primitive("x", `<meta_attributes id="mx"><nvpair id="mx1" name="allow-migrate" value="true"/></meta_attributes>`)}`,
      constraints: `<rsc_order id="o" first="c" then="x"/><rsc_location id="l" rsc="x" node="n3" score="INFINITY"/>`,
      nodes: [
        { name: "n1", leaves, histories: history("a", entry("a", "start")) },
        { name: "n2", histories: history("x", entry("x", "start")) },
        { name: "n3" },
      ],
    });
    return keys(graph).includes("x_migrate_to_0 n2");
  };
  assert.equal(migrates(false), true);
  assert.equal(migrates(true), false);
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

test("a pointless shutdown lock is removed from the history of what is managed only (actions.md A24, G2)", () => {
  const made = (managed: boolean): readonly string[] =>
    keys(
      graphOf({
        locks: true,
        resources: primitive("a", `<meta_attributes id="m"><nvpair id="m1" name="is-managed" value="${managed}"/></meta_attributes>`),
        nodes: [
          { name: "n1", histories: history("a", entry("a", "start")) },
          { name: "n2", lost: true, join: "down", histories: history("a", "", `${DUMMY} shutdown-lock="1699998000"`) },
        ],
      }),
    );
  assert.deepEqual(made(true), ["a_lrm_delete_0 n2"]);
  assert.deepEqual(made(false), []);
});

test("what leaves a node that is to be unfenced stops and does not migrate, whoever asks for the unfencing (actions.md O17, M4)", () => {
  const device = `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="d"><nvpair id="d1" name="provides" value="unfencing"/>
    </meta_attributes></primitive>`;
  const mover = primitive("a", '<meta_attributes id="m"><nvpair id="m1" name="allow-migrate" value="true"/></meta_attributes>');
  const made = (resources: string, on2: string): readonly string[] =>
    keys(
      graphOf({
        fencing: true,
        resources: device + resources,
        constraints: '<rsc_location id="l" rsc="a" node="n1" score="50"/>',
        nodes: [{ name: "n1" }, { name: "n2", histories: history("a", entry("a", "start")) + on2 }].map((node) => ({
          ...node,
          histories: `${node.histories ?? ""}${history("dev", entry("dev", "monitor", { rc: 7 }), 'class="stonith" type="fence_xvm"')}`,
        })),
      }),
    );
  assert.ok(made(mover, "").includes("a_migrate_to_0 n2"));
  const other = history("b", entry("b", "start"));
  for (const resources of [mover + primitive("b"), primitive("b") + mover]) {
    const keysMade = made(resources, other);
    assert.ok(keysMade.includes("stonith-n2-on n2"));
    assert.ok(keysMade.includes("a_start_0 n1"));
    assert.ok(!keysMade.includes("a_migrate_to_0 n2"));
  }
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

test("a guest is not unfenced while nobody can say that its host is gone (actions.md A21)", () => {
  const unfenced = (quorate: boolean): boolean =>
    keys(
      graphOf({
        fencing: true,
        quorate,
        resources: `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="d"><nvpair id="d1" name="provides" value="unfencing"/>
          </meta_attributes></primitive><bundle id="b"><podman image="i" replicas="1"/><network ip-range-start="192.168.122.131"/>
          ${primitive("a")}</bundle>`,
        nodes: [
          { name: "n1" },
          { name: "n2", lost: true, gone: true, histories: history("b-podman-0", entry("b-podman-0", "start"), PODMAN) },
        ],
        guests: { "b-0": "" },
      }),
    ).includes("stonith-b-0-on b-0");
  assert.equal(unfenced(true), true);
  assert.equal(unfenced(false), false);
});

test("recurring operations of a bundle's connection are compared with their definition, too (actions.md A11)", () => {
  const remote = DUMMY.replace("Dummy", "remote");
  const repeated = (digest: string): boolean =>
    keys(
      graphOf({
        // Without devices all is unmanaged, so that nothing else asks for the monitor.
        fencing: true,
        resources: `<bundle id="b"><docker image="i" replicas="1"/><network control-port="3121"/>${primitive("p")}</bundle>`,
        nodes: [
          {
            name: "node1",
            histories:
              history("b-0", entry("b-0", "monitor", { intervalMs: 30_000, digest: `op-digest="${digest}"` }), remote) +
              history("b-docker-0", entry("b-docker-0", "start"), 'class="ocf" provider="heartbeat" type="docker"'),
          },
        ],
      }),
    ).includes("b-0_monitor_30000 node1");
  assert.equal(repeated("6f3c7e233bacb8420fef5f9581190d00"), false);
  assert.equal(repeated(EMPTY), true);
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
