import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { runSimulate } from "../../src/app/cli/simulate.ts";

const COMMAND = resolve(import.meta.dirname, "../../src/app/cli", import.meta.filename.endsWith(".ts") ? "main.ts" : "main.js");
const LOADER = COMMAND.endsWith(".ts") ? ["--import", "tsx"] : [];
const directory = mkdtempSync(join(tmpdir(), "quorate-simulate-"));
after(() => rmSync(directory, { recursive: true, force: true }));

type Run = { readonly code: number; readonly out: string; readonly err: string };

async function simulate(args: readonly string[], stdin = ""): Promise<Run> {
  let out = "";
  let err = "";
  const code = await runSimulate(args, {
    stdin: Readable.from([stdin]),
    write: (text) => {
      out += text;
    },
    error: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function cib(resources: string, constraints = "", status = ""): string {
  return `<cib have-quorum="1" dc-uuid="1" execution-date="1700000000"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources>${resources}</resources>
<constraints>${constraints}</constraints></configuration>
<status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"/>${status}</status></cib>`;
}

const A = '<primitive id="A" class="ocf" provider="pacemaker" type="Dummy"/>';

const HOSTILE: readonly { readonly name: string; readonly content: () => string | Uint8Array; readonly expect: RegExp }[] = [
  {
    name: "cyclic containment",
    content: () => {
      const inside = (id: string, other: string): string =>
        `\n<primitive id="${id}" class="ocf" provider="p" type="D"><meta_attributes id="${id}m"><nvpair id="${id}c" name="container" value="${other}"/></meta_attributes></primitive>`;
      return cib(inside("A", "B") + inside("B", "A"));
    },
    expect: /line \d+: <nvpair id="[AB]c">: container: A in B in A/,
  },
  {
    name: "self-colocation",
    content: () => cib(A, '<rsc_colocation id="c1" rsc="A" with-rsc="A" score="INFINITY"/>'),
    expect: /line 5: <rsc_colocation id="c1">: A is colocated with itself/,
  },
  {
    name: "ids of a million characters",
    content: () => cib(`<primitive id="${"x".repeat(1_000_000)}" class="ocf" provider="p" type="D"/>`),
    expect: /line 4: <primitive id="x+…">: the id has 1000000 characters/,
  },
  {
    name: "billion laughs",
    content: () => `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>${cib(A)}`,
    expect: /line 1, .*document type/,
  },
  { name: "deep nesting", content: () => `${"<a>".repeat(100_000)}${"</a>".repeat(100_000)}`, expect: /line 1, .*<a>.*deep/ },
  {
    name: "negative intervals",
    content: () => cib(A.replace("/>", '><operations><op id="A-m" name="monitor" interval="-10s"/></operations></primitive>')),
    expect: /line 4: <op id="A-m">: interval="-10s" is negative/,
  },
  { name: "unknown elements", content: () => cib(`${A}<gizmo id="g"/>`), expect: /line 4: <gizmo id="g">: the element is not known here/ },
  { name: "duplicate ids", content: () => cib(A + A), expect: /line 4: <primitive id="A">: the id is used twice/ },
  {
    name: "dangling references",
    content: () => cib(A, '\n<rsc_location id="l" rsc="B" node="n1" score="5"/>'),
    expect: /line 6: <rsc_location id="l">: rsc="B" refers to nothing/,
  },
  {
    name: "bytes that are not UTF-8",
    content: () => Uint8Array.from([...Buffer.from('<cib>\n<configuration id="'), 0xff, 0xfe, ...Buffer.from('"/></cib>')]),
    expect: /line 2, column 20: <configuration>: the document is not valid UTF-8/,
  },
];

for (const { name, content, expect } of HOSTILE) {
  test(`a clear error in less than a second: ${name}`, async () => {
    const path = file(`${name.replaceAll(" ", "-")}.xml`, content());
    const start = performance.now();
    const run = await simulate(["--xml-file", path]);
    const elapsedMs = performance.now() - start;
    assert.equal(run.code, 1);
    assert.match(run.err, expect);
    assert.ok(run.err.length < 500, "the message does not repeat the input");
    // Other work may share the machine; the budget is generous against a stall, the usual time is a few milliseconds.
    assert.ok(elapsedMs < 1000, `${elapsedMs} ms`);
  });
}

test("the ten through the real command, in one process: an error each, with the line, and the process goes on", () => {
  const lines = HOSTILE.map(({ name, content }) =>
    JSON.stringify({ name, input: file(`real-${name.replaceAll(" ", "-")}.xml`, content()), now: null }),
  );
  const argv = [...LOADER, COMMAND, "simulate", "--batch", "--format", "json"];
  const run = spawnSync(process.execPath, argv, { input: `${lines.join("\n")}\n`, encoding: "utf8", timeout: 60_000 });
  assert.equal(run.status, 0, run.stderr);
  const answers = run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string; error?: string });
  assert.deepEqual(answers.map(({ name }) => name).sort(), HOSTILE.map(({ name }) => name).sort());
  for (const { name, expect } of HOSTILE) {
    const error = answers.find((answer) => answer.name === name)?.error ?? "";
    assert.match(error, expect, name);
    assert.match(error, /line \d+/, name);
  }
});

test("a batch answers every line and goes on after an error", async () => {
  const good = file("good.xml", cib(A));
  const bad = file("bad.xml", cib(A + A));
  const lines = [
    { name: "one", input: good, now: null },
    { name: "two", input: bad, now: null },
    { name: "three", input: join(directory, "missing.xml"), now: null },
    { name: "four", input: good, now: "2024-01-01T00:00:00Z" },
  ];
  const run = await simulate(["--batch", "--format", "json"], `${lines.map((line) => JSON.stringify(line)).join("\n")}\nnonsense\n`);
  const answers = run.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string | null; error?: string; actions?: unknown[] });
  assert.deepEqual(
    answers.map((answer) => [answer.name, answer.error === undefined]),
    [
      ["one", true],
      ["two", false],
      ["three", false],
      ["four", true],
      [null, false],
    ],
  );
  assert.equal(answers[0]?.actions?.length, 3, "two probes and a start");
});

test("text shows state, decision with reasons, actions and the state after", async () => {
  const run = await simulate(["--xml-file", file("text.xml", cib(A)), "-s"]);
  assert.equal(run.code, 0);
  for (const part of [
    "Current cluster status:",
    "Assignment Scores:",
    "Transition Summary:",
    "Start      A",
    "Resource action: A",
    "Revised Cluster Status:",
    "Started n1",
  ]) {
    assert.ok(run.out.includes(part), part);
  }
});

test("what if: a node fails, a result is injected, a failure meets the transition", async () => {
  const path = file("whatif.xml", cib(A));
  const failed = await simulate(["--xml-file", path, "--node-fail", "n1", "--format", "json"]);
  const state = JSON.parse(failed.out) as {
    final: { nodes: Record<string, { state: string }>; resources: Record<string, { node: string }[]> };
  };
  assert.equal(state.final.nodes["n1"]?.state, "offline");
  assert.equal(state.final.resources["A"]?.[0]?.node, "n2");
  const injected = await simulate(["--xml-file", path, "--op-inject", "A_monitor_0@n2=0", "--format", "json"]);
  assert.deepEqual((JSON.parse(injected.out) as typeof state).final.resources["A"]?.[0]?.node, "n2", "it was found there");
  const met = await simulate(["--xml-file", path, "--op-fail", "A_start_0@n1=1"]);
  assert.match(met.out, /start on n1 \(failed\)/);
  assert.match(met.out, /Transition failed/);
  const unknown = await simulate(["--xml-file", path, "--node-down", "n9"]);
  assert.match(unknown.err, /node n9 does not exist/);
});
