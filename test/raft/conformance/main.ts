import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runDirectory } from "./run.ts";

/** The repository's root, from the place of the built file (dist/test/raft/conformance). */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");

const { values } = parseArgs({ options: { dir: { type: "string" } } });
const shared = process.env["QUORATE_SHARED"] ?? join(ROOT, "../shared");
const dir = values.dir ?? join(shared, "conformance/raft");
if (!existsSync(dir)) {
  console.error(`no conformance data at ${dir} (set QUORATE_SHARED or give --dir)`);
  process.exit(2);
}

const verdicts = runDirectory(dir);
for (const verdict of verdicts) {
  if (verdict.kind === "failed") console.log(`FAIL ${verdict.id}: ${verdict.reason}`);
  if (verdict.kind === "skipped") console.log(`SKIP ${verdict.id}: ${verdict.reason}`);
}
const count = (kind: string): number => verdicts.filter((verdict) => verdict.kind === kind).length;
const skipped = count("skipped");
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${count("passed")} passed, ${count("failed")} failed`);
process.exit(count("failed") > 0 || verdicts.length === 0 ? 1 : 0);
