import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GuardianFacts, Remembered } from "../../src/app/guardian/index.ts";
import { incarnation, term } from "../../src/core/base/index.ts";
import type { AgentAction, StopStep } from "../../src/core/ports/index.ts";
import { action, origin, plan, step } from "./support.ts";
import { dummyAnswer, exited, VirtualGuardian } from "./virtual.ts";

const BOOT = { incarnation: "boot-1" };

/** A guardian with a daemon, a plan and D at `deadlineMs`; its clock begins at 1000. */
function guarded(
  steps: readonly StopStep[],
  options: { readonly deadlineMs?: number; readonly facts?: Partial<GuardianFacts> } = {},
): VirtualGuardian {
  const guardian = new VirtualGuardian(options.facts);
  guardian.say({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 });
  guardian.say({ kind: "plan", plan: plan(1, steps) });
  guardian.say({ kind: "deadline", term: term(1), atMonotonicMs: options.deadlineMs ?? 10_000 });
  return guardian;
}

function run(guardian: VirtualGuardian, key: string, over: Partial<AgentAction> = {}): void {
  guardian.say({ kind: "run", key, origin: origin({ term: 1, ...BOOT }), action: action(over), planVersion: 1 });
}

const NOTHING: Remembered = {
  term: term(1),
  deadlineMs: Number.POSITIVE_INFINITY,
  plan: null,
  unfinished: [],
  results: [],
  trips: 0,
  stopped: [],
};

describe("a walk as proof", () => {
  it("what was asked for before it ended does not begin after it", () => {
    const guardian = guarded([step()]);
    guardian.runTo(10_500);
    assert.equal(guardian.messages("walked").at(-1)?.trips, 1);
    guardian.say({ kind: "deadline", term: term(1), atMonotonicMs: 20_000 });
    const order = { kind: "run", origin: origin({ term: 1, ...BOOT }), action: action({ operation: "start" }), planVersion: 1 } as const;
    guardian.say({ ...order, key: "before", trips: 0 });
    assert.equal(guardian.messages("refused").at(-1)?.code, "DEADLINE_PASSED");
    guardian.say({ ...order, key: "after", trips: 1 });
    assert.equal(guardian.spawned.at(-1), "start r1");
  });

  it("is not told by the welcome while it is under way", () => {
    const guardian = guarded([step()]);
    guardian.answer = (each, active) => (each.operation === "stop" ? null : dummyAnswer(each, active));
    guardian.runTo(10_000);
    guardian.say({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 }, 2);
    assert.equal(guardian.messages("tripped").length, 1);
    assert.equal(guardian.messages("welcome").at(-1)?.trips, 0);
    guardian.runTo(14_000);
    guardian.say({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 }, 3);
    assert.equal(guardian.messages("welcome").at(-1)?.trips, 1);
  });
});

describe("the deadline", () => {
  it("is not passed one moment before D, and is at D", () => {
    const guardian = guarded([step()]);
    guardian.runTo(9_999);
    assert.equal(guardian.messages("tripped").length, 0);
    guardian.runTo(10_000);
    assert.equal(guardian.messages("tripped").length, 1);
    assert.deepEqual(guardian.spawned, ["stop r1"]);
  });

  it("that is extended in time never trips, and a message late for it cannot save it", () => {
    const guardian = guarded([step()]);
    guardian.runTo(9_000);
    guardian.say({ kind: "deadline", term: term(1), atMonotonicMs: 20_000 });
    guardian.runTo(19_000);
    assert.equal(guardian.messages("tripped").length, 0);
    guardian.pause(1_500);
    guardian.say({ kind: "deadline", term: term(1), atMonotonicMs: 30_000 });
    assert.equal(guardian.messages("tripped").length, 1, "the pause crossed D: what came after it is too late");
  });

  const moves = [
    { name: "later, same term", from: 10_000, term: 1, to: 12_000, held: 12_000 },
    { name: "earlier, same term", from: 10_000, term: 1, to: 9_000, held: 10_000 },
    { name: "earlier, newer term: the older promise still covers us", from: 10_000, term: 2, to: 9_000, held: 10_000 },
    { name: "later, older term", from: 10_000, term: 0, to: 12_000, held: 10_000 },
    { name: "infinity with an exclusive step", from: 10_000, term: 1, to: Number.POSITIVE_INFINITY, held: 10_000 },
  ];
  for (const move of moves) {
    it(`moves only forward: ${move.name}`, () => {
      const guardian = guarded([step()], { deadlineMs: move.from });
      guardian.say({ kind: "deadline", term: term(move.term), atMonotonicMs: move.to });
      guardian.say({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 }, 2);
      assert.equal(guardian.messages("welcome").at(-1)?.deadlineMonotonicMs, move.held);
    });
  }

  it("counts terms anew in another cluster, and in no other case", () => {
    const guardian = guarded([step()], { deadlineMs: 10_000 });
    const hello = { kind: "hello", protocol: 1, node: "n1", daemonBoot: 1, memberId: 4 } as const;
    const held = (cluster: string, at: number, of: number): number | undefined => {
      guardian.say({ ...hello, cluster }, 2);
      guardian.say({ kind: "deadline", term: term(of), atMonotonicMs: at }, 2);
      guardian.say({ ...hello, cluster }, 2);
      return guardian.messages("welcome").at(-1)?.deadlineMonotonicMs;
    };
    assert.equal(held("c1", 12_000, 9), 12_000);
    assert.equal(held("c1", 14_000, 3), 12_000, "an old term of the same cluster");
    assert.equal(held("c2", 16_000, 3), 16_000);
  });

  it("may end when nothing exclusive is planned", () => {
    const guardian = guarded([step({ exclusive: false })]);
    guardian.say({ kind: "deadline", term: term(1), atMonotonicMs: Number.POSITIVE_INFINITY });
    guardian.runTo(1_000_000);
    assert.equal(guardian.messages("tripped").length, 0);
  });

  it("passes although the daemon is gone", () => {
    const guardian = guarded([step()]);
    guardian.step({ kind: "closed", link: 1 });
    guardian.runTo(11_000);
    assert.deepEqual(guardian.spawned, ["stop r1"]);
  });
});

describe("the walk", () => {
  it("runs the stages in order, the steps of one side by side, and ends with proof", () => {
    const steps = [step({ resource: "late", stage: 2, exclusive: false }), step({ resource: "b" }), step({ resource: "a" })];
    const guardian = guarded(steps.map((each) => ({ ...each, action: { ...each.action, params: { op_sleep: "1" } } })));
    guardian.runTo(10_000);
    assert.deepEqual(guardian.spawned, ["stop b", "stop a"]);
    guardian.runTo(11_000);
    assert.deepEqual(guardian.spawned, ["stop b", "stop a", "stop late"]);
    guardian.runTo(12_000);
    assert.deepEqual(
      guardian.messages("stopped").map((each) => [each.resource, each.proven]),
      [
        ["b", true],
        ["a", true],
        ["late", true],
      ],
    );
    assert.equal(guardian.messages("walked").length, 1);
  });

  it("demotes before it stops when the plan says so", () => {
    const guardian = guarded([step({ operation: "demote", stage: 0 }), step({ stage: 1 })]);
    guardian.runTo(10_500);
    assert.deepEqual(guardian.spawned, ["demote r1", "stop r1"]);
    assert.deepEqual(guardian.messages("stopped"), [{ kind: "stopped", resource: "r1", proven: true }]);
  });

  it("kills a start under way, drops what waits, lets a stop under way finish", () => {
    const guardian = guarded([step(), step({ resource: "r2" })], { deadlineMs: 5_000 });
    guardian.runTo(4_500);
    run(guardian, "start", { params: { op_sleep: "3" } });
    run(guardian, "monitor", { operation: "monitor" });
    run(guardian, "stop", { resource: "r2", operation: "stop", params: { op_sleep: "1" } });
    guardian.runTo(5_000);
    const ends = guardian.messages("result").map((result) => [result.key, result.outcome.kind]);
    assert.deepEqual(ends, [
      ["monitor", "cancelled"],
      ["start", "cancelled"],
    ]);
    guardian.runTo(6_000);
    assert.deepEqual(guardian.messages("result").at(-1)?.outcome, exited(0), "the stop that ran already was left alone");
    assert.deepEqual(guardian.spawned, ["start r1", "stop r2", "stop r1", "stop r2"]);
  });

  it("answers a failed stop by killing all of the resource, and asks its monitor", () => {
    const guardian = guarded([step({ params: { fail_on: "stop" } }), step({ resource: "next", stage: 1 })]);
    run(guardian, "k");
    guardian.runTo(10_100);
    assert.deepEqual(guardian.spawned, ["start r1", "stop r1", "monitor r1", "stop next"]);
    assert.deepEqual(guardian.messages("stopped")[0], { kind: "stopped", resource: "r1", proven: true });
  });

  it("kills at D + Tstop what hangs, no earlier and no later", () => {
    const guardian = guarded([step(), step({ resource: "never", stage: 1 })]);
    guardian.answer = (each, active) => (each.operation === "stop" && each.resource === "r1" ? null : dummyAnswer(each, active));
    guardian.runTo(12_999);
    assert.equal(guardian.kinds("purge").length, 0);
    guardian.runTo(13_000);
    assert.deepEqual(
      guardian.kinds("purge").map((effect) => effect.kind === "purge" && effect.action.resource),
      ["r1", "never"],
    );
    guardian.runTo(13_100);
    assert.ok(guardian.messages("stopped").every((each) => each.proven));
    assert.equal(guardian.messages("walked").length, 1);
  });

  it("gives resources with longer stops their time when the plan says so", () => {
    const guardian = guarded([]);
    guardian.say({ kind: "plan", plan: { ...plan(2, [step({ params: { op_sleep: "9" } })]), stopMs: 10_000 } });
    guardian.runTo(19_000);
    assert.equal(guardian.kinds("purge").length, 0);
    assert.equal(guardian.messages("stopped").length, 1);
  });

  for (const selfFence of ["reset", "kill"] as const) {
    it(`ends with ${selfFence} when kernel state outlives the processes`, () => {
      const guardian = guarded([step({ params: { fail_on: "stop" } })], { facts: { selfFence } });
      guardian.answer = (each) => ({ afterMs: 0, outcome: exited(each.operation === "start" || each.operation === "monitor" ? 0 : 1) });
      run(guardian, "k");
      guardian.runTo(20_000);
      assert.deepEqual(guardian.messages("stopped"), [{ kind: "stopped", resource: "r1", proven: false }]);
      assert.equal(guardian.kinds("reset").length, selfFence === "reset" ? 1 : 0);
    });
  }

  it("resets at D + Tstop + Tkill at the latest, when even the kill does not end", () => {
    const guardian = guarded([step()], { facts: { selfFence: "reset" } });
    guardian.answer = () => null;
    guardian.runTo(13_499);
    assert.equal(guardian.kinds("reset").length, 0);
    guardian.runTo(13_500);
    assert.equal(guardian.kinds("reset").length, 1);
  });

  it("does not reset for what is not exclusive", () => {
    const guardian = guarded([step({ exclusive: false })], { facts: { selfFence: "reset" } });
    guardian.answer = () => null;
    guardian.runTo(20_000);
    assert.equal(guardian.kinds("reset").length, 0);
  });

  it("a guardian that was paused beyond its bound resets at once", () => {
    const guardian = guarded([step()], { facts: { selfFence: "reset" } });
    guardian.pause(30_000);
    guardian.step({ kind: "tick" });
    assert.equal(guardian.kinds("reset").length, 1);
  });

  for (const { selfFence, purgedAt } of [
    { selfFence: "reset", purgedAt: 13_000 },
    { selfFence: "kill", purgedAt: 15_900 },
  ] as const) {
    it(`a pause across D leaves a stop ${selfFence === "reset" ? "what is left of its time: the reset keeps the bound" : "its full time: nothing follows a stop that failed"}`, () => {
      const guardian = guarded([step()], { facts: { selfFence } });
      guardian.answer = (each) => (each.operation === "stop" ? null : { afterMs: 0, outcome: exited(0) });
      guardian.pause(12_900 - 1_000);
      guardian.step({ kind: "tick" });
      assert.equal(guardian.spawned.at(-1), "stop r1");
      guardian.runTo(purgedAt - 1);
      assert.equal(guardian.kinds("purge").length, 0);
      guardian.runTo(purgedAt);
      assert.equal(guardian.kinds("purge").length, 1);
    });
  }

  it("a new deadline during the walk does not stop it half-way, but opens starts after it", () => {
    const guardian = guarded([step({ params: { op_sleep: "1" } })]);
    guardian.runTo(10_000);
    guardian.say({ kind: "deadline", term: term(1), atMonotonicMs: 50_000 });
    run(guardian, "early");
    assert.equal(guardian.messages("refused").at(-1)?.code, "DEADLINE_PASSED");
    guardian.runTo(11_000);
    assert.equal(guardian.messages("walked").length, 1);
    run(guardian, "after");
    guardian.runTo(11_100);
    assert.equal(guardian.messages("result").at(-1)?.key, "after");
    guardian.runTo(60_000);
    assert.equal(guardian.messages("walked").length, 2, "the next deadline is kept like the first");
  });
});

describe("what may run", () => {
  it("a fence action never waits behind a monitor of its device, and needs an open deadline", () => {
    const guardian = guarded([step()]);
    guardian.answer = (each) => (each.operation === "monitor" ? null : { afterMs: 0, outcome: exited(0) });
    const device = { resource: "fence", agentClass: "stonith", provider: null, type: "fence_x", target: "n2" } as const;
    run(guardian, "monitor", { ...device, operation: "monitor", target: null, timeoutMs: 60_000 });
    run(guardian, "off", { ...device, operation: "off" });
    guardian.runTo(1_100);
    assert.deepEqual(
      guardian.messages("result").map((result) => result.key),
      ["off"],
    );
    guardian.runTo(10_100);
    run(guardian, "off again", { ...device, operation: "off" });
    assert.equal(guardian.messages("refused").at(-1)?.code, "DEADLINE_PASSED");
  });

  it("judges a waiting action again when its turn comes", () => {
    const guardian = guarded([step()]);
    run(guardian, "slow", { operation: "start", params: { op_sleep: "2" } });
    run(guardian, "queued", { operation: "promote" });
    guardian.say({ kind: "deadline", term: term(2), atMonotonicMs: 60_000 });
    guardian.runTo(5_000);
    assert.deepEqual(guardian.messages("refused"), [{ kind: "refused", key: "queued", code: "OLD_TERM" }]);
  });

  it("says no when too much is unanswered", () => {
    const guardian = guarded([step({ exclusive: false })]);
    guardian.answer = () => null;
    for (let count = 0; count < 4_096; count += 1) run(guardian, `k${count}`, { operation: "monitor" });
    assert.equal(guardian.messages("refused").length, 0);
    run(guardian, "one too many", { operation: "monitor" });
    assert.deepEqual(guardian.messages("refused"), [{ kind: "refused", key: "one too many", code: "QUEUE_FULL" }]);
  });

  it("writes each action down before it spawns it", () => {
    const guardian = guarded([step()]);
    run(guardian, "k");
    const kinds = guardian.story.map((effect) => (effect.kind === "journal" ? `journal ${effect.record.kind}` : effect.kind));
    assert.ok(kinds.indexOf("journal run") < kinds.indexOf("spawn"));
  });
});

describe("a restarted guardian", () => {
  it("runs interrupted idempotent actions anew and reports the others as failed", () => {
    const interrupted = (key: string, over: Partial<AgentAction>): Remembered["unfinished"][number] => ({
      key,
      origin: origin({ term: 1, ...BOOT }),
      action: action({ resource: key, ...over }),
      planVersion: 1,
    });
    const unfinished = [
      interrupted("a", { operation: "start" }),
      interrupted("b", { operation: "monitor" }),
      interrupted("c", { operation: "migrate_to" }),
      interrupted("d", { operation: "reboot", agentClass: "stonith", target: "n2" }),
    ];
    const guardian = new VirtualGuardian({}, { ...NOTHING, deadlineMs: 50_000, plan: plan(1, [step({ resource: "a" })]), unfinished });
    assert.deepEqual(guardian.spawned, ["start a", "monitor b"]);
    guardian.runTo(1_100);
    guardian.say({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 });
    const results = guardian.messages("welcome")[0]?.results ?? [];
    const code = (key: string): number | null => {
      const outcome = results.find((result) => result.key === key)?.outcome;
      return outcome?.kind === "exited" ? outcome.code : null;
    };
    assert.deepEqual([code("a"), code("b"), code("c"), code("d")], [0, 7, 1, 1]);
  });

  it("walks at once when D has passed meanwhile, and starts nothing", () => {
    const unfinished = [{ key: "k", origin: origin({ term: 1, ...BOOT }), action: action(), planVersion: 1 }];
    const guardian = new VirtualGuardian({}, { ...NOTHING, deadlineMs: 900, plan: plan(1, [step()]), unfinished });
    guardian.runTo(1_100);
    assert.deepEqual(guardian.spawned, ["stop r1"]);
  });
});

describe("the watchdog", () => {
  const WATCHED = { facts: { watchdogMs: 2_000, selfFence: "reset" } } as const;
  const feedsUntil = (guardian: VirtualGuardian, untilMs: number): number => {
    guardian.runTo(untilMs);
    return guardian.kinds("feed").length;
  };

  it("is fed four times a timeout before D and never from D on while anything exclusive is unproven", () => {
    const guardian = guarded([step()], WATCHED);
    guardian.answer = () => null;
    const before = feedsUntil(guardian, 9_999);
    assert.ok(before >= 17 && before <= 19, `${before} feeds in 9 s`);
    assert.equal(feedsUntil(guardian, 40_000), before);
  });

  it("is fed again once the walk has proven all exclusive resources stopped", () => {
    const guardian = guarded([step({ params: { op_sleep: "1" } })], WATCHED);
    const before = feedsUntil(guardian, 10_999);
    assert.ok(feedsUntil(guardian, 14_000) > before);
    assert.equal(guardian.kinds("reset").length, 0);
  });

  it("is let go only when no exclusive resource is planned", () => {
    const guardian = guarded([step()], WATCHED);
    guardian.say({ kind: "release" });
    assert.equal(guardian.kinds("watchdog.release").length, 0);
    guardian.say({ kind: "plan", plan: plan(2, []) });
    guardian.say({ kind: "release" });
    assert.equal(guardian.kinds("watchdog.release").length, 1);
  });

  it("gives the stronger guarantee and its own bound (RAFT.md §7: 2 Twd (1 + rho) + Toff)", () => {
    const guarantee = (facts: Partial<GuardianFacts>): unknown[] => {
      const guardian = guarded([], { facts });
      const welcome = guardian.messages("welcome")[0];
      return [welcome?.guarantee, welcome?.kernelGuarantee, welcome?.stopBoundMs];
    };
    assert.deepEqual(guarantee({ watchdogMs: 2_000, selfFence: "reset" }), ["watchdog", "watchdog", 4_504]);
    assert.deepEqual(guarantee({ selfFence: "reset" }), ["guardian", "guardian", 4_500]);
    assert.deepEqual(guarantee({ selfFence: "kill" }), ["guardian", "none", 4_500]);
  });
});

describe("self-fencing by order", () => {
  it("resets at once", () => {
    const guardian = guarded([step()], { facts: { selfFence: "reset" } });
    guardian.say({ kind: "self-fence", reason: "fenced by the cluster" });
    assert.deepEqual(guardian.kinds("reset"), [{ kind: "reset", reason: "fenced by the cluster" }]);
  });

  it("without a reset walks the plan, and the deadline is kept afterwards as before", () => {
    const guardian = guarded([step()]);
    guardian.say({ kind: "self-fence", reason: "a test" });
    guardian.runTo(2_000);
    assert.equal(guardian.messages("walked").length, 1);
    guardian.runTo(10_100);
    assert.equal(guardian.messages("walked").length, 2);
  });
});

it("only the incarnation it was told counts", () => {
  const guardian = guarded([step()], { facts: { incarnation: incarnation("another boot") } });
  run(guardian, "k");
  assert.equal(guardian.messages("refused")[0]?.code, "OLD_INCARNATION");
});
