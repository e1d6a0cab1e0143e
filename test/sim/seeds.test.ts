import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { runSeed, type SeededFault } from "../../src/app/sim/index.ts";

test("one seed gives one run, bit for bit", async () => {
  const first = await runSeed({ seed: 42, minutes: 0.5, schedule: schedulePlan });
  const second = await runSeed({ seed: 42, minutes: 0.5, schedule: schedulePlan });
  assert.equal(first.violation, null);
  assert.equal(first.digest, second.digest);
  assert.ok(first.faults > 0 && first.entries > 0);
});

/** Which promise may notice first. A fault that only shows as a cluster that does not recover does not count. */
const FOUND: Partial<Readonly<Record<SeededFault, RegExp>>> = {
  "vote-not-persisted": /^S[67]/,
  "ack-before-sync": /^(S[348]|C2|H3)/,
  "uncommitted-intent": /^H3/,
  "fence-wait-skipped": /^H1/,
  "old-incarnation": /^H3/,
};
const SEEDS_MAX = 500;

for (const fault of Object.keys(FOUND) as SeededFault[]) {
  test(`the seeded fault ${fault} is found within ${SEEDS_MAX} seeds`, async (context) => {
    for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
      const { violation } = await runSeed({ seed, minutes: 2, schedule: schedulePlan, seededFault: fault });
      if (violation === null || FOUND[fault]?.test(violation.id) !== true) continue;
      context.diagnostic(`seed ${seed}: ${violation.message}`);
      return;
    }
    assert.fail(`no seed up to ${SEEDS_MAX} found it`);
  });
}
