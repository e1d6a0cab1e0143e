import assert from "node:assert/strict";
import { test } from "node:test";
import { DUMMY, EMPTY, entry, graphOf, history, keys, PODMAN, primitive, REMOTE, STATEFUL } from "./small-cluster.ts";

/** Rules about which actions there are that small clusters showed crm_simulate to follow. */

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

test("what is unmanaged and active twice is not watched for being stopped where it is active (actions.md R6)", () => {
  const watched = (...active: readonly string[]): (string | null)[] => {
    const graph = graphOf({
      resources: `<primitive id="a" ${DUMMY}><meta_attributes id="m"><nvpair id="m1" name="is-managed" value="false"/></meta_attributes>
        <operations><op id="p" name="monitor" interval="45s" role="Stopped"/></operations></primitive>`,
      nodes: ["n1", "n2", "n3"].map((name) => ({ name, histories: active.includes(name) ? history("a", entry("a", "start")) : "" })),
    });
    return graph.actions.filter(({ key }) => key === "a_monitor_45000").map(({ node }) => node);
  };
  assert.deepEqual(watched("n1").sort(), ["n2", "n3"]);
  assert.deepEqual(watched("n1", "n2"), ["n3"]);
});

function meta(id: string, values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) => `<nvpair id="${id}-${name}" name="${name}" value="${value}"/>`);
  return `<meta_attributes id="${id}-m">${pairs.join("")}</meta_attributes>`;
}

type Graph = ReturnType<typeof graphOf>;

/** Whether one action waits for another, directly. */
function waits(graph: Graph, then: string, first: string): boolean {
  const find = (name: string): Graph["actions"][number] | undefined =>
    graph.actions.find((action) => `${action.key} ${action.node ?? "-"}` === name);
  const before = find(first);
  assert.ok(before !== undefined && find(then) !== undefined, keys(graph).join("\n"));
  return find(then)?.inputs.includes(before.id) === true;
}

const MONITOR = '<operations><op id="o1" name="monitor" interval="60s" timeout="20s"/></operations>';
/** The digest of a recurring operation with that timeout and no parameters. */
const TIMED = "4811cef7f7f94e3a35a70be7916cb2fd";

test("where only the surplus of what is unmanaged should stop, its monitor begins anew (actions.md A3, A7)", () => {
  const monitored = (multipleActive: string, managed: boolean): boolean =>
    keys(
      graphOf({
        resources: primitive("a", meta("a", { "multiple-active": multipleActive, "is-managed": `${managed}` }) + MONITOR),
        nodes: ["n1", "n2"].map((name) => ({
          name,
          histories: history(
            "a",
            entry("a", "start") + (name === "n1" ? entry("a", "monitor", { intervalMs: 60_000, digest: `op-digest="${TIMED}"` }) : ""),
          ),
        })),
      }),
    ).includes("a_monitor_60000 n1");
  assert.equal(monitored("stop_unexpected", false), true);
  assert.equal(monitored("stop_start", false), false);
  assert.equal(monitored("stop_unexpected", true), true);
});

test("what another agent runs is to start again wherever it may, so probes come before its stop (actions.md A10, O5.3)", () => {
  const probed = (agent: string): boolean =>
    waits(
      graphOf({
        resources: `<clone id="c">${meta("c", { "target-role": "Stopped" })}<group id="g">${primitive("p")}${primitive("q")}</group></clone>`,
        nodes: [
          { name: "n1", histories: history("q", entry("q", "start"), DUMMY.replace("Dummy", agent)) },
          { name: "n2", histories: history("p", entry("p", "start")) },
        ],
      }),
      "q_stop_0 n1",
      "q_monitor_0 n2",
    );
  assert.equal(probed("Dummy"), false);
  assert.equal(probed("Former"), true);
});

test("nothing is done on a guest whose host is down and could not be fenced (actions.md A6.4)", () => {
  const cancelled = (device: string): boolean =>
    keys(
      graphOf({
        fencing: true,
        resources: `${device}${primitive("vm", meta("vm", { "remote-node": "g", "is-managed": "false" }))}${primitive("a", meta("a", { "is-managed": "false" }))}`,
        nodes: [
          {
            name: "n1",
            lost: true,
            join: "down",
            gone: true,
            histories:
              history("vm", entry("vm", "start")) + history("g", entry("g", "start"), 'class="ocf" provider="pacemaker" type="remote"'),
          },
          { name: "n2" },
        ],
        guests: { g: history("a", entry("a", "start") + entry("a", "monitor", { intervalMs: 10_000 })) },
      }),
    ).includes("a_monitor_10000 g");
  assert.equal(cancelled('<primitive id="f" class="stonith" type="fence_xvm"/>'), true);
  assert.equal(cancelled(""), false);
});

test("an instance that stops somewhere is not told of the stops where it stays (actions.md O7)", () => {
  const told = keys(
    graphOf({
      resources: `<clone id="c">${meta("c", { "globally-unique": "true", notify: "true", "multiple-active": "stop_unexpected", "clone-max": "2" })}
        ${primitive("p")}</clone>`,
      nodes: [["p:0"], ["p:0"], ["p:1"]].map((ids, at) => ({
        name: `n${at + 1}`,
        histories: ids.map((id) => history(id, entry(id, "start"))).join(""),
      })),
    }),
  ).filter((key) => key.startsWith("p:") && key.includes("_stop"));
  const stops = told.filter((key) => key.startsWith("p:0_stop_0"));
  assert.equal(stops.length, 1, told.join("\n"));
  assert.deepEqual(told.filter((key) => key.includes("pre_notify")).sort(), [
    "p:0_pre_notify_stop_0 n1",
    "p:0_pre_notify_stop_0 n2",
    "p:1_pre_notify_stop_0 n3",
  ]);
  assert.deepEqual(
    told.filter((key) => key.includes("post_notify")),
    ["p:1_post_notify_stop_0 n3"],
  );
});

test("what is unmanaged loses its place for want of a partner beside it, and with it what is cancelled (assignment.md 8.22.3, actions.md A8)", () => {
  const cancelled = (constraint: string): boolean => {
    const meta = (id: string, name: string, value: string): string =>
      `<meta_attributes id="${id}"><nvpair id="${id}1" name="${name}" value="${value}"/></meta_attributes>`;
    const graph = graphOf({
      resources: `<clone id="c">${meta("m", "target-role", "Stopped")}${primitive("p")}</clone>
        <clone id="d">${meta("i", "interleave", "true")}${primitive("q", meta("u", "is-managed", "false"))}</clone>`,
      constraints: constraint,
      nodes: [{ name: "n1", histories: history("q", entry("q", "monitor", { intervalMs: 30_000 })) }],
    });
    assert.ok(!keys(graph).some((key) => key.startsWith("q_stop")));
    return graph.actions.some(({ kind, key }) => kind === "resource" && key === "q_monitor_30000");
  };
  assert.equal(cancelled(""), true);
  assert.equal(cancelled('<rsc_colocation id="k" rsc="d" with-rsc="c" score="INFINITY"/>'), false);
});

test("a failed connection has its node fenced wherever it goes, also without startup-fencing (status.md 16.7, 16.9)", () => {
  const failed = entry("far", "monitor", { intervalMs: 60_000, rc: 1, digest: "" }).replaceAll("5:3:1:", "5:3:0:");
  const fences = (entries: string): readonly string[] =>
    keys(
      graphOf({
        fencing: true,
        startupFencing: false,
        resources: `<primitive id="f" class="stonith" type="fence_xvm"/><primitive id="far" ${REMOTE}/>`,
        nodes: [{ name: "n1" }, { name: "n2", histories: history("far", entries, REMOTE) }],
      }),
    ).filter((key) => key.startsWith("stonith"));
  assert.deepEqual(fences(entry("far", "start") + failed), ["stonith-far-reboot far"]);
  assert.deepEqual(fences(entry("far", "start")), []);
});
