import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";

const directory = mkdtempSync(join(tmpdir(), "quorate-schemas-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const COMMAND = resolve(import.meta.dirname, "../../src/app/cli", import.meta.filename.endsWith(".ts") ? "main.ts" : "main.js");
const LOADER = COMMAND.endsWith(".ts") ? ["--import", "tsx"] : [];

type Answer = {
  readonly name: string;
  readonly error?: string;
  readonly final?: { readonly resources: Record<string, readonly { readonly node: string; readonly role: string }[]> };
  readonly actions?: readonly { readonly task: string; readonly rsc?: string; readonly node?: string; readonly timeout_ms?: number }[];
};

/** Answers of the real command to one batch. */
function batch(inputs: Readonly<Record<string, string>>): Map<string, Answer> {
  const lines = Object.entries(inputs).map(([name, xml]) => {
    const input = join(directory, `${name}.xml`);
    writeFileSync(input, xml);
    return JSON.stringify({ name, input, now: "2024-01-01T00:00:00Z" });
  });
  const run = spawnSync(process.execPath, [...LOADER, COMMAND, "simulate", "--batch", "--format", "json"], {
    input: `${lines.join("\n")}\n`,
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.equal(run.status, 0, run.stderr);
  const answers = run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
  return new Map(answers.map((answer) => [answer.name, answer]));
}

const pair = (name: string, value: string): string => `<nvpair id="p-${name}" name="${name}" value="${value}"/>`;

type Form = {
  readonly schema: string | null;
  readonly options: Readonly<Record<string, string>>;
  readonly clone: string;
  readonly roles: readonly [promoted: string, unpromoted: string];
  readonly defaults?: string;
  readonly nodeType?: string;
};

/** The same cluster in the words of one schema: stickiness 100, no fencing, a promotable clone promoted on n2, monitors of both roles. */
function cluster({ schema, options, clone, roles, defaults = "", nodeType = "" }: Form): string {
  const state = (id: number): string =>
    `<node_state id="${id}" uname="n${id}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="${id}"><lrm_resources/></lrm></node_state>`;
  const monitors = `<operations><op id="m1" name="monitor" interval="10s" timeout="33s" role="${roles[0]}"/><op id="m2" name="monitor" interval="11s" role="${roles[1]}"/></operations>`;
  const inner = `<primitive id="S" class="ocf" provider="pacemaker" type="Stateful">${monitors}</primitive>`;
  return `<cib${schema === null ? "" : ` validate-with="${schema}"`} have-quorum="1" dc-uuid="1"><configuration>
<crm_config><cluster_property_set id="o">${Object.entries(options)
    .map(([name, value]) => pair(name, value))
    .join("")}</cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"${nodeType}/><node id="2" uname="n2"${nodeType}/></nodes>
<resources>${clone.replace("INNER", inner)}</resources>
<constraints><rsc_location id="l" rsc="M"><rule id="lr" role="${roles[0]}" score="50"><expression id="le" attribute="#uname" operation="eq" value="n2"/></rule></rsc_location></constraints>${defaults}
</configuration><status>${state(1)}${state(2)}</status></cib>`;
}

const MASTER = '<master id="M">INNER</master>';
const PROMOTABLE = `<clone id="M"><meta_attributes id="Mm">${pair("promotable", "true")}</meta_attributes>INNER</clone>`;
const STICKY = `<rsc_defaults><meta_attributes id="rd">${pair("resource-stickiness", "100")}</meta_attributes></rsc_defaults>`;
const OLD: Form = {
  schema: "pacemaker-1.0",
  options: { stonith_enabled: "false", default_resource_stickiness: "100" },
  clone: MASTER,
  roles: ["Master", "Slave"],
  nodeType: ' type="normal"',
};

const FORMS: Readonly<Record<string, Form>> = {
  "1.0": OLD,
  "1.2": { ...OLD, schema: "pacemaker-1.2" },
  "2.10": { ...OLD, schema: "pacemaker-2.10", options: { "stonith-enabled": "false", "default-resource-stickiness": "100" }, nodeType: "" },
  "3.0": { ...OLD, schema: "pacemaker-3.0", options: { "stonith-enabled": "false" }, defaults: STICKY, nodeType: "" },
  "3.9": {
    schema: "pacemaker-3.9",
    options: { "fencing-enabled": "false" },
    clone: PROMOTABLE,
    roles: ["Promoted", "Unpromoted"],
    defaults: STICKY,
  },
  "4.0": {
    schema: "pacemaker-4.0",
    options: { "fencing-enabled": "false" },
    clone: PROMOTABLE,
    roles: ["Promoted", "Unpromoted"],
    defaults: STICKY,
  },
  unnamed: { schema: null, options: { "stonith-enabled": "false" }, clone: MASTER, roles: ["Master", "Slave"], defaults: STICKY },
};

const HEAD = '<cib validate-with="pacemaker-1.0"><configuration><crm_config/><nodes/>\n<resources>';
const TAIL = "</resources><constraints/></configuration><status/></cib>";
const DUMMY = '<primitive id="A" class="ocf" provider="p" type="D"/>';

/** Not readable, and what the error must name: the element and its line. */
const UNREADABLE: Readonly<Record<string, readonly [xml: string, message: RegExp]>> = {
  "an element of nobody's": [`${HEAD}\n<gadget id="g"/>${TAIL}`, /line 3: <gadget id="g">/],
  "a group in a group": [`${HEAD}\n<group id="g"><group id="h">${DUMMY}</group></group>${TAIL}`, /line 3: <group id="h">/],
  "a name that is missing": [`${HEAD}\n<primitive class="ocf" provider="p" type="D"/>${TAIL}`, /line 3: <primitive>/],
  "no end": [`${HEAD}\n<group id="g">`, /line 3/],
  "no cib": ["<configuration><resources/></configuration>", /cib/],
};

describe("CIBs of every schema, through the command", () => {
  test("1.0 to 4.0 with the names of their time mean the same", () => {
    const answers = batch(Object.fromEntries(Object.entries(FORMS).map(([name, form]) => [name, cluster(form)])));
    const wanted = answers.get("4.0");
    assert.deepEqual(
      wanted?.final?.resources["S"]?.map(({ node, role }) => `${role} ${node}`).sort(),
      ["Promoted n2", "Unpromoted n1"],
      JSON.stringify(wanted),
    );
    assert.ok(wanted?.actions?.some((action) => action.task === "monitor" && action.timeout_ms === 33_000 && action.node === "n2"));
    for (const [name, answer] of answers) {
      assert.equal(answer.error, undefined, name);
      assert.deepEqual({ ...answer, name: "" }, { ...wanted, name: "" }, name);
    }
  });

  test("what cannot be read is an error that names element and line", () => {
    const answers = batch(Object.fromEntries(Object.entries(UNREADABLE).map(([name, [xml]]) => [name.replaceAll(" ", "-"), xml])));
    for (const [name, [, message]] of Object.entries(UNREADABLE)) {
      assert.match(answers.get(name.replaceAll(" ", "-"))?.error ?? "no error", message, name);
    }
  });
});
