import type { LogIndex, Term } from "../base/index.ts";
import type { Intent, NodeStatus, OperationResult, RunningAttempt } from "../cib/index.ts";
import type { ActionResult, FromGuardian } from "../ports/index.ts";
import { ClockDifference } from "./clock-difference.ts";
import { type GreetingFacts, greetingOf, unguardedFacts, witnessFacts } from "./greeting.ts";
import { type Host, refusalOf, stampMs } from "./host.ts";
import { describeFailure, interrupted, resultOf } from "./outcomes.ts";
import { Recurring } from "./recurring.ts";
import { planSignature, stopPlanOf } from "./stop-plan.ts";
import { GREETINGS_PER_BOOT, GUARDIAN_GONE_MS, type GuardianFacts, PROPOSAL_TIMEOUT_MS, RESULTS_BATCH_MAX, RETRY_MS } from "./types.ts";

type Asked = { readonly resource: string; readonly atMs: number };

/**
 * What every node does for itself: it compares the latest applied state with what its guardian runs (levels, not
 * edges: STYLE.md §1), hands results on, keeps the stop plan and the deadline, and repeats recurring monitors.
 */
export class Member {
  readonly #host: Host;
  readonly #recurring: Recurring;
  readonly #clock: ClockDifference;
  #guardian: GuardianFacts | null = null;
  /** Since when there is no guardian; null: there is one, or nobody has looked yet. */
  #unguardedMs: number | null = null;
  /** Walks of the stop plan whose every stop was proven, and all that were seen to end. */
  #trips = 0;
  #walks = 0;
  #stopBoundMs = 0;
  #unproven = new Set<string>();
  #planVersion = 0;
  #planSignature = "[]";
  /** What the plan that was sent last holds, and what every plan does that the guardian may be at. */
  #planResources: ReadonlySet<string> = new Set();
  #covered: ReadonlySet<string> = new Set();
  #planAcked = 0;
  /** The parts of the state that the plan was made of: equal parts give the same plan. */
  #planMadeOf: { readonly self: NodeStatus; readonly intents: unknown; readonly sections: unknown } | null = null;
  #planSent = false;
  /** A plan with a longer walk waits until the cluster knows the longer bound of this node (RAFT.md §7). */
  #planHeld = false;
  #boundToTellMs = 0;
  /** Tstop that is in force at the guardian, milliseconds. */
  #stopMs = 0;
  #greeting = -1;
  /** Asked of the guardian and not answered: intents and fencing attempts by key. */
  readonly #asked = new Map<string, Asked>();
  readonly #cancelled = new Set<string>();
  readonly #notBefore = new Map<string, number>();
  /** Answered, but not yet gone from the replicated state. */
  readonly #results = new Map<string, OperationResult>();
  /** Keys that the guardian keeps until acknowledged. */
  readonly #toAck = new Set<string>();
  readonly #fencingResults = new Map<string, { readonly ok: boolean; readonly reason: string | null }>();
  #resultsUntilMs = 0;
  #helloUntilMs = 0;
  #fencingUntilMs = 0;
  #coverageUntilMs = 0;
  /** What was looked at when there was no coverage to tell of. */
  #coverageOf: { readonly history: unknown; readonly covered: ReadonlySet<string> } | null = null;
  #current = false;
  /** The cluster has taken this daemon for online since its start. */
  #greeted = false;
  #selfFenced = false;
  #deadlineMs = 0;
  /** Term under which that was told: a guardian that has seen a later one does not take it. */
  #deadlineTerm: Term | null = null;
  #detachDeadlineMs = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#recurring = new Recurring(host);
    this.#clock = new ClockDifference(host);
  }

  get guardianConnected(): boolean {
    return this.#guardian !== null;
  }

  onGuardian(message: FromGuardian | ({ readonly kind: "connected" } & GuardianFacts) | { readonly kind: "disconnected" }): void {
    switch (message.kind) {
      case "connected":
        this.#connected(message);
        return;
      case "disconnected":
        this.#guardian = null;
        this.#unguardedMs ??= this.#host.nowMs;
        return;
      case "result":
        this.#onResult(message);
        return;
      case "plan.ack":
        this.#planAcked = Math.max(this.#planAcked, message.version);
        if (message.version >= this.#planVersion) {
          this.#boundToTellMs = 0;
          this.#covered = this.#planResources;
        }
        if (this.#guardian?.guarantee !== "watchdog") this.#stopMs += message.stopBoundMs - this.#stopBoundMs;
        this.#stopBoundMs = message.stopBoundMs;
        return;
      case "refused":
        this.#host.log("debug", { key: message.key, code: message.code }, "the guardian refused an action; it is tried again");
        this.#asked.delete(message.key);
        this.#notBefore.set(message.key, this.#host.nowMs + RETRY_MS);
        this.#recurring.refused(message.key);
        if (message.code === "PLAN_MISSING") this.#planSent = false;
        return;
      case "tripped":
        this.#host.log("error", {}, "the deadline passed without proof of a quorum: the guardian stops all exclusive resources");
        return;
      case "stopped":
        if (message.proven) this.#unproven.delete(message.resource);
        else this.#unproven.add(message.resource);
        return;
      case "walked":
        this.#walks = message.trips;
        // Only a walk whose every stop is proven counts as the end of what ran here.
        if (this.#unproven.size === 0) {
          this.#trips = message.trips;
          // A guardian that cannot reset its host has ended everything instead: the node may come back with that proof.
          this.#selfFenced = false;
          // The greeting that tells of it does not wait for the answer to an older one.
          this.#helloUntilMs = 0;
        }
        this.#forgetRunning();
        return;
      case "rejected":
        this.#host.log("error", { code: message.code, reason: message.reason }, "the guardian rejected this daemon");
        return;
      case "welcome":
      case "pong":
        return;
    }
  }

  #connected(facts: GuardianFacts): void {
    this.#guardian = facts;
    this.#unguardedMs = null;
    this.#stopBoundMs = facts.stopBoundMs;
    this.#stopMs = facts.stopMs ?? 0;
    this.#boundToTellMs = 0;
    this.#unproven = new Set(facts.stopped.filter((end) => !end.proven).map((end) => end.resource));
    this.#walks = facts.trips;
    this.#trips = this.#unproven.size === 0 ? facts.trips : this.#trips;
    this.#covered = facts.planVersion === this.#planVersion ? this.#planResources : new Set();
    this.#planVersion = Math.max(this.#planVersion, facts.planVersion);
    this.#planAcked = facts.planVersion;
    this.#planSent = false;
    this.#asked.clear();
    this.#cancelled.clear();
    this.#notBefore.clear();
    this.#recurring.reconnected(facts.running.map((run) => run.key));
    for (const run of facts.running) {
      if (!this.#recurring.owns(run.key)) this.#asked.set(run.key, { resource: run.action.resource, atMs: this.#host.nowMs });
    }
  }

  #forgetRunning(): void {
    this.#asked.clear();
    this.#results.clear();
  }

  #onResult(result: ActionResult): void {
    this.#asked.delete(result.key);
    if (this.#recurring.onResult(result)) return;
    this.#toAck.add(result.key);
    if (result.key.endsWith(".f")) {
      const outcome = result.outcome;
      const ok = outcome.kind === "exited" && outcome.code === 0;
      const reason = ok ? null : describeFailure(outcome);
      this.#fencingResults.set(result.key, { ok, reason });
      return;
    }
    const covered = this.#covered.has(result.action.resource);
    const outcome = resultOf(result.key, result.outcome, covered) ?? interrupted(result, covered);
    if (outcome !== null) this.#results.set(result.key, outcome);
  }

  /** Nothing is on its way to or from the guardian or the log but recurring monitors, whose times are known. */
  get quiet(): boolean {
    const told = this.#results.size === 0 && this.#fencingResults.size === 0 && this.#toAck.size === 0 && this.#asked.size === 0;
    return told && this.#greeted && this.#notBefore.size === 0 && !this.#planHeld && this.#planAcked >= this.#planVersion;
  }

  /** Own clock at which the next recurring monitor is due. */
  get nextLookMs(): number {
    return this.#recurring.nextDueMs;
  }

  /** Compares and acts. Called after every change and on every tick. */
  duties(): unknown {
    const self = this.#host.self;
    this.#ackWhatIsApplied();
    // After a start the log is replayed: until the node has caught up with its leader, what it sees is the past.
    if (!this.#current && this.mayAct()) this.#current = true;
    // The deadline needs no state: contact with the leader proves it, and a daemon that was killed has no time to lose.
    // A witness runs nothing: it has no deadline, nor needs a guardian to be one, and only says that it is there.
    if (!this.#current && this.#guardian !== null && self?.witness !== true) this.#sendDeadline(null);
    if (self === undefined || !this.#current) return;
    if (self.witness === true) return this.#hello(self, witnessFacts(this.#host.options), 0);
    if (this.#guardian === null) return this.#tellUnguarded(self);
    this.#hello(self, this.#guardian, Math.max(this.#stopBoundMs, this.#boundToTellMs));
    this.#renewDeadline();
    if (self.incarnation !== this.#guardian.incarnation) return;
    this.#keepPlan(self);
    this.#cancelWhatIsOver();
    // The greeting that tells of a walk ends all that the log knows to run here: what began before it would be forgotten.
    this.#reportFencing();
    if (self.trips < this.#trips) return;
    this.#reportResults(self);
    this.#reportCoverage(self);
    if (!this.mayAct()) return;
    for (const intent of this.#host.state.intents.values()) {
      if (intent.node === self.name && intent.incarnation === self.incarnation) this.#runIntent(self, intent);
    }
    for (const request of this.#host.state.fencing.values()) {
      const current = request.current;
      if (current !== null && current.by === self.name && current.byIncarnation === self.incarnation) this.#runFencing(current);
    }
    if (self.membership === "online") this.#recurring.duties(self, this.#busyResources(self));
  }

  /**
   * Only when everything up to the commit index of the leader's latest heartbeat is applied, and that heartbeat is
   * younger than the lease (STYLE.md §1): a node cut off from the cluster begins nothing.
   */
  mayAct(): boolean {
    const { raftStatus: raft, nowMs, timing, state } = this.#host;
    if (raft.leader === null || state.index < raft.leaderCommit) return false;
    if (raft.role === "leader") return raft.ready && raft.quorumRoundMs !== null && nowMs - raft.quorumRoundMs < timing.leaseMs;
    return raft.leaderHeardMs !== null && nowMs - raft.leaderHeardMs < timing.leaseMs;
  }

  /** A guardian that was only started again is back before; one that stays away takes its guarantee along. */
  #tellUnguarded(self: NodeStatus): void {
    const { nowMs } = this.#host;
    this.#unguardedMs ??= nowMs;
    const facts = unguardedFacts(self);
    if (facts === null || self.guarantee === "none" || nowMs < this.#unguardedMs + GUARDIAN_GONE_MS) return;
    this.#hello(self, facts, self.stopBoundMs);
  }

  #hello(self: NodeStatus, guardian: GreetingFacts, stopBoundMs: number): void {
    const { nowMs, raftStatus, options, timing } = this.#host;
    const known =
      self.incarnation === guardian.incarnation &&
      self.membership === "online" &&
      self.trips >= this.#trips &&
      self.stopBoundMs === stopBoundMs &&
      (self.selfFenceMs ?? 0) >= timing.tselfMs &&
      self.guarantee === guardian.guarantee &&
      self.version === options.version &&
      self.greeting === this.#greeting &&
      !this.#clock.isNews(self.clockDifferenceMs);
    if (known) this.#greeted = true;
    if (known || nowMs < this.#helloUntilMs || raftStatus.leader === null || this.#selfFenced) return;
    // A detachment holds until the daemon has been restarted or its time is over, not until this daemon's next look.
    const detached = self.membership === "detached" && self.incarnation === guardian.incarnation && this.#greeted;
    if (detached && stampMs(this.#host) < (self.detachedUntilMs ?? 0)) return;
    // A node that left on purpose stays away until its daemon starts again.
    if (this.isSeenOff && self.incarnation === guardian.incarnation) return;
    this.#helloUntilMs = nowMs + PROPOSAL_TIMEOUT_MS;
    this.#greeting = Math.max(this.#greeting, options.boot * GREETINGS_PER_BOOT) + 1;
    const saidAtMs = this.#host.wallMs;
    const trips = Math.max(this.#trips, this.#guardian === null ? self.trips : 0);
    const hello = greetingOf(options, guardian, {
      greeting: this.#greeting,
      clockDifferenceMs: this.#clock.valueMs,
      selfFenceMs: timing.tselfMs,
      stopBoundMs,
      trips,
    });
    this.#host.propose([hello], PROPOSAL_TIMEOUT_MS, ([outcome]) => {
      this.#helloUntilMs = this.#host.nowMs + RETRY_MS;
      if (outcome?.kind === "applied") this.#clock.measure(saidAtMs);
      if (outcome?.kind === "applied" && outcome.result.ok) this.#greeted = true;
      if (refusalOf(outcome)?.code !== "INCARNATION_FENCED") return;
      this.#selfFenced = true;
      this.#host.log("error", {}, "the cluster has fenced this incarnation of the node: the host is reset");
      this.#host.emit({ kind: "selfFence", reason: "fenced by the cluster" });
    });
  }

  /** Set while the node shuts down on purpose. */
  leaving = false;

  /** The cluster has taken this daemon for online since its start, so what it has applied is of its own life. */
  get isGreeted(): boolean {
    return this.#greeted;
  }

  /** The node has left the cluster in the life of this daemon: it stays away until its daemon starts again. */
  get isSeenOff(): boolean {
    return this.#host.self?.membership === "offline" && (this.leaving || this.#greeted);
  }

  #renewDeadline(): void {
    const { self, nowMs, state } = this.#host;
    // A committed detachment promises that nobody recovers these resources before its end (RAFT.md §7). A daemon that was
    // started meanwhile does not count it anew: the guardian holds what its predecessor was promised, the leader knows no more.
    if (self?.membership === "detached" && self.detachedUntilMs !== null && this.#detachDeadlineMs === 0 && this.#greeted) {
      this.#detachDeadlineMs = nowMs + Math.max(0, self.detachedUntilMs - state.clockMs);
    }
    if (self?.membership !== "detached") this.#detachDeadlineMs = 0;
    this.#sendDeadline(this.#planSignature === "[]" ? Number.POSITIVE_INFINITY : this.#detachDeadlineMs);
  }

  /** D = the proven contact + Tself, or what was promised for longer. */
  #sendDeadline(promisedMs: number | null): void {
    const { raftStatus, timing, self } = this.#host;
    if (raftStatus.leaseBaseMs === null || self === undefined) return;
    // A longer Tself counts when the cluster knows of it (RAFT.md §7: Tsafe is raised before Tself).
    const tselfMs = Math.min(timing.tselfMs, self.selfFenceMs ?? timing.tselfMs);
    const atMs = Math.max(raftStatus.leaseBaseMs + tselfMs, promisedMs ?? 0);
    // One without end stays the same, and is told anew under each term.
    if (atMs === this.#deadlineMs && raftStatus.leaseTerm === this.#deadlineTerm) return;
    this.#deadlineMs = atMs;
    this.#deadlineTerm = raftStatus.leaseTerm;
    this.#host.emit({ kind: "deadline", term: raftStatus.leaseTerm, atMs });
  }

  /**
   * A guardian that may walk for longer raises Tsafe of its node, so the cluster knows the longer bound before the guardian
   * does (`StopPlan.stopMs`). A watchdog's bound does not depend on the walk.
   */
  #boundIsKnown(self: NodeStatus, stopMs: number): boolean {
    if (this.#guardian?.guarantee === "watchdog" || stopMs <= this.#stopMs) return true;
    this.#boundToTellMs = this.#stopBoundMs + stopMs - this.#stopMs;
    return self.stopBoundMs >= this.#boundToTellMs && self.greeting === this.#greeting;
  }

  #keepPlan(self: NodeStatus): void {
    const { intents, sections } = this.#host.state;
    const seen = this.#planMadeOf;
    const same = seen !== null && seen.self === self && seen.intents === intents && seen.sections === sections;
    if (same && this.#planSent && !this.#planHeld) return;
    this.#planMadeOf = { self, intents, sections };
    const { stopMs, steps } = stopPlanOf(this.#host.state, self);
    const signature = planSignature({ stopMs, steps });
    this.#planHeld = false;
    if (signature === this.#planSignature && (this.#planSent || this.#planVersion === 0)) {
      this.#planSent = true;
      return;
    }
    this.#planHeld = !this.#boundIsKnown(self, stopMs);
    if (this.#planHeld) return;
    if (signature !== this.#planSignature || !this.#planSent) this.#planVersion += 1;
    this.#planSignature = signature;
    this.#planResources = new Set(steps.map((step) => step.resource));
    this.#covered = new Set([...this.#covered].filter((resource) => this.#planResources.has(resource)));
    this.#planSent = true;
    this.#host.emit({ kind: "stopPlan", plan: { version: this.#planVersion, ...(stopMs > 0 ? { stopMs } : {}), steps } });
    // A plan with exclusive steps needs a finite deadline before anything of it may start.
    this.#deadlineMs = 0;
    this.#renewDeadline();
  }

  /**
   * Ends what was asked of the guardian and is no longer wanted: a fencing attempt that was given up, say, while it waited
   * for its device. Carried out later it would hit a node that has done nothing wrong (H8).
   */
  #cancelWhatIsOver(): void {
    const { state } = this.#host;
    for (const key of this.#asked.keys()) {
      const wanted = key.endsWith(".f") ? attemptUnderWay(state.fencing.values(), key) : state.intents.has(key);
      if (wanted || this.#cancelled.has(key)) continue;
      this.#cancelled.add(key);
      this.#host.emit({ kind: "cancel", key });
    }
    for (const key of this.#cancelled) if (!this.#asked.has(key)) this.#cancelled.delete(key);
  }

  #busyResources(self: NodeStatus): ReadonlySet<string> {
    const busy = new Set<string>();
    for (const intent of this.#host.state.intents.values()) if (intent.node === self.name) busy.add(intent.resource);
    return busy;
  }

  #runIntent(self: NodeStatus, intent: Intent): void {
    const { nowMs } = this.#host;
    if (this.#asked.has(intent.key) || this.#results.has(intent.key)) return;
    const delayMs = this.#notBefore.has(intent.key) ? 0 : startDelayOf(intent);
    if (delayMs > 0) this.#notBefore.set(intent.key, nowMs + delayMs);
    if (nowMs < (this.#notBefore.get(intent.key) ?? 0)) return;
    if (intent.action.agentClass === "stonith" && this.#runDeviceIntent(self, intent)) return;
    if (intent.stop !== null && (this.#planHeld || this.#planAcked < this.#planVersion)) return;
    if (this.#recurring.yield(intent.resource)) return;
    this.#ask(intent.key, intent.index, intent.resource, intent.action);
  }

  /**
   * A fencing device is not started on a node, it is registered: its start is one run of `monitor`, its stop needs no
   * agent, and it is never found running on a node that did not register it (Pacemaker Explained: Fencing).
   */
  #runDeviceIntent(self: NodeStatus, intent: Intent): boolean {
    const registered = self.history.get(intent.resource)?.active ?? false;
    const own = { key: intent.key, exitReason: null, execTimeMs: 0, covered: true, status: 0 } as const;
    if (intent.task === "stop") this.#results.set(intent.key, { ...own, rc: 0 });
    else if (intent.task === "monitor" && intent.intervalMs === 0) this.#results.set(intent.key, { ...own, rc: registered ? 0 : 7 });
    else if (intent.task === "start") {
      this.#ask(intent.key, intent.index, intent.resource, { ...intent.action, operation: "monitor" });
    } else return false;
    return true;
  }

  #runFencing(attempt: RunningAttempt): void {
    if (this.#asked.has(attempt.key) || this.#fencingResults.has(attempt.key)) return;
    if (this.#host.nowMs < (this.#notBefore.get(attempt.key) ?? 0)) return;
    this.#ask(attempt.key, attempt.index, attempt.device, attempt.action);
  }

  #ask(key: string, index: LogIndex, resource: string, action: Intent["action"]): void {
    const incarnation = this.#guardian?.incarnation;
    if (incarnation === undefined) return;
    this.#asked.set(key, { resource, atMs: this.#host.nowMs });
    const origin = { term: this.#host.raftStatus.term, index, incarnation };
    this.#host.emit({ kind: "run", key, origin, action, planVersion: this.#planVersion, trips: this.#walks });
  }

  #ackWhatIsApplied(): void {
    const { state, self } = this.#host;
    for (const key of this.#results.keys()) if (!state.intents.has(key) && !this.#recurring.reports(key)) this.#results.delete(key);
    for (const key of this.#fencingResults.keys()) if (!attemptUnderWay(state.fencing.values(), key)) this.#fencingResults.delete(key);
    if (self === undefined) return;
    for (const key of this.#toAck) {
      if (this.#results.has(key) || this.#fencingResults.has(key)) continue;
      this.#toAck.delete(key);
      this.#host.emit({ kind: "ack", key });
    }
    for (const key of this.#notBefore.keys()) if (!state.intents.has(key) && !key.endsWith(".f")) this.#notBefore.delete(key);
  }

  #reportResults(self: NodeStatus): void {
    const { nowMs, raftStatus, options } = this.#host;
    const changed = this.#recurring.takeChanged();
    for (const result of changed) this.#results.set(result.key, result);
    if (this.#results.size === 0 || nowMs < this.#resultsUntilMs || raftStatus.leader === null || self.incarnation === null) return;
    this.#resultsUntilMs = nowMs + PROPOSAL_TIMEOUT_MS;
    const results = [...this.#results.values()].slice(0, RESULTS_BATCH_MAX);
    const command = { kind: "results.record", memberId: options.memberId, incarnation: self.incarnation, results } as const;
    this.#host.propose([command], PROPOSAL_TIMEOUT_MS, ([outcome]) => {
      const applied = outcome?.kind === "applied" && outcome.result.ok;
      this.#resultsUntilMs = applied ? 0 : this.#host.nowMs + RETRY_MS;
      if (!applied) return;
      for (const result of results) if (this.#results.get(result.key) === result) this.#results.delete(result.key);
      this.#recurring.recorded(results);
    });
  }

  /** Resources that were found running, or came out of maintenance, join the plan after the fact: the cluster is told. */
  #reportCoverage(self: NodeStatus): void {
    const { nowMs, options, raftStatus, state } = this.#host;
    if (self.incarnation === null || raftStatus.leader === null || nowMs < this.#coverageUntilMs || self.membership !== "online") return;
    if (this.#planAcked < this.#planVersion || state.intents.size > 0) return;
    if (this.#coverageOf?.history === self.history && this.#coverageOf.covered === this.#covered) return;
    const resources = [...self.history.values()]
      .filter((entry) => entry.active && !entry.covered && entry.stop !== null && this.#covered.has(entry.resource))
      .map((entry) => entry.resource);
    if (resources.length === 0) {
      this.#coverageOf = { history: self.history, covered: this.#covered };
      return;
    }
    this.#coverageUntilMs = nowMs + PROPOSAL_TIMEOUT_MS;
    const { memberId } = options;
    const command = { kind: "node.covers", memberId, incarnation: self.incarnation, basedOn: state.index, resources } as const;
    this.#host.propose([command], PROPOSAL_TIMEOUT_MS, () => {
      this.#coverageUntilMs = this.#host.nowMs + RETRY_MS;
    });
  }

  #reportFencing(): void {
    const { nowMs, state, raftStatus } = this.#host;
    if (this.#fencingResults.size === 0 || nowMs < this.#fencingUntilMs || raftStatus.leader === null) return;
    for (const request of state.fencing.values()) {
      const result = request.current === null ? undefined : this.#fencingResults.get(request.current.key);
      if (result === undefined || request.current === null) continue;
      this.#fencingUntilMs = nowMs + PROPOSAL_TIMEOUT_MS;
      const { target, id } = request;
      const command = { kind: "fencing.result", target, request: id, attemptKey: request.current.key, ...result } as const;
      this.#host.propose([command], PROPOSAL_TIMEOUT_MS, () => {
        this.#fencingUntilMs = this.#host.nowMs + RETRY_MS / 10;
      });
      return;
    }
  }
}

/** `start-delay` of the operation, milliseconds (policy/actions.md G8); a daemon that comes back begins it anew. */
function startDelayOf(intent: Intent): number {
  const value = Number(intent.action.meta["start_delay"] ?? "0");
  return Number.isFinite(value) && value > 0 ? value : 0;
}

function attemptUnderWay(requests: Iterable<{ readonly current: RunningAttempt | null }>, key: string): boolean {
  for (const request of requests) if (request.current?.key === key) return true;
  return false;
}
