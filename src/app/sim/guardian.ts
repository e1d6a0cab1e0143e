import type { Term } from "../../core/base/index.ts";
import { term } from "../../core/base/index.ts";
import type { AgentAction, AgentOutcome, FromGuardian, ToGuardian } from "../../core/ports/index.ts";
import {
  GuardianCore,
  type GuardianEffect,
  type GuardianFacts,
  type GuardianInput,
  type JournalRecord,
  type Remembered,
} from "../guardian/index.ts";
import type { VirtualServices } from "./agents.ts";
import { type HostClock, VirtualProcess, type VirtualTime } from "./time.ts";

/** What a host lends its guardian, and what the guardian tells the world. */
export type GuardianHost = {
  readonly time: VirtualTime;
  readonly clock: HostClock;
  readonly services: VirtualServices;
  /** Runs a fence action for another host: its time and its answer. */
  fence(action: AgentAction): { readonly takesMs: number; readonly end: () => AgentOutcome };
  /** To the daemon that holds `link`. */
  toDaemon(link: number, message: FromGuardian): void;
  closeLink(link: number): void;
  /** An action is about to begin. */
  onSpawn(key: string, action: AgentAction, order: Extract<JournalRecord, { kind: "run" }> | null): void;
  /** An action has ended with this outcome. */
  onEnd?(key: string, action: AgentAction, outcome: AgentOutcome): void;
  onReset(reason: string): void;
  log(level: string, message: string): void;
};

/** g, Tstop and Tkill of the simulated guardians (RAFT.md §7), milliseconds. */
export const GUARDIAN_TIMES = { pauseMs: 1_000, stopMs: 3_000, killMs: 500 } as const;

/** S of such a guardian with this plan: from D until everything has certainly stopped, milliseconds. */
export function stopBoundMs(plan: Remembered["plan"]): number {
  const { pauseMs, stopMs, killMs } = GUARDIAN_TIMES;
  return pauseMs + Math.max(stopMs, plan?.stopMs ?? 0) + killMs;
}

/** The part of a host's /run that a restarted guardian of the same boot reads: journal and deadline file. */
export class GuardianMemory {
  readonly unfinished = new Map<string, Extract<JournalRecord, { kind: "run" }>>();
  readonly results = new Map<string, Extract<JournalRecord, { kind: "end" }>["result"]>();
  cluster: string | null = null;
  plan: Remembered["plan"] = null;
  term: Term = term(0);
  deadlineMs = Number.POSITIVE_INFINITY;
  trips = 0;
  stopped: Remembered["stopped"] = [];

  keep(record: JournalRecord): void {
    switch (record.kind) {
      case "run":
        this.unfinished.set(record.key, record);
        return;
      case "end":
        this.unfinished.delete(record.result.key);
        this.results.set(record.result.key, record.result);
        return;
      case "forget":
        this.unfinished.delete(record.key);
        return;
      case "ack":
        this.results.delete(record.key);
        return;
      case "plan":
        this.plan = record.plan;
        return;
      case "trip":
        this.trips = record.trips;
        this.stopped = record.stopped;
        return;
    }
  }

  remembered(): Remembered {
    const { cluster, term: lastTerm, deadlineMs, plan, trips, stopped } = this;
    return {
      ...(cluster === null ? {} : { cluster }),
      term: lastTerm,
      deadlineMs,
      plan,
      trips,
      stopped,
      unfinished: [...this.unfinished.values()],
      results: [...this.results.values()],
    };
  }
}

type Running = { readonly action: AgentAction; readonly startedAtMs: number; cancelled: boolean };

/** The production guardian core as a process of a virtual host. */
export class VirtualGuardian {
  readonly process: VirtualProcess;
  readonly #host: GuardianHost;
  readonly #memory: GuardianMemory;
  readonly #core: GuardianCore;
  readonly #watchdogMs: number | null;
  readonly #running = new Map<string, Running>();
  #wakeAtMs = Number.POSITIVE_INFINITY;
  lastFedMs: number;

  constructor(host: GuardianHost, facts: GuardianFacts, memory: GuardianMemory) {
    this.#host = host;
    this.#memory = memory;
    this.#watchdogMs = facts.watchdogMs;
    this.process = new VirtualProcess("guardian");
    this.lastFedMs = host.clock.nowMs();
    const remembered = memory.remembered();
    this.#core = new GuardianCore(facts, remembered);
    const effects = this.#core.begin(remembered, host.clock.nowMs(), host.clock.wallMs());
    this.#tellEnds(effects);
    this.#carryOut(effects);
  }

  say(link: number, message: ToGuardian): void {
    this.process.run(() => this.#step({ kind: "message", link, message }));
  }

  /** The daemon's socket closed: it died. */
  closed(link: number): void {
    this.process.run(() => this.#step({ kind: "closed", link }));
  }

  kill(): void {
    this.process.kill();
  }

  #step(input: GuardianInput): void {
    if (!this.process.alive) return;
    this.#carryOut(this.#core.step(input, this.#host.clock.nowMs()));
  }

  #carryOut(effects: readonly GuardianEffect[]): void {
    for (const effect of effects) if (this.process.alive) this.#one(effect);
    this.#arm();
  }

  /** Runs that died with the guardian before this one: what it makes of them is how they ended. */
  #tellEnds(effects: readonly GuardianEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "journal" || effect.record.kind !== "end") continue;
      const { key, action, outcome } = effect.record.result;
      this.#host.onEnd?.(key, action, outcome);
    }
  }

  #arm(): void {
    const wakeMs = this.#core.nextWakeMs();
    const nowMs = this.#host.clock.nowMs();
    if (!Number.isFinite(wakeMs) || (wakeMs >= this.#wakeAtMs && this.#wakeAtMs > nowMs)) return;
    this.#wakeAtMs = wakeMs;
    this.#host.time.at(this.#host.clock.worldAfter(Math.max(0.05, wakeMs - nowMs)), "guardian timer", () =>
      this.process.run(() => {
        if (this.#wakeAtMs !== wakeMs) return;
        this.#wakeAtMs = Number.POSITIVE_INFINITY;
        this.#step({ kind: "tick" });
      }),
    );
  }

  #one(effect: GuardianEffect): void {
    const host = this.#host;
    switch (effect.kind) {
      case "send":
        host.toDaemon(effect.link, effect.message);
        return;
      case "close":
        host.closeLink(effect.link);
        return;
      case "spawn":
        this.#spawn(effect.key, effect.action);
        return;
      case "kill":
        this.#killAction(effect.key);
        return;
      case "purge": {
        const { key, action } = effect;
        host.services.set(action.resource, false);
        this.#later(5, () => this.#step({ kind: "purged", key, left: 0 }));
        return;
      }
      case "journal":
        this.#memory.keep(effect.record);
        return;
      case "mark":
        this.#memory.cluster = effect.cluster;
        this.#memory.term = effect.term;
        this.#memory.deadlineMs = effect.deadlineMs;
        return;
      case "reset":
        host.onReset(effect.reason);
        return;
      case "feed":
        if (this.#watchdogMs !== null) this.lastFedMs = host.clock.nowMs();
        return;
      case "watchdog.release":
        return;
      case "log":
        host.log(effect.level, effect.message);
        return;
    }
  }

  #later(delayMs: number, work: () => void): void {
    this.#host.time.after(delayMs, "guardian work", () => this.process.run(work));
  }

  #spawn(key: string, action: AgentAction): void {
    const { clock, services } = this.#host;
    this.#host.onSpawn(key, action, this.#memory.unfinished.get(key) ?? null);
    const begun = action.agentClass === "stonith" ? this.#host.fence(action) : services.begin(action);
    const running: Running = { action, startedAtMs: clock.wallMs(), cancelled: false };
    this.#running.set(key, running);
    const inTime = begun.takesMs <= action.timeoutMs;
    this.#later(Math.min(begun.takesMs, action.timeoutMs), () => {
      if (running.cancelled) return;
      const outcome: AgentOutcome = inTime ? begun.end() : { kind: "timed-out", reason: null, elapsedMs: action.timeoutMs };
      this.#end(key, running, outcome);
    });
  }

  #killAction(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined || running.cancelled) return;
    running.cancelled = true;
    this.#later(1, () => this.#end(key, running, { kind: "cancelled" }));
  }

  #end(key: string, running: Running, outcome: AgentOutcome): void {
    this.#running.delete(key);
    this.#host.onEnd?.(key, running.action, outcome);
    this.#step({ kind: "finished", key, outcome, startedAtMs: running.startedAtMs, finishedAtMs: this.#host.clock.wallMs() });
  }
}
