import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runDirectory } from "./conformance/run.ts";

type Json = Readonly<Record<string, unknown>>;

/** What the runner says of each file's cases, by id: "passed", or why not. */
function verdictsOf(files: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const dir = mkdtempSync(join(tmpdir(), "raft-cases-"));
  try {
    mkdirSync(join(dir, "scenarios"));
    for (const [name, json] of Object.entries(files))
      writeFileSync(join(dir, name), typeof json === "string" ? json : JSON.stringify(json));
    return Object.fromEntries(runDirectory(dir).map((one) => [one.id, one.kind === "passed" ? "passed" : `${one.kind}: ${one.reason}`]));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function scenario(id: string, group: string, steps: readonly Json[]): Readonly<Record<string, unknown>> {
  return { [`scenarios/${id}.json`]: { id, group, ticks: { election: 3, heartbeat: 1 }, steps } };
}

const start = { index: 2, term: 1, voters: [1, 2], learners: [] };
const elected: readonly Json[] = [{ do: "add", count: 2, start }, { do: "campaign", node: 1 }, { do: "settle" }];

test("what the runner does not know is a failure that names it, and so is a case or file that asks nothing", () => {
  const verdicts = verdictsOf({
    "empty.json": [],
    "torn.json": "[{",
    "cases.json": [
      { id: "quorum", kind: "lease", voters: [1], given: {}, expect: "lost" },
      { id: "change", steps: [{ do: "jump", expect: { error: "no-voters" } }] },
      { id: "vector", kind: "figure-9", expect: {} },
    ],
    ...scenario("step", "core", [...elected, { do: "fly", node: 1 }]),
    ...scenario("mode", "core", [...elected, { do: "change", node: 1, mode: "joint", changes: [], expect: { error: "" } }]),
    ...scenario("op", "core", [...elected, { do: "change", node: 1, mode: "simple", changes: [{ op: "demote", id: 2 }] }]),
    ...scenario("only", "core", [...elected, { do: "deliver", to: [2], only: "appendix" }]),
    ...scenario("option", "core", [{ do: "add", count: 1, options: { fast: true } }]),
    ...scenario("expectation", "core", [...elected, { do: "settle", expect: { node: {} } }]),
    ...scenario("nothing", "core", elected),
  });
  assert.deepEqual(verdicts, {
    "empty.json": "failed: holds no case",
    "torn.json": verdicts["torn.json"],
    quorum: "failed: unknown kind lease",
    change: "failed: step 0: unknown step jump",
    vector: "failed: unknown kind figure-9",
    step: "failed: threw unknown step fly",
    mode: "failed: threw unknown mode joint",
    op: "failed: threw unknown change demote",
    only: "failed: threw unknown kind of message appendix",
    option: "failed: threw unknown option fast",
    expectation: "failed: step 3 (settle): unknown expectation node",
    nothing: "failed: nothing to compare",
  });
  assert.match(verdicts["torn.json"] ?? "", /^failed: threw /);
});

test("`only` limits what is dropped too, and the leader's row has every column", () => {
  const own = { mode: "replicate", match: 4, next: 5, paused: false, inflight: 0, inactive: false, learner: false };
  const steps: readonly Json[] = [
    ...elected,
    { do: "propose", node: 1, data: "a" },
    { do: "tick", node: 1, ticks: 1 },
    { do: "ready", nodes: [1] },
    { do: "deliver", to: [], drop: [2], only: "append" },
    { do: "check-progress", node: 1, expect: { progress: { 1: own, 2: { match: 3, next: 5, inflight: 1 } } } },
    // The heartbeat was not dropped: its answer has the leader find out what was.
    { do: "settle", expect: { nodes: { 1: { commit: 4 }, 2: { commit: 4 } } } },
  ];
  assert.deepEqual(verdictsOf(scenario("only", "flow", steps)), { only: "passed" });
});

test("a transfer is refused or not by its own step, and never counts against the next proposal", () => {
  const learner = { do: "add", count: 3, start: { ...start, learners: [3] } };
  const steps = (expect: Json): readonly Json[] => [
    learner,
    ...elected.slice(1),
    { do: "transfer", node: 1, target: 3, ...expect },
    { do: "propose", node: 1, data: "a" },
    { do: "settle", expect: { nodes: { 1: { commit: 4 } } } },
  ];
  const files = { ...scenario("silent", "core", steps({})), ...scenario("told", "core", steps({ expect: { error: "a learner" } })) };
  assert.deepEqual(verdictsOf(files), { silent: "passed", told: "passed" });
});

test("where only roles can be compared, a voter's wrong role is a failure", () => {
  const steps = (role: string): readonly Json[] => [
    { do: "add", count: 3, start: { ...start, voters: [1, 2, 3] }, options: { stepDownOnRemoval: true } },
    ...elected.slice(1),
    { do: "change", node: 1, mode: "auto", changes: [{ op: "remove", id: 3 }] },
    { do: "settle" },
    { do: "check-roles", expect: { roles: { 2: { role, voter: true, term: 1, leader: 1 } } } },
  ];
  const verdicts = verdictsOf({
    ...scenario("right", "membership", steps("follower")),
    ...scenario("wrong", "membership", steps("leader")),
  });
  assert.match(verdicts["right"] ?? "", /^skipped: .*role checks after a settle hold$/);
  assert.match(verdicts["wrong"] ?? "", /^failed: .*role of node 2/);
});
