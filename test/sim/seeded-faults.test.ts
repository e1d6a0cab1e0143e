import assert from "node:assert/strict";
import { test } from "node:test";
import { faults } from "./seeded-faults/list.ts";

test("the list holds the twelve faults of the specification", () => {
  assert.equal(new Set(faults.map(({ name }) => name)).size, 12);
});

for (const fault of faults) {
  test(`${fault.name} is found by ${fault.bound}`, async (context) => {
    const found = await fault.find(1);
    assert.ok(found !== null, `nothing noticed within ${fault.bound}`);
    context.diagnostic(`${found.where}: ${found.what}`);
  });
}
