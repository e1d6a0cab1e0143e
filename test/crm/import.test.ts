import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseAgentMetadata } from "../../src/app/cli/agent-metadata.ts";
import { runImport } from "../../src/app/cli/import.ts";
import { attributeOf } from "../../src/core/cib/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";
import { missing, policyFiles } from "./support.ts";

async function importOf(...args: readonly string[]): Promise<{ readonly rc: number; readonly out: string; readonly err: string }> {
  let out = "";
  let err = "";
  const io = {
    write: (text: string): void => {
      out += text;
    },
    error: (text: string): void => {
      err += text;
    },
  };
  const rc = await runImport(["pacemaker", ...args], io);
  return { rc, out, err };
}

test("the import of every cluster of the policy corpus places resources as the original does", {
  skip: missing("conformance", "policy", "xml"),
}, async () => {
  const wrong: string[] = [];
  // Every fifth is a hundred clusters of all kinds; the soak takes them all.
  const every = Number(process.env["IMPORT_EVERY"] ?? "5");
  for (const path of policyFiles().filter((_, index) => index % every === 0)) {
    const { out, err } = await importOf(path);
    if (!/^Proof: /m.test(out)) wrong.push(`${path}: ${err}${out.slice(-200)}`);
  }
  assert.deepEqual(wrong, []);
});

test("an import says what is not supported and what is different, and adds nothing", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-import-"));
  try {
    const [source, target] = [join(directory, "cluster.crm"), join(directory, "cib.xml")];
    writeFileSync(
      source,
      "node a\nnode b\nprimitive p Dummy\nprimitive f stonith:external/ssh\nproperty no-quorum-policy=ignore cluster-infrastructure=corosync\n",
    );
    const { rc, out } = await importOf(source, "--output", target);
    assert.equal(rc, 0, out);
    assert.match(out, /f: only fence_\* agents are run/);
    assert.match(out, /no-quorum-policy=ignore: a node that cannot prove it has quorum stops/);
    assert.match(out, /Proof: .* 4 simulated states/);
    const text = readFileSync(target, "utf8");
    assert.doesNotMatch(text, /monitor|resource-stickiness|interleave/, "Pacemaker's defaults are kept to the letter");
    assert.equal(attributeOf(parseXml(text), "validate-with"), "pacemaker-3.9");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("an import that cannot be read ends with 1 and says why", async () => {
  const { rc, err } = await importOf("/nonexistent");
  assert.equal(rc, 1);
  assert.match(err, /cannot read \/nonexistent/);
});

test("agents' descriptions are read, with what they require and advise", () => {
  const metadata = parseAgentMetadata(
    "X",
    `<?xml version="1.0"?><!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd"><resource-agent name="X" version="2"><longdesc>long</longdesc>
     <shortdesc lang="en">short</shortdesc><parameters><parameter name="ip" required="1" unique="1"><shortdesc>address</shortdesc>
     <content type="select" default="a"><option value="a"/><option value="b"/></content></parameter></parameters>
     <actions><action name="monitor" depth="0" timeout="20s" interval="10s"/></actions></resource-agent>`,
  );
  assert.equal(metadata?.shortDescription, "short");
  assert.deepEqual(metadata?.parameters, [
    { name: "ip", required: true, uniqueGroup: "ip", type: "select", default: "a", values: ["a", "b"], description: "address" },
  ]);
  assert.deepEqual(metadata?.operations, [{ name: "monitor", interval: "10s", timeout: "20s", role: null }]);
  assert.equal(parseAgentMetadata("X", "usage: X start"), null);
});
