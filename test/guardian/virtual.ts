import {
  GuardianCore,
  type GuardianEffect,
  type GuardianFacts,
  type GuardianInput,
  Journal,
  type Remembered,
} from "../../src/app/guardian/index.ts";
import { incarnation } from "../../src/core/base/index.ts";
import type { AgentAction, AgentOutcome, FromGuardian, ToGuardian } from "../../src/core/ports/index.ts";

export { Journal };

/** How a virtual agent answers; null: it hangs until it is killed. */
export type Answer = { readonly afterMs: number; readonly outcome: AgentOutcome } | null;

export const exited = (code: number): AgentOutcome => ({ kind: "exited", code, reason: null, output: "", elapsedMs: 0 });

type Under = { readonly key: string; readonly action: AgentAction; readonly endsAtMs: number; readonly outcome: AgentOutcome };

/**
 * The production core on a virtual clock with virtual agents: time jumps to whatever is due next. Effects are kept as a list,
 * so that a test reads the story.
 */
export class VirtualGuardian {
  readonly facts: GuardianFacts;
  readonly core: GuardianCore;
  nowMs: number;
  /** Everything the core did, in order. */
  readonly story: GuardianEffect[] = [];
  readonly heard: { readonly link: number; readonly message: FromGuardian }[] = [];
  /** Resources with a process or kernel state. */
  readonly active = new Set<string>();
  answer: (action: AgentAction, active: Set<string>) => Answer = dummyAnswer;
  /** Processes that survive a purge of this resource (kernel state, D state). */
  readonly unkillable = new Set<string>();
  #running: Under[] = [];
  #purges: { readonly key: string; readonly resource: string }[] = [];

  constructor(facts: Partial<GuardianFacts> = {}, remembered: Remembered | null = null, nowMs = 1_000) {
    this.nowMs = nowMs;
    this.facts = {
      node: "n1",
      incarnation: incarnation("boot-1"),
      stopMs: 3_000,
      killMs: 500,
      pauseMs: 1_000,
      selfFence: "kill",
      watchdogMs: null,
      ...facts,
    };
    this.core = new GuardianCore(this.facts, remembered);
    this.#take(this.core.begin(remembered, this.nowMs, 0));
  }

  say(message: ToGuardian, link = 1): void {
    this.step({ kind: "message", link, message });
  }

  step(input: GuardianInput): void {
    this.#take(this.core.step(input, this.nowMs));
  }

  /** Lets time pass up to `untilMs`, event by event. */
  runTo(untilMs: number): void {
    for (;;) {
      const due = this.#nextDueMs();
      if (due > untilMs) break;
      this.#advance(due);
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** Carries out the next thing that is due; false when nothing is. */
  advance(): boolean {
    const due = this.#nextDueMs();
    if (due === Number.POSITIVE_INFINITY) return false;
    this.#advance(due);
    return true;
  }

  /** The process was paused: time passes and nothing happens. */
  pause(ms: number): void {
    this.nowMs += ms;
  }

  kinds(kind: GuardianEffect["kind"]): GuardianEffect[] {
    return this.story.filter((effect) => effect.kind === kind);
  }

  messages<Kind extends FromGuardian["kind"]>(kind: Kind): Extract<FromGuardian, { readonly kind: Kind }>[] {
    type Wanted = Extract<FromGuardian, { readonly kind: Kind }>;
    return this.heard.map((item) => item.message).filter((message): message is Wanted => message.kind === kind);
  }

  /** `operation resource` of every spawned action. */
  get spawned(): string[] {
    const lines: string[] = [];
    for (const effect of this.story) if (effect.kind === "spawn") lines.push(`${effect.action.operation} ${effect.action.resource}`);
    return lines;
  }

  #nextDueMs(): number {
    if (this.#purges.length > 0) return this.nowMs;
    return Math.min(this.core.nextWakeMs(), ...this.#running.map((under) => under.endsAtMs));
  }

  #advance(dueMs: number): void {
    this.nowMs = Math.max(this.nowMs, dueMs);
    const purge = this.#purges.shift();
    if (purge !== undefined) {
      const left = this.unkillable.has(purge.resource) ? 1 : 0;
      this.step({ kind: "purged", key: purge.key, left });
      return;
    }
    const under = this.#running.find((candidate) => candidate.endsAtMs <= this.nowMs);
    if (under !== undefined) this.#end(under, under.outcome);
    else this.step({ kind: "tick" });
  }

  #end(under: Under, outcome: AgentOutcome): void {
    this.#running = this.#running.filter((other) => other !== under);
    this.step({ kind: "finished", key: under.key, outcome, startedAtMs: 1, finishedAtMs: 2 });
  }

  #take(effects: readonly GuardianEffect[]): void {
    for (const effect of effects) {
      this.story.push(effect);
      if (effect.kind === "send") this.heard.push({ link: effect.link, message: effect.message });
      if (effect.kind === "spawn") this.#spawn(effect.key, effect.action);
      if (effect.kind === "kill")
        this.#running = this.#running.map((under) => (under.key === effect.key ? killed(under, this.nowMs) : under));
      if (effect.kind === "purge") {
        if (!this.unkillable.has(effect.action.resource)) this.active.delete(effect.action.resource);
        this.#purges.push({ key: effect.key, resource: effect.action.resource });
      }
    }
  }

  #spawn(key: string, action: AgentAction): void {
    const answer = this.answer(action, this.active);
    const timeoutAtMs = this.nowMs + action.timeoutMs;
    const endsAtMs = answer === null ? timeoutAtMs : this.nowMs + answer.afterMs;
    if (answer === null || endsAtMs > timeoutAtMs) {
      this.#running.push({ key, action, endsAtMs: timeoutAtMs, outcome: { kind: "timed-out", reason: null, elapsedMs: action.timeoutMs } });
    } else {
      this.#running.push({ key, action, endsAtMs, outcome: answer.outcome });
    }
  }
}

function killed(under: Under, nowMs: number): Under {
  return { ...under, endsAtMs: nowMs, outcome: { kind: "cancelled" } };
}

/** As ocf:quorate:dummy: `op_sleep` seconds, `fail_on`. */
export function dummyAnswer(action: AgentAction, active: Set<string>): Answer {
  const slow = action.operation === "start" || action.operation === "stop";
  const afterMs = slow ? Number(action.params["op_sleep"] ?? 0) * 1000 : 0;
  if ((action.params["fail_on"] ?? "").split(" ").includes(action.operation)) return { afterMs, outcome: exited(1) };
  if (action.operation === "start") active.add(action.resource);
  if (action.operation === "stop") active.delete(action.resource);
  if (action.operation === "monitor") return { afterMs, outcome: exited(active.has(action.resource) ? 0 : 7) };
  return { afterMs, outcome: exited(0) };
}
