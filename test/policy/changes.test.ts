import assert from "node:assert/strict";
import { test } from "node:test";
import { DUMMY, entry, graphOf, history, keys, md5 } from "./small-cluster.ts";

/** Rules about single actions that the fuzzer found as differences from crm_simulate 2.1.5 (test/policy/fuzz). */

test("what is colocated with a bundle that cannot start, its addresses too, starts all the same (actions.md F12)", () => {
  const made = keys(
    graphOf({
      resources: `<primitive id="first" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes></primitive>
        <primitive id="beside" ${DUMMY}/><bundle id="b"><docker image="i" replicas="1"/><network ip-range-start="192.168.1.9"/></bundle>`,
      constraints: `<rsc_order id="c1" first="first" then="b"/><rsc_colocation id="c2" rsc="beside" with-rsc="b" score="INFINITY"/>`,
      nodes: [{ name: "n1" }],
    }),
  );
  assert.ok(made.includes("beside_start_0 n1"));
  assert.ok(made.includes("b-ip-192.168.1.9_start_0 n1"));
  assert.ok(!made.includes("b-docker-0_start_0 n1"));
});

test("a group that cannot start holds up nothing that is colocated with it, a cloned group and a primitive do (actions.md F12)", () => {
  const member = `<primitive id="member" ${DUMMY}/>`;
  const startsBeside = (waits: string, resource: string): boolean => {
    const graph = graphOf({
      resources: `<primitive id="first" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes></primitive>
        ${resource}<primitive id="beside" ${DUMMY}/>`,
      constraints: `<rsc_order id="c1" first="first" then="${waits}"/><rsc_colocation id="c2" rsc="beside" with-rsc="${waits}" score="INFINITY"/>`,
      nodes: [{ name: "n1" }],
    });
    assert.ok(!keys(graph).includes("member_start_0 n1"));
    return keys(graph).includes("beside_start_0 n1");
  };
  assert.equal(startsBeside("member", member), false);
  assert.equal(startsBeside("c", `<clone id="c"><group id="g">${member}</group></clone>`), false);
  assert.equal(startsBeside("g", `<group id="g">${member}</group>`), true);
});

test("a node that has not joined yet is unfenced for what it will be asked (status.md 22.3)", () => {
  const device = `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="m"><nvpair id="m1" name="provides" value="unfencing"/>
    </meta_attributes></primitive>`;
  const made = keys(graphOf({ fencing: true, resources: device, nodes: [{ name: "n1", join: "down" }] }));
  assert.deepEqual(made, ["stonith-n1-on n1"]);
});

test("a device with other parameters has its node unfenced only where fencing is switched on (actions.md A11)", () => {
  const device = `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="m"><nvpair id="m1" name="provides" value="unfencing"/>
    </meta_attributes></primitive>`;
  const changed = 'op-digest="0" op-force-restart=" ip " op-restart-digest="0"';
  const histories = history("dev", entry("dev", "start", { digest: changed }), 'class="stonith" type="fence_xvm"');
  for (const fencing of [true, false]) {
    const made = keys(graphOf({ fencing, resources: device, nodes: [{ name: "n1", histories }] }));
    assert.equal(made.includes("stonith-n1-on n1"), fencing);
    assert.ok(made.includes("dev_stop_0 n1"));
  }
});

test("nothing migrates from a node that is to be unfenced: it stops there first (actions.md O17)", () => {
  const device = `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="m"><nvpair id="m1" name="provides" value="unfencing"/>
    </meta_attributes></primitive>`;
  const moves = `<primitive id="a" ${DUMMY}><meta_attributes id="am"><nvpair id="am1" name="allow-migrate" value="true"/></meta_attributes></primitive>`;
  for (const unfenced of [true, false]) {
    const idle = history("dev", entry("dev", "monitor", { rc: 7 }), 'class="stonith" type="fence_xvm"');
    const made = keys(
      graphOf({
        fencing: true,
        resources: device + moves,
        constraints:
          '<rsc_location id="l" rsc="a" node="n2" score="INFINITY"/><rsc_location id="l2" rsc="dev" node="n2" score="INFINITY"/>',
        nodes: [
          {
            name: "n1",
            histories: idle + history("a", entry("a", "start")),
            attributes: unfenced
              ? { "#node-unfenced": "1699990000" }
              : { "#node-unfenced": "1699990000", "#digests-all": "dev:fence_xvm:0," },
          },
          { name: "n2", histories: idle },
        ],
      }),
    );
    assert.equal(made.includes("stonith-n1-on n1"), !unfenced);
    assert.equal(made.includes("a_migrate_to_0 n1"), unfenced);
  }
});

test("an instance of a clone reloads without waiting for probes elsewhere, a primitive waits (actions.md O5.1)", () => {
  const changed = 'op-digest="0" op-force-restart=" state " op-restart-digest="';
  const digest = (name: string): string => `${changed}${md5(` <parameters state="/run/${name}"/>\n`)}"`;
  const primitive = (id: string): string =>
    `<primitive id="${id}" ${DUMMY}><instance_attributes id="${id}-i"><nvpair id="${id}-1" name="state" value="/run/${id}"/></instance_attributes></primitive>`;
  const graph = graphOf({
    resources: `<clone id="c">${primitive("inst")}</clone>${primitive("alone")}`,
    nodes: [
      {
        name: "n1",
        histories: ["inst", "alone"].map((id) => history(id, entry(id, "start", { digest: digest(id) }))).join(""),
      },
      { name: "n2" },
    ],
  });
  const waitsForProbe = (id: string): boolean => {
    const reload = graph.actions.find(({ key }) => key.startsWith(`${id}_reload-agent`) || key.startsWith(`${id}:0_reload-agent`));
    assert.ok(reload !== undefined, id);
    return reload.inputs.some((input) => graph.actions.some(({ id: other, key }) => other === input && key.endsWith("_monitor_0")));
  };
  assert.equal(waitsForProbe("inst"), false);
  assert.equal(waitsForProbe("alone"), true);
});

test("instances are told of a stop that has to wait for its node (actions.md O7)", () => {
  const histories = history("inst", entry("inst", "start"));
  const made = keys(
    graphOf({
      fencing: true,
      resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="notify" value="true"/></meta_attributes><primitive id="inst" ${DUMMY}/></clone>`,
      nodes: [
        { name: "n1", join: "down", histories },
        { name: "n2", histories: histories + history("dev", entry("dev", "monitor", { rc: 7 }), 'class="stonith" type="fence_xvm"') },
      ],
    }),
  );
  const told = made.filter((key) => / n2$/.test(key) && key.includes("notify_stop")).map((key) => key.replace(/^inst:\d/, "inst"));
  assert.deepEqual(told.sort(), ["inst_post_notify_stop_0 n2", "inst_pre_notify_stop_0 n2"]);
  assert.ok(!made.some((key) => /_stop_0 n1$/.test(key) && !key.includes("notify")));
});

test("of another agent's history the recurring operations end with its restart (actions.md A10, A13)", () => {
  const former = DUMMY.replace("Dummy", "Former");
  const entries = entry("moved", "start") + entry("moved", "monitor", { intervalMs: 10_000 });
  const made = keys(
    graphOf({ resources: `<primitive id="moved" ${DUMMY}/>`, nodes: [{ name: "n1", histories: history("moved", entries, former) }] }),
  );
  assert.deepEqual([...made].sort(), ["moved_delete_0 n1", "moved_monitor_10000 n1", "moved_start_0 n1", "moved_stop_0 n1"]);
});

test("a stop comes before unfencing of its node also where the resource may not run (actions.md O17)", () => {
  const device = `<primitive id="dev" class="stonith" type="fence_xvm"><meta_attributes id="m"><nvpair id="m1" name="provides" value="unfencing"/>
    </meta_attributes></primitive>`;
  const graph = graphOf({
    fencing: true,
    symmetric: false,
    resources: `${device}<primitive id="out" ${DUMMY}/>`,
    nodes: [{ name: "n1", histories: history("out", entry("out", "start")) }],
  });
  const stop = graph.actions.find(({ key }) => key === "out_stop_0");
  const on = graph.actions.find(({ key }) => key === "stonith-n1-on");
  assert.ok(stop !== undefined && on !== undefined);
  assert.ok(on.inputs.includes(stop.id));
});

test("what follows a clone waits for the stop of an instance whose start is in flight (actions.md A17)", () => {
  const pending = entry("inst", "start", { rc: 193, status: -1 });
  for (const notify of [false, true]) {
    const meta = `<meta_attributes id="m"><nvpair id="m1" name="notify" value="${notify}"/></meta_attributes>`;
    const startOf = (inFlight: boolean, leaves = true): readonly string[] => {
      const graph = graphOf({
        resources: `<clone id="c">${meta}<primitive id="inst" ${DUMMY}/></clone><primitive id="after" ${DUMMY}/>`,
        constraints: `<rsc_order id="o" first="c" then="after"/>`,
        nodes: [
          { name: "n1", histories: history("inst", entry("inst", "start")) },
          { name: "n2", leaves, histories: history("inst", inFlight ? pending : entry("inst", "start")) },
        ],
      });
      const start = graph.actions.find(({ key }) => key === "after_start_0");
      assert.ok(start !== undefined);
      return start.inputs.map((input) => graph.actions[input - 1]?.key ?? "");
    };
    const point = notify ? "c_confirmed-post_notify_running_0" : "c_running_0";
    assert.ok(startOf(true).includes(point), point);
    assert.ok(!startOf(false).includes(point), point);
    assert.ok(!startOf(true, false).includes(point), point);
  }
});

test("of a cloned group an instance that goes nowhere waits with its stop for probes only if its start is in flight (actions.md O5.3)", () => {
  const stateful = DUMMY.replace("Dummy", "Stateful");
  for (const inFlight of [true, false]) {
    const graph = graphOf({
      resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>
        <group id="g"><primitive id="a" ${stateful}/></group></clone>`,
      nodes: [
        { name: "n1" },
        { name: "n2", attributes: { "master-a": "5" } },
        {
          name: "n3",
          leaves: true,
          histories: history("a", entry("a", "start", inFlight ? { rc: 193, status: -1 } : {}), stateful),
        },
      ],
    });
    const stop = graph.actions.find(({ key }) => key === "a_stop_0");
    assert.equal(stop?.node, "n3");
    const probes = stop.inputs.map((input) => keys(graph)[input - 1] ?? "").filter((key) => key.includes("_monitor_0"));
    assert.equal(probes.length, inFlight ? 2 : 0);
  }
});

test("what is active twice and moves is stopped and started, unless only the surplus stops: then it migrates (actions.md M1, A3)", () => {
  for (const multiple of ["stop_start", "stop_unexpected"]) {
    const meta = ["allow-migrate=true", `multiple-active=${multiple}`].map((pair, at) => {
      const [name, value] = pair.split("=");
      return `<nvpair id="m${at}" name="${name}" value="${value}"/>`;
    });
    const running = history("twice", entry("twice", "start"));
    const graph = graphOf({
      resources: `<primitive id="twice" ${DUMMY}><meta_attributes id="m">${meta.join("")}</meta_attributes></primitive>`,
      constraints: '<rsc_location id="l" rsc="twice" node="n2" score="INFINITY"/>',
      nodes: [
        { name: "n1", histories: running },
        { name: "n2", histories: running },
      ],
    });
    assert.equal(keys(graph).includes("twice_migrate_to_0 n1"), multiple === "stop_unexpected");
    assert.equal(keys(graph).includes("twice_stop_0 n2"), multiple === "stop_start");
  }
});

test("a bundle's connection runs where the guest does that its container is on (assignment.md 8.9)", () => {
  const graph = graphOf({
    resources: `<primitive id="vm" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="remote-node" value="guest"/></meta_attributes></primitive>
      <bundle id="b"><docker image="i" replicas="1"/><network ip-range-start="192.168.1.9"/><primitive id="in" ${DUMMY}/></bundle>`,
    constraints: `<rsc_location id="l1" rsc="vm" node="n2" score="100"/><rsc_location id="l2" rsc="b" node="guest" score="INFINITY"/>`,
    nodes: [{ name: "n1" }, { name: "n2" }],
  });
  assert.ok(keys(graph).includes("b-docker-0_start_0 guest"));
  assert.ok(keys(graph).includes("b-0_start_0 n2"));
});

test("fail counts of a connection wait for the fencing of its node only if it waits with reconnecting (status.md 19.7)", () => {
  const changed = entry("far", "start", { rc: 1, digest: 'op-digest="0"' }).replace("far_last_0", "far_last_failure_0");
  const clearWaits = (interval: string): boolean => {
    const graph = graphOf({
      fencing: true,
      resources: `<primitive id="dev" class="stonith" type="fence_xvm"/><primitive id="far" class="ocf" provider="pacemaker" type="remote">
        <instance_attributes id="i"><nvpair id="i1" name="reconnect_interval" value="${interval}"/></instance_attributes></primitive>`,
      nodes: [{ name: "n1", histories: history("far", changed, 'class="ocf" provider="pacemaker" type="remote"') }],
    });
    const clear = graph.actions.find(({ key }) => key === "far_clear_failcount_0");
    assert.ok(clear !== undefined);
    return clear.inputs.some((input) => graph.actions[input - 1]?.key.startsWith("stonith-far") === true);
  };
  assert.equal(clearWaits("60s"), true);
  assert.equal(clearWaits("0"), false);
});

const MONITORED = `<operations><op id="o9" name="monitor" interval="10s" timeout="20s"/></operations>`;
/** Digest of no parameters but a timeout of 20 s. */
const MONITOR = { intervalMs: 10_000, digest: 'op-digest="4811cef7f7f94e3a35a70be7916cb2fd"' };

test("a monitor whose failure expired is scheduled anew, unless it is known to have run since the start (status.md 19.5)", () => {
  const failed = entry("a", "monitor", { ...MONITOR, rc: 7 })
    .replace(' id="a_monitor_10000"', ' id="a_last_failure_0"')
    .replaceAll("5:3:7:", "5:3:0:")
    .replace('call-id="10003"', 'call-id="10004"')
    .replace("op-status", 'last-rc-change="1699990000" op-status');
  const started = entry("a", "start");
  const made = (entries: string): readonly string[] =>
    keys(
      graphOf({
        resources: `<primitive id="a" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="failure-timeout" value="60"/></meta_attributes>${MONITORED}</primitive>`,
        nodes: [{ name: "n1", histories: history("a", entries) }],
      }),
    );
  assert.deepEqual(made(started + failed), ["a_monitor_10000 n1"]);
  assert.deepEqual(made(started + entry("a", "monitor", MONITOR) + failed), []);
});

test("what is unmanaged loses its place, too, where it has no partner to follow: its monitors are not cancelled (actions.md U10, A8)", () => {
  const made = (interleave: boolean): readonly string[] =>
    keys(
      graphOf({
        resources: `<clone id="first"><primitive id="f" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes></primitive></clone>
        <clone id="then"><meta_attributes id="i"><nvpair id="i1" name="interleave" value="${interleave}"/></meta_attributes>
        <primitive id="a" ${DUMMY}><meta_attributes id="n"><nvpair id="n1" name="maintenance" value="true"/></meta_attributes>${MONITORED}</primitive></clone>`,
        constraints: `<rsc_order id="c1" first="first" then="then"/>`,
        nodes: [{ name: "n1", histories: history("a", entry("a", "start") + entry("a", "monitor", MONITOR)) }],
      }),
    ).filter((key) => key.startsWith("a_"));
  assert.deepEqual(made(false), ["a_monitor_10000 n1"]);
  assert.deepEqual(made(true), []);
});

test("nothing is cancelled behind a connection that goes down (actions.md O12)", () => {
  const made = (banned: boolean): readonly string[] =>
    keys(
      graphOf({
        resources: `<primitive id="r" class="ocf" provider="pacemaker" type="remote"/>
        <primitive id="a" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="maintenance" value="true"/></meta_attributes>${MONITORED}</primitive>`,
        constraints: banned ? `<rsc_location id="c1" rsc="r" node="n1" score="-INFINITY"/>` : "",
        nodes: [
          {
            name: "n1",
            histories:
              history("r", entry("r", "start"), 'class="ocf" provider="pacemaker" type="remote"') +
              history("a", entry("a", "monitor", { rc: 7 })),
          },
          { name: "r", remote: true, histories: history("a", entry("a", "start") + entry("a", "monitor", MONITOR)) },
        ],
      }),
    ).filter((key) => key.startsWith("a_"));
  assert.deepEqual(made(false), ["a_monitor_10000 r"]);
  assert.deepEqual(made(true), []);
});

test("an instance that lacks the quorum to start is told of the others' starts (actions.md O7)", () => {
  const made = keys(
    graphOf({
      quorate: false,
      resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="notify" value="true"/></meta_attributes>
        <primitive id="a" ${DUMMY}/></clone><primitive id="before" ${DUMMY}/>`,
      constraints: `<rsc_order id="c1" first="before" then="c"/>`,
      nodes: [
        {
          name: "n1",
          histories: history("a", entry("a", "start")) + history("before", entry("before", "start", { digest: 'op-digest="0"' })),
        },
        {
          name: "n2",
          histories: history("a", entry("a", "monitor", { rc: 7 })) + history("before", entry("before", "monitor", { rc: 7 })),
        },
      ],
    }),
  );
  assert.ok(
    made.some((key) => key.startsWith("a_pre_notify_start_0") && key.endsWith("n2")),
    made.join(", "),
  );
});

test("instances that are to restart for themselves are not told of a stop that fencing does (actions.md O7)", () => {
  const made = keys(
    graphOf({
      fencing: true,
      resources: `<primitive id="f" class="stonith" type="fence_xvm"/><clone id="c"><meta_attributes id="m"><nvpair id="m1" name="notify" value="true"/>
        <nvpair id="m2" name="promotable" value="true"/></meta_attributes><primitive id="a" ${DUMMY}/></clone>`,
      nodes: [
        { name: "n1", histories: history("a", entry("a", "start", { digest: 'op-digest="0"' })) },
        { name: "n2", histories: history("a", entry("a", "start")) },
        { name: "n3", lost: true, histories: history("a", entry("a", "start")) },
      ],
    }),
  );
  const told = (node: string): boolean =>
    made.some((key) => key.includes("post_notify_stop") && key.startsWith("a_") && key.endsWith(node));
  assert.ok(told("n2"), made.join(", "));
  assert.ok(!told("n1"), made.join(", "));
});
