import assert from "node:assert/strict";
import { test } from "node:test";
import { logIndex, term } from "../../src/core/base/index.ts";
import { Proposals } from "../../src/core/controller/proposals.ts";
import type { ProposeOutcome } from "../../src/core/controller/types.ts";
import type { Answer } from "../../src/core/raft/index.ts";

type Outcome = Extract<Answer, { kind: "proposal" }>["outcome"];

const at = (index: number): Outcome => ({ kind: "appended", first: { term: term(3), index: logIndex(index) } });

test("a forwarded proposal that arrived twice is what its first entry came to, whatever the second was told", () => {
  const second: readonly Outcome[] = [at(7), { kind: "refused", reason: "busy", leader: null }];
  for (const outcome of second) {
    const proposals = new Proposals();
    const told: ProposeOutcome[] = [];
    const context = proposals.open(1, 1000, term(3), (outcomes) => told.push(...outcomes));
    proposals.answered({ kind: "proposal", context, outcome: at(5) });
    proposals.answered({ kind: "proposal", context, outcome });
    const result = { ok: true, index: logIndex(5), epoch: 1, value: null } as const;
    proposals.applied(logIndex(5), term(3), result);
    proposals.applied(logIndex(7), term(3), { ok: false, index: logIndex(7), code: "CIB_CONFLICT", message: "it exists" });
    assert.deepEqual(told, [{ kind: "applied", result }]);
    assert.equal(proposals.size, 0);
  }
});
