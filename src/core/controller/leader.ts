import type { LogIndex, MemberId } from "../base/index.ts";
import { type Command, type FencingRequest, isRetiring, isSettled, type NodeStatus, propertyOf } from "../cib/index.ts";
import { FENCING_RETRY_MS, nextFencingStep, tsafeAtMs } from "../fencing/index.ts";
import { durationMs } from "./drafts.ts";
import { type Host, refusalOf, stampMs } from "./host.ts";
import type { FromPlanner, PlannedTransition } from "./planner.ts";
import { Promises } from "./promises.ts";
import { GREETINGS_PER_BOOT, PLANNER_BEAT_MS, PLANNER_QUIET_BEAT_MS, PROPOSAL_TIMEOUT_MS, RECHECK_INTERVAL_MS, RETRY_MS } from "./types.ts";

/** A leader that retires asks again after this long, milliseconds, when its successor could not take over. */
const HAND_OVER_RETRY_MS = 2_000;
/** Nobody waits for the answer: the next look at the role is the answer. */
const HAND_OVER_CONTEXT = 2_000_000_001;
/** A leader that waits for all says so this often, milliseconds. */
const HOLD_LOG_MS = 30_000;
/** Pause between two records of "all is done", milliseconds: under a stream of changes each is outdated as it is written. */
const SETTLE_PAUSE_MS = 50;
const NODE_LOSS_MIN_MS = 300;
const NODE_LOSS_MAX_MS = 30_000;

export type LastPlan = {
  readonly basedOn: LogIndex;
  readonly transition: number;
  readonly plan: PlannedTransition;
  readonly computedMs: number;
  readonly atMs: number;
};

/**
 * What the leader does for the cluster: notices silent nodes, asks the policy worker, commits what it hands out, sees
 * fencing through. It only proposes: a deposed leader cannot commit, so it cannot act.
 */
export class Leader {
  readonly #host: Host;
  #session = 0;
  #leading = false;
  #plannerUp = false;
  #nextBeatMs = 0;
  #nextHandOverMs = 0;
  #assembled = false;
  #nextHoldLogMs = 0;
  #nextLossMs = Number.POSITIVE_INFINITY;
  #nextRecheckMs = Number.POSITIVE_INFINITY;
  #waiting = 0;
  #lastPlan: LastPlan | null = null;
  #doneBasedOn = -1;
  #nextSettleMs = 0;
  /** When the record that had to wait is written; Infinity: none waits. */
  #settleLaterMs = Number.POSITIVE_INFINITY;
  /** The planner has nothing under way as of this index. */
  #idleAt: LogIndex | null = null;
  /** Who led last before this node did: its silence counts from its last word, that of others from our election. */
  #lastLeader: MemberId | null = null;
  /** At the last look: after an office of its own nobody else led last, and followers do not talk to each other. */
  #inOffice = false;
  /** Peers whose kernel answers although their daemon is gone: since when, and the last greeting that was applied then. */
  readonly #gone = new Map<MemberId, { readonly sinceMs: number; readonly greeting: number }>();
  readonly #upSince = new Map<MemberId, number>();
  readonly #promises = new Promises();
  /** One proposal at a time per purpose. */
  readonly #busy = new Map<string, number>();

  constructor(host: Host) {
    this.#host = host;
  }

  get leading(): boolean {
    return this.#leading;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get lastPlan(): LastPlan | null {
    return this.#lastPlan;
  }

  onLink(peer: MemberId, change: "up" | "down" | "gone"): void {
    if (change === "gone") {
      // What is known of an earlier end must not shorten the grace of a daemon that came back since.
      if (this.#goneSince(peer) === undefined) this.#gone.set(peer, { sinceMs: this.#host.nowMs, greeting: this.#greetingOf(peer) });
    } else if (change === "up") {
      // A daemon that has just connected is heard. One that was gone keeps its grace until it has spoken: it may be slow
      // to read its log on a busy machine, and its guardian keeps the resources meanwhile.
      this.#upSince.set(peer, this.#host.nowMs);
    }
  }

  plannerStarted(): void {
    this.#plannerUp = true;
    this.#host.emit({ kind: "planner", message: { kind: "load", state: this.#host.state } });
    if (this.#leading) this.#lead();
  }

  plannerLost(reason: string): void {
    this.#plannerUp = false;
    if (!this.#leading) return;
    this.#recordFailure(this.#host.state.index, "POLICY_WORKER_LOST", reason);
  }

  /** Ms until Tsafe has passed for a lost node, for display; null when it proves nothing or this node does not lead. */
  tsafeInMs(node: NodeStatus): number | null {
    const at = this.#tsafeAt(node);
    return at === null ? null : Math.max(0, at - this.#host.nowMs);
  }

  duties(): void {
    const { raftStatus: raft, nowMs } = this.#host;
    // In every role: who is elected next has to know when a promise was made.
    this.#promises.look(this.#host.state, nowMs);
    this.#nextLossMs = Number.POSITIVE_INFINITY;
    const mayDecide = raft.role === "leader" && raft.ready;
    const leads = mayDecide && this.#isAssembled();
    if (raft.role !== "leader") this.#lastLeader = raft.leader ?? (this.#inOffice ? null : this.#lastLeader);
    this.#inOffice = raft.role === "leader";
    if (leads !== this.#leading) {
      this.#leading = leads;
      this.#busy.clear();
      if (leads) this.#host.log("info", { term: raft.term }, "this node leads the cluster");
      this.#lead();
    }
    // A leader that waits for all still says who is silent, so that a person can vouch for them.
    if (mayDecide && !leads) this.#watchNodes();
    if (!leads) return;
    this.#handOver();
    this.#watchNodes();
    for (const request of this.#host.state.fencing.values()) this.#fence(request);
    this.#settle();
    this.#beat(nowMs);
  }

  /** Nothing of the office is about to change. A candidate, or a leader that may not decide yet, is looked at often. */
  get quiet(): boolean {
    return this.#leading || this.#host.raftStatus.role === "follower";
  }

  /** Nothing is under way and the planner has nothing more to begin, as far as it has been told. */
  get rests(): boolean {
    const { intents, fencing } = this.#host.state;
    return this.#leading && this.#idleAt !== null && intents.size === 0 && fencing.size === 0;
  }

  /** Own clock at which the next node is lost if it stays silent, or a held record is due; Infinity: neither. */
  get nextLookMs(): number {
    return Math.min(this.#nextLossMs, this.#settleLaterMs);
  }

  /** Voters that this leader has not seen since its start while `wait-for-all` holds it back; empty: nothing does. */
  get awaited(): readonly string[] {
    const { raftStatus, state, options } = this.#host;
    if (raftStatus.role !== "leader" || this.#assembled) return [];
    const names: string[] = [];
    for (const member of raftStatus.configuration.voters.keys()) {
      if (member === options.memberId || (raftStatus.peers.get(member)?.lastHeardMs ?? null) !== null) continue;
      const node = [...state.nodes.values()].find((candidate) => candidate.memberId === member);
      if (node?.membership !== "fenced") names.push(node?.name ?? String(member));
    }
    return names.sort();
  }

  /**
   * `wait-for-all`: after the loss of the whole cluster nobody decides anything, fencing included, before all voters have been
   * seen (or vouched for by `node.confirm`). A cluster that went on without this node is assembled: it has settled since
   * this incarnation of the node was greeted.
   */
  #isAssembled(): boolean {
    const { self, state, options } = this.#host;
    if (this.#assembled) return true;
    const asked = /^(?:true|on|yes|y|1)$/i.test(propertyOf(state, "wait-for-all") ?? "");
    const greeted = (self?.greeting ?? 0) >= options.boot * GREETINGS_PER_BOOT;
    const goesOn = greeted && self?.arrivedAt !== undefined && (state.settled?.basedOn ?? 0) > self.arrivedAt;
    this.#assembled = !asked || goesOn || this.awaited.length === 0;
    if (!this.#assembled && this.#host.nowMs >= this.#nextHoldLogMs) {
      this.#nextHoldLogMs = this.#host.nowMs + HOLD_LOG_MS;
      this.#host.log("warn", { awaited: this.awaited }, "wait-for-all: nothing is decided before all members have been seen");
    }
    return this.#assembled;
  }

  #lead(): void {
    this.#session += 1;
    this.#waiting = 0;
    this.#idleAt = null;
    this.#doneBasedOn = -1;
    this.#nextBeatMs = 0;
    if (!this.#plannerUp) return;
    const node = this.#leading ? this.#host.options.node : null;
    this.#host.emit({ kind: "planner", message: { kind: "lead", session: this.#session, node, nowMs: stampMs(this.#host) } });
  }

  #beat(nowMs: number): void {
    if (!this.#plannerUp || nowMs < this.#nextBeatMs) return;
    const stamp = stampMs(this.#host);
    // What a settled cluster waits for is known: a time of the plan, or a change.
    const quietMs = Math.min(PLANNER_QUIET_BEAT_MS, Math.max(PLANNER_BEAT_MS, this.#nextRecheckMs - stamp));
    this.#nextBeatMs = nowMs + (isSettled(this.#host.state) ? quietMs : PLANNER_BEAT_MS);
    if (stamp >= this.#nextRecheckMs) {
      this.#nextRecheckMs = Number.POSITIVE_INFINITY;
      this.#host.emit({ kind: "planner", message: { kind: "recheck", session: this.#session, nowMs: stamp } });
      return;
    }
    this.#host.emit({ kind: "planner", message: { kind: "applied", entries: [], nowMs: stamp } });
  }

  onPlanner(message: Exclude<FromPlanner, { kind: "rehearsed" | "explained" | "heard" }>): void {
    if (message.session !== this.#session || !this.#leading) return;
    switch (message.kind) {
      case "planned": {
        const { basedOn, transition, plan, computedMs } = message;
        this.#lastPlan = { basedOn, transition, plan, computedMs, atMs: this.#host.wallMs };
        this.#nextRecheckMs = Math.min(plan.recheckAtMs ?? Number.POSITIVE_INFINITY, stampMs(this.#host) + RECHECK_INTERVAL_MS);
        this.#host.log("debug", { basedOn, transition, actions: plan.graph.actions.length, computedMs }, "a transition was computed");
        return;
      }
      case "step":
        this.#commit(message.commands);
        return;
      case "progress":
        this.#waiting = message.waiting;
        this.#idleAt = message.idle ? message.index : null;
        this.#settle();
        return;
      case "refusedAction":
        this.#host.log("warn", { action: message.key, reason: message.reason }, "an action of the plan is refused");
        return;
      case "failed":
        this.#recordFailure(message.basedOn, message.code, message.message);
        return;
    }
  }

  #commit(commands: readonly Command[]): void {
    const session = this.#session;
    this.#host.propose(commands, PROPOSAL_TIMEOUT_MS, (outcomes) => {
      // A stale plan needs no word: the planner has seen the change that made it stale.
      const trouble = outcomes.find(
        (outcome) => outcome.kind !== "applied" || (!outcome.result.ok && outcome.result.code !== "PLAN_STALE"),
      );
      if (trouble === undefined || session !== this.#session) return;
      this.#host.log("debug", { outcome: trouble }, "a step of the transition was not committed; it is decided anew");
      this.#host.emit({ kind: "planner", message: { kind: "refused", session, nowMs: stampMs(this.#host) } });
    });
  }

  #settle(): void {
    this.#settleLaterMs = Number.POSITIVE_INFINITY;
    const { state } = this.#host;
    const index = this.#idleAt;
    if (index === null || state.changedAt > index || isSettled(state) || state.intents.size > 0 || state.fencing.size > 0) return;
    if (this.#doneBasedOn >= state.changedAt) return;
    if (this.#host.nowMs < this.#nextSettleMs) {
      this.#settleLaterMs = this.#nextSettleMs;
      return;
    }
    this.#nextSettleMs = this.#host.nowMs + SETTLE_PAUSE_MS;
    const transition = this.#lastPlan?.transition ?? state.transition;
    const recheckAtMs = this.#lastPlan?.plan.recheckAtMs ?? null;
    this.#once("settle", [{ kind: "transition.done", basedOn: index, transition, recheckAtMs }]);
  }

  #recordFailure(basedOn: LogIndex, code: string, message: string): void {
    this.#host.log("error", { code, message, basedOn }, "the policy engine failed; nothing new is started");
    this.#once("policy", [
      { kind: "policy.failed", basedOn: this.#host.state.changedAt > basedOn ? this.#host.state.index : basedOn, code, message },
    ]);
  }

  /** A leader in standby, or about to shut down, hands its office to a voter that is neither (RAFT.md §2 feature 10). */
  #handOver(): void {
    const { self, state, raft, raftStatus, nowMs } = this.#host;
    if (self === undefined || nowMs < this.#nextHandOverMs || raftStatus.transferTarget !== null || !isRetiring(state, self)) return;
    this.#nextHandOverMs = nowMs + HAND_OVER_RETRY_MS;
    let best: { readonly member: MemberId; readonly answeredMs: number } | null = null;
    for (const node of state.nodes.values()) {
      if (node.memberId === null || node === self || node.membership !== "online" || isRetiring(state, node)) continue;
      const peer = raftStatus.peers.get(node.memberId);
      const { voters, witnesses } = raftStatus.configuration;
      if (peer === undefined || !peer.active || peer.state !== "normal" || peer.match < raftStatus.commit) continue;
      if ((voters.get(node.memberId) ?? 0) === 0 || witnesses.has(node.memberId)) continue;
      const answeredMs = peer.lastAnswerMs ?? 0;
      if (best === null || answeredMs > best.answeredMs) best = { member: node.memberId, answeredMs };
    }
    if (best === null) return;
    this.#host.log("info", { to: best.member }, "this node retires, so it hands the leadership over");
    raft.step({ kind: "transfer", context: HAND_OVER_CONTEXT, to: best.member });
  }

  /** F, bounded (RAFT.md §7); the cluster property wins over the daemon's setting. */
  #nodeLossMs(): number {
    const configured = durationMs(propertyOf(this.#host.state, "node-loss-timeout"));
    return Math.min(NODE_LOSS_MAX_MS, Math.max(NODE_LOSS_MIN_MS, configured ?? this.#host.timing.nodeLossMs));
  }

  #watchNodes(): void {
    const { state, nowMs, raftStatus: raft, timing } = this.#host;
    const lossMs = this.#nodeLossMs();
    for (const node of state.nodes.values()) {
      if (node.memberId === null || node.incarnation === null || node.memberId === this.#host.options.memberId) continue;
      if (node.membership !== "online" && node.membership !== "detached") continue;
      const heardMs = this.#lastHeard(node.memberId);
      const silenceMs = nowMs - heardMs;
      const goneSince = this.#goneSince(node.memberId);
      if (node.membership === "detached" && nowMs < this.#promises.endMs(node)) continue;
      const grace = goneSince !== undefined && silenceMs >= 0 && nowMs - goneSince < timing.tselfMs;
      const lossAtMs = Math.max(heardMs + lossMs, goneSince === undefined ? 0 : goneSince + timing.tselfMs);
      this.#nextLossMs = Math.min(this.#nextLossMs, lossAtMs);
      if (silenceMs < lossMs || grace || raft.leaderSinceMs === null) continue;
      const reason = goneSince === undefined ? `silent for ${Math.round(silenceMs)} ms` : "its daemon did not come back in time";
      const { memberId, incarnation } = node;
      if (this.#once(`lost ${node.name}`, [{ kind: "node.lost", memberId, incarnation, reason }])) {
        this.#host.log("warn", { node: node.name, silenceMs: Math.round(silenceMs) }, "the node is lost");
      }
    }
  }

  /** Since when the daemon is gone and has not spoken again; undefined: it runs, as far as anybody knows. */
  #goneSince(member: MemberId): number | undefined {
    const gone = this.#gone.get(member);
    const upMs = this.#upSince.get(member);
    if (gone === undefined || upMs === undefined || upMs < gone.sinceMs) return gone?.sinceMs;
    // Followers do not talk to each other: what a follower hears of another's return is its greeting in the log.
    const spoke = (this.#host.raftStatus.peers.get(member)?.lastHeardMs ?? upMs) > upMs;
    if (!spoke && this.#greetingOf(member) <= gone.greeting) return gone.sinceMs;
    this.#gone.delete(member);
    return undefined;
  }

  #greetingOf(member: MemberId): number {
    for (const node of this.#host.state.nodes.values()) if (node.memberId === member) return node.greeting ?? 0;
    return 0;
  }

  #lastHeard(member: MemberId): number {
    const raft = this.#host.raftStatus;
    const message = raft.peers.get(member)?.lastHeardMs ?? null;
    const up = this.#upSince.get(member) ?? null;
    const heard = message === null || up === null ? (message ?? up) : Math.max(message, up);
    const since = raft.leaderSinceMs ?? this.#host.nowMs;
    // Followers do not talk to each other, so only the old leader's silence was observed before the election.
    if (member === this.#lastLeader && heard !== null) return heard;
    return Math.max(heard ?? since, since);
  }

  #tsafeAt(node: NodeStatus): number | null {
    const { raftStatus: raft, state, nowMs, timing } = this.#host;
    if (!this.#leading || raft.leaderSinceMs === null || node.memberId === null) return null;
    // A node outside of the membership shares no quorum with this leader (`force-new-cluster`): waiting proves nothing.
    if (!raft.configuration.members.has(node.memberId)) return null;
    const lastAnswerMs = raft.peers.get(node.memberId)?.lastAnswerMs ?? null;
    // The guardian of a detached node was promised its deadline for that long (RAFT.md §7, planned restart).
    const leaderSinceMs = Math.max(raft.leaderSinceMs, this.#promises.endMs(node));
    return tsafeAtMs(state, node, { nowMs, leaderSinceMs, lastAnswerMs, tselfMs: timing.tselfMs });
  }

  #fence(request: FencingRequest): void {
    const { state, nowMs } = this.#host;
    const { target, id, incarnation, action } = request;
    const node = state.nodes.get(target);
    if (node === undefined) return;
    const fenced = (by: string): Command => ({ kind: "node.fenced", target, incarnation, by, action });
    const purpose = `fence ${target}`;
    if (node.incarnation !== incarnation) {
      this.#once(purpose, [fenced("reboot")]);
      return;
    }
    const tsafeAt = this.#tsafeAt(node);
    if (tsafeAt !== null && nowMs >= tsafeAt) {
      this.#once(purpose, [fenced("tsafe")]);
      return;
    }
    if (request.retryAtMs !== null && stampMs(this.#host) < request.retryAtMs) return;
    const step = nextFencingStep(state, request);
    switch (step.kind) {
      case "wait":
        return;
      case "attempt":
        this.#once(purpose, [{ kind: "fencing.attempt", target, request: id, attempt: step.attempt }]);
        return;
      case "abandon":
        if (request.current !== null) {
          const attemptKey = request.current.key;
          this.#once(purpose, [{ kind: "fencing.result", target, request: id, attemptKey, ok: false, reason: step.reason }]);
        }
        return;
      case "fenced":
        this.#once(purpose, [fenced(step.by)]);
        return;
      case "exhausted": {
        // With Tsafe under way nothing has failed yet: the wait is the last level.
        if (tsafeAt !== null) return;
        const retryAtMs = stampMs(this.#host) + FENCING_RETRY_MS;
        if (this.#once(purpose, [{ kind: "fencing.failed", target, request: id, reason: step.reason, retryAtMs }])) {
          this.#host.log("error", { node: target, reason: step.reason }, "the node could not be fenced");
        }
        return;
      }
    }
  }

  /** Proposes unless the same purpose has a proposal under way; true when it proposed. */
  #once(purpose: string, commands: readonly Command[]): boolean {
    const { nowMs } = this.#host;
    if (nowMs < (this.#busy.get(purpose) ?? 0)) return false;
    this.#busy.set(purpose, nowMs + PROPOSAL_TIMEOUT_MS);
    this.#host.propose(commands, PROPOSAL_TIMEOUT_MS, ([outcome]) => {
      const refusal = refusalOf(outcome);
      const applied = outcome?.kind === "applied" && refusal === null;
      if (applied && purpose === "settle") this.#doneBasedOn = outcome.result.index;
      if (refusal !== null) this.#host.log("debug", { purpose, code: refusal.code }, "a proposal of the leader was refused");
      this.#busy.set(purpose, this.#host.nowMs + (applied ? 0 : RETRY_MS));
    });
    return true;
  }
}
