import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { runConfigureServer } from "../../src/app/cli/configure-server.ts";
import { attributeOf, canonicalText, childOf, type Element, element, withChildren } from "../../src/core/cib/index.ts";
import { checkSchema, configurationIn, emptyConfiguration } from "../../src/core/crm/index.ts";
import { formatXml, parseXml } from "../../src/io/xml/index.ts";
import { generateScript } from "./differential/generate.ts";
import { missing, policyFiles, SHARED, sessionOf, threeNodes, xmlOf } from "./support.ts";

/** Where Debian's pacemaker-common puts the schema. */
const SCHEMAS = "/usr/share/pacemaker";
const DEFAULT_SCHEMA = "pacemaker-3.9";

function toolsMissing(): string | false {
  const found = spawnSync("xmllint", ["--version"]).error === undefined && existsSync(join(SCHEMAS, `${DEFAULT_SCHEMA}.rng`));
  if (found) return false;
  if (process.env["CI"] === "true")
    throw new Error("xmllint (libxml2-utils) or the schema (pacemaker-common) is missing, and CI must not skip");
  return "SKIPPED: xmllint (libxml2-utils) and the schema of pacemaker-common are not here";
}

const noTools = toolsMissing();

/** A whole CIB around a configuration, as the schema wants it. */
function cibOf(configuration: Element, schema: string): string {
  const attributes = { "validate-with": schema, epoch: "1", num_updates: "0", admin_epoch: "0" };
  return formatXml(element("cib", attributes, [configuration, element("status")]));
}

/** Names of the texts that do not validate, with what xmllint says of them. */
function invalid(texts: ReadonlyMap<string, string>, schema: string): Map<string, string> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-schema-"));
  const wrong = new Map<string, string>();
  try {
    const paths = [...texts].map(([name, text]) => {
      const path = join(directory, `${name.replaceAll("/", "_")}.xml`);
      writeFileSync(path, text);
      return { name, path };
    });
    for (let at = 0; at < paths.length; at += 100) {
      const some = paths.slice(at, at + 100);
      const done = spawnSync("xmllint", ["--noout", "--relaxng", join(SCHEMAS, `${schema}.rng`), ...some.map(({ path }) => path)], {
        maxBuffer: 64 * 1024 * 1024,
      });
      const said = done.stderr.toString("utf8");
      for (const { name, path } of some) if (!said.includes(`${path} validates`)) wrong.set(name, linesAbout(said, path));
    }
    return wrong;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function linesAbout(text: string, path: string): string {
  return text
    .split("\n")
    .filter((line) => line.startsWith(path))
    .slice(0, 2)
    .map((line) => line.slice(path.length))
    .join(" ");
}

test("what is written of the policy corpus validates against the schema it names", {
  skip: noTools || missing("conformance", "policy", "xml"),
}, () => {
  const written = new Map<string, Map<string, string>>();
  let count = 0;
  for (const path of policyFiles()) {
    const cib = parseXml(readFileSync(path));
    const named = attributeOf(cib, "validate-with") ?? DEFAULT_SCHEMA;
    // Who says that nothing is to be validated has something in it that cannot be.
    if (named === "none") continue;
    const schema = existsSync(join(SCHEMAS, `${named}.rng`)) && named.startsWith("pacemaker-") ? named : DEFAULT_SCHEMA;
    const configuration = childOf(cib, "configuration") ?? element("configuration");
    const target = sessionOf(emptyConfiguration());
    target.load(sessionOf(configuration).show([], { wrap: true, obscure: [] }), "crm", "replace");
    written.set(schema, (written.get(schema) ?? new Map<string, string>()).set(basename(path), cibOf(target.configuration, schema)));
    count += 1;
  }
  const wrong = [...written].flatMap(([schema, texts]) =>
    [...invalid(texts, schema)].map(([name, reason]) => `${name} (${schema}): ${reason}`),
  );
  assert.deepEqual(wrong, []);
  assert.ok(count > policyFiles().length - 5, `only ${count} were written`);
});

type Case = {
  readonly id: string;
  readonly base?: string;
  readonly baseXml?: string;
  readonly files?: unknown;
  readonly commands: readonly string[];
  readonly needs?: readonly string[];
};

/** What the server leaves in the file of each request, where that is something else than was there. */
async function writtenBy(requests: readonly (Case & { readonly baseXml: string })[]): Promise<Map<string, string>> {
  const input = new PassThrough();
  const output = new PassThrough();
  let text = "";
  output.on("data", (part: Buffer) => {
    text += part.toString("utf8");
  });
  input.end(requests.map((each) => `${JSON.stringify({ ...each, shows: [] })}\n`).join(""));
  await runConfigureServer(input, output);
  const bases = new Map(requests.map((each) => [each.id, each.baseXml]));
  const lines = text.trim().split("\n");
  assert.equal(lines.length, requests.length);
  const written = new Map<string, string>();
  for (const line of lines) {
    const answer = JSON.parse(line) as { id: string; xml: string };
    const configuration = configurationIn(parseXml(answer.xml));
    const before = configurationIn(parseXml(bases.get(answer.id) ?? ""));
    if (canonicalText(before) !== canonicalText(configuration)) written.set(answer.id, cibOf(configuration, DEFAULT_SCHEMA));
  }
  return written;
}

function assertValid(written: ReadonlyMap<string, string>): void {
  assert.deepEqual(
    [...invalid(written, DEFAULT_SCHEMA)].map(([name, reason]) => `${name}: ${reason}`),
    [],
  );
}

test("what is written for the cases of the language validates", {
  skip: noTools || missing("conformance", "cli", "cases", "open.json"),
}, async () => {
  const directory = join(SHARED, "conformance", "cli");
  const named = JSON.parse(readFileSync(join(directory, "bases.json"), "utf8")) as Record<string, string>;
  const { cases } = JSON.parse(readFileSync(join(directory, "cases", "open.json"), "utf8")) as { cases: readonly Case[] };
  const written = await writtenBy(cases.map((each) => ({ ...each, baseXml: each.baseXml ?? named[each.base ?? "empty"] ?? "" })));
  assert.ok(written.size > cases.length / 2, `only ${written.size} were written`);
  assertValid(written);
});

/** Scripts that are nearly right, half of which get as far as to write something. */
const SCRIPTS = 150;
const SCRIPT_SEED = 20261124;

test(`what is written for ${SCRIPTS} random scripts (seed ${SCRIPT_SEED}) validates`, { skip: noTools }, async () => {
  const baseXml = xmlOf(threeNodes());
  const requests = Array.from({ length: SCRIPTS }, (_, at) => {
    const commands = generateScript(SCRIPT_SEED + at);
    return { id: `${SCRIPT_SEED + at}`, baseXml, commands, needs: ["no-agent-checks"] };
  });
  const written = await writtenBy(requests);
  assert.ok(written.size > SCRIPTS / 3, `only ${written.size} were written`);
  assertValid(written);
});

const BAD: readonly (readonly [name: string, xml: string, expected: RegExp])[] = [
  [
    "an unknown attribute",
    '<resources><primitive id="p" class="ocf" provider="x" type="y" colour="red"/></resources>',
    /has no attribute colour=/,
  ],
  ["a missing id", '<resources><primitive class="ocf" provider="x" type="y"/></resources>', /needs id=/],
  ["an empty group", '<resources><group id="g"/></resources>', /at least one primitive/],
  ["a group in a group", '<resources><group id="g"><group id="h"/></group></resources>', /does not belong in <group>/],
  ["a bundle without a container", '<resources><bundle id="b"/></resources>', /docker or podman/],
  ["a bad score", '<constraints><rsc_location id="l" rsc="a" node="n" score="lots"/></constraints>', /expected a score/],
  ["a bad role", '<constraints><rsc_location id="l" rsc="a" node="n" score="1" role="Boss"/></constraints>', /expected one of Stopped/],
  [
    "a rule without expressions",
    '<constraints><rsc_location id="l" rsc="a"><rule id="r" score="1"/></rsc_location></constraints>',
    /at least one expression/,
  ],
];

for (const [name, xml, expected] of BAD) {
  test(`the schema check refuses ${name}`, () => {
    const section = parseXml(xml);
    const configuration = withChildren(element("configuration"), [section]);
    const messages = checkSchema(configuration).map((fault) => fault.message);
    assert.ok(
      messages.some((message) => expected.test(message)),
      messages.join("; "),
    );
  });
}
