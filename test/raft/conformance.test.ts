import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runDirectory } from "./conformance/run.ts";

/** The checkout, whether this file runs from the sources (test/raft) or built (dist/test/raft). */
const here = dirname(fileURLToPath(import.meta.url));
const root = [resolve(here, "../.."), resolve(here, "../../..")].find((dir) => existsSync(join(dir, "package.json"))) ?? here;
const dir = join(process.env["QUORATE_SHARED"] ?? join(root, "../shared"), "conformance/raft");

test("every applicable case of the Raft conformance data holds", { skip: skipReason() }, () => {
  const verdicts = runDirectory(dir);
  const failed = verdicts.flatMap((one) => (one.kind === "failed" ? [`${one.id}: ${one.reason}`] : []));
  assert.deepEqual(failed, []);
  assert.ok(verdicts.filter((one) => one.kind === "passed").length > 100, "the data were found but hold hardly any case");
});

function skipReason(): string | false {
  if (existsSync(dir)) return false;
  assert.notEqual(process.env["CI"], "true", `no conformance data at ${dir}`);
  return `no conformance data at ${dir}`;
}
