import assert from "node:assert/strict";
import { test } from "node:test";
import { agentTypes } from "../../src/app/cli/agent-metadata.ts";
import { runConformance } from "./conformance/runner.ts";
import { missing } from "./support.ts";

const skip = missing("conformance", "cli", "cases", "open.json");
/** Two cases are about agents that must be installed to be judged. */
const NEED_AGENTS = ["authored/commit/semantic-error-blocks-commit", "authored/primitive/unknown-agent"];
const agentsHere = agentTypes("ocf", "heartbeat").includes("IPaddr2");

test("every open case of the conformance data passes", { skip }, async () => {
  const result = await runConformance([]);
  const failed = agentsHere ? result.failed : result.failed.filter((id) => !NEED_AGENTS.includes(id));
  assert.deepEqual(failed, []);
  assert.ok(result.passed >= 400, `only ${result.passed} cases were judged`);
});

test("at least 95 in 100 cases pass with every generated id compared", { skip }, async () => {
  const result = await runConformance(["--ids", "strict"]);
  const total = result.passed + result.failed.length;
  assert.ok(result.passed >= 0.95 * total, `${result.passed} of ${total}: ${result.failed.join(" ")}`);
});
