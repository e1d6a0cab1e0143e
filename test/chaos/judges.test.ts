import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkLinearizable, type Operation } from "../support/linearizability.ts";
import { doubleRuns, type LedgerLine, runningOn } from "./ledger.ts";
import { CI, SCENARIOS } from "./scenarios/index.ts";
import { withoutUnseen } from "./workload.ts";

/** `start n1 d`, `stop n1 d`, `off n1`. */
function ledger(text: string): readonly LedgerLine[] {
  return text.split(", ").map((line, at) => {
    const [action, node, resource] = line.split(" ");
    return { atNs: BigInt(at), node: node ?? "", resource: resource ?? "-", action: action as LedgerLine["action"] };
  });
}

describe("the ledger", () => {
  for (const [text, overlaps] of [
    ["start n1 d, stop n1 d, start n2 d", 0],
    ["start n1 d, start n2 d", 1],
    ["start n1 d, off n1, start n2 d", 0],
    ["start n1 d, off n2, start n2 d", 1],
    ["start n1 d, start n1 d, stop n1 d, start n2 d", 0],
    ["start n1 d, start n2 e", 0],
    ["start n1 d, stop n2 d, start n3 d", 1],
  ] as const) {
    test(`${text}: ${overlaps} double runs`, () => {
      assert.equal(doubleRuns(ledger(text)).length, overlaps);
    });
  }

  test("a host without power runs nothing", () => {
    assert.deepEqual(runningOn(ledger("start n1 d, start n2 e, off n1"), "d"), []);
    assert.deepEqual(runningOn(ledger("start n1 d, start n2 e, off n1"), "e"), ["n2"]);
  });
});

describe("swaps of unknown outcome", () => {
  const swap = (value: string, expect: string | null, callAt: number): Operation => ({
    client: 1,
    key: "k",
    op: "cas",
    expect,
    value,
    callAt,
  });
  const read = (result: string | null, callAt: number): Operation => ({
    client: 2,
    key: "k",
    op: "read",
    result,
    callAt,
    returnAt: callAt + 1,
  });

  test("those that nobody saw are left out, those that were seen stay", () => {
    const history = [swap("a", null, 0), swap("b", null, 1), read("a", 5)];
    assert.deepEqual(withoutUnseen(history), [history[0], history[2]]);
  });

  test("a value that comes back after it was replaced is found", () => {
    const history = [swap("a", null, 0), read("a", 5), swap("b", "a", 7), read("b", 10), read("a", 15)];
    assert.equal(checkLinearizable(withoutUnseen(history)).kind, "violation");
  });

  test("twenty that nobody saw do not widen the search", () => {
    const unseen = Array.from({ length: 20 }, (_, at) => swap(`u${at}`, null, at));
    assert.equal(checkLinearizable(withoutUnseen([...unseen, read(null, 30)]), 1_000).kind, "linearizable");
  });
});

describe("the scenarios", () => {
  test("have names of their own, and CI's are among them", () => {
    const names = SCENARIOS.map((scenario) => scenario.name);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(
      CI.filter((name) => !names.includes(name)),
      [],
    );
  });
});
