import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import type { Element } from "../../src/core/cib/index.ts";
import { emptyConfiguration } from "../../src/core/crm/index.ts";
import { canonicaliser, missing, policyFiles, readConfiguration, sessionOf, xmlOf } from "./support.ts";

const skip = missing("conformance", "policy", "xml");

/** Which files differ after a change of form, and how; the list is the whole story of a failure. */
async function differences(change: (configuration: Element) => Element): Promise<string[]> {
  const { canonXml } = await canonicaliser();
  const wrong: string[] = [];
  for (const path of policyFiles()) {
    const before = readConfiguration(path);
    const wanted = canonXml(xmlOf(before), { ids: "loose" });
    let got: string;
    try {
      got = canonXml(xmlOf(change(before)), { ids: "loose" });
    } catch (error) {
      wrong.push(`${basename(path)}: ${String(error)}`);
      continue;
    }
    if (got === wanted) continue;
    const lines = new Set(got.split("\n"));
    const old = new Set(wanted.split("\n"));
    const lost = wanted.split("\n").filter((line) => !lines.has(line));
    const added = got.split("\n").filter((line) => !old.has(line));
    wrong.push(
      [
        basename(path),
        ...lost.slice(0, 4).map((line) => ` - ${line.trim()}`),
        ...added.slice(0, 4).map((line) => ` + ${line.trim()}`),
      ].join("\n"),
    );
  }
  return wrong;
}

test("show, then load replace into an empty configuration, is the same configuration", { skip }, async () => {
  const wrong = await differences((configuration) => {
    const text = sessionOf(configuration).show([], { wrap: true, obscure: [] });
    const target = sessionOf(emptyConfiguration());
    target.load(text, "crm", "replace");
    return target.configuration;
  });
  assert.deepEqual(wrong, []);
});

test("show, then load replace over itself, changes nothing at all", { skip }, async () => {
  const changed: string[] = [];
  for (const path of policyFiles()) {
    const session = sessionOf(readConfiguration(path));
    session.load(session.show([], { wrap: true, obscure: [] }), "crm", "replace");
    const edits = session.edits();
    if (edits.length > 0) changed.push(`${basename(path)}: ${edits.map((edit) => edit.id).join(" ")}`);
  }
  assert.deepEqual(changed, []);
});

test("show xml, then load xml replace, is the same configuration", { skip }, async () => {
  const wrong = await differences((configuration) => {
    const text = sessionOf(configuration).show(["xml"], { wrap: true, obscure: [] });
    const target = sessionOf(emptyConfiguration());
    target.load(text, "xml", "replace");
    return target.configuration;
  });
  assert.deepEqual(wrong, []);
});

test("save, then load update into an empty configuration, is the same configuration", { skip }, async () => {
  const wrong = await differences((configuration) => {
    const text = sessionOf(configuration).show([], { wrap: false, obscure: [] });
    const target = sessionOf(emptyConfiguration());
    target.load(text, "crm", "update");
    return target.configuration;
  });
  assert.deepEqual(wrong, []);
});
