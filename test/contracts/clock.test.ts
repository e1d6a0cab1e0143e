import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/app/daemon/clock.ts";
import type { NodeAdapters } from "../../src/app/daemon/index.ts";
import { virtualClock } from "../../src/app/sim/clock.ts";
import { HostClock, VirtualProcess, VirtualTime } from "../../src/app/sim/time.ts";
import { seededRandom } from "../../src/core/base/index.ts";

type Clock = NodeAdapters["clock"];
/** A clock, and a way to let it go on until something has happened. */
type Subject = { readonly clock: Clock; readonly until: (holds: () => boolean) => Promise<void> };

const PATIENCE_MS = 10_000;

const SUBJECTS: readonly (readonly [string, () => Subject])[] = [
  [
    "the system's",
    () => ({
      clock: systemClock,
      until: async (holds) => {
        const endMs = performance.now() + PATIENCE_MS;
        while (!holds()) {
          if (performance.now() > endMs) throw new Error("it never happened");
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      },
    }),
  ],
  [
    "the simulator's",
    () => {
      const time = new VirtualTime();
      const host = new HostClock(time, 5_000);
      host.setRate(1.001);
      const clock = virtualClock(time, host, { process: new VirtualProcess("test"), random: seededRandom(1) });
      const until = async (holds: () => boolean): Promise<void> => {
        while (!holds()) if (time.step(time.nowMs + PATIENCE_MS) === null) throw new Error("it never happened");
      };
      return { clock, until };
    },
  ],
];

for (const [name, make] of SUBJECTS) {
  const contract = (what: string, body: (subject: Subject) => Promise<void>): void => {
    test(`the clock of a node, ${name}: ${what}`, () => body(make()));
  };

  contract("a timer calls back once, not before its time", async ({ clock, until }) => {
    const from = clock.nowMs();
    const calls: number[] = [];
    clock.after(20, () => calls.push(clock.nowMs()));
    await until(() => calls.length > 0);
    // Timers of Node count whole milliseconds, so they may be early by less than two.
    assert.ok((calls[0] ?? 0) - from > 18, `after ${(calls[0] ?? 0) - from} ms`);
    let later = false;
    clock.after(30, () => {
      later = true;
    });
    await until(() => later);
    assert.equal(calls.length, 1);
  });

  contract("a cancelled timer does not call back, also when it was cancelled twice", async ({ clock, until }) => {
    let called = false;
    const cancel = clock.after(5, () => {
      called = true;
    });
    cancel();
    cancel();
    let later = false;
    clock.after(40, () => {
      later = true;
    });
    await until(() => later);
    assert.equal(called, false);
  });

  contract("what is asked for soon comes in its order, and never before the asking code has ended", async ({ clock, until }) => {
    const order: number[] = [];
    const ask = (n: number): void =>
      clock.soon(() => {
        order.push(n);
        if (n < 3) ask(n + 1);
      });
    ask(1);
    assert.deepEqual(order, []);
    await until(() => order.length === 3);
    assert.deepEqual(order, [1, 2, 3]);
  });

  contract("monotonic time never goes back; wall time is of this century", async ({ clock, until }) => {
    let last = clock.nowMs();
    let count = 0;
    const look = (): void => {
      const nowMs = clock.nowMs();
      assert.ok(nowMs >= last);
      last = nowMs;
      count += 1;
      if (count < 20) clock.after(1, look);
    };
    look();
    await until(() => count === 20);
    assert.ok(clock.wallMs() > Date.UTC(2020, 0));
  });
}
