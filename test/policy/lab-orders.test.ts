import assert from "node:assert/strict";
import { test } from "node:test";
import { BUNDLE, DUMMY, entry, graphOf, history, keys, PODMAN, primitive, REMOTE, replica, STATEFUL } from "./small-cluster.ts";

/** Rules about what waits for what, and what it holds up, that small clusters showed crm_simulate to follow. */

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

test("what a guest is launched by does not wait for a probe on that guest before it restarts (actions.md O5.2)", () => {
  const graph = graphOf({
    resources: `<primitive id="v" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="remote-node" value="guest"/></meta_attributes></primitive>
      ${primitive("a")}`,
    constraints: '<rsc_order id="o" first="v" then="a"/>',
    nodes: ["n1", "n2"].map((name) => ({ name, histories: history("v", entry("v", "start")) })),
    guests: { guest: "" },
  });
  const probedBefore = (key: string): (string | null)[] => {
    const inputs = graph.actions.filter((action) => action.key === key).flatMap((action) => action.inputs);
    return graph.actions.filter(({ id, key: own }) => own === "a_monitor_0" && inputs.includes(id)).map(({ node }) => node);
  };
  assert.deepEqual([...new Set(probedBefore("v_stop_0"))].sort(), ["n1", "n2"]);
  assert.deepEqual(probedBefore("a_start_0").sort(), ["guest", "n1", "n2"]);
});

test("what goes nowhere waits with its stop for probes of what it follows if its start is in flight (actions.md A9, O5.3)", () => {
  const waits = (pending: boolean): boolean => {
    const graph = graphOf({
      resources: `${primitive("a")}<primitive id="b" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes></primitive>`,
      constraints: '<rsc_order id="o" first="a" then="b"/>',
      nodes: [{ name: "n1" }, { name: "n2", histories: history("b", entry("b", "start", pending ? { rc: 193, status: -1 } : {})) }],
    });
    const stop = graph.actions.find(({ key, node }) => key === "b_stop_0" && node === "n2");
    assert.ok(stop !== undefined);
    return graph.actions.some(({ id, key }) => key === "a_monitor_0" && stop.inputs.includes(id));
  };
  assert.equal(waits(true), true);
  assert.equal(waits(false), false);
});

test("an instance whose members are apart follows the partner on its best node (actions.md U10)", () => {
  const starts = (node: string): readonly string[] => {
    const nvpairs = (id: string, ...pairs: readonly string[]): string =>
      `<meta_attributes id="m${id}">${pairs.map((pair, at) => `<nvpair id="m${id}${at}" name="${pair}" value="true"/>`).join("")}</meta_attributes>`;
    const graph = graphOf({
      // Nothing of `c` is ever promoted, so what follows its instance cannot start.
      resources: `<clone id="c">${nvpairs("c", "promotable")}<primitive id="p" ${STATEFUL}/></clone>
        ${primitive("v1", '<meta_attributes id="g1"><nvpair id="g11" name="remote-node" value="guest1"/></meta_attributes>')}
        ${primitive("v2", '<meta_attributes id="g2"><nvpair id="g21" name="remote-node" value="guest2"/></meta_attributes>')}
        <clone id="d">${nvpairs("d", "interleave", "globally-unique")}<group id="g">${primitive("a")}${primitive("b")}</group></clone>`,
      constraints: `<rsc_location id="l" rsc="c" node="${node}" score="1000"/>${["n1", "n2", "guest1", "guest2"]
        .filter((other) => other !== node)
        .map((other) => `<rsc_location id="l-${other}" rsc="c" node="${other}" score="-INFINITY"/>`)
        .join("")}<rsc_order id="o" first="c" then="d" first-action="promote" then-action="start" symmetrical="false"/>`,
      nodes: [{ name: "n1", histories: history("a:0", entry("a:0", "monitor", { intervalMs: 10_000 })) }, { name: "n2" }],
    });
    return keys(graph).filter((key) => /^[ab]:\d_start/.test(key));
  };
  // The members of the second instance are on one guest node each.
  assert.deepEqual(starts("n1"), ["a:2_start_0 guest2", "b:2_start_0 guest2", "a:3_start_0 n2", "b:3_start_0 n2"]);
  assert.deepEqual(starts("n2"), ["b:0_start_0 n1", "a:2_start_0 guest2", "b:2_start_0 guest2"]);
});

test("where a cloned group's start is needed for its partner's alone, its clone's points are needed with it (actions.md F10, U10)", () => {
  const meta = (id: string, values: Readonly<Record<string, string>>): string =>
    `<meta_attributes id="${id}">${Object.entries(values)
      .map(([name, value]) => `<nvpair id="${id}-${name}" name="${name}" value="${value}"/>`)
      .join("")}</meta_attributes>`;
  const running = history("q", entry("q", "start"), STATEFUL);
  const graph = graphOf({
    resources: `<clone id="c">${primitive("p")}</clone><clone id="d">${meta("m", { promotable: "true", interleave: "true", "clone-max": "2" })}
      <group id="g"><primitive id="q" ${STATEFUL}/></group></clone>`,
    constraints: '<rsc_order id="o" first="c" then="d" kind="Mandatory"/>',
    nodes: [
      { name: "n1", histories: history("p", entry("p", "start")) + running },
      { name: "n2", histories: history("p", entry("p", "start")) + running, attributes: { "master-q": "5" } },
      { name: "n3", histories: running },
    ],
  });
  const made = keys(graph);
  for (const key of ["q_promote_0 n2", "q_stop_0 n3", "p_start_0 n3", "g:2_start_0 -", "d_start_0 -", "d_running_0 -"]) {
    assert.ok(made.includes(key), key);
  }
  const point = graph.actions.find(({ key }) => key === "d_running_0")?.id;
  assert.ok(graph.actions.some(({ key, inputs }) => key === "d_promote_0" && inputs.includes(point ?? -1)));
});

test("what is inside a bundle waits, to stop, for the container that is to come up, not for one that failed (actions.md O5.5)", () => {
  const waits = (failed: boolean): boolean => {
    const inside = history("in:1", entry("in:1", "start"));
    const graph = graphOf({
      fencing: true,
      resources: `<primitive id="f" class="stonith" type="fence_xvm"/><bundle id="b"><podman image="i" replicas="2" replicas-per-host="2"/>
        <network ip-range-start="192.168.9.1"/>${primitive("in")}</bundle>`,
      // Its first container restarts for changed parameters.
      nodes: [
        {
          name: "n1",
          histories: history("b-podman-0", entry("b-podman-0", "start"), PODMAN) + history("b-0", entry("b-0", "start"), REMOTE),
        },
        { name: "n2" },
      ],
      // Recorded as active behind a container that is down: that one failed.
      guests: { "b-0": history("in:0", entry("in:0", "start")), "b-1": failed ? inside : "" },
    });
    const probe = graph.actions.find(({ key, node }) => key === "b-podman-1_monitor_0" && node === "n2")?.id;
    const stop = graph.actions.find(({ key, node }) => key.endsWith("_stop_0") && node === "b-0");
    assert.ok(probe !== undefined && stop !== undefined, keys(graph).join("\n"));
    return stop.inputs.includes(probe);
  };
  assert.equal(waits(true), false);
  assert.equal(waits(false), true);
});
