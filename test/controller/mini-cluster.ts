import { createHash } from "node:crypto";
import { type Incarnation, incarnation, type MemberId, memberId, seededRandom } from "../../src/core/base/index.ts";
import { type CibState, type Command, decodeSnapshot, emptyState, encodeSnapshot, type Proposal } from "../../src/core/cib/index.ts";
import { type Effect, NodeCore, type NodeEvent, Planner, type Schedule } from "../../src/core/controller/index.ts";
import type { AgentAction, AgentOutcome, StopPlan } from "../../src/core/ports/index.ts";
import { bootstrap, createRaft, emptyRestored, type Restored } from "../../src/core/raft/index.ts";

type Timed = { readonly atMs: number; readonly order: number; readonly run: () => void };

export type Ran = { readonly node: string; readonly key: string; readonly action: AgentAction; readonly atMs: number };

/** What a simulated guardian answers to an action; null: never. */
export type Agents = (node: string, action: AgentAction) => { readonly outcome: AgentOutcome; readonly tookMs: number } | null;

export const exited = (code: number): AgentOutcome => ({ kind: "exited", code, reason: null, output: "", elapsedMs: 5 });

/** Production nodes on a virtual clock, with a perfect disk and perfect links: enough to watch duties at work. */
export class MiniCluster {
  nowMs = 1_000;
  readonly nodes = new Map<string, MiniNode>();
  readonly ran: Ran[] = [];
  /** Every stop plan that went to a guardian: its bound, and what the cluster knew of it at that moment. */
  readonly plans: { node: string; stopBoundMs: number; knownMs: number }[] = [];
  readonly #queue: Timed[] = [];
  #order = 0;
  readonly schedule: Schedule;
  readonly agents: Agents;
  readonly cut = new Set<string>();

  constructor(options: { readonly schedule: Schedule; readonly agents: Agents }) {
    this.schedule = options.schedule;
    this.agents = options.agents;
  }

  at(delayMs: number, run: () => void): void {
    this.#order += 1;
    this.#queue.push({ atMs: this.nowMs + delayMs, order: this.#order, run });
  }

  /** Runs until the condition holds; throws after `limitMs` of virtual time. */
  until(what: string, limitMs: number, holds: () => boolean): void {
    const endMs = this.nowMs + limitMs;
    while (!holds()) {
      if (this.nowMs > endMs) throw new Error(`not within ${limitMs} virtual ms: ${what}\n${this.describe()}`);
      this.step();
    }
  }

  run(forMs: number): void {
    const endMs = this.nowMs + forMs;
    while (this.nowMs < endMs) this.step();
  }

  step(): void {
    let next: Timed | null = null;
    for (const timed of this.#queue) {
      if (next === null || timed.atMs < next.atMs || (timed.atMs === next.atMs && timed.order < next.order)) next = timed;
    }
    if (next === null) {
      this.nowMs += 10;
      return;
    }
    this.#queue.splice(this.#queue.indexOf(next), 1);
    this.nowMs = Math.max(this.nowMs, next.atMs);
    next.run();
  }

  describe(): string {
    return [...this.nodes.values()]
      .map((node) => `${node.name}: ${node.core.raftStatus.role} ${node.core.state.index} ${node.logs.slice(-12).join(" | ")}`)
      .join("\n");
  }

  add(name: string, id: number, first: boolean): MiniNode {
    const node = new MiniNode(this, name, memberId(id), first);
    this.nodes.set(name, node);
    return node;
  }

  leader(): MiniNode | null {
    return (
      [...this.nodes.values()].find((node) => node.alive && node.core.raftStatus.role === "leader" && node.core.raftStatus.ready) ?? null
    );
  }

  /** Three members, all online, with the given configuration edits applied. */
  static formed(
    options: { readonly schedule: Schedule; readonly agents: Agents },
    names: readonly string[],
    witnesses: readonly string[] = [],
  ): MiniCluster {
    const cluster = new MiniCluster(options);
    const [first, ...others] = names.map((name, at) => cluster.add(name, at + 1, at === 0));
    if (first === undefined) throw new Error("no node");
    cluster.until("a leader", 5_000, () => first.core.raftStatus.ready);
    first.command({ kind: "cluster.create", clusterId: "00112233aabbccdd", name: "mini", node: first.name, memberId: first.id });
    for (const [at, other] of others.entries()) {
      first.command({ kind: "token.put", hash: `t${at}`, expiresMs: 1e15 });
      first.deliver({
        kind: "admit",
        id: 1_000 + at,
        admission: {
          tokenHash: `t${at}`,
          node: other.name,
          memberId: other.id,
          addresses: [],
          ...(witnesses.includes(other.name) ? { witness: true } : {}),
        },
      });
      cluster.until(`${other.name} votes`, 20_000, () => (first.core.raftStatus.configuration.voters.get(other.id) ?? 0) > 0);
    }
    cluster.until("all online", 20_000, () => names.every((name) => first.core.state.nodes.get(name)?.membership === "online"));
    return cluster;
  }
}

export class MiniNode {
  /** Of the settings with which it is started; the product's default unless a test says otherwise. */
  tselfMs = 5_000;
  readonly cluster: MiniCluster;
  readonly name: string;
  readonly id: MemberId;
  core: NodeCore;
  alive = true;
  readonly logs: string[] = [];
  readonly answers = new Map<number, unknown>();
  incarnation: Incarnation;
  plan: StopPlan = { version: 0, steps: [] };
  deadlineMs = Number.POSITIVE_INFINITY;
  /** Under which terms the guardian was told of a deadline. */
  readonly deadlineTerms: number[] = [];
  /** How far the wall clock of this node is off, milliseconds. */
  wallOffsetMs = 0;
  planner: Planner;
  readonly running = new Set<string>();
  /** How its daemon ended by itself. */
  ended: { readonly reason: string; readonly left: boolean } | null = null;
  #disk: Restored<Proposal>;
  #boot = 1;
  #tickAtMs = Number.POSITIVE_INFINITY;
  #request = 1;

  constructor(cluster: MiniCluster, name: string, id: MemberId, first: boolean) {
    this.cluster = cluster;
    this.name = name;
    this.id = id;
    this.incarnation = incarnation(`${name}-1`);
    const member = { name, addresses: [], incarnation: null };
    const restored: Restored<Proposal> = first ? bootstrap<Proposal>({ id, member }) : emptyRestored<Proposal>();
    this.#disk = restored;
    this.core = this.#make(restored, 1);
    this.planner = this.#makePlanner();
    cluster.at(0, () => this.#begin());
  }

  #make(restored: Restored<Proposal>, boot: number): NodeCore {
    return new NodeCore({
      node: this.name,
      memberId: this.id,
      boot,
      version: "test",
      startMs: this.cluster.nowMs,
      random: seededRandom(this.id * 7919 + boot),
      restored,
      state: emptyState(),
      sizeOf: (proposal) => JSON.stringify(proposal).length,
      createRaft,
      restartWait: false,
      timing: { tselfMs: this.tselfMs },
    });
  }

  #makePlanner(): Planner {
    return new Planner({
      schedule: this.cluster.schedule,
      hash: (text) => createHash("md5").update(text).digest("hex"),
      elapsedMs: () => 0,
    });
  }

  #begin(guardianMs = 0): void {
    this.deliver({ kind: "tick" });
    this.deliver({ kind: "plannerStarted" });
    if (guardianMs > 0) this.cluster.at(guardianMs, () => this.connectGuardian());
    else this.connectGuardian();
  }

  /** S of RAFT.md §7 as a guardian with g = 1 s, Tstop = 3 s and Tkill = 0.5 s tells it. */
  get stopBoundMs(): number {
    return 1_500 + Math.max(3_000, this.plan.stopMs ?? 0);
  }

  connectGuardian(): void {
    this.deliver({
      kind: "guardian",
      message: {
        kind: "connected",
        incarnation: this.incarnation,
        guarantee: "guardian",
        kernelGuarantee: "none",
        stopBoundMs: this.stopBoundMs,
        stopMs: this.stopBoundMs - 1_500,
        planVersion: this.plan.version,
        deadlineMonotonicMs: this.deadlineMs,
        running: [],
        results: [],
        tripped: false,
        trips: 0,
        stopped: [],
      },
    });
  }

  command(command: Command): void {
    let done = false;
    this.core.propose([command], 5_000, (outcomes) => {
      const outcome = outcomes[0];
      if (outcome?.kind !== "applied" || !outcome.result.ok) throw new Error(`${command.kind}: ${JSON.stringify(outcome)}`);
      done = true;
    });
    this.deliver({ kind: "tick" });
    this.cluster.until(`${command.kind} applied`, 5_000, () => done);
  }

  request(method: string, params: unknown, limitMs = 30_000): unknown {
    const id = this.#request;
    this.#request += 1;
    this.deliver({ kind: "request", id, method, params });
    this.cluster.until(`${method} answered`, limitMs, () => this.answers.has(id));
    return this.answers.get(id);
  }

  /** Everything of the node ends, as in a power cut. */
  die(): void {
    this.alive = false;
    this.running.clear();
  }

  /**
   * A daemon that has died begins anew from its disk; its guardian, plan and deadline are as they were, and are heard of
   * after `guardianMs`.
   */
  restart(guardianMs = 0): void {
    this.#boot += 1;
    this.core = this.#make(this.#disk, this.#boot);
    this.planner = this.#makePlanner();
    this.#tickAtMs = Number.POSITIVE_INFINITY;
    this.alive = true;
    this.ended = null;
    this.#begin(guardianMs);
  }

  deliver(event: NodeEvent): void {
    if (!this.alive) return;
    const wallMs = 1_700_000_000_000 + this.cluster.nowMs + this.wallOffsetMs;
    for (const effect of this.core.step({ nowMs: this.cluster.nowMs, wallMs, event })) this.#effect(effect);
    const wake = this.core.nextWakeMs();
    if (wake >= this.#tickAtMs) return;
    this.#tickAtMs = wake;
    this.cluster.at(Math.max(1, wake - this.cluster.nowMs), () => {
      this.#tickAtMs = Number.POSITIVE_INFINITY;
      this.deliver({ kind: "tick" });
    });
  }

  #effect(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        for (const { to, message } of effect.envelopes) this.#send(to, message);
        return;
      case "persist":
        this.cluster.at(1, () => {
          this.#keep(effect.write);
          for (const { to, message } of effect.write.sendAfter) this.#send(to, message);
          if (effect.write.ticket !== null) this.deliver({ kind: "stored", ticket: effect.write.ticket });
        });
        return;
      case "run":
        this.#run(effect);
        return;
      case "stopPlan":
        this.plan = effect.plan;
        this.cluster.plans.push({ node: this.name, stopBoundMs: this.stopBoundMs, knownMs: this.core.self?.stopBoundMs ?? 0 });
        this.cluster.at(1, () =>
          this.deliver({
            kind: "guardian",
            message: { kind: "plan.ack", version: effect.plan.version, stopBoundMs: this.stopBoundMs },
          }),
        );
        return;
      case "deadline":
        this.deadlineTerms.push(effect.term);
        this.#hold(effect.atMs);
        return;
      case "planner": {
        const message = effect.message.kind === "load" ? { kind: "load" as const, state: copy(effect.message.state) } : effect.message;
        this.cluster.at(1, () => {
          for (const answer of this.planner.handle(message)) this.deliver({ kind: "planner", message: answer });
        });
        return;
      }
      case "answer":
        this.answers.set(effect.id, "result" in effect.answer ? effect.answer.result : { error: effect.answer.error });
        return;
      case "stop":
        this.ended = effect;
        this.alive = false;
        return;
      case "log":
        this.logs.push(`${this.cluster.nowMs} ${effect.text} ${JSON.stringify(effect.facts)}`);
        return;
      default:
        return;
    }
  }

  /** As every guardian: a deadline never moves back, and there is none only without an exclusive resource. */
  #hold(atMs: number): void {
    if (!Number.isFinite(atMs)) {
      if (!this.plan.steps.some((step) => step.exclusive)) this.deadlineMs = atMs;
    } else this.deadlineMs = Number.isFinite(this.deadlineMs) ? Math.max(this.deadlineMs, atMs) : atMs;
  }

  #keep({ hard, entries }: Extract<Effect, { kind: "persist" }>["write"]): void {
    const from = entries[0]?.index ?? Number.POSITIVE_INFINITY;
    const kept = this.#disk.entries.filter((entry) => entry.index < from);
    this.#disk = { ...this.#disk, hard: hard ?? this.#disk.hard, entries: [...kept, ...entries] };
  }

  #send(
    to: MemberId,
    message: Parameters<NodeCore["step"]>[0]["event"] extends never ? never : Extract<NodeEvent, { kind: "message" }>["message"],
  ): void {
    const target = [...this.cluster.nodes.values()].find((node) => node.id === to);
    if (target === undefined || !this.alive) return;
    const { cut } = this.cluster;
    const way = `${this.name}>${target.name}`;
    if (cut.has(way) || cut.has(`${way} ${message.kind}`)) return;
    this.cluster.at(1, () => target.deliver({ kind: "message", from: this.id, message }));
  }

  #run(effect: Extract<Effect, { kind: "run" }>): void {
    const { key, action, origin } = effect;
    if (this.running.has(key)) return;
    this.running.add(key);
    this.cluster.ran.push({ node: this.name, key, action, atMs: this.cluster.nowMs });
    const end = this.cluster.agents(this.name, action);
    if (end === null) return;
    this.cluster.at(end.tookMs, () => {
      if (!this.running.delete(key)) return;
      const finishedAtMs = this.cluster.nowMs;
      this.deliver({
        kind: "guardian",
        message: { kind: "result", key, origin, action, outcome: end.outcome, startedAtMs: finishedAtMs - end.tookMs, finishedAtMs },
      });
    });
  }
}

function copy(state: CibState): CibState {
  return decodeSnapshot(JSON.parse(JSON.stringify(encodeSnapshot(state))) as ReturnType<typeof encodeSnapshot>);
}
