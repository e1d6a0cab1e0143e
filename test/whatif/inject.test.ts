import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, describe, test } from "node:test";
import { runSimulate } from "../../src/app/cli/simulate.ts";
import { upgradeCib } from "../../src/core/policy/index.ts";
import { settle } from "../../src/core/whatif/index.ts";
import { formatXml, parseXml } from "../../src/io/xml/index.ts";

const directory = mkdtempSync(join(tmpdir(), "quorate-inject-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const NOW_SEC = 1_700_000_000;
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

const state = (id: number, more = ""): string =>
  `<node_state id="${id}" uname="n${id}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="${id}"><lrm_resources/></lrm>${more}</node_state>`;
const capacity = (id: number): string =>
  `<node id="${id}" uname="n${id}"><utilization id="u${id}"><nvpair id="u${id}m" name="mem" value="10"/></utilization></node>`;

/** Three nodes, fencing, a ticket that nobody granted, room for `A` everywhere, and a rule that prefers n3 from 2030 on. */
const FRESH = `<cib have-quorum="1" dc-uuid="1" execution-date="${NOW_SEC}"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="true"/><nvpair id="o2" name="no-quorum-policy" value="stop"/>
<nvpair id="o3" name="placement-strategy" value="utilization"/><nvpair id="o4" name="stonith-watchdog-timeout" value="10"/></cluster_property_set></crm_config>
<nodes>${capacity(1)}${capacity(2)}${capacity(3)}</nodes>
<resources><primitive id="F" class="stonith" type="fence_xvm"/>
<primitive id="A" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="Am"><nvpair id="Am1" name="migration-threshold" value="2"/><nvpair id="Am2" name="resource-stickiness" value="1"/></meta_attributes>
<utilization id="Au"><nvpair id="Aum" name="mem" value="4"/></utilization><operations><op id="Ao" name="monitor" interval="10s"/></operations></primitive>
<primitive id="B" class="ocf" provider="pacemaker" type="Dummy"/></resources>
<constraints><rsc_ticket id="t" ticket="site" rsc="B" loss-policy="stop"/>
<rsc_location id="d" rsc="A"><rule id="dr" score="100" boolean-op="and"><date_expression id="de" operation="gt" start="2030-01-01"/><expression id="dn" attribute="#uname" operation="eq" value="n3"/></rule></rsc_location></constraints>
</configuration><status>${state(1)}${state(2)}${state(3)}</status></cib>`;

/** The same after everything has started: `F` on n1, `A` on n2. */
const RUNNING = formatXml(settle(upgradeCib(parseXml(FRESH)), NOW_SEC * 1000, md5).cib);
/** And with the ticket granted, `B` on n3. */
const GRANTED = formatXml(
  settle(
    upgradeCib(parseXml(FRESH.replace("<status>", '<status><tickets><ticket_state id="site" granted="true" standby="false"/></tickets>'))),
    NOW_SEC * 1000,
    md5,
  ).cib,
);

type Outcome = {
  readonly final: {
    readonly nodes: Record<string, { readonly state: string }>;
    readonly resources: Record<string, readonly { readonly node: string; readonly flags: readonly string[] }[]>;
  };
  readonly actions: readonly { readonly kind: string; readonly task: string; readonly rsc?: string; readonly node?: string }[];
};

async function run(
  xml: string,
  args: readonly string[],
  format = "json",
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const path = join(directory, `${md5(xml)}.xml`);
  writeFileSync(path, xml);
  let out = "";
  let err = "";
  const io = {
    stdin: Readable.from([""]),
    write: (text: string): void => {
      out += text;
    },
    error: (text: string): void => {
      err += text;
    },
  };
  const code = await runSimulate(["--xml-file", path, "--format", format, ...args], io);
  return { code, out, err };
}

const where = (outcome: Outcome, resource: string): string[] => (outcome.final.resources[resource] ?? []).map((each) => each.node);
const did = (outcome: Outcome, words: string): boolean =>
  outcome.actions.some(
    (action) => [action.kind === "fence" ? "fence" : action.task, action.rsc, action.node].filter(Boolean).join(" ") === words,
  );

/** What each event comes to; those that Debian's `crm_simulate` 2.1.5 knows end the same way there. */
const EVENTS: readonly {
  readonly name: string;
  readonly xml?: string;
  readonly args: readonly string[];
  readonly check: (outcome: Outcome) => void;
}[] = [
  {
    name: "nothing supposed: nothing to do",
    args: [],
    check: (it) => assert.deepEqual([it.actions, where(it, "F"), where(it, "A")], [[], ["n1"], ["n2"]]),
  },
  {
    name: "a node that is up already stays as it is",
    args: ["--node-up", "n2"],
    check: (it) => assert.deepEqual([it.actions, where(it, "A")], [[], ["n2"]]),
  },
  {
    name: "a node goes down in good order: what it ran is free to start elsewhere, nobody is fenced",
    args: ["--node-down", "n1"],
    check: (it) => {
      assert.equal(it.final.nodes["n1"]?.state, "offline");
      assert.ok(!it.actions.some((action) => action.kind === "fence"));
      assert.ok(where(it, "F").every((node) => node !== "n1") && where(it, "F").length === 1);
      assert.deepEqual(where(it, "A"), ["n2"]);
    },
  },
  {
    name: "a node fails: it is fenced, then recovered from",
    args: ["--node-fail", "n2"],
    check: (it) => {
      assert.ok(did(it, "fence n2"));
      assert.equal(it.final.nodes["n2"]?.state, "offline");
      assert.ok(where(it, "A").length === 1 && where(it, "A")[0] !== "n2");
    },
  },
  {
    name: "a node that went down comes up again: it is probed",
    args: ["--node-down", "n1", "--node-up", "n1"],
    check: (it) => {
      assert.equal(it.final.nodes["n1"]?.state, "online");
      assert.ok(did(it, "monitor A n1"));
    },
  },
  {
    name: "quorum is lost: everything stops",
    args: ["--quorum", "false"],
    check: (it) => assert.deepEqual([where(it, "F"), where(it, "A")], [[], []]),
  },
  { name: "quorum is there", args: ["--quorum=true"], check: (it) => assert.deepEqual(where(it, "A"), ["n2"]) },
  {
    name: "a watchdog is there: it stands in for the device that a node needs",
    xml: RUNNING.replace(/<primitive id="F".*?\/>/, ""),
    args: ["--watchdog", "true", "--node-fail", "n2"],
    check: (it) => {
      assert.ok(did(it, "fence n2"));
      assert.ok(where(it, "A").length === 1 && where(it, "A")[0] !== "n2");
    },
  },
  { name: "a ticket is granted", args: ["--ticket-grant", "site"], check: (it) => assert.equal(where(it, "B").length, 1) },
  { name: "a ticket is revoked", xml: GRANTED, args: ["--ticket-revoke", "site"], check: (it) => assert.deepEqual(where(it, "B"), []) },
  {
    name: "a ticket goes to standby",
    xml: GRANTED,
    args: ["--ticket-standby", "site"],
    check: (it) => assert.deepEqual(where(it, "B"), []),
  },
  {
    name: "a ticket in standby is activated",
    xml: GRANTED.replace('standby="false"', 'standby="true"'),
    args: ["--ticket-activate", "site"],
    check: (it) => assert.equal(where(it, "B").length, 1),
  },
  {
    name: "a recurring monitor finds it stopped: recovered where it was",
    args: ["--op-inject", "A_monitor_10000@n2=7"],
    check: (it) => {
      assert.ok(did(it, "stop A n2") && did(it, "start A n2"));
      assert.deepEqual(where(it, "A"), ["n2"]);
    },
  },
  {
    name: "the stop of this transition fails: the node is fenced next",
    args: ["--op-inject", "A_monitor_10000@n2=1", "--op-fail", "A_stop_0@n2=1"],
    check: (it) => assert.ok((it.final.resources["A"] ?? []).some((each) => each.node === "n2" && each.flags.includes("failed"))),
  },
  {
    name: "the fail count reaches migration-threshold",
    args: ["--fail-count", "A@n2=2"],
    check: (it) => assert.ok(where(it, "A").length === 1 && where(it, "A")[0] !== "n2"),
  },
  {
    name: "a fail count below it changes nothing",
    args: ["--fail-count", "A@n2=1"],
    check: (it) => assert.deepEqual(where(it, "A"), ["n2"]),
  },
  {
    name: "a node offers less than is needed",
    args: ["--utilization", "n2:mem=3"],
    check: (it) => assert.ok(where(it, "A").length === 1 && where(it, "A")[0] !== "n2"),
  },
  {
    name: "a resource needs more than any node has",
    args: ["--utilization", "A:mem=11"],
    check: (it) => assert.deepEqual(where(it, "A"), []),
  },
  {
    name: "another date: the rule applies",
    args: ["--now", "2031-01-01T00:00:00Z"],
    check: (it) => assert.deepEqual(where(it, "A"), ["n3"]),
  },
];

describe("supposed events, through the command", () => {
  for (const { name, xml = RUNNING, args, check } of EVENTS) {
    test(name, async () => {
      const { code, out, err } = await run(xml, args);
      assert.equal(code, 0, err);
      check(JSON.parse(out) as Outcome);
    });
  }

  test("the report shows the state before them, then them, then what follows", async () => {
    const { out } = await run(RUNNING, ["--node-fail", "n2", "--ticket-grant", "site"], "text");
    assert.match(out, /^Current cluster status:\n {2}\* Node List:\n {4}\* Online: \[ n1 n2 n3 \]/);
    assert.match(out, /\nPerforming Requested Modifications:\n {2}\* Failing node n2\n {2}\* Granting ticket site\n/);
    assert.match(out, /\nTransition Summary:\n {2}\* Fence \(reboot\) n2 'peer is no longer part of the cluster'\n/);
    assert.match(out, /\n {2}\* Move {7}A {7}\( n2 -> n1 \)\n {2}\* Move {7}F {7}\( n1 -> n3 \)\n {2}\* Start {6}B {7}\( {7}n1 \)\n/);
    assert.match(out, /Revised Cluster Status:\n {2}\* Node List:\n {4}\* Online: \[ n1 n3 \]\n {4}\* OFFLINE: \[ n2 \]/);
  });

  for (const [args, message] of [
    [["--node-up", "n9"], /n9/],
    [["--op-inject", "X_monitor_0@n1=0"], /resource X does not exist/],
    [["--op-inject", "nonsense"], /RSC_TASK_INTERVAL@NODE=RC/],
    [["--fail-count", "A@n9=1"], /node n9 does not exist/],
    [["--utilization", "nobody:mem=1"], /nobody does not exist/],
    [["--quorum", "perhaps"], /true or false/],
    [["--now", "yesterday"], /not a time/],
  ] as const) {
    test(`refused: ${args.join(" ")}`, async () => {
      const { code, err } = await run(RUNNING, args);
      assert.equal(code, 1);
      assert.match(err, message);
    });
  }
});
