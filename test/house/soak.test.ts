import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

function checkout(): string {
  let place = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(place, "package.json")) || place.endsWith("dist")) place = dirname(place);
  return place;
}

/** What the soak adds up after one stage that runs `script`. */
function tally(script: string): string {
  const line = '. scripts/soak-stage.sh; stage one bash -c "$1" >/dev/null; echo "$passed $failed"';
  return execFileSync("bash", ["-uo", "pipefail", "-c", line, "-", script], { cwd: checkout(), encoding: "utf8" }).trim();
}

for (const [what, script, expected] of [
  ["passes and failures are added as they were told", "echo 7 passed, 2 failed; exit 1", "7 2"],
  ["a name before them does not matter", "echo cli: 5 passed, 0 failed", "5 0"],
  ["the last count counts", "echo 1 passed, 0 failed; echo 9 passed, 3 failed; exit 1", "9 3"],
  ["a stage that ends badly after a good count has failed", "echo 7 passed, 0 failed; exit 1", "7 1"],
  ["a stage that was killed has failed", "echo 7 passed, 0 failed; kill -9 $$", "7 1"],
  ["a stage that says nothing has failed", "true", "0 1"],
  ["a stage that has looked at nothing has failed", "echo 0 passed, 0 failed", "0 1"],
] as const) {
  test(`soak: ${what}`, () => assert.equal(tally(script), expected));
}
