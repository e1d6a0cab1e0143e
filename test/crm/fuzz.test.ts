import assert from "node:assert/strict";
import { test } from "node:test";
import { serverCommand } from "./conformance/runner.ts";
import { fuzzServer } from "./fuzz.ts";

/** The soak test types ten times as many (`test/crm/fuzz-main.ts`). */
const LINES = 2000;
const SEED = 20261124;

test(`${LINES} fuzzed lines (seed ${SEED}): every request is answered, nothing is half committed`, async () => {
  const outcome = await fuzzServer(serverCommand(), SEED, LINES);
  assert.deepEqual(outcome.problems, []);
  assert.ok(outcome.committed > 0, "some lines must be right, or nothing is tested");
});
