import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { runSeed } from "../../src/app/sim/index.ts";

test("one seed gives one run, bit for bit", async () => {
  const first = await runSeed({ seed: 42, minutes: 0.5, schedule: schedulePlan });
  const second = await runSeed({ seed: 42, minutes: 0.5, schedule: schedulePlan });
  assert.equal(first.violation, null);
  assert.equal(first.digest, second.digest);
  assert.ok(first.faults > 0 && first.entries > 0);
});
