import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

/** The program as a person starts it: built beside a built test, else through the loader. */
const BUILT = import.meta.url.endsWith(".js");
const MAIN = fileURLToPath(new URL(BUILT ? "../../src/app/cli/main.js" : "../../src/app/cli/main.ts", import.meta.url));

const CIB = `<cib validate-with="pacemaker-3.9"><configuration><crm_config/><nodes><node id="1" uname="n1"/></nodes><resources/><constraints/></configuration></cib>`;

describe("the program", () => {
  let directory: string;
  let file: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "quorate-cli-"));
    file = join(directory, "cib.xml");
  });
  after(() => rmSync(directory, { recursive: true }));

  function run(
    args: readonly string[],
    input: string | Buffer = "",
    more: Readonly<Record<string, string>> = {},
  ): { code: number | null; out: string; err: string } {
    const words = BUILT ? [MAIN, ...args] : ["--import", "tsx", MAIN, ...args];
    const environment = {
      ...process.env,
      QUORATE_SOCKET: join(directory, "none.sock"),
      QUORATE_AGENT_CHECKS: "off",
      XDG_STATE_HOME: directory,
      ...more,
    };
    const done = spawnSync(process.execPath, words, { input, encoding: "utf8", env: environment, timeout: 60_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
  }

  test("help and version end with 0; an unknown option and an unknown word with 1", () => {
    assert.equal(run(["--help"]).code, 0);
    assert.match(run(["--version"]).out, /^quorate \d/);
    assert.equal(run(["--frobnicate"]).code, 1);
    const unknown = run(["frobnicate"]);
    assert.deepEqual([unknown.code, unknown.out, unknown.err], [1, "", "ERROR: root.frobnicate: No such command\n"]);
  });

  test("bytes that are no UTF-8 are refused where they stand, and nothing of them is taken", () => {
    writeFileSync(file, CIB);
    const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
    const lines = bytes(
      "configure\nproperty stonith-enabled=false\nprimitive a ocf:heartbeat:Dummy\nprimitive \xe9 ocf:heartbeat:Dummy\ncommit\n",
    );
    const batch = run(["--cib-file", file], lines);
    assert.deepEqual([batch.code, batch.err], [1, "ERROR: 4: column 11 is not valid UTF-8\n"]);
    assert.match(readFileSync(file, "utf8"), /primitive id="a"/);
    assert.doesNotMatch(readFileSync(file, "utf8"), /\ufffd/);
    const loaded = join(directory, "latin1.crm");
    writeFileSync(loaded, bytes("primitive b ocf:heartbeat:Dummy\nprimitive c\xe9 ocf:heartbeat:Dummy\n"));
    const load = run(["--cib-file", file, "configure", "load", "update", loaded]);
    assert.equal(load.code, 1);
    assert.match(load.err, /latin1\.crm: line 2, column 12: not valid UTF-8/);
    assert.doesNotMatch(readFileSync(file, "utf8"), /id="b"/);
  });

  test("what crmsh has and we do not is refused with a reason", () => {
    for (const word of ["history", "site"]) assert.match(run([word]).err, new RegExp(`^ERROR: root.${word}: not supported: `));
    writeFileSync(file, CIB);
    const { code, err } = run(["--cib-file", file, "configure", "user", "joe"]);
    assert.equal(code, 1);
    assert.match(err, /configure.user: not supported: .*acl_target/);
  });

  test("every command tells its usage, and property what an option takes", () => {
    writeFileSync(file, CIB);
    assert.match(run(["--cib-file", file, "configure", "modgroup", "--help"]).out, /^configure modgroup GROUP add RSC/);
    assert.match(run(["--cib-file", file, "configure", "primitive", "-h"]).out, /^configure primitive ID /);
    const option = run(["--cib-file", file, "configure", "property", "no-quorum-policy", "--help"]);
    assert.match(option.out, /^no-quorum-policy: default stop\n {2}one of stop, freeze, /);
    assert.match(run(["--cib-file", file, "configure", "property", "no-quorm-policy", "--help"]).err, /did you mean 'no-quorum-policy'/);
  });

  test("commands refuse words that mean nothing to them", () => {
    for (const line of ["commit frob", "verify x", "refresh x", "erase x", "commit replace --plan 1"]) {
      writeFileSync(file, CIB);
      assert.equal(run(["--cib-file", file, "configure"], `${line}\n`).code, 1, line);
    }
    assert.equal(run(["--cib-file", file, "configure"], "node n2\ncommit force replace\n").code, 0);
    assert.match(readFileSync(file, "utf8"), /uname="n2"/);
  });

  test("QUORATE_AGENT_CHECKS decides whether agents are asked", () => {
    const line = ["configure", "primitive", "p", "ocf:quorate:dummy", "params", "nosuch=1"];
    writeFileSync(
      file,
      CIB.replace(
        "<crm_config/>",
        '<crm_config><cluster_property_set id="o"><nvpair id="f" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>',
      ),
    );
    const asked = run(["--cib-file", file, ...line], "", { QUORATE_AGENT_CHECKS: "on" });
    assert.equal(asked.code, 1);
    assert.match(asked.err, /p: the agent dummy has no parameter 'nosuch'/);
    assert.equal(run(["--cib-file", file, ...line], "", { QUORATE_AGENT_CHECKS: "off" }).code, 0);
  });

  test("text that never ends is not read to its end; an input that is no configuration says why", () => {
    writeFileSync(file, CIB);
    const endless = run(["--cib-file", file, "configure", "load", "update", "/dev/zero"]);
    assert.deepEqual([endless.code, endless.err], [1, "ERROR: /dev/zero is larger than 67108864 bytes\n"]);
    const piped = run(["--cib-file", file, "configure", "load", "xml", "update", "-"], "<cib/>");
    assert.deepEqual([piped.code, piped.err], [1, "ERROR: the <cib> holds no <configuration>\n"]);
    const one = '<primitive id="a" class="ocf" provider="quorate" type="dummy"/>';
    const twice = run(["--cib-file", file, "configure", "load", "xml", "update", "-"], `<resources>${one}${one}</resources>`);
    assert.deepEqual([twice.code, twice.err], [1, "ERROR: xml: the text defines the id 'a' twice\n"]);
    assert.doesNotMatch(readFileSync(file, "utf8"), /primitive/);
  });

  test("a missing -f file is 2; a bad -D is 1", () => {
    assert.equal(run(["-f", join(directory, "nothing")]).code, 2);
    assert.equal(run(["-D", "pink", "status"]).code, 1);
  });

  test("a batch goes on after a bad line, names its number, commits the rest at the end, and ends with 1", () => {
    writeFileSync(file, CIB);
    const batch =
      "# a comment\nconfigure\nprimitive a ocf:quorate:dummy\nprimitive b \\\n  ocf:quorate:dummy\nnonsense\nproperty stonith-enabled=false\n";
    const { code, err } = run(["--cib-file", file], batch);
    assert.equal(code, 1);
    assert.match(err, /^ERROR: 6: .*nonsense: No such command$/m);
    const after = readFileSync(file, "utf8");
    assert.ok(after.includes('id="a"') && after.includes('id="b"'), after);
  });

  test("a level with the file option after it reads commands from the input; -f reads a file", () => {
    writeFileSync(file, CIB);
    assert.equal(run(["configure", "--cib-file", file], "primitive a ocf:quorate:dummy\nproperty stonith-enabled=false\n").code, 0);
    const script = join(directory, "script");
    writeFileSync(script, "configure\nprimitive c ocf:quorate:dummy\nup\nresource stop a\n");
    assert.equal(run(["--cib-file", file, "-f", script]).code, 0);
    const shown = run(["--cib-file", file, "configure", "show", "a", "c"]);
    assert.equal(shown.code, 0);
    assert.match(shown.out, /target-role=Stopped/);
    assert.match(shown.out, /primitive c/);
  });

  test("one-shot commits by itself; show of an unknown id is 1", () => {
    writeFileSync(file, CIB);
    assert.equal(run(["--cib-file", file, "configure", "property", "stonith-enabled=false"]).code, 0);
    assert.ok(readFileSync(file, "utf8").includes("stonith-enabled"));
    assert.equal(run(["--cib-file", file, "configure", "show", "nothing"]).code, 1);
  });

  test("a shadow: new, edit, diff against nothing live fails clearly, delete", () => {
    writeFileSync(file, CIB);
    const text = `cib import ${file} try\nconfigure\nprimitive a ocf:quorate:dummy\nproperty stonith-enabled=false\nup\ncib list\ncib use live\ncib delete try\ncib list\n`;
    const { code, out, err } = run([], text);
    assert.equal(code, 0, err);
    assert.equal(out.trim(), "try");
    assert.ok(!readFileSync(file, "utf8").includes('id="a"'), "the file it came from is untouched");
  });

  test("without a daemon: one clear line and 1", () => {
    const { code, err } = run(["status"]);
    assert.equal(code, 1);
    assert.match(err, /^ERROR: cannot reach .*none\.sock: no daemon listens there$/m);
  });

  test("explain: terms that add up, and the commands that would change it", () => {
    const node = (id: number): string =>
      `<node_state id="${id}" uname="n${id}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="${id}"><lrm_resources/></lrm></node_state>`;
    const constraints = `<constraints><rsc_location id="never" rsc="a" node="n2" score="-INFINITY"/><rsc_location id="like" rsc="a" node="n1" score="50"/></constraints>`;
    const cib = `<cib validate-with="pacemaker-3.9" have-quorum="1" dc-uuid="1"><configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources><primitive id="a" class="ocf" provider="quorate" type="dummy"/></resources>${constraints}</configuration><status>${node(1)}${node(2)}</status></cib>`;
    writeFileSync(file, cib);
    const { code, out } = run(["explain", "a", "--node", "n2", "--xml-file", file]);
    assert.equal(code, 0);
    assert.match(out, /-INFINITY {2}location constraint never/);
    assert.match(out, /^ {2}quorate configure delete never$/m);
    const json = JSON.parse(run(["explain", "a", "--json", "--xml-file", file]).out) as {
      instances: { node: string; nodes: { node: string; score: number }[] }[];
    };
    assert.equal(json.instances[0]?.node, "n1");
    assert.equal(json.instances[0]?.nodes.find((item) => item.node === "n1")?.score, 50);
    assert.equal(run(["explain", "nothing", "--xml-file", file]).code, 1);
  });

  test("completion for the shell prints words", () => {
    assert.equal(run(["__complete", "resource sta"]).out, "status\nstart\n");
  });
});
