import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { openContext } from "../../src/app/cli/context.ts";
import type { CliMode, CliOptions } from "../../src/app/cli/level.ts";
import { DEFAULT_PREFERENCES, type Preferences, withPreference } from "../../src/app/cli/preferences.ts";
import { rootLevel } from "../../src/app/cli/root.ts";
import { Shell } from "../../src/app/cli/shell.ts";
import { TestTerminal } from "./test-terminal.ts";

const CIB = `<cib validate-with="pacemaker-3.9"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="f" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes><node id="1" uname="n1"/></nodes><resources/><constraints/></configuration></cib>`;
const LINES = ["primitive a ocf:x:y params fake=1 passwd=geheim", "primitive b ocf:x:y", "group g a b", "location l g 100: n1"];

/** A person who answers from a list; without an answer left the safe one is given. */
class AnsweringTerminal extends TestTerminal {
  override readonly interactive: boolean;
  readonly questions: string[] = [];
  readonly #answers: boolean[];
  readonly #force: boolean;
  constructor(how: { readonly answers: readonly boolean[]; readonly interactive: boolean; readonly force: boolean }) {
    super();
    this.#answers = [...how.answers];
    this.interactive = how.interactive;
    this.#force = how.force;
  }
  override async confirm(question: string, safe: boolean): Promise<boolean> {
    if (this.#force) return true;
    this.questions.push(question);
    return this.#answers.shift() ?? safe;
  }
}

describe("edit", () => {
  let directory: string;
  let file: string;
  let editor: string;
  const before_ = { editor: process.env["EDITOR"], visual: process.env["VISUAL"], checks: process.env["QUORATE_AGENT_CHECKS"] };

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "quorate-edit-"));
    file = join(directory, "cib.xml");
    editor = join(directory, "editor");
    process.env["EDITOR"] = editor;
    process.env["QUORATE_AGENT_CHECKS"] = "off";
  });
  after(() => {
    for (const [name, value] of [
      ["EDITOR", before_.editor],
      ["VISUAL", before_.visual],
      ["QUORATE_AGENT_CHECKS", before_.checks],
    ] as const) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(directory, { recursive: true });
  });
  beforeEach(async () => {
    writeFileSync(file, CIB);
    for (const name of ["seen", "calls"]) rmSync(join(directory, name), { force: true });
    assert.equal((await run(["configure", ...LINES])).ok, true);
  });

  /** The editor is a shell script; `$1` is the file, and what it was given lies in `seen` afterwards. */
  function edits(script: string): void {
    writeFileSync(editor, `#!/bin/sh\ncat "$1" > '${join(directory, "seen")}'\necho x >> '${join(directory, "calls")}'\n${script}\n`);
    chmodSync(editor, 0o755);
  }
  const seen = (): string => readFileSync(join(directory, "seen"), "utf8");
  const calls = (): number => (existsSync(join(directory, "calls")) ? readFileSync(join(directory, "calls"), "utf8").length / 2 : 0);

  type Outcome = { readonly ok: boolean; readonly out: string; readonly said: readonly string[]; readonly questions: readonly string[] };

  async function run(
    lines: readonly string[],
    how: {
      readonly mode?: CliMode;
      readonly answers?: readonly boolean[];
      readonly force?: boolean;
      readonly preferences?: Preferences;
    } = {},
  ): Promise<Outcome> {
    const terminal = new AnsweringTerminal({
      answers: how.answers ?? [],
      interactive: how.mode === "interactive",
      force: how.force === true,
    });
    const options: CliOptions = {
      force: how.force === true,
      no: false,
      wait: false,
      debug: false,
      display: "plain",
      cibFile: file,
      shadow: null,
      socketPath: "",
    };
    const context = openContext(terminal, how.mode ?? "batch", options, how.preferences ?? DEFAULT_PREFERENCES);
    const shell = new Shell(rootLevel(), context);
    let ok = true;
    for (const line of lines) ok = (await shell.run(line)).ok && ok;
    ok = (await shell.leaveAll()) && ok;
    return { ok, out: terminal.out_.join("\n"), said: terminal.said, questions: terminal.questions };
  }

  const show = async (...words: readonly string[]): Promise<string> =>
    (await run([`configure show ${words.join(" ")}`])).out.replaceAll(/ \\\n\t/g, " ");

  test("what the editor leaves is what there is: a value changed, nothing else", async () => {
    edits(`sed -i 's/fake=1/fake=2/' "$1"`);
    const { ok, said } = await run(["configure", "edit a"]);
    assert.deepEqual([ok, said], [true, []]);
    assert.equal(
      seen().replaceAll(/ \\\n\t/g, " "),
      "primitive a ocf:x:y params fake=1 passwd=geheim\n",
      "only what was asked for is edited",
    );
    assert.match(await show("a"), /fake=2 passwd=geheim/);
    assert.match(await show("g"), /^group g a b$/m, "the container still holds it");
  });

  test("left as it was, nothing is to be committed", async () => {
    edits("true");
    const { ok, said } = await run(["configure", "edit", "commit"]);
    assert.equal(ok, true);
    assert.deepEqual(said, ["INFO: nothing to commit: nothing changed"]);
    assert.match(seen(), /group g a b/, "without words everything is edited");
  });

  test("a line that is gone is an object deleted, with what needs it; a line added is an object made", async () => {
    edits(`sed -i '/^primitive b/d; s/^group g a b/group g a/' "$1"; echo 'primitive c ocf:x:y' >> "$1"`);
    assert.equal((await run(["configure", "edit"])).ok, true);
    const text = await show();
    assert.match(text, /^group g a$/m);
    assert.match(text, /^primitive c ocf:x:y$/m);
    assert.doesNotMatch(text, /primitive b/);
    edits(`: > "$1"`);
    assert.equal((await run(["configure", "edit l"])).ok, true);
    assert.doesNotMatch(await show(), /location/);
  });

  test("a mistake is told with its line, and who edits again loses nothing of the text", async () => {
    edits(
      `if grep -q 'op monitr' "$1"; then sed -i 's/op monitr=/op monitor interval=/' "$1"; else sed -i 's/fake=1/fake=3 op monitr=10s/' "$1"; fi`,
    );
    const { ok, said, questions } = await run(["configure", "edit a"], { mode: "interactive", answers: [true, true] });
    assert.equal(ok, true);
    assert.equal(calls(), 2);
    assert.match(seen(), /op monitr/, "the second time the text is as it was left");
    assert.match(said[0] ?? "", /^ERROR: line 1: primitive a: expected the name of an operation/);
    assert.deepEqual(questions, ["Edit again", "There are changes pending. Do you want to commit them"]);
    assert.match(await show("a"), /fake=3/);
  });

  test("who does not edit again changes nothing; so it is in batch, also when forced", async () => {
    edits(`sed -i 's/^primitive a.*/primitive a ocf:x:y op\\nprimitive z ocf:x:y/' "$1"`);
    const before = readFileSync(file, "utf8");
    for (const how of [{ mode: "interactive" as const, answers: [false] }, {}, { force: true }]) {
      const { ok } = await run(["configure", "edit a"], how);
      assert.equal(ok, false);
      assert.equal(readFileSync(file, "utf8"), before);
    }
    assert.equal(calls(), 3, "nobody is there to correct it, so it is asked for once");
  });

  test("a mistake that is left in is no success, also when every question is answered by force", async () => {
    edits(`sed -i 's/fake=1/fake=1 op/' "$1"; sed -i 's/op op/op/' "$1"`);
    const { ok, said } = await run(["configure", "edit a"], { mode: "interactive", force: true });
    assert.equal(ok, false);
    assert.match(said.at(-1) ?? "", /^ERROR: edit: the mistake is still there/);
    assert.match(await show("a"), /fake=1 passwd/);
  });

  test("an editor that fails, or is not there, changes nothing", async () => {
    edits(`sed -i 's/fake=1/fake=9/' "$1"; exit 3`);
    const failed = await run(["configure", "edit a"]);
    assert.equal(failed.ok, false);
    assert.match(failed.said[0] ?? "", /editor ended with 3$/);
    const wanted = withPreference(DEFAULT_PREFERENCES, "editor", join(directory, "nothing"));
    const absent = await run(["configure", "edit a"], { preferences: wanted });
    assert.match(absent.said.at(-1) ?? "", /nothing ended with 127$/);
    assert.match(await show("a"), /fake=1/);
  });

  test("the editor of the preferences comes before EDITOR; without any a batch refuses", async () => {
    edits("exit 1");
    const other = join(directory, "other");
    writeFileSync(other, `#!/bin/sh\nsed -i 's/fake=1/fake=4/' "$2"\n`, { mode: 0o755 });
    const wanted = withPreference(DEFAULT_PREFERENCES, "editor", `${other} -x`);
    assert.equal((await run(["configure", "edit a"], { preferences: wanted })).ok, true);
    assert.match(await show("a"), /fake=4/);
    delete process.env["EDITOR"];
    try {
      const { ok, said } = await run(["configure", "edit a"]);
      assert.equal(ok, false);
      assert.match(said[0] ?? "", /nobody to edit; use filter/);
    } finally {
      process.env["EDITOR"] = editor;
    }
  });

  test("edit xml: the same in XML", async () => {
    edits(`sed -i 's/value="1"/value="5"/; s#</primitive>#</primitive>\\n<primitive id="n" class="ocf" provider="x" type="y"/>#' "$1"`);
    assert.equal((await run(["configure", "edit xml a"])).ok, true);
    assert.match(seen(), /<primitive id="a"/);
    const text = await show();
    assert.match(text, /^primitive a ocf:x:y params fake=5/m);
    assert.match(text, /^primitive n ocf:x:y$/m);
    assert.match(text, /^group g a b$/m);
    edits(`sed -i 's/<primitive/<primitive colour="red"/' "$1"`);
    const { ok, said } = await run(["configure", "edit xml b"]);
    assert.equal(ok, false, "what the schema refuses is not committed");
    assert.match(said.join("\n"), /no attribute colour=/);
    edits(`echo '<' > "$1"`);
    assert.equal((await run(["configure", "edit xml b"])).ok, false);
    assert.match(await show("b"), /primitive b/);
  });

  test("edit changed: only what is not committed yet", async () => {
    edits(`sed -i 's/priority=1/priority=2/' "$1"`);
    assert.equal((await run(["configure", "primitive n ocf:x:y meta priority=1", "edit changed"])).ok, true);
    assert.equal(seen().replaceAll(/ \\\n\t/g, " "), "primitive n ocf:x:y meta priority=1\n");
    assert.match(await show("n"), /priority=2/);
    assert.match(await show("a"), /fake=1/);
  });

  test("an id that is not there is refused before any editor runs", async () => {
    edits("true");
    const { ok, said } = await run(["configure", "edit locaton"]);
    assert.equal(ok, false);
    assert.match(said[0] ?? "", /no object 'locaton'/);
    assert.equal(calls(), 0);
  });

  test("hidden values of an edited text keep what they were", async () => {
    edits(`sed -i 's/fake=1/fake=6/' "$1"`);
    assert.equal((await run(["configure", "edit a obscure:passw*"])).ok, true);
    assert.match(seen(), /passwd="\*{6}"/);
    assert.match(await show("a"), /fake=6 passwd=geheim/);
  });
});
