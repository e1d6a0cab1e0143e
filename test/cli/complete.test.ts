import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { completeConfigure } from "../../src/app/cli/configure-complete.ts";
import { optionsOfTyped } from "../../src/app/cli/options.ts";
import { type AgentCatalog, NO_AGENTS } from "../../src/core/crm/index.ts";
import { defineAll, sessionOf, threeNodes } from "../crm/support.ts";

const CATALOG: AgentCatalog = {
  describe: (agent) =>
    agent.type !== "IPaddr2" && agent.type !== "fence_x"
      ? { kind: "unknown" }
      : {
          kind: "found",
          metadata: {
            name: agent.type,
            version: "1",
            shortDescription: "",
            longDescription: "",
            parameters: [
              { name: "ip", required: true, uniqueGroup: null, type: "string", default: null, values: [], description: "the address" },
              { name: "lvs", required: false, uniqueGroup: null, type: "boolean", default: "false", values: [], description: "behind LVS" },
            ],
            operations: [
              { name: "monitor", interval: "10s", timeout: "20s", role: null },
              { name: "start", interval: null, timeout: "30s", role: null },
            ],
          },
        },
};

const CONFIGURATION = defineAll(
  [
    "rsc_template tmpl IPaddr2 params ip=1",
    "primitive a Dummy params fake=1 op monitor interval=10s timeout=20s",
    "primitive b Dummy",
    "primitive free Dummy",
    "primitive dev stonith:fence_x",
    "group grp a b",
    "clone cl grp",
    "tag tg: free",
    "rsc_ticket tk ticketA: free",
    "node node1 attributes rack=1",
    "role reader read xpath:/cib",
    "alert al /x",
  ],
  sessionOf(threeNodes()),
).configuration;

function offered(line: string): string[] {
  return completeConfigure(line, CONFIGURATION, CATALOG).map(({ word }) => word);
}

/** A line that ends where the cursor is, words that must be offered there, and words that must not be. */
const PLACES: readonly (readonly [line: string, has: readonly string[], lacks: readonly string[]])[] = [
  ["", ["primitive", "show", "commit", "property"], ["nosuch"]],
  ["prim", ["primitive"], ["property"]],
  ["primitive new ", ["ocf:", "stonith:", "systemd:", "@tmpl"], ["a"]],
  ["primitive new ocf:", ["ocf:quorate:"], ["stonith:"]],
  ["primitive new ocf:quorate:d", ["ocf:quorate:dummy"], []],
  ["primitive new IPaddr2 ", ["params", "meta", "op", "ip=", "lvs="], ["a"]],
  ["primitive new @tmpl params ", ["ip=", "lvs="], []],
  ["primitive new IPaddr2 params lvs=", ["lvs=", "lvs=true", "lvs=false"], ["ip=", "meta"]],
  ["primitive new IPaddr2 params ip=1 meta ", ["target-role=", "priority="], ["ip="]],
  ["primitive new IPaddr2 meta target-role=", ["target-role=Started", "target-role=Stopped"], ["priority="]],
  ["primitive new IPaddr2 op ", ["monitor", "start"], ["a", "params"]],
  ["primitive new IPaddr2 op monitor ", ["interval=", "timeout=", "on-fail=", "role="], ["ip="]],
  ["primitive new IPaddr2 op monitor interval=", ["interval=10s"], ["timeout="]],
  ["primitive new IPaddr2 op monitor role=", ["role=Promoted"], []],
  ["primitive new stonith:fence_x params pcmk_", ["pcmk_host_list=", "pcmk_host_map="], ["ip="]],
  ["group g2 ", ["free", "meta"], ["a", "b", "grp"]],
  ["clone c2 ", ["free"], ["a", "grp", "cl"]],
  ["clone c2 free meta ", ["interleave=", "promotable=", "target-role="], ["free"]],
  ["bundle bu ", ["docker", "podman"], ["a"]],
  ["bundle bu docker ", ["image=", "replicas=", "network"], []],
  ["bundle bu docker image=x network ", ["ip-range-start=", "port-mapping"], []],
  ["location l ", ["a", "grp", "cl", "tg"], ["node1", "tmpl"]],
  ["location l a ", ["inf:", "-inf:", "rule", "role="], ["a", "node1"]],
  ["location l a 100: ", ["node1", "node2"], ["a", "inf:"]],
  ["location l a role=", ["role=Promoted"], ["inf:"]],
  ["location l a rule ", ["inf:", "#uname", "defined", "date", "rack"], ["a"]],
  ["location l a rule inf: #uname ", ["eq", "ne"], ["a", "inf:"]],
  ["location l a rule inf: #uname eq ", ["node1"], ["a"]],
  ["location l a rule inf: #uname eq node1 ", ["and", "or"], ["a", "eq"]],
  ["location l a rule inf: date ", ["in", "spec", "lt", "gt"], ["a"]],
  ["location l a rule inf: date spec ", ["hours=", "weekdays="], ["a"]],
  ["colocation c ", ["inf:", "-inf:"], ["a"]],
  ["colocation c inf: ", ["a", "grp", "cl"], ["inf:", "node1"]],
  ["colocation c inf: a:", ["a:Promoted", "a:Started"], ["a:start"]],
  ["order o ", ["Mandatory:", "Serialize:", "a"], ["inf:", "node1"]],
  ["order o Mandatory: a:", ["a:start", "a:promote"], ["a:Promoted"]],
  ["order o Mandatory: a b symmetrical=", ["symmetrical=false"], ["a"]],
  ["rsc_ticket t ", ["ticketA:"], ["a"]],
  ["rsc_ticket t ticketA: ", ["a", "loss-policy="], ["node1"]],
  ["rsc_ticket t ticketA: a loss-policy=", ["loss-policy=fence"], []],
  ["fencing_topology ", ["node1:", "dev", "attr:"], ["a", "grp"]],
  ["property ", ["no-quorum-policy=", "stonith-enabled="], ["a"]],
  ["property no-quorum-policy=", ["no-quorum-policy=freeze"], ["stonith-enabled="]],
  ["rsc_defaults ", ["resource-stickiness="], ["a"]],
  ["op_defaults ", ["timeout="], ["a"]],
  ["role r ", ["read", "write", "deny"], ["a"]],
  ["role r read ref:", ["ref:a"], ["xpath:"]],
  ["acl_target joe ", ["reader"], ["a"]],
  ["alert x /p select ", ["nodes", "fencing"], ["a"]],
  ["tag t ", ["a", "grp"], ["xml"]],
  ["show ", ["a", "xml", "changed", "type:primitive", "related:a", "tag:tg"], []],
  ["show type:", ["type:primitive"], ["a"]],
  ["delete a ", ["b", "grp", "--force"], ["a", "node2x"]],
  ["modgroup ", ["grp"], ["a", "cl"]],
  ["modgroup grp ", ["add", "remove"], ["a"]],
  ["modgroup grp add ", ["free"], ["a", "grp"]],
  ["modgroup grp remove ", ["a", "b"], ["free"]],
  ["modgroup grp add free ", ["after", "before"], ["a"]],
  ["modgroup grp add free after ", ["a", "b"], ["free"]],
  ["set a.", ["a.fake", "a.monitor.timeout"], ["b."]],
  ["monitor a:", ["a:Promoted"], []],
  ["load ", ["xml", "replace", "update", "push"], ["a"]],
  ["load replace /", ["/tmp/", "/etc/"], ["xml"]],
  ["commit ", ["force", "replace", "--plan"], ["a"]],
  ["erase ", ["nodes"], ["a"]],
  ["get_property ", ["stonith-enabled"], ["a"]],
  ["get-property ston", ["stonith-enabled"], ["no-quorum-policy"]],
];

for (const [line, has, lacks] of PLACES) {
  test(`after '${line}' what fits is offered`, () => {
    const words = offered(line);
    assert.deepEqual(
      has.filter((word) => !words.includes(word)),
      [],
      words.join(" "),
    );
    assert.deepEqual(
      lacks.filter((word) => words.includes(word)),
      [],
    );
    const last = /\S*$/.exec(line)?.[0] ?? "";
    assert.ok(words.every((word) => word.startsWith(last)));
  });
}

test("name= tells what is known of it: type, default, values, one line", () => {
  const told = (line: string): string | undefined =>
    completeConfigure(line, CONFIGURATION, CATALOG).find(({ word }) => word.endsWith("="))?.help;
  assert.equal(told("primitive new IPaddr2 params ip="), "ip (string, required): the address");
  assert.equal(told("primitive new IPaddr2 params lvs="), "lvs (boolean, default false, one of true false): behind LVS");
  assert.match(told("primitive new IPaddr2 meta priority=") ?? "", /^priority \(integer, default 0\): /);
  assert.match(told("primitive new IPaddr2 op monitor timeout=") ?? "", /default 20s.*the agent advises 20s/);
  assert.match(told("property batch-limit=") ?? "", /^batch-limit \(text, default 0\): /);
  assert.equal(completeConfigure("primitive new Nosuch params x=", CONFIGURATION, NO_AGENTS).length, 0);
});

test("options before the level say where names are looked up", () => {
  const outer = {
    force: false,
    no: false,
    wait: false,
    debug: false,
    display: "plain" as const,
    cibFile: null,
    shadow: null,
    socketPath: "s",
  };
  const read = (typed: string): readonly unknown[] => {
    const { options, rest } = optionsOfTyped(typed, outer);
    return [options.cibFile, options.shadow, options.socketPath, rest];
  };
  assert.deepEqual(read("-F --cib-file f.xml configure sh"), ["f.xml", null, "s", "configure sh"]);
  assert.deepEqual(read("configure --cib-file f.xml show "), ["f.xml", null, "s", "configure show "]);
  assert.deepEqual(read("-c try --socket=/x res"), [null, "try", "/x", "res"]);
  assert.deepEqual(read("-D plain status "), [null, null, "s", "status "]);
  assert.deepEqual(read("--cib-file f"), [null, null, "s", "--cib-file f"]);
  assert.deepEqual(read("-"), [null, null, "s", "-"]);
});

describe("the completion of bash", () => {
  const script = fileURLToPath(
    new URL(
      import.meta.url.includes("/dist/") ? "../../../scripts/quorate-completion.bash" : "../../scripts/quorate-completion.bash",
      import.meta.url,
    ),
  );
  const launcher = join(script, "..", "quorate");
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "quorate-complete-"));
    writeFileSync(
      join(directory, "cib.xml"),
      '<cib><configuration><crm_config/><nodes><node id="1" uname="n1"/></nodes><resources><primitive id="web" class="ocf" provider="quorate" type="dummy"/></resources><constraints/></configuration></cib>',
    );
    symlinkSync(launcher, join(directory, "crm"));
  });
  after(() => rmSync(directory, { recursive: true }));

  /** What bash would offer for the line typed so far, as `complete -F` is called. */
  function replies(line: string): string[] {
    const program = `compopt() { :; }; source '${script}'; COMP_WORDS=(crm); COMP_LINE=$1; COMP_POINT=\${#COMP_LINE}; _quorate; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const environment = {
      ...process.env,
      PATH: `${directory}:${process.env["PATH"] ?? ""}`,
      HOME: directory,
      CIB_file: join(directory, "cib.xml"),
    };
    const done = spawnSync("bash", ["-c", program, "bash", line], { encoding: "utf8", env: environment, cwd: directory });
    return done.stdout.split("\n").filter((word) => word !== "");
  }

  test("levels, commands, ids, and what follows a colon without what bash has already", () => {
    assert.ok(replies("crm ").includes("configure"));
    assert.deepEqual(replies("crm configure prim"), ["primitive"]);
    assert.deepEqual(replies("crm resource start w"), ["web"]);
    assert.deepEqual(replies("crm configure primitive x ocf:quorate:dum"), ["dummy"]);
    assert.deepEqual(replies("crm configure property no-quorum-policy=fr"), ["freeze"]);
    assert.deepEqual(replies("crm --for"), ["--force"]);
    assert.match(replies("crm configure property batch-limit=")[0] ?? "", /^batch-limit \(text, default 0\)/);
  });
});
