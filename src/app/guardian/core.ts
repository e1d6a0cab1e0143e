import { type Term, term as toTerm, unreachable } from "../../core/base/index.ts";
import {
  type ActionResult,
  type AgentOutcome,
  type FromGuardian,
  GUARDIAN_PROTOCOL,
  GUARDIAN_QUEUE_MAX,
  type Guarantee,
  type StopPlan,
  type ToGuardian,
} from "../../core/ports/index.ts";
import { isActivating, isFencing, type Job, Lanes } from "./lanes.ts";
import type { GuardianEffect, GuardianFacts, GuardianInput, Remembered, RunOrder } from "./types.ts";
import { StopWalk, type WalkOrder } from "./walk.ts";

type RefusedCode = Extract<FromGuardian, { readonly kind: "refused" }>["code"];
type Level = Extract<GuardianEffect, { readonly kind: "log" }>["level"];

/** Rate error of clocks (RAFT.md §7) and the host's own time to go down, milliseconds. */
const RHO = 0.001;
const POWER_OFF_MS = 500;
/** A watchdog is fed this many times within its timeout. */
const FEEDS_PER_TIMEOUT = 4;
// OCF asks these to be idempotent, so an interrupted one is run again; what an interrupted migration or fence did is unknown.
const REPEATABLE = new Set(["start", "stop", "monitor", "promote", "demote", "notify", "reload-agent", "meta-data", "validate-all"]);

/**
 * All decisions of the guardian: what may run, when the deadline has passed, what the walk has proven, when the watchdog is fed.
 * Pure: `step` takes one input and the monotonic time in milliseconds and returns what to do, in order; `nextWakeMs` says
 * when to tick. So the simulator and the process run the same code.
 */
export class GuardianCore {
  readonly #facts: GuardianFacts;
  readonly #lanes = new Lanes();
  readonly #results = new Map<string, ActionResult>();
  #link: number | null = null;
  #daemonBoot = 0;
  #memberId: number | null = null;
  #cluster: string | null;
  #term: Term;
  #deadlineMs: number;
  #plan: StopPlan | null;
  #walk: StopWalk | null = null;
  /** The deadline for which the plan was walked to its end. */
  #walkedForMs: number | null = null;
  #trips: number;
  #stopped: readonly { readonly resource: string; readonly proven: boolean }[];
  #unproven = false;
  #lastFedMs = Number.NEGATIVE_INFINITY;
  #resetAsked = false;
  #effects: GuardianEffect[] = [];

  constructor(facts: GuardianFacts, remembered: Remembered | null) {
    this.#facts = facts;
    this.#cluster = remembered?.cluster ?? null;
    this.#term = remembered?.term ?? toTerm(0);
    this.#deadlineMs = remembered?.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.#plan = remembered?.plan ?? null;
    this.#trips = remembered?.trips ?? 0;
    this.#stopped = remembered?.stopped ?? [];
    for (const result of remembered?.results ?? []) this.#results.set(result.key, result);
  }

  /** The first step: the deadline is looked at before anything that an earlier guardian had begun is taken up again. */
  begin(remembered: Remembered | null, nowMs: number, wallMs: number): GuardianEffect[] {
    this.#checkDeadline(nowMs);
    for (const order of remembered?.unfinished ?? []) {
      if (order.action.agentClass !== "stonith" && REPEATABLE.has(order.action.operation)) {
        const job = this.#lanes.add(order, false);
        if (this.#walk !== null) this.#endJob(job, { kind: "cancelled" }, { startedAtMs: wallMs, finishedAtMs: wallMs });
        else this.#pump(job, nowMs);
      } else {
        const reason = "the guardian was restarted while this action ran; its processes were killed";
        const job = this.#lanes.add(order, false);
        const outcome: AgentOutcome = { kind: "exited", code: 1, reason, output: "", elapsedMs: 0 };
        this.#endJob(job, outcome, { startedAtMs: wallMs, finishedAtMs: wallMs });
      }
    }
    return this.step({ kind: "tick" }, nowMs);
  }

  step(input: GuardianInput, nowMs: number): GuardianEffect[] {
    // Whatever else came: what is due by the clock goes first, so that no late message slips past a deadline.
    this.#checkDeadline(nowMs);
    switch (input.kind) {
      case "message":
        this.#message(input.link, input.message, nowMs);
        break;
      case "closed":
        if (this.#link === input.link) this.#link = null;
        break;
      case "finished":
        this.#finished(input, nowMs);
        break;
      case "purged":
        if (this.#walk !== null) this.#follow(this.#walk.purged(input.key, input.left, nowMs), nowMs);
        break;
      case "tick":
        break;
      default:
        unreachable(input);
    }
    this.#checkWalk(nowMs);
    this.#feed(nowMs);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Monotonic time of the next tick that matters; Infinity: none. */
  nextWakeMs(): number {
    let wakeMs = this.#walk?.nextWakeMs ?? Number.POSITIVE_INFINITY;
    if (this.#walk === null && this.#walkedForMs !== this.#deadlineMs) wakeMs = Math.min(wakeMs, this.#deadlineMs);
    if (this.#facts.watchdogMs === null) return wakeMs;
    const feedMs = this.#lastFedMs + this.#facts.watchdogMs / FEEDS_PER_TIMEOUT;
    return this.#mayFeed(feedMs) ? Math.min(wakeMs, feedMs) : wakeMs;
  }

  /** True when leaving now cannot leave an exclusive resource without its keeper. */
  get guardsNothing(): boolean {
    return !this.#hasExclusive();
  }

  #message(link: number, message: ToGuardian, nowMs: number): void {
    if (message.kind !== "hello" && link !== this.#link) {
      this.#reject(link, "BAD_MESSAGE", "hello comes first");
      return;
    }
    switch (message.kind) {
      case "hello":
        this.#hello(link, message);
        break;
      case "run":
        this.#run(message, nowMs);
        break;
      case "cancel":
        this.#cancel(message.key, nowMs);
        break;
      case "result.ack":
        if (this.#results.delete(message.key)) this.#effects.push({ kind: "journal", record: { kind: "ack", key: message.key } });
        break;
      case "plan":
        this.#setPlan(message.plan, nowMs);
        break;
      case "deadline":
        this.#setDeadline(message.term, message.atMonotonicMs, nowMs);
        break;
      case "ping":
        this.#send({ kind: "pong" });
        break;
      case "release":
        if (this.#hasExclusive()) this.#log("warn", "release refused: the stop plan holds exclusive resources");
        else this.#effects.push({ kind: "watchdog.release" });
        break;
      case "self-fence":
        this.#selfFence(message.reason, nowMs);
        break;
      default:
        unreachable(message);
    }
  }

  #hello(link: number, hello: Extract<ToGuardian, { readonly kind: "hello" }>): void {
    if (hello.protocol !== GUARDIAN_PROTOCOL) {
      this.#reject(link, "PROTOCOL", `this guardian speaks protocol ${GUARDIAN_PROTOCOL}, not ${hello.protocol}`);
    } else if (hello.node !== this.#facts.node) {
      this.#reject(link, "WRONG_NODE", `this guardian keeps ${this.#facts.node}, not ${hello.node}`);
    } else if (hello.daemonBoot < this.#daemonBoot && (hello.memberId ?? this.#memberId) === this.#memberId) {
      this.#reject(link, "OLD_DAEMON", `a daemon with start counter ${this.#daemonBoot} was here already`);
    } else {
      this.#memberId = hello.memberId ?? this.#memberId;
      if (hello.cluster !== undefined && hello.cluster !== this.#cluster) this.#enter(hello.cluster);
      this.#welcome(link, hello.daemonBoot);
    }
  }

  /** In another cluster terms count anew, and results of the one before are of no use: their keys come again. */
  #enter(cluster: string): void {
    if (this.#cluster !== null) {
      this.#log("warn", "the node belongs to another cluster now", { before: this.#cluster, now: cluster });
      this.#term = toTerm(0);
      for (const key of this.#results.keys()) this.#effects.push({ kind: "journal", record: { kind: "ack", key } });
      this.#results.clear();
    }
    this.#cluster = cluster;
    this.#mark(this.#term, this.#deadlineMs);
  }

  #welcome(link: number, daemonBoot: number): void {
    if (this.#link !== null && this.#link !== link) this.#effects.push({ kind: "close", link: this.#link });
    this.#link = link;
    this.#daemonBoot = daemonBoot;
    this.#log("info", "daemon connected", { daemonBoot, running: this.#lanes.size, results: this.#results.size });
    const jobs = this.#lanes.all().filter((job) => !job.internal);
    const running = jobs.map((job) => ({ key: job.key, action: job.action, startedMonotonicMs: job.startedMs }));
    const results = splitBySize([...this.#results.values()]);
    this.#send({
      kind: "welcome",
      protocol: GUARDIAN_PROTOCOL,
      ...(this.#facts.servedBy === undefined ? {} : { servedBy: this.#facts.servedBy }),
      incarnation: this.#facts.incarnation,
      ...this.#guarantees(),
      stopBoundMs: this.#stopBoundMs(),
      stopMs: this.#stopMs(),
      planVersion: this.#plan?.version ?? 0,
      deadlineMonotonicMs: this.#deadlineMs,
      running: splitBySize(running).first,
      results: results.first,
      tripped: this.#trips > 0,
      // A walk that is under way proves nothing yet; its end is told by `walked`.
      trips: this.#walk === null ? this.#trips : this.#trips - 1,
      stopped: this.#stopped,
    });
    for (const result of results.rest) this.#send({ kind: "result", ...result });
  }

  #reject(link: number, code: Extract<FromGuardian, { readonly kind: "rejected" }>["code"], reason: string): void {
    this.#log("warn", "link rejected", { code, reason });
    this.#effects.push({ kind: "send", link, message: { kind: "rejected", code, reason } }, { kind: "close", link });
  }

  #guarantees(): { readonly guarantee: Guarantee; readonly kernelGuarantee: Guarantee } {
    if (this.#facts.watchdogMs !== null) return { guarantee: "watchdog", kernelGuarantee: "watchdog" };
    return { guarantee: "guardian", kernelGuarantee: this.#facts.selfFence === "reset" ? "guardian" : "none" };
  }

  #stopMs(): number {
    return Math.max(this.#facts.stopMs, this.#plan?.stopMs ?? 0);
  }

  /** S of RAFT.md §7. */
  #stopBoundMs(): number {
    const { watchdogMs, pauseMs, killMs } = this.#facts;
    if (watchdogMs !== null) return Math.ceil(2 * watchdogMs * (1 + RHO)) + POWER_OFF_MS;
    return pauseMs + this.#stopMs() + killMs;
  }

  #run(order: RunOrder, nowMs: number): void {
    const kept = this.#results.get(order.key);
    if (kept !== undefined) this.#send({ kind: "result", ...kept });
    if (kept !== undefined || this.#lanes.get(order.key) !== undefined) return;
    const full = this.#lanes.size + this.#results.size >= GUARDIAN_QUEUE_MAX;
    const code = full ? "QUEUE_FULL" : this.#refusal(order, nowMs);
    if (code !== null) {
      this.#log("warn", "action refused", { key: order.key, code });
      this.#send({ kind: "refused", key: order.key, code });
      return;
    }
    const { key, origin, action, planVersion } = order;
    this.#effects.push({ kind: "journal", record: { kind: "run", key, origin, action, planVersion } });
    this.#pump(this.#lanes.add(order, false), nowMs);
  }

  /** Why an action may not begin now (RAFT.md §§7-8, invariants H3 and H5), or null. */
  #refusal(order: RunOrder, nowMs: number): RefusedCode | null {
    if (order.origin !== null) {
      if (order.origin.incarnation !== this.#facts.incarnation) return "OLD_INCARNATION";
      if (order.origin.term < this.#term) return "OLD_TERM";
      if (order.origin.term > this.#term) this.#mark(order.origin.term, this.#deadlineMs);
    }
    const passed = this.#walk !== null || nowMs >= this.#deadlineMs;
    if (isFencing(order.action)) return passed ? "DEADLINE_PASSED" : null;
    if (!isActivating(order.action)) return null;
    const step = this.#plan?.steps.find((candidate) => candidate.resource === order.action.resource);
    if (this.#plan === null || step === undefined || this.#plan.version < order.planVersion) return "PLAN_MISSING";
    if (passed || (order.trips !== undefined && order.trips < this.#trips)) return "DEADLINE_PASSED";
    return step.exclusive && this.#deadlineMs === Number.POSITIVE_INFINITY ? "DEADLINE_MISSING" : null;
  }

  #cancel(key: string, nowMs: number): void {
    const job = this.#lanes.get(key);
    if (job === undefined || job.internal) return;
    job.cancelled = true;
    if (job.state === "running") this.#effects.push({ kind: "kill", key, how: "term" });
    else this.#dropQueued(job, nowMs);
  }

  /** A queued job ends without having run. Its result says so; times are those of the host clock that `finished` would give. */
  #dropQueued(job: Job, nowMs: number): void {
    this.#endJob(job, { kind: "cancelled" }, { startedAtMs: 0, finishedAtMs: 0 });
    this.#pump(job, nowMs);
  }

  #setPlan(plan: StopPlan, nowMs: number): void {
    if (plan.version > (this.#plan?.version ?? 0)) {
      this.#plan = plan;
      this.#effects.push({ kind: "journal", record: { kind: "plan", plan } });
      // What the last walk could not prove has become exclusive: that walk ended without a reset, so it does not cover this plan.
      const left = new Set(this.#stopped.filter((end) => !end.proven).map((end) => end.resource));
      if (this.#walkedForMs === this.#deadlineMs && plan.steps.some((step) => step.exclusive && left.has(step.resource))) {
        this.#walkedForMs = null;
        this.#checkDeadline(nowMs);
      }
    }
    this.#send({ kind: "plan.ack", version: this.#plan?.version ?? 0, stopBoundMs: this.#stopBoundMs() });
  }

  #setDeadline(term: Term, atMs: number, nowMs: number): void {
    if (term < this.#term) {
      this.#log("debug", "deadline of an old term ignored", { term, seen: this.#term });
      return;
    }
    let next = this.#deadlineMs;
    if (atMs === Number.POSITIVE_INFINITY) {
      if (this.#hasExclusive()) this.#log("warn", "deadline kept: the stop plan holds exclusive resources");
      else next = atMs;
    } else {
      next = this.#deadlineMs === Number.POSITIVE_INFINITY ? atMs : Math.max(this.#deadlineMs, atMs);
    }
    if (next === this.#deadlineMs && term === this.#term) return;
    const walkedBefore = this.#walkedForMs === this.#deadlineMs;
    this.#mark(term, next);
    // Still in the past: the walk that ended covers it, since nothing could start meanwhile.
    if (walkedBefore && next <= nowMs) this.#walkedForMs = next;
    else this.#checkDeadline(nowMs);
  }

  #mark(term: Term, deadlineMs: number): void {
    this.#term = term;
    this.#deadlineMs = deadlineMs;
    this.#effects.push({ kind: "mark", cluster: this.#cluster, term, deadlineMs });
  }

  #selfFence(reason: string, nowMs: number): void {
    if (this.#facts.selfFence === "reset") {
      this.#reset(reason);
      return;
    }
    this.#log("error", "self-fencing by killing only (self-fence=kill): kernel state may remain", { reason });
    if (this.#walk === null) this.#trip(nowMs, nowMs);
  }

  #reset(reason: string): void {
    if (this.#resetAsked) return;
    this.#resetAsked = true;
    this.#log("error", "resetting this host", { reason });
    this.#effects.push({ kind: "reset", reason });
  }

  #finished(input: Extract<GuardianInput, { readonly kind: "finished" }>, nowMs: number): void {
    const job = this.#lanes.get(input.key);
    if (job === undefined) return;
    const outcome: AgentOutcome = job.cancelled ? { kind: "cancelled" } : input.outcome;
    if (job.internal) {
      this.#lanes.remove(job);
      this.#effects.push({ kind: "journal", record: { kind: "forget", key: job.key } });
      if (this.#walk !== null) this.#follow(this.#walk.finished(job.key, outcome, nowMs), nowMs);
    } else {
      this.#endJob(job, outcome, input);
    }
    this.#pump(job, nowMs);
  }

  #endJob(job: Job, outcome: AgentOutcome, times: { readonly startedAtMs: number; readonly finishedAtMs: number }): void {
    this.#lanes.remove(job);
    const { key, origin, action } = job;
    const result: ActionResult = { key, origin, action, outcome, startedAtMs: times.startedAtMs, finishedAtMs: times.finishedAtMs };
    this.#results.set(key, result);
    this.#effects.push({ kind: "journal", record: { kind: "end", result } });
    this.#send({ kind: "result", ...result });
  }

  /** Begins the next action of the lane of `job`. A queued action is judged anew: terms and deadlines moved meanwhile. */
  #pump(job: Job, nowMs: number): void {
    for (let next = this.#lanes.turn(job.action); next !== null; next = this.#lanes.turn(job.action)) {
      const code = next.internal ? null : this.#refusal(next, nowMs);
      if (code === null) {
        next.state = "running";
        next.startedMs = nowMs;
        this.#effects.push({ kind: "spawn", key: next.key, action: next.action });
        return;
      }
      this.#lanes.remove(next);
      this.#effects.push({ kind: "journal", record: { kind: "forget", key: next.key } });
      this.#send({ kind: "refused", key: next.key, code });
    }
  }

  #checkDeadline(nowMs: number): void {
    if (this.#walk !== null || nowMs < this.#deadlineMs || this.#walkedForMs === this.#deadlineMs) return;
    this.#trip(this.#deadlineMs, nowMs);
  }

  #trip(atMs: number, nowMs: number): void {
    this.#trips += 1;
    this.#stopped = [];
    // Self-fencing by order comes before the deadline, which then still has to be kept.
    this.#walkedForMs = nowMs >= this.#deadlineMs ? this.#deadlineMs : null;
    this.#log("error", "deadline passed: stopping all resources", {
      lateMs: Math.round(nowMs - atMs),
      steps: this.#plan?.steps.length ?? 0,
    });
    this.#effects.push({ kind: "journal", record: { kind: "trip", trips: this.#trips, stopped: [] } });
    this.#send({ kind: "tripped", atMonotonicMs: atMs });
    const stopMs = this.#stopMs();
    const byReset = this.#facts.selfFence === "reset";
    if (byReset && nowMs >= atMs + stopMs + this.#facts.killMs && this.#hasExclusive()) {
      this.#reset("the guardian was paused beyond its bound");
    }
    // Without a reset a late walk is worth its full time, which the bound allows for a pause of g; after a longer one stopping late
    // is better than killing at once.
    const fromMs = byReset ? atMs : nowMs;
    this.#walk = new StopWalk(this.#plan, { fromMs, stopMs, killMs: this.#facts.killMs }, `walk:${this.#trips}`);
    for (const job of this.#lanes.all()) {
      if (job.action.agentClass === "stonith" || job.internal) continue;
      if (job.state === "queued") {
        this.#endJob(job, { kind: "cancelled" }, { startedAtMs: 0, finishedAtMs: 0 });
      } else if (job.action.operation !== "stop") {
        job.cancelled = true;
        this.#effects.push({ kind: "kill", key: job.key, how: "kill" });
      }
    }
  }

  #checkWalk(nowMs: number): void {
    const walk = this.#walk;
    if (walk === null) return;
    this.#follow(walk.tick(nowMs), nowMs);
    if (!walk.done) return;
    this.#walk = null;
    const outcome = walk.outcome;
    this.#stopped = outcome.map(({ resource, proven }) => ({ resource, proven }));
    const unproven = outcome.filter((end) => end.exclusive && !end.proven).map((end) => end.resource);
    this.#unproven = unproven.length > 0;
    this.#effects.push({ kind: "journal", record: { kind: "trip", trips: this.#trips, stopped: this.#stopped } });
    if (unproven.length > 0 && this.#facts.selfFence === "reset") this.#reset(`not proven stopped: ${unproven.join(", ")}`);
    this.#log(unproven.length > 0 ? "error" : "info", "stop plan walked", { stopped: this.#stopped.length, unproven });
    this.#send({ kind: "walked", trips: this.#trips });
    // A deadline that passed during the walk is covered by it.
    if (nowMs >= this.#deadlineMs) this.#walkedForMs = this.#deadlineMs;
  }

  #follow(orders: readonly WalkOrder[], nowMs: number): void {
    for (const order of orders) {
      switch (order.kind) {
        case "run":
          this.#pump(this.#lanes.add({ key: order.key, origin: null, action: order.action, planVersion: 0 }, true), nowMs);
          break;
        case "abandon":
          this.#abandon(order.resource);
          break;
        case "purge":
          this.#effects.push({ kind: "purge", key: order.key, action: order.action, timeoutMs: order.timeoutMs });
          break;
        case "stopped":
          this.#send({ kind: "stopped", resource: order.resource, proven: order.proven });
          break;
        default:
          unreachable(order);
      }
    }
  }

  /** Ends whatever runs on a resource; queued actions of the walk are dropped. */
  #abandon(resource: string): void {
    for (const job of this.#lanes.ofResource(resource)) {
      if (job.action.agentClass === "stonith") continue;
      if (job.state === "running") {
        job.cancelled = true;
        this.#effects.push({ kind: "kill", key: job.key, how: "kill" });
      } else if (job.internal) {
        this.#lanes.remove(job);
      }
    }
  }

  #mayFeed(nowMs: number): boolean {
    if (this.#resetAsked || this.#walk !== null) return false;
    return this.#walkedForMs === this.#deadlineMs ? !this.#unproven : nowMs < this.#deadlineMs;
  }

  #feed(nowMs: number): void {
    const { watchdogMs } = this.#facts;
    if (watchdogMs === null || !this.#mayFeed(nowMs) || nowMs < this.#lastFedMs + watchdogMs / FEEDS_PER_TIMEOUT) return;
    this.#lastFedMs = nowMs;
    this.#effects.push({ kind: "feed" });
  }

  #hasExclusive(): boolean {
    return this.#plan?.steps.some((step) => step.exclusive) ?? false;
  }

  #send(message: FromGuardian): void {
    if (this.#link !== null) this.#effects.push({ kind: "send", link: this.#link, message });
  }

  #log(level: Level, message: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#effects.push({ kind: "log", level, message, facts });
  }
}

/** Text kept in one welcome, characters; the frame limit of the link is four times that. */
const WELCOME_PART_MAX = 1024 * 1024;

/** As many items as fit into a welcome, and the rest. */
function splitBySize<T>(items: readonly T[]): { readonly first: readonly T[]; readonly rest: readonly T[] } {
  let size = 0;
  const count = items.findIndex((item) => {
    size += JSON.stringify(item).length;
    return size > WELCOME_PART_MAX;
  });
  return count < 0 ? { first: items, rest: [] } : { first: items.slice(0, count), rest: items.slice(count) };
}
