import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { incarnation, term } from "../../src/core/base/index.ts";
import type { FromGuardian, ToGuardian } from "../../src/core/ports/index.ts";
import { action, origin, plan, step } from "./support.ts";

type Welcome = Extract<FromGuardian, { readonly kind: "welcome" }>;

/** A guardian to be held to the contract, however it is made. Its agents behave as ocf:quorate:dummy. */
export type ContractSubject = {
  /** A new link: says hello and returns the first answer (`welcome` or `rejected`). */
  readonly hello: (over?: Partial<Extract<ToGuardian, { readonly kind: "hello" }>>) => Promise<FromGuardian>;
  /** On the latest link. */
  readonly send: (message: ToGuardian) => void;
  /** The next message of a kind on the latest link; time passes as needed. */
  readonly next: <Kind extends FromGuardian["kind"]>(kind: Kind) => Promise<Extract<FromGuardian, { readonly kind: Kind }>>;
  /** The host's monotonic clock. */
  readonly nowMs: () => number;
  readonly dispose: () => Promise<void>;
};

const FAR_MS = 600_000;

/** What every guardian owes its daemon (ports/guardian.ts). Run it against the real process and against every stand-in. */
export function guardianContract(name: string, make: () => Promise<ContractSubject>): void {
  const test = (title: string, body: (subject: ContractSubject, welcome: Welcome) => Promise<void>): void => {
    it(title, async () => {
      const subject = await make();
      try {
        const first = await subject.hello();
        assert.equal(first.kind, "welcome");
        await body(subject, first as Welcome);
      } finally {
        await subject.dispose();
      }
    });
  };
  const open = (subject: ContractSubject, atMs = FAR_MS): void => {
    subject.send({ kind: "plan", plan: plan(1, [step()]) });
    subject.send({ kind: "deadline", term: term(1), atMonotonicMs: subject.nowMs() + atMs });
  };
  const run = (welcome: Welcome, over: Partial<Extract<ToGuardian, { readonly kind: "run" }>> = {}): ToGuardian => ({
    kind: "run",
    key: "k",
    origin: origin({ term: 1, ...welcome }),
    action: action(),
    planVersion: 1,
    ...over,
  });

  describe(`the contract of a guardian: ${name}`, () => {
    test("a new one knows nothing", async (_, welcome) => {
      assert.equal(welcome.planVersion, 0);
      assert.equal(welcome.deadlineMonotonicMs, Number.POSITIVE_INFINITY);
      assert.deepEqual([welcome.running, welcome.results, welcome.tripped, welcome.trips], [[], [], false, 0]);
      assert.ok(welcome.stopBoundMs > 0 && welcome.incarnation.length > 0);
    });

    test("a ping is answered", async (subject) => {
      subject.send({ kind: "ping" });
      assert.deepEqual(await subject.next("pong"), { kind: "pong" });
    });

    test("strangers are rejected with a reason", async (subject) => {
      for (const [over, code] of [
        [{ protocol: 99 }, "PROTOCOL"],
        [{ node: "other" }, "WRONG_NODE"],
      ] as const) {
        const answer = await subject.hello(over);
        assert.deepEqual([answer.kind, answer.kind === "rejected" && answer.code], ["rejected", code]);
      }
      assert.equal((await subject.hello({ daemonBoot: 5 })).kind, "welcome");
      const late = await subject.hello({ daemonBoot: 4 });
      assert.deepEqual([late.kind, late.kind === "rejected" && late.code], ["rejected", "OLD_DAEMON"]);
      // A member that lost its memory and joined again counts its starts from one; its old self is not let in again.
      assert.equal((await subject.hello({ daemonBoot: 1, memberId: 8, cluster: "c1" })).kind, "welcome");
      assert.equal((await subject.hello({ daemonBoot: 2, memberId: 8, cluster: "c1" })).kind, "welcome");
      assert.equal((await subject.hello({ daemonBoot: 1, memberId: 8, cluster: "c1" })).kind, "rejected");
    });

    test("a start needs a plan that covers it and, when exclusive, a deadline", async (subject, welcome) => {
      const refused = async (message: ToGuardian): Promise<string> => {
        subject.send(message);
        return (await subject.next("refused")).code;
      };
      assert.equal(await refused(run(welcome)), "PLAN_MISSING");
      subject.send({ kind: "plan", plan: plan(1, [step({ resource: "another" })]) });
      assert.equal(await refused(run(welcome)), "PLAN_MISSING");
      subject.send({ kind: "plan", plan: plan(2, [step()]) });
      assert.equal(await refused(run(welcome, { planVersion: 3 })), "PLAN_MISSING");
      assert.equal(await refused(run(welcome, { planVersion: 2 })), "DEADLINE_MISSING");
      subject.send({ kind: "plan", plan: plan(3, [step({ exclusive: false })]) });
      subject.send(run(welcome, { planVersion: 3 }));
      assert.equal((await subject.next("result")).outcome.kind, "exited");
    });

    test("intents of an old incarnation or term are refused; a deadline teaches terms too", async (subject, welcome) => {
      open(subject);
      subject.send(run(welcome, { origin: origin({ term: 1, incarnation: incarnation("an older boot") }) }));
      assert.equal((await subject.next("refused")).code, "OLD_INCARNATION");
      subject.send({ kind: "deadline", term: term(3), atMonotonicMs: subject.nowMs() + FAR_MS });
      subject.send(run(welcome, { origin: origin({ term: 2, ...welcome }) }));
      assert.equal((await subject.next("refused")).code, "OLD_TERM");
      subject.send(run(welcome, { origin: origin({ term: 3, ...welcome }) }));
      assert.equal((await subject.next("result")).key, "k");
    });

    test("a result is kept, and its key runs once, until it is acknowledged", async (subject, welcome) => {
      open(subject);
      subject.send(run(welcome));
      await subject.next("result");
      const again = await subject.hello();
      assert.deepEqual(again.kind === "welcome" && again.results.map((result) => result.key), ["k"]);
      subject.send({ kind: "result.ack", key: "k" });
      const last = await subject.hello();
      assert.deepEqual(last.kind === "welcome" && last.results, []);
    });

    test("an older plan is ignored, the version held is acknowledged with its bound", async (subject) => {
      subject.send({ kind: "plan", plan: { ...plan(5, [step()]), stopMs: 20_000 } });
      const first = await subject.next("plan.ack");
      subject.send({ kind: "plan", plan: plan(4, []) });
      const second = await subject.next("plan.ack");
      assert.deepEqual([first.version, second.version], [5, 5]);
      assert.ok(first.stopBoundMs >= 20_000 && second.stopBoundMs === first.stopBoundMs);
    });

    test("the deadline never moves back; when it passes all stops run in stages, then starts wait for a new one", async (subject, welcome) => {
      const steps = [step({ resource: "b", stage: 1 }), step({ resource: "a", stage: 0 })];
      subject.send({ kind: "plan", plan: plan(1, steps) });
      const atMs = subject.nowMs() + 400;
      subject.send({ kind: "deadline", term: term(1), atMonotonicMs: atMs });
      subject.send({ kind: "deadline", term: term(1), atMonotonicMs: atMs - 390 });
      subject.send({ kind: "deadline", term: term(1), atMonotonicMs: Number.POSITIVE_INFINITY });
      assert.ok(Math.abs((await subject.next("tripped")).atMonotonicMs - atMs) < 0.001);
      assert.deepEqual(await subject.next("stopped"), { kind: "stopped", resource: "a", proven: true });
      assert.deepEqual(await subject.next("stopped"), { kind: "stopped", resource: "b", proven: true });
      assert.equal((await subject.next("walked")).trips, 1);
      subject.send(run(welcome, { action: action({ resource: "a" }) }));
      assert.equal((await subject.next("refused")).code, "DEADLINE_PASSED");
      const welcomed = await subject.hello();
      assert.deepEqual(welcomed.kind === "welcome" && [welcomed.tripped, welcomed.stopped.length], [true, 2]);
      subject.send({ kind: "deadline", term: term(1), atMonotonicMs: subject.nowMs() + FAR_MS });
      subject.send(run(welcome, { action: action({ resource: "a" }) }));
      assert.equal((await subject.next("result")).key, "k");
    });

    test("actions of one resource run one after the other; waiting and running ones can be cancelled", async (subject, welcome) => {
      open(subject);
      subject.send(run(welcome, { key: "first", action: action({ params: { op_sleep: "1" } }) }));
      subject.send(run(welcome, { key: "second", origin: null, action: action({ operation: "monitor" }) }));
      subject.send(run(welcome, { key: "third", origin: null, action: action({ operation: "monitor" }) }));
      subject.send({ kind: "cancel", key: "second" });
      const cancelled = await subject.next("result");
      assert.deepEqual([cancelled.key, cancelled.outcome.kind], ["second", "cancelled"]);
      assert.equal((await subject.next("result")).key, "first");
      const third = await subject.next("result");
      assert.deepEqual([third.key, third.outcome.kind === "exited" && third.outcome.code], ["third", 0]);
      subject.send(run(welcome, { key: "stop", action: action({ operation: "stop", params: { op_sleep: "5" } }) }));
      subject.send({ kind: "cancel", key: "stop" });
      const stop = await subject.next("result");
      assert.deepEqual([stop.key, stop.outcome.kind], ["stop", "cancelled"]);
    });
  });
}
