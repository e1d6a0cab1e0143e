import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { element } from "../../src/core/cib/index.ts";
import { checkLinearizable, type Operation } from "../support/linearizability.ts";
import { doubleRuns, type LedgerLine, runningOn } from "./ledger.ts";
import { complaint, unexplained } from "./logs.ts";
import { judgeFencing, lostChanges, touched } from "./run.ts";
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

  for (const [text, fine] of [
    ["start n1 d1, start n2 d2, start n3 d3", true],
    ["start n1 d1, start n2 d2, start n3 d3, stop n1 d1", false],
    ["start n1 d1, start n2 d2, start n3 d3, start n1 d1", false],
    ["start n1 d1, start n2 d2, start n3 d3, off n1", false],
    ["start n1 d1, start n2 d2", false],
  ] as const) {
    test(`${text}: ${fine ? "untouched" : "touched"}`, () => assert.equal(touched(ledger(text)) === null, fine));
  }

  test("a host without power runs nothing", () => {
    assert.deepEqual(runningOn(ledger("start n1 d, start n2 e, off n1"), "d"), []);
    assert.deepEqual(runningOn(ledger("start n1 d, start n2 e, off n1"), "e"), ["n2"]);
  });
});

describe("the logs", () => {
  for (const [line, expected] of [
    ['{"level":50,"msg":"the policy engine failed; nothing new is started"}', "the policy engine failed; nothing new is started"],
    ['{"level":"error","message":"deadline passed: stopping all resources"}', "deadline passed: stopping all resources"],
    ['{"level":40,"msg":"the node is lost"}', null],
    ['{"level":30,"msg":"quorated is up"}', null],
    ["supervise: daemon ended with 137", null],
    ["Killed", null],
    ["Segmentation fault", "Segmentation fault"],
    ["supervise: daemon ended with 70", "supervise: daemon ended with 70"],
    ["supervise: guardian ended with 139", "supervise: guardian ended with 139"],
    ["TypeError: x is not a function", "TypeError: x is not a function"],
    ["", null],
    ['{"level":50,"ms', null],
  ] as const) {
    test(`${line || "an empty line"}: ${expected === null ? "nothing to explain" : "to be explained"}`, () => {
      assert.equal(complaint(line), expected);
    });
  }

  test("an error is explained by what the scenario did, or is told with its file and count", () => {
    const directory = mkdtempSync(join(tmpdir(), "quorate-logs-"));
    try {
      const stopped = '{"level":"error","message":"deadline passed: stopping all resources"}';
      writeFileSync(join(directory, "n1-guardian.log"), `${stopped}\n${stopped}\n`);
      writeFileSync(join(directory, "n2-daemon.log"), '{"level":50,"msg":"the guardian rejected this daemon"}\n');
      writeFileSync(join(directory, "story"), "this is not a log of a program\n");
      const all = unexplained(directory, []);
      assert.deepEqual(
        all.map((line) => line.split("\n")[0]),
        [
          "n1-guardian.log: deadline passed: stopping all resources (2 times)",
          "n2-daemon.log: the guardian rejected this daemon (1 times)",
        ],
      );
      assert.equal(unexplained(directory, ["quorum"]).length, 1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test("an acknowledged change that the configuration does not hold is lost", () => {
  const sets = ["a", "b"].map((id) => element("cluster_property_set", { id }));
  const cib = element("cib", {}, [element("configuration", {}, [element("crm_config", {}, sets)])]);
  assert.deepEqual(lostChanges(["a", "b"], cib), []);
  assert.deepEqual(lostChanges(["a", "c", "b"], cib), ["c"]);
});

describe("fencing", () => {
  const fencing = { pending: [], history: [{ target: "n2", by: "power", ok: true, reason: "silent" }] };
  for (const [fenced, harmed, fine] of [
    [undefined, [], true],
    ["nobody", ["n2"], false],
    ["harmed", ["n2"], true],
    ["harmed", ["n1", "n3"], false],
  ] as const) {
    test(`n2 was fenced; allowed: ${fenced ?? "any"}, harmed: ${harmed.join(" ") || "none"}: ${fine ? "fine" : "told"}`, () => {
      const judge = (): void => judgeFencing({ holds: fenced === undefined ? {} : { fenced } }, { fencing }, new Set(harmed));
      if (fine) judge();
      else assert.throws(judge, /n2 \(silent\)/);
    });
  }
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
