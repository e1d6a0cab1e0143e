import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GuardianEffect, GuardianInput } from "../../src/app/guardian/index.ts";
import { incarnation, type Random, seededRandom, term } from "../../src/core/base/index.ts";
import type { AgentAction, StopStep, ToGuardian } from "../../src/core/ports/index.ts";
import { action, origin, step } from "./support.ts";
import { exited, VirtualGuardian } from "./virtual.ts";

/*
 * Random conversations, clock jumps and agents; after every step the promises of RAFT.md §§7-8 are checked from the outside, on
 * what the guardian did. A failure prints its seed; `SEED=n` runs that one alone.
 */
const RUNS = 300;
const STEPS = 120;
const RESOURCES = ["a", "b", "c"];
const ACTIVATING = new Set(["start", "promote", "migrate_from", "migrate_to"]);

const pick = <T>(random: Random, items: readonly T[]): T => items[random.below(items.length)] as T;

/** The rules, kept by a second, simpler book of what was said. */
class Witness {
  readonly guardian: VirtualGuardian;
  readonly #running = new Map<string, AgentAction>();
  #seen = 0;
  #term = 0;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #steps: readonly StopStep[] = [];
  readonly #spawnedKeys = new Map<string, number>();
  readonly #origins = new Map<string, { readonly term: number; readonly incarnation: string }>();
  resets = 0;

  constructor(guardian: VirtualGuardian) {
    this.guardian = guardian;
    this.check(null);
  }

  said(key: string, from: { readonly term: number; readonly incarnation: string }): void {
    if (!this.#origins.has(key)) this.#origins.set(key, from);
  }

  check(input: GuardianInput | null): void {
    if (input?.kind === "finished") this.#running.delete(input.key);
    for (const effect of this.guardian.story.slice(this.#seen)) this.#look(effect);
    this.#seen = this.guardian.story.length;
  }

  #look(effect: GuardianEffect): void {
    const { nowMs } = this.guardian;
    if (effect.kind === "mark") {
      const ends = this.#deadlineMs !== Number.POSITIVE_INFINITY && effect.deadlineMs === Number.POSITIVE_INFINITY;
      const begins = this.#deadlineMs === Number.POSITIVE_INFINITY;
      assert.ok(effect.term >= this.#term, "terms never go back");
      assert.ok(begins || effect.deadlineMs >= this.#deadlineMs, "D never moves back");
      assert.ok(!ends || !this.#steps.some((each) => each.exclusive), "no infinite D with an exclusive step");
      this.#term = effect.term;
      this.#deadlineMs = effect.deadlineMs;
    } else if (effect.kind === "journal" && effect.record.kind === "plan") {
      this.#steps = effect.record.plan.steps;
    } else if (effect.kind === "reset") {
      this.resets += 1;
    } else if (effect.kind === "feed") {
      assert.ok(this.resets === 0, "a watchdog is not fed after a reset was asked for");
    } else if (effect.kind === "spawn") {
      this.#spawn(effect.key, effect.action, nowMs);
    }
  }

  #spawn(key: string, spawned: AgentAction, nowMs: number): void {
    for (const [other, running] of this.#running) {
      assert.ok(running.resource !== spawned.resource, `${key} runs beside ${other} on ${spawned.resource}`);
    }
    this.#running.set(key, spawned);
    if (key.startsWith("walk:")) return;
    const count = (this.#spawnedKeys.get(key) ?? 0) + 1;
    this.#spawnedKeys.set(key, count);
    assert.equal(count, 1, `${key} ran twice`);
    const from = this.#origins.get(key);
    assert.ok(
      from !== undefined && from.term >= this.#term && from.incarnation === this.guardian.facts.incarnation,
      "old intents are void",
    );
    if (!ACTIVATING.has(spawned.operation)) return;
    const covering = this.#steps.find((each) => each.resource === spawned.resource);
    assert.ok(covering !== undefined, `${key} is not covered by the plan`);
    assert.ok(nowMs < this.#deadlineMs, `${key} starts at ${nowMs}, after D ${this.#deadlineMs}`);
    assert.ok(!covering.exclusive || this.#deadlineMs !== Number.POSITIVE_INFINITY, "exclusive without D");
  }

  /** H4 of RAFT.md §10: at D + S nothing exclusive runs, or the host was reset. */
  atTheEnd(): void {
    const { guardian } = this;
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return;
    guardian.runTo(Math.max(guardian.nowMs, this.#deadlineMs) + guardian.facts.stopMs + guardian.facts.killMs + 1);
    this.check(null);
    const exclusive = new Set(this.#steps.filter((each) => each.exclusive).map((each) => each.resource));
    const alive = [...guardian.active].filter((resource) => exclusive.has(resource));
    assert.ok(this.resets > 0 || alive.length === 0, `still active: ${alive.join(" ")}`);
  }
}

type RunMessage = Extract<ToGuardian, { readonly kind: "run" }>;

class Story {
  readonly #random: Random;
  readonly #witness: Witness;
  readonly #asked: RunMessage[] = [];
  readonly #acked = new Set<string>();
  #keys = 0;
  #planVersion = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const random = this.#random;
    const guardian = new VirtualGuardian({ selfFence: "reset", watchdogMs: random.below(2) === 0 ? 2_000 : null });
    guardian.answer = (each, active) => {
      const draw = random.below(20);
      if (draw === 0) return null;
      const afterMs = random.below(1_500);
      if (draw === 1) return { afterMs, outcome: exited(1) };
      if (each.operation === "start") active.add(each.resource);
      if (each.operation === "stop") active.delete(each.resource);
      return { afterMs, outcome: exited(each.operation === "monitor" ? (active.has(each.resource) ? 0 : 7) : 0) };
    };
    const stepCore = guardian.step.bind(guardian);
    this.#witness = new Witness(guardian);
    guardian.step = (input) => {
      stepCore(input);
      this.#witness.check(input);
    };
    guardian.say({ kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 });
  }

  run(): void {
    for (let count = 0; count < STEPS && this.#witness.resets === 0; count += 1) this.#one();
    this.#witness.atTheEnd();
  }

  #one(): void {
    const { guardian } = this.#witness;
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        this.#planVersion += 1;
        guardian.say({ kind: "plan", plan: { version: this.#planVersion, steps: RESOURCES.map((resource) => this.#step(resource)) } });
        return;
      case 1:
      case 2: {
        const atMonotonicMs = random.below(12) === 0 ? Number.POSITIVE_INFINITY : guardian.nowMs + random.below(6_000) - 500;
        guardian.say({ kind: "deadline", term: term(1 + random.below(3)), atMonotonicMs });
        return;
      }
      case 3:
      case 4:
        this.#ask();
        return;
      case 5:
        guardian.say({ kind: "cancel", key: `k${random.below(this.#keys + 1)}` });
        return;
      case 6:
        guardian.runTo(guardian.nowMs + random.below(2_000));
        return;
      case 7:
        if (random.below(4) === 0) guardian.pause(random.below(3_000));
        else this.#ack(`k${random.below(this.#keys + 1)}`);
        return;
    }
  }

  #ack(key: string): void {
    this.#acked.add(key);
    this.#witness.guardian.say({ kind: "result.ack", key });
  }

  #step(resource: string): StopStep {
    return step({
      resource,
      exclusive: this.#random.below(3) > 0,
      stage: this.#random.below(3),
      timeoutMs: 500 + this.#random.below(5_000),
    });
  }

  #ask(): void {
    const random = this.#random;
    // Sometimes an old question again, word for word: it must not run twice. What was acknowledged is never asked again.
    const old = this.#asked[random.below(this.#asked.length + 1)];
    if (old !== undefined && random.below(5) === 0) {
      if (!this.#acked.has(old.key)) this.#witness.guardian.say(old);
      return;
    }
    const key = `k${this.#keys++}`;
    const from = { term: 1 + random.below(4), incarnation: random.below(10) === 0 ? "an older boot" : "boot-1" };
    const operation = pick(random, ["start", "start", "stop", "monitor", "promote", "demote", "migrate_from"]);
    const wanted = action({ resource: pick(random, RESOURCES), operation, timeoutMs: 200 + random.below(4_000) });
    this.#witness.said(key, from);
    const planVersion = random.below(this.#planVersion + 1);
    const message: RunMessage = {
      kind: "run",
      key,
      origin: origin({ ...from, incarnation: incarnation(from.incarnation) }),
      action: wanted,
      planVersion,
    };
    this.#asked.push(message);
    this.#witness.guardian.say(message);
  }
}

describe("random stories", () => {
  const only = process.env["SEED"];
  const seeds = only === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(only)];
  it(`${seeds.length} of them keep every promise`, () => {
    for (const seed of seeds) {
      try {
        new Story(seed).run();
      } catch (error) {
        throw new Error(`SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  });
});
