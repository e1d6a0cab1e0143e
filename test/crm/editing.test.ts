import assert from "node:assert/strict";
import { test } from "node:test";
import { type AgentCatalog, configurationIn, EditSession, initialConfiguration, verifyConfiguration } from "../../src/core/crm/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";
import { defineAll, sessionOf, threeNodes, xmlOf } from "./support.ts";

function shown(session: EditSession): string[] {
  const lines = session.show([], { wrap: false, obscure: [] }).trim().split("\n");
  return lines.filter((line) => !/^(node \d|property cib-bootstrap)/.test(line)).sort();
}

function fresh(...lines: readonly string[]): EditSession {
  return defineAll(lines, sessionOf(threeNodes()));
}

const THREE = ["primitive a Dummy", "primitive b Dummy", "primitive c Dummy"];

test("delete: the last member takes its containers along", () => {
  const session = fresh("primitive a Dummy", "group g a", "clone k g", "location l k 100: node1");
  session.remove(["a"], false);
  assert.deepEqual(shown(session), []);
});

test("delete: a tag goes from other tags, and the constraints that name it stay", () => {
  const session = fresh(...THREE, "tag t a b", "tag u: c t", "location l t 100: node1");
  session.remove(["t"], false);
  assert.deepEqual(shown(session), ["location l t 100: node1", ...THREE, "tag u c"]);
});

test("delete: a container alone frees what it held, and constraints name the first of these", () => {
  const session = fresh(...THREE, "group g a b", "colocation x inf: g c");
  session.remove(["g"], false);
  assert.deepEqual(shown(session), ["colocation x inf: a c", ...THREE]);
});

test("delete: plain constraints name what a container held, sets lose the container, as in crmsh", () => {
  const session = fresh(
    ...THREE,
    "clone k a",
    "order o1 ( k b ) c",
    "order o2 k b",
    "colocation x1 inf: ( k b ) c",
    "colocation x2 inf: [ k b ] c",
    "location l1 { k b } inf: node1",
    "location l2 k inf: node1",
    "rsc_ticket t T: k b",
    "tag g: k b",
  );
  session.remove(["k"], false);
  assert.deepEqual(
    shown(session).filter((line) => !line.startsWith("primitive")),
    [
      "colocation x1 inf: b c",
      "colocation x2 inf: _rsc_set_ [ b ] c",
      "location l1 { b } inf: node1",
      "location l2 a inf: node1",
      "order o1 b c",
      "order o2 a b",
      "rsc_ticket t T: _rsc_set_ b",
      "tag g b",
    ],
  );
});

test("node NAME: is a name when only attributes follow, an id when a name does", () => {
  const session = fresh();
  session.define("node", "node node2: utilization memory=5");
  session.define("node", "node 9: node9 attributes x=y");
  const nodes = session.show(["type:node"], { wrap: false, obscure: [] }).trim().split("\n");
  assert.deepEqual(nodes, ["node 1: node1", "node 2: node2 utilization memory=5", "node 3: node3", "node 9: node9 attributes x=y"]);
});

test("delete: a set of two becomes a plain pair; inside a colocation set the later goes to the earlier", () => {
  const session = fresh(...THREE, "colocation x inf: a b c", "order o a b c");
  session.remove(["c"], false);
  assert.deepEqual(shown(session), ["colocation x inf: b a", "order o a b", "primitive a Dummy", "primitive b Dummy"]);
});

test("delete: an unknown id refuses the whole line and proposes the nearest", () => {
  const session = fresh("primitive webserver Dummy");
  assert.throws(() => session.remove(["webserver", "webservr"], false), /did you mean 'webserver'/);
  assert.deepEqual(shown(session), ["primitive webserver Dummy"]);
});

test("delete: a running resource needs force", () => {
  const session = new EditSession({ configuration: fresh("primitive a Dummy").configuration, parseXml, isRunning: () => true });
  assert.throws(() => session.remove(["a"], false), /a is running/);
  session.remove(["a"], true);
  assert.equal(session.edits().length, 1);
});

test("rename: constraints and generated ids follow, ids that were given do not", () => {
  const session = fresh(
    "primitive a Dummy params fake=1 meta $id=mine priority=1 op monitor interval=10s",
    "primitive b Dummy",
    "order o a b",
  );
  session.rename("a", "z", false);
  const xml = session.show(["xml", "z"], { wrap: false, obscure: [] });
  assert.match(xml, /id="z-instance_attributes-fake"/);
  assert.match(xml, /id="z-monitor-10s"/);
  assert.match(xml, /meta_attributes id="mine"/);
  assert.ok(shown(session).includes("order o z b"));
  assert.throws(() => session.rename("z", "b", false), /already used/);
});

test("modgroup adds before and after, and removes all but the last", () => {
  const session = fresh(...THREE, "group g a");
  session.modgroup(["g", "add", "b", "before", "a"]);
  session.modgroup(["g", "add", "c", "after", "b"]);
  assert.ok(shown(session).includes("group g b c a"));
  session.modgroup(["g", "remove", "c"]);
  session.modgroup(["g", "remove", "b"]);
  assert.throws(() => session.modgroup(["g", "remove", "a"]), /only member/);
});

test("set changes what is there, and an id built from it", () => {
  const session = fresh("primitive a Dummy params fake=1 op monitor interval=10s timeout=20s");
  session.set("a.fake", "2");
  session.set("a.monitor.10s.interval", "15s");
  assert.match(
    session.show(["xml", "a"], { wrap: false, obscure: [] }),
    /<op name="monitor" interval="15s" timeout="20s" id="a-monitor-15s"\/>/,
  );
  assert.throws(() => session.set("a.nosuch", "2"), /no attribute 'nosuch'/);
});

test("monitor refuses the same interval in other words and for another role", () => {
  const session = fresh("primitive a Dummy op monitor interval=10s");
  assert.throws(() => session.monitor(["a", "10"]), /already has a monitor/);
  assert.throws(() => session.monitor(["a:Promoted", "10:30"]), /already has a monitor/);
  session.monitor(["a:master", "11:30"]);
  assert.ok(shown(session)[0]?.endsWith("op monitor role=Promoted interval=11 timeout=30"));
  assert.throws(() => fresh("rsc_template t Dummy").monitor(["t", "10s"]), /is no primitive/);
});

test("load push removes what the text does not mention, load update does not", () => {
  const session = fresh(...THREE);
  session.load("primitive a Dummy params fake=1\n", "crm", "update");
  assert.equal(shown(session).length, 3);
  session.load("primitive a Dummy params fake=2\n", "crm", "push");
  assert.deepEqual(shown(session), ["primitive a Dummy params fake=2"]);
});

test("objects of a text may come in any order, and comments stay with the next one", () => {
  const session = fresh();
  session.load("group g a\n# the one that matters\nprimitive a Dummy\n", "crm", "update");
  assert.deepEqual(shown(session), ["# the one that matters", "group g a", "primitive a Dummy"]);
});

test("a comment with dashes can be written and read again", () => {
  const session = fresh();
  session.load("# ---- web -- tier ----\nprimitive a Dummy\n", "crm", "update");
  const again = configurationIn(parseXml(xmlOf(session.configuration)));
  assert.match(sessionOf(again).show(["a"], { wrap: false, obscure: [] }), /^# - - - - web - - tier\nprimitive a Dummy$/m);
});

test("a hidden value that comes back from an editor keeps what it was", () => {
  const session = fresh("primitive a Dummy params passwd=secret fake=1");
  const text = session.show(["a"], { wrap: true, obscure: ["passw*"] });
  assert.match(text, /passwd="\*{6}"/);
  session.replaceSelected(["a"], text.replace("fake=1", "fake=2"));
  assert.deepEqual(shown(session), ["primitive a Dummy params passwd=secret fake=2"]);
});

test("show selects by id, type, tag, relation and change", () => {
  const session = fresh(...THREE, "tag t a b", "order o a b");
  const ids = (...words: readonly string[]): string[] =>
    session
      .show(words, { wrap: false, obscure: [] })
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "");
  assert.deepEqual(ids("a", "o"), ["a", "o"]);
  assert.deepEqual(ids("type:primitive", "and", "tag:t"), ["a", "b"]);
  assert.deepEqual(ids("related:b"), ["b", "t", "o"]);
  const held = fresh("primitive a Dummy", "primitive ab Dummy", "group g a", "order o g ab");
  const shownBy = (word: string): readonly string[] =>
    [...held.show([word], { wrap: false, obscure: [] }).matchAll(/^\S+ (\S+)/gm)].map((match) => match[1] ?? "");
  assert.deepEqual(shownBy("related:g"), ["g", "o"], "what a group holds is not related to it");
  assert.deepEqual(shownBy("a*"), ["a", "ab"]);
  assert.throws(() => shownBy("x*"), /there is no object/);
  session.restart(session.configuration);
  session.set("cib-bootstrap-options.stonith-enabled", "true");
  assert.deepEqual(ids("changed"), ["cib-bootstrap-options:"]);
  assert.throws(() => ids("nosuch"), /no object 'nosuch'/);
});

const CATALOG: AgentCatalog = {
  describe: (agent) =>
    agent.type === "Missing"
      ? { kind: "missing" }
      : {
          kind: "found",
          metadata: {
            name: agent.type,
            version: "1",
            shortDescription: "",
            longDescription: "",
            parameters: [
              { name: "ip", required: true, uniqueGroup: "ip", type: "string", default: null, values: [], description: "" },
              { name: "nic", required: false, uniqueGroup: null, type: "string", default: null, values: [], description: "" },
            ],
            operations: [{ name: "monitor", interval: "10s", timeout: "20s", role: null }],
          },
        },
};

const FINDINGS: readonly (readonly [name: string, lines: readonly string[], expected: readonly string[]])[] = [
  ["an unknown agent", ["primitive a Missing"], ["error UNKNOWN_AGENT a"]],
  ["an agent's name that leads elsewhere", ["primitive a ocf:../../tmp:evil"], ["error UNKNOWN_AGENT a"]],
  ["a type that leads elsewhere", ["primitive a lsb:../../bin/sh"], ["error UNKNOWN_AGENT a"]],
  ["a unit that is none", ["primitive a 'systemd:a;b'"], ["error UNKNOWN_AGENT a"]],
  ["a unit with an escape", ["primitive a 'systemd:a\\\\x2db@1' params ip=1"], []],
  [
    "an id that is too long for the files of agents",
    [`primitive ${"a".repeat(201)} systemd:x params ip=1`],
    [`error BAD_VALUE ${"a".repeat(20)}...`],
  ],
  ["a missing parameter", ["primitive a X"], ["error MISSING_PARAMETER a"]],
  ["an unknown parameter", ["primitive a X params ip=1 nik=2"], ["error UNKNOWN_PARAMETER a"]],
  ["an unknown operation", ["primitive a X params ip=1 op frob interval=10s"], ["error UNKNOWN_OPERATION a"]],
  ["a timeout under the advice", ["primitive a X params ip=1 op monitor interval=10s timeout=5s"], ["warning BELOW_ADVICE a"]],
  ["an unknown meta attribute", ["primitive a X params ip=1 meta colour=red"], ["warning UNKNOWN_META a"]],
  ["an impossible target-role", ["primitive a X params ip=1 meta target-role=Up"], ["error BAD_VALUE a"]],
  ["an unpromoted primitive", ["primitive a X params ip=1 meta target-role=Slave"], ["error BAD_VALUE a"]],
  ["a promoted primitive", ["primitive a X params ip=1 meta target-role=Promoted"], ["error BAD_VALUE a"]],
  [
    "two monitors of one interval",
    ["primitive a X params ip=1 op monitor interval=10s op monitor interval=10s"],
    ["warning SAME_INTERVAL a"],
  ],
  ["a constraint on what is not there", ["order o a b"], ["error MISSING_REFERENCE o", "error MISSING_REFERENCE o"]],
  ["a constraint on a member", ["primitive a X params ip=1", "group g a", "location l a 100: node1"], ["warning CONSTRAINT_ON_MEMBER l"]],
  [
    "a constraint on what a clone is made of, which would be ignored",
    ["primitive a X params ip=1", "group g a", "clone c g", "location l a 100: node1"],
    ["error CONSTRAINT_ON_MEMBER l"],
  ],
  [
    "a value that only one may have",
    ["primitive a X params ip=1", "primitive b X params ip=1", "primitive c Y params ip=1"],
    ["error NOT_UNIQUE a"],
  ],
  [
    "a value that a template gives to several, though only one may have it",
    [
      "rsc_template t X params ip=1",
      "primitive a @t",
      "primitive b @t params nic=x",
      "primitive c @t params ip=2",
      "primitive d X params ip=1",
    ],
    ["error NOT_UNIQUE a"],
  ],
  ["an unknown parameter of a template", ["rsc_template t X params nik=2"], ["error UNKNOWN_PARAMETER t"]],
  [
    "a value of no meaning",
    ["primitive a X params ip=1 meta multiple-active=foo requires=bar"],
    ["error BAD_VALUE a", "error BAD_VALUE a"],
  ],
  ["a promotable fencing device", ["primitive a stonith:X params ip=1", "clone c a meta promotable=true"], ["error PROMOTABLE_DEVICE c"]],
  ["a bundle that cannot be reached", ["primitive a X params ip=1", "bundle b docker image=i primitive a"], ["error BUNDLE_UNREACHABLE b"]],
  [
    "a role beside sets",
    ["primitive a X params ip=1", "primitive b X params ip=2", "location l { a b } role=Started inf: node1"],
    ["error SCHEMA l"],
  ],
  ["an unknown node", ["primitive a X params ip=1", "location l a 100: nodex"], ["warning UNKNOWN_NODE l"]],
  ["a fencing level without a device", ["fencing_topology node1: nosuch"], ["warning NOT_A_DEVICE fencing_topology"]],
  ["a role that is not there", ["acl_target joe nosuch"], ["error MISSING_REFERENCE joe"]],
  ["an unknown option", ["property no-such=1"], ["warning UNKNOWN_OPTION cib-bootstrap-options"]],
  ["infinity as the schema writes it", ["primitive a X params INFINITY: ip=1"], []],
  ["a score of a set in another spelling", ["primitive a X params inf: ip=1"], ["error BAD_VALUE a"]],
  ["a score that is no number", ["tag t x", "location l t Inf: node1"], ["error BAD_VALUE l"]],
  ["a selection that names a kind twice", ["alert a /x select nodes nodes"], ["error SCHEMA a"]],
  ["a template that nothing uses", ["rsc_template t X", "rsc_ticket k T: t"], ["error MISSING_REFERENCE k"]],
  ["a template that is used", ["rsc_template t X params ip=1", "primitive a @t", "rsc_ticket k T: t"], []],
  ["two rules in one set", ["primitive a X params rule #uname eq node1 rule defined b ip=1"], ["error SCHEMA a"]],
  ["a bad value of an option", ["property no-quorum-policy=shrug"], ["error BAD_VALUE cib-bootstrap-options"]],
  [
    "a ticket that fences without fencing",
    ["primitive a X params ip=1", "rsc_ticket t T: a loss-policy=fence"],
    ["error TICKET_NEEDS_FENCING t"],
  ],
];

for (const [name, lines, expected] of FINDINGS) {
  test(`verify tells of ${name}`, () => {
    const findings = verifyConfiguration(fresh(...lines).configuration, { agents: CATALOG, selfFencing: false });
    assert.deepEqual(
      findings.map((finding) => `${finding.severity} ${finding.code} ${finding.object}`),
      expected,
    );
  });
}

test("resources without a fencing device are an error in a file, not where nodes stop themselves", () => {
  const configuration = defineAll(["primitive a Dummy"], sessionOf()).configuration;
  const codes = (selfFencing: boolean): string[] =>
    verifyConfiguration(configuration, { agents: { describe: () => ({ kind: "unknown" }) }, selfFencing }).map((finding) => finding.code);
  assert.deepEqual(codes(false), ["NO_FENCING"]);
  assert.deepEqual(codes(true), []);
});

test("a new cluster gets what Quorate recommends, and new primitives a monitor", () => {
  const session = new EditSession({
    configuration: initialConfiguration(),
    parseXml,
    agents: CATALOG,
    newDefaults: true,
    selfFencing: true,
  });
  session.define("primitive", "primitive a X params ip=1");
  session.define("primitive", "primitive b X params ip=1 op start timeout=5");
  assert.deepEqual(session.show([], { wrap: false, obscure: [] }).trim().split("\n"), [
    "primitive a X params ip=1 op monitor interval=10s timeout=20s",
    "primitive b X params ip=1 op start timeout=5s interval=0s",
    "property cib-bootstrap-options: start-failure-is-fatal=false",
    "rsc_defaults rsc-options: resource-stickiness=1 migration-threshold=3",
  ]);
  assert.equal(session.getProperty("start-failure-is-fatal", false), "false");
  assert.equal(session.getProperty("no-quorum-policy", false), "stop");
  assert.equal(session.getProperty("no-quorum-policy", true), null);
});

test("default-timeouts: what agents advise is written down, for what is there and for what must be", () => {
  const session = new EditSession({ configuration: threeNodes(), parseXml, agents: CATALOG });
  defineAll(["rsc_template t X params ip=1", "primitive a @t meta allow-migrate=true op monitor interval=10s timeout=1s"], session);
  session.defaultTimeouts(["a"]);
  const line = session.show(["a"], { wrap: false, obscure: [] }).trim();
  const op = (name: string): string => `op ${name} timeout=20s interval=0s`;
  const own = "primitive a @t meta allow-migrate=true op monitor interval=10s timeout=20s";
  assert.equal(line, [own, op("start"), op("stop"), op("migrate_to"), op("migrate_from")].join(" "));
  assert.throws(() => session.defaultTimeouts(["nosuch"]), /no primitive/);
});
