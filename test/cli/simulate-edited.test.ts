import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { CliContext, CliOptions } from "../../src/app/cli/level.ts";
import { DEFAULT_PREFERENCES } from "../../src/app/cli/preferences.ts";
import { rootLevel } from "../../src/app/cli/root.ts";
import { Shell } from "../../src/app/cli/shell.ts";

const NODE = (id: number, up: boolean): string =>
  `<node_state id="${id}" uname="n${id}" in_ccm="${up}" crmd="${up ? "online" : "offline"}" join="${up ? "member" : "down"}" expected="${up ? "member" : "down"}"/>`;

/** Two nodes, the second of them down; fencing is off. */
const CIB = `<cib validate-with="pacemaker-3.9" have-quorum="1"><configuration><crm_config><cluster_property_set id="opts"><nvpair id="opts-f" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="n1"><utilization id="u"><nvpair id="u-cpu" name="cpu" value="4"/></utilization></node><node id="2" uname="n2"/></nodes><resources/><constraints/></configuration><status>${NODE(1, true)}${NODE(2, false)}</status></cib>`;

describe("what a commit would do, and the state it starts from", () => {
  let directory: string;
  let file: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "quorate-simulate-"));
    file = join(directory, "cib.xml");
  });
  after(() => rmSync(directory, { recursive: true }));

  async function run(...lines: readonly string[]): Promise<{ ok: boolean; out: string; said: string }> {
    writeFileSync(file, CIB);
    let out = "";
    let said = "";
    const say = (text: string): void => {
      said += `${text}\n`;
    };
    const options: CliOptions = {
      force: false,
      no: false,
      wait: false,
      debug: false,
      display: "plain",
      cibFile: file,
      shadow: null,
      socketPath: "",
    };
    const context: CliContext = {
      terminal: {
        interactive: false,
        color: false,
        write: (text) => {
          out += text;
        },
        out: (line) => {
          out += `${line}\n`;
        },
        error: say,
        warn: say,
        info: say,
        confirm: async (_question, safe) => safe,
      },
      mode: "batch",
      options,
      preferences: DEFAULT_PREFERENCES,
      interrupt: () => {},
      interrupted: false,
      api: () => Promise.reject(new Error("no cluster in this test")),
      afterChange: async () => {},
    };
    const shell = new Shell(rootLevel(), context);
    let ok = true;
    for (const line of lines) ok = (await shell.run(line)).ok && ok;
    return { ok, out, said };
  }

  const EDITS = ["configure", "primitive p Dummy utilization cpu=3", "primitive q Dummy", "order o p q"];

  test("the edited configuration is scheduled over the status of the file, and nothing is written", async () => {
    const { ok, out } = await run(...EDITS, "simulate");
    assert.ok(ok);
    assert.match(out, /Start +p +\( +n1 \)/);
    assert.match(out, /Resource action: p +start on n1[\s\S]*Resource action: q +start on n1/, "the order is kept");
    assert.match(out, /Revised Cluster Status:[\s\S]*q\t\(ocf:heartbeat:Dummy\):\t Started n1/);
    assert.doesNotMatch(out, /Assignment Scores|Utilization/);
    assert.equal(readFileSync(file, "utf8"), CIB, "a simulation writes nothing");
  });

  test("scores, utilization, actions and the words that change nothing here", async () => {
    const { ok, out } = await run(...EDITS, "ptest nograph vv scores utilization actions");
    assert.ok(ok);
    assert.match(out, /q allocation score on n2: -?\w+/);
    assert.match(out, /Original: n1 capacity: cpu=4[\s\S]*p utilization on n1: cpu=3[\s\S]*Remaining: n1 capacity: cpu=1/);
    assert.match(out, /^Actions:$/m);
    assert.doesNotMatch(out, /Revised Cluster Status/);
    const refused = await run("configure", "simulate sideways");
    assert.equal(refused.ok, false);
    assert.match(refused.said, /not 'sideways'/);
  });

  test("a supposed state is used by simulations, told, listed and dropped", async () => {
    const { ok, out, said } = await run(
      ...EDITS,
      "location l p inf: n2",
      "cibstatus node n2 online",
      "cibstatus show changed",
      "simulate",
      "cibstatus load live",
      "cibstatus show changed",
    );
    assert.ok(ok, said);
    assert.match(said, /imagined state/);
    assert.equal(out.split("node n2 online").length, 2, "listed once, and gone after load");
    assert.match(out, /Start +p +\( +n2 \)/);
  });

  test("results, quorum and tickets can be supposed; what does not exist is refused", async () => {
    const made = await run("configure", "primitive p Dummy op monitor interval=30s", "commit", "up");
    assert.ok(made.ok, made.said);
    const saved = readFileSync(file, "utf8");
    const story = async (...lines: readonly string[]) => {
      const base = join(directory, "story.xml");
      writeFileSync(base, saved);
      return run(`cibstatus load ${base}`, ...lines);
    };
    const failed = await story("cibstatus op start p success n1", "cibstatus op monitor p generic", "cibstatus run");
    assert.ok(failed.ok, failed.said);
    assert.match(failed.out, /Recover +p/);
    assert.doesNotMatch(failed.out, /Revised/);
    const alone = await story("cibstatus op start p success n1", "cibstatus quorum false", "cibstatus simulate actions");
    assert.match(alone.out, /Stop +p/);
    assert.ok((await story("cibstatus ticket T grant", "cibstatus show")).out.includes('id="T"'));
    for (const line of [
      "node nosuch online",
      "node n1 sideways",
      "op fly p 0 n1",
      "op start p sideways n1",
      "quorum maybe",
      "ticket T burn",
    ])
      assert.equal((await story(`cibstatus ${line}`)).ok, false, line);
    assert.equal((await run("cibstatus save")).ok, true, "a file is written where it came from");
  });

  test("the graph holds resources, containers and what constraints say", async () => {
    const { ok, out } = await run(...EDITS, "primitive r Dummy", "group g q r", "clone c g", "colocation k inf: c p", "graph dot -");
    assert.ok(ok);
    assert.match(out, /^digraph configuration \{/);
    assert.match(out, /"p" -> "c" \[label="o"\]/, "the order names the container of what was cloned");
    assert.match(out, /"c" -> "p" \[style=dashed, label="k inf"\]/);
    assert.match(out, /"q" -> "r";/);
    assert.equal((await run("configure", "graph svg")).ok, false);
  });

  test("agents are run on this node only, in order, and stopped again", async () => {
    const state = (name: string): string => `params state=${join(directory, name)}`;
    const lines = ["configure", `primitive p ocf:quorate:dummy ${state("p")}`, `primitive q ocf:quorate:dummy ${state("q")}`];
    const { ok, out, said } = await run(...lines, "rsctest p q");
    assert.ok(ok, said);
    const up = (id: string): string => `${id}: monitor: ok\n${id}: start: ok\n${id}: monitor: ok\n`;
    const down = (id: string): string => `${id}: stop: ok\n${id}: monitor: ok\n`;
    assert.equal(out, up("p") + up("q") + down("q") + down("p"));
    assert.match((await run(...lines, "rsctest p n2")).said, /run it on n2/);
    assert.equal((await run(...lines, "rsctest nosuch")).ok, false);
    assert.equal((await run("configure", "primitive x ocf:quorate:nosuch", "validate-all x")).ok, false);
  });
});
