import { type MemberId, memberId } from "../base/index.ts";
import {
  activeOn,
  type Command,
  type CommandResult,
  type ConfigurationEdit,
  canonicalText,
  isSettled,
  type NodeStatus,
  propertyOf,
  VOTES_MAX,
} from "../cib/index.ts";
import type { Answer, ConfigChange, ReadOutcome } from "../raft/index.ts";
import { durationMs } from "./drafts.ts";
import { type Host, stampMs } from "./host.ts";
import type { Leader } from "./leader.ts";
import { Params, RequestError } from "./params.ts";
import type { FromPlanner } from "./planner.ts";
import {
  conflictFacts,
  failCountOf,
  isMade,
  LIFETIMES,
  type Lifetime,
  refusedByRaft,
  tooLate,
  unknownNode,
  withNodeAttribute,
} from "./request-parts.ts";
import { cibOf, clusterStatusOf, fencingRow, isQuorate, leaderName, statusOf, transitionOf } from "./status.ts";
import { type Admission, type ProposeOutcome, REQUEST_TIMEOUT_MS, REQUESTS_MAX, RETRY_MS } from "./types.ts";

/** Fencing by an operator may take this long on top of the device's own timeout, milliseconds. */
const FENCE_WAIT_EXTRA_MS = 60_000;
/** Without a leader a request waits this long for one before it is refused, milliseconds. */
const PATIENCE_MS = 5_000;
/** A read that nobody has answered is asked for again after this long, milliseconds. */
const READ_AGAIN_MS = 1_000;
/** Refusals that pass when a leader is elected or has room again. */
const PASSING: ReadonlySet<string> = new Set(["not-leader", "no-leader", "not-ready", "transferring", "busy"]);
/** `wait.idle` waits at most this long. */
const WAIT_MAX_MS = 3_600_000;
/** A change of the membership may take this long (catching up a new voter). */
const CHANGE_TIMEOUT_MS = 60_000;

type Waiter = {
  readonly id: number;
  readonly deadlineMs: number;
  /** The result once it is there. Throws `RequestError` for a refusal. */
  readonly check: () => { readonly result: unknown } | null;
  readonly timeout: () => RequestError;
};

/** Answers requests of people and programs (docs/api.md). */
export class Requests {
  readonly #host: Host;
  readonly #leader: Leader;
  readonly #waiters = new Map<number, Waiter>();
  readonly #open = new Set<number>();
  #nextContext = 1;
  readonly #changes = new Map<number, (answer: Answer) => void>();
  readonly #reads = new Map<number, (outcome: ReadOutcome) => void>();
  readonly #planner = new Map<number, (message: Extract<FromPlanner, { kind: "rehearsed" | "explained" }>) => void>();
  plannerUp = false;

  constructor(host: Host, leader: Leader) {
    this.#host = host;
    this.#leader = leader;
  }

  get openCount(): number {
    return this.#open.size;
  }

  onRequest(id: number, method: string, params: unknown): void {
    if (this.#open.size >= REQUESTS_MAX) {
      this.#emitError(id, new RequestError("BUSY", `at most ${REQUESTS_MAX} requests at once`, { retryable: true }));
      return;
    }
    this.#open.add(id);
    this.#guarded(id, () => this.#dispatch(id, method, new Params(params)));
  }

  onGone(id: number): void {
    this.#open.delete(id);
    this.#waiters.delete(id);
  }

  onAnswer(answer: Answer): void {
    const then = this.#changes.get(answer.context);
    if (then === undefined || answer.kind === "proposal") return;
    this.#changes.delete(answer.context);
    then(answer);
  }

  onRead(outcome: ReadOutcome): void {
    const then = this.#reads.get(outcome.context);
    this.#reads.delete(outcome.context);
    then?.(outcome);
  }

  onPlanner(message: Extract<FromPlanner, { kind: "rehearsed" | "explained" }>): void {
    const then = this.#planner.get(message.id);
    this.#planner.delete(message.id);
    then?.(message);
  }

  /** Looks at everybody who waits. Called after every change and on every tick. */
  duties(): void {
    for (const waiter of [...this.#waiters.values()]) {
      this.#guarded(waiter.id, () => {
        const done = waiter.check();
        if (done !== null) this.#finish(waiter.id, done.result);
        else if (this.#host.nowMs >= waiter.deadlineMs) throw waiter.timeout();
      });
    }
  }

  #dispatch(id: number, method: string, params: Params): unknown {
    const host = this.#host;
    switch (method) {
      case "ping":
        return this.#finish(id, { version: host.options.version, apiVersion: 1, node: host.options.node, phase: "member" });
      case "status":
        return this.#finish(id, statusOf(host, this.#leader));
      case "cib.get":
        return this.#cib(id, params);
      case "cluster.status":
        return this.#finish(id, clusterStatusOf(host));
      case "transition":
        return this.#finish(id, transitionOf(host, this.#leader));
      case "policy":
        return this.#policy(id);
      case "fencing.history":
        return this.#fencingHistory(id, params.optionalText("node"));
      case "config.commit":
        return this.#commit(id, params.edits("edits"), params.flag("force", false), params.optionalNumber("epoch"));
      case "resource.cleanup":
      case "resource.refresh":
        return this.#cleanup(id, params, method === "resource.refresh" ? "all" : "failures");
      case "resource.failcount":
        return this.#failCount(id, params);
      case "node.attribute":
        return this.#attribute(
          id,
          this.#node(params),
          params.text("name"),
          params.optionalText("value"),
          params.oneOf("lifetime", LIFETIMES, "forever"),
        );
      case "node.standby":
        return this.#attribute(
          id,
          this.#node(params),
          "standby",
          params.flag("on", true) ? "on" : null,
          params.oneOf("lifetime", LIFETIMES, "forever"),
        );
      case "node.maintenance":
        return this.#attribute(id, this.#node(params), "maintenance", params.flag("on", true) ? "true" : null, "forever");
      case "node.fence":
        return this.#fence(id, this.#node(params), params.oneOf("action", ["off", "reboot"], "reboot"));
      case "node.confirm":
        return this.#confirm(id, this.#node(params));
      case "node.detach":
        return this.#detach(id, this.#ownOr(params), params.optionalNumber("seconds") ?? 60);
      case "node.shutdown":
        return this.#shutdown(id, this.#ownOr(params));
      case "wait.idle":
        return this.#waitIdle(id, params.optionalNumber("timeoutMs") ?? 60_000);
      case "cluster.votes":
        return this.#votes(id, this.#node(params), params.optionalNumber("votes") ?? 1);
      case "cluster.promote":
        return this.#votes(id, this.#node(params), params.optionalNumber("votes") ?? 1);
      case "cluster.demote":
        return this.#votes(id, this.#node(params), 0);
      case "cluster.address":
        return this.#address(id, this.#node(params), params.texts("addresses"));
      case "cluster.remove":
        return this.#remove(id, this.#node(params), params.flag("force", false));
      case "cluster.transfer":
        return this.#transfer(id, this.#node(params));
      case "cluster.init":
      case "cluster.join":
        throw new RequestError("ALREADY_INITIALISED", "this node is a member of a cluster already");
      case "internal.create":
        return this.#create(id, params.text("clusterId"), params.text("name"));
      case "internal.forced":
        return this.#write(id, [{ kind: "cluster.forced", memberId: host.options.memberId }]);
      case "internal.token":
        return this.#write(id, [
          { kind: "token.put", hash: params.text("hash"), expiresMs: stampMs(host) + (params.optionalNumber("lifeMs") ?? 0) },
        ]);
      default:
        throw new RequestError("UNKNOWN_METHOD", `there is no method ${method}`);
    }
  }

  #cib(id: number, params: Params): unknown {
    const section = params.oneOf("section", ["all", "configuration", "status"], "all");
    const give = (): void => {
      const { state } = this.#host;
      const whole = cibOf(this.#host);
      const cib = section === "all" ? whole : (whole.children.find((child) => child.name === section) ?? whole);
      this.#finish(id, { cib, epoch: state.epoch, index: state.index, featureLevel: state.featureLevel });
    };
    if (!params.flag("linearizable", true)) return give();
    return this.#upToDate(id, give);
  }

  /** Goes on once this node has applied all that was committed anywhere when it was asked. */
  #upToDate(id: number, then: () => void): void {
    const late = (): RequestError => new RequestError("NO_QUORUM", "no leader confirmed this read in time", { retryable: true });
    this.#confirmed(id, PATIENCE_MS, late, (index) =>
      this.#wait(id, REQUEST_TIMEOUT_MS, () => {
        if (this.#host.state.index >= index) then();
        return null;
      }),
    );
  }

  /**
   * Asks the leader for an index that a read now must have seen, again and again: while a leader is being elected the
   * question is refused or lost, and asking costs nothing.
   */
  #confirmed(id: number, timeoutMs: number, late: () => RequestError, then: (index: number) => void): void {
    let askedMs = Number.NEGATIVE_INFINITY;
    let context = 0;
    const ask = (): void => {
      this.#reads.delete(context);
      context = this.#context();
      askedMs = this.#host.nowMs;
      this.#reads.set(context, (outcome) => {
        if (outcome.kind === "ready") then(outcome.index);
        else askedMs = this.#host.nowMs + RETRY_MS - READ_AGAIN_MS;
      });
      this.#host.raft.step({ kind: "readIndex", context });
    };
    ask();
    const again = (): null => {
      if (this.#host.nowMs - askedMs >= READ_AGAIN_MS) ask();
      return null;
    };
    this.#wait(id, timeoutMs, again, late);
  }

  #create(id: number, clusterId: string, name: string): void {
    const { node, memberId: member } = this.#host.options;
    this.#write(id, [{ kind: "cluster.create", clusterId, name, node, memberId: member }]);
  }

  #policy(id: number): void {
    if (!this.plannerUp) throw new RequestError("PLAN_NONE", "the policy worker is not running", { retryable: true });
    const context = this.#context();
    this.#planner.set(context, (message) => {
      if (message.kind !== "explained") return;
      if ("problem" in message.outcome) return this.#fail(id, new RequestError("POLICY_FAILED", message.outcome.problem.message));
      const { plan } = message.outcome;
      const { summary, placements, scores, graph, recheckAtMs } = plan;
      this.#finish(id, { basedOn: message.basedOn, computedMs: message.computedMs, summary, placements, scores, graph, recheckAtMs });
    });
    const quorate = isQuorate(this.#host);
    const node = leaderName(this.#host);
    this.#host.emit({ kind: "planner", message: { kind: "explain", id: context, quorate, node, nowMs: stampMs(this.#host) } });
    this.#wait(id, REQUEST_TIMEOUT_MS, () => null);
  }

  #fencingHistory(id: number, node: string | null): void {
    const rows = this.#host.state.fencingHistory.filter((record) => node === null || record.target === node);
    this.#finish(id, { history: [...rows].reverse().map(fencingRow) });
  }

  /**
   * Rehearses, then proposes. A refusal must be one of the present: this node may lag behind (after a restart, behind a
   * slow link), and a conflict with what was so long ago is none. So what fails is rehearsed once more on a confirmed state.
   */
  #commit(id: number, edits: readonly ConfigurationEdit[], force: boolean, epoch: number | null, confirmed = false): unknown {
    const command: Command = epoch === null ? { kind: "config.edit", edits } : { kind: "config.edit", edits, ifEpoch: epoch };
    const propose = (): void => this.#write(id, [command], edits);
    if (force || !this.plannerUp) {
      if (!force)
        throw new RequestError("POLICY_WORKER_DOWN", "the policy worker is not running, so this change cannot be rehearsed", {
          retryable: true,
        });
      return propose();
    }
    const context = this.#context();
    this.#planner.set(context, (message) => {
      if (message.kind !== "rehearsed") return;
      if (message.problem === null) return propose();
      if (!confirmed) return this.#upToDate(id, () => this.#commit(id, edits, force, epoch, true));
      this.#fail(
        id,
        new RequestError(message.problem.code, message.problem.message, {
          facts: conflictFacts(message.problem.code, edits, this.#host.state.epoch),
        }),
      );
    });
    this.#host.emit({ kind: "planner", message: { kind: "rehearse", id: context, edits, nowMs: stampMs(this.#host) } });
    this.#wait(id, REQUEST_TIMEOUT_MS, () => null);
  }

  #cleanup(id: number, params: Params, scope: "failures" | "all"): void {
    const resource = params.optionalText("resource");
    const node = params.optionalText("node");
    if (node !== null && !this.#host.state.nodes.has(node)) throw unknownNode(node);
    const operation = params.optionalText("operation");
    const selection = { resource, node, operation, intervalMs: params.optionalNumber("intervalMs"), scope };
    this.#write(id, [{ kind: "history.delete", selection }]);
  }

  #failCount(id: number, params: Params): unknown {
    const node = this.#node(params);
    const resource = params.text("resource");
    const action = params.oneOf("action", ["show", "set", "delete"], "show");
    const operation = params.optionalText("operation");
    const intervalMs = params.optionalNumber("intervalMs");
    if (action === "show") return this.#finish(id, failCountOf(node, resource, operation, intervalMs));
    const value = action === "delete" ? 0 : (params.optionalNumber("value") ?? 0);
    // A count without an operation is kept as that of any monitor, as Pacemaker's tools do.
    const named = value > 0 && operation === null ? { operation: "monitor", intervalMs: 0 } : { operation, intervalMs };
    this.#write(id, [{ kind: "failcount.set", resource, node: node.name, ...named, value }]);
  }

  #attribute(id: number, node: NodeStatus, name: string, value: string | null, lifetime: Lifetime): unknown {
    if (lifetime === "reboot") {
      this.#write(id, [{ kind: "attribute.set", changes: [{ node: node.name, name, value }] }]);
      return;
    }
    const object = this.#host.state.sections.nodes.objects.get(node.id);
    if (object === undefined) throw unknownNode(node.name);
    const after = withNodeAttribute(object.element, name, value);
    if (canonicalText(after) === canonicalText(object.element)) return this.#finish(id, this.#position());
    this.#commit(id, [{ section: "nodes", id: node.id, before: canonicalText(object.element), after }], false, null);
  }

  #fence(id: number, node: NodeStatus, action: "off" | "reboot"): void {
    const startedMs = this.#host.nowMs;
    const from = this.#host.state.index;
    const command: Command = {
      kind: "fencing.request",
      target: node.name,
      action,
      reason: "asked for by an operator",
      source: "operator",
      basedOn: null,
    };
    const deviceMs = durationMs(propertyOf(this.#host.state, "fencing-timeout", "stonith-timeout")) ?? 60_000;
    this.#propose(id, [command], (results) => {
      const index = results[0]?.index ?? from;
      const requestedMs = this.#host.state.clockMs;
      this.#wait(id, 2 * deviceMs + FENCE_WAIT_EXTRA_MS, () => {
        const record = [...this.#host.state.fencingHistory]
          .reverse()
          .find((entry) => entry.target === node.name && entry.finishedAtMs >= requestedMs);
        if (record === undefined) return null;
        if (!record.ok)
          throw new RequestError("FENCING_FAILED", `${node.name} could not be fenced: ${record.detail ?? "every device failed"}`);
        return { result: { index, by: record.by, elapsedMs: this.#host.nowMs - startedMs } };
      });
    });
  }

  #confirm(id: number, node: NodeStatus): void {
    if (node.membership === "online") throw new RequestError("NODE_ACTIVE", `${node.name} is online; fence it instead`);
    this.#write(id, [{ kind: "node.fenced", target: node.name, incarnation: node.incarnation, by: "operator", action: "off" }]);
  }

  #detach(id: number, node: NodeStatus, seconds: number): void {
    if (node.memberId === null || node.incarnation === null) throw unknownNode(node.name);
    const untilMs = stampMs(this.#host) + Math.max(1, seconds) * 1000;
    this.#write(id, [{ kind: "node.detach", memberId: node.memberId, incarnation: node.incarnation, untilMs }]);
  }

  #shutdown(id: number, node: NodeStatus): void {
    if (node.witness === true) throw new RequestError("BAD_REQUEST", `${node.name} is a witness and runs nothing: end its daemon`);
    const value = String(Math.floor(stampMs(this.#host) / 1000));
    this.#propose(id, [{ kind: "attribute.set", changes: [{ node: node.name, name: "shutdown", value }] }], () => {
      this.#wait(id, WAIT_MAX_MS, () => {
        const membership = this.#host.state.nodes.get(node.name)?.membership;
        return membership === "offline" ? { result: this.#position() } : null;
      });
    });
  }

  #waitIdle(id: number, timeoutMs: number): void {
    const endMs = this.#host.nowMs + Math.min(timeoutMs, WAIT_MAX_MS);
    this.#confirmed(id, timeoutMs, tooLate, (from) =>
      this.#wait(id, endMs - this.#host.nowMs, () => {
        const { state } = this.#host;
        return state.index >= from && isSettled(state) ? { result: { index: state.index, idle: true } } : null;
      }),
    );
  }

  #votes(id: number, node: NodeStatus, votes: number): void {
    const target = this.#memberOf(node);
    const { configuration } = this.#host.raftStatus;
    if (!Number.isSafeInteger(votes) || votes < 0 || votes > VOTES_MAX) {
      throw new RequestError("BAD_REQUEST", `parameter votes must be from 0 to ${VOTES_MAX}`);
    }
    const others = [...configuration.voters].filter(([other]) => other !== target && !configuration.witnesses.has(other));
    if ((votes === 0 || node.witness === true) && others.length === 0) {
      throw new RequestError("MEMBERSHIP_REFUSED", `${node.name} is the last member that votes and can lead`);
    }
    // The wish is replicated first: the leader brings a learner that is wanted as a voter to its votes, and no other.
    this.#propose(id, [{ kind: "node.votes", node: node.name, votes }], () =>
      this.#change(id, [votes > 0 ? voterChange(node, target, votes) : { op: "learner", id: target }], () =>
        this.#finish(id, this.#position()),
      ),
    );
  }

  /** Replaces the addresses under which a member is found; its links move as soon as this is committed. */
  #address(id: number, node: NodeStatus, addresses: readonly string[]): void {
    const member = this.#memberOf(node);
    const row = this.#host.raftStatus.configuration.members.get(member);
    if (row === undefined) throw new RequestError("NODE_UNKNOWN", `${node.name} is no member of the cluster`);
    if (addresses.length < 1 || addresses.length > ADDRESSES_MAX || addresses.some((address) => !ADDRESS.test(address))) {
      throw new RequestError("BAD_REQUEST", `parameter addresses must be 1 to ${ADDRESSES_MAX} of host:port`);
    }
    this.#change(id, [{ op: "member", id: member, member: { ...row, addresses } }], () => this.#finish(id, this.#position()));
  }

  #remove(id: number, node: NodeStatus, force: boolean): unknown {
    const active = activeOn(this.#host.state, node);
    if (active.length > 0 && !force)
      throw new RequestError("NODE_ACTIVE", `resources run on ${node.name}`, { facts: { resources: active } });
    if (node.membership === "lost" && node.witness !== true)
      throw new RequestError("NODE_ACTIVE", `${node.name} is lost and not proven down; fence or confirm it first`);
    const forget: Command = { kind: "node.forget", node: node.name };
    const { memberId: member } = node;
    if (member === null || !this.#host.raftStatus.configuration.members.has(member)) return this.#write(id, [forget]);
    // The node goes before the member: a member that is gone falls silent, and a silent node is lost, not forgotten.
    this.#propose(id, [forget], () => this.#change(id, [{ op: "remove", id: member }], () => this.#finish(id, this.#position())));
  }

  #transfer(id: number, node: NodeStatus): void {
    const context = this.#context();
    this.#changes.set(context, (answer) => {
      if (answer.kind !== "transfer") return;
      if (answer.outcome.kind === "done") this.#finish(id, this.#position());
      else this.#fail(id, refusedByRaft(answer.outcome.reason));
    });
    this.#host.raft.step({ kind: "transfer", context, to: this.#memberOf(node) });
    this.#wait(id, REQUEST_TIMEOUT_MS, () => null);
  }

  /** Brings a joining member in: takes its token, gives it a node, makes it a learner and, caught up, a voter. */
  onAdmit(id: number, admission: Admission): void {
    this.#open.add(id);
    const { tokenHash, node, addresses } = admission;
    const role = admission.witness === true ? { witness: true } : {};
    this.#propose(id, [{ kind: "token.use", hash: tokenHash, memberId: admission.memberId }], () => {
      this.#propose(id, [{ kind: "node.join", node, memberId: admission.memberId, ...role }], () => {
        const member = { name: node, addresses, incarnation: null };
        const configuration = this.#host.raftStatus.configuration;
        const stale = [...configuration.members].filter(([other, row]) => row.name === node && other !== admission.memberId);
        const removals = stale.map(([other]): ConfigChange => ({ op: "remove", id: other }));
        // Answered when the learner is committed: its daemon can only catch up after this answer.
        this.#change(id, [...removals, { op: "learner", id: admission.memberId, member }], () => {
          this.#finish(id, this.#position());
          this.promote(admission.memberId);
        });
      });
    });
  }

  /** Asks for a learner to become a voter; repeated by the leader until it has caught up. */
  promote(member: MemberId): void {
    const context = this.#context();
    this.#changes.set(context, (answer) => {
      if (answer.kind !== "change" || answer.outcome.kind === "done") return;
      this.#host.log("info", { member, reason: answer.outcome.reason }, "a learner could not become a voter yet");
    });
    const node = [...this.#host.state.nodes.values()].find((candidate) => candidate.memberId === member);
    const votes = node?.votesWanted ?? 1;
    if (node === undefined || votes === 0) return;
    const changes: readonly ConfigChange[] = [voterChange(node, member, votes)];
    this.#host.raft.step({ kind: "proposeChange", context, request: { kind: "change", mode: "joint", changes } });
  }

  /** Waits for the answer or for the configuration itself: the leader that was asked may be the member that leaves. */
  #change(id: number, changes: readonly ConfigChange[], then: () => void): void {
    const context = this.#context();
    const give = (): void => {
      this.#changes.delete(context);
      this.#guarded(id, then);
    };
    this.#changes.set(context, (answer) => {
      if (answer.kind !== "change" || !this.#waiters.has(id)) return;
      const outcome = answer.outcome;
      this.#waiters.delete(id);
      if (outcome.kind === "done") give();
      else this.#fail(id, refusedByRaft(outcome.reason, outcome.detail));
    });
    this.#host.raft.step({ kind: "proposeChange", context, request: { kind: "change", mode: "joint", changes } });
    this.#wait(id, CHANGE_TIMEOUT_MS, () => {
      const { configuration, configIndex, commit } = this.#host.raftStatus;
      if (configuration.outgoing.size > 0 || commit < configIndex || !changes.every((change) => isMade(configuration, change))) return null;
      this.#waiters.delete(id);
      give();
      return null;
    });
  }

  #write(id: number, commands: readonly Command[], edits: readonly ConfigurationEdit[] = []): void {
    this.#propose(
      id,
      commands,
      (results) => {
        const last = results[results.length - 1];
        this.#finish(id, last === undefined ? this.#position() : { index: last.index, epoch: last.epoch, value: last.value });
      },
      edits,
    );
  }

  #propose(
    id: number,
    commands: readonly Command[],
    then: (results: readonly Extract<CommandResult, { ok: true }>[]) => void,
    edits: readonly ConfigurationEdit[] = [],
    patientUntilMs: number | null = null,
  ): void {
    this.#waiters.delete(id);
    const untilMs = patientUntilMs ?? this.#host.nowMs + PATIENCE_MS;
    this.#host.propose(commands, REQUEST_TIMEOUT_MS, (outcomes) => {
      if (!this.#open.has(id)) return;
      // Refused means: nowhere appended. While a leader is being elected the same command is simply offered again.
      if (this.#host.nowMs < untilMs && outcomes.every((outcome) => outcome.kind === "refused" && PASSING.has(outcome.reason))) {
        const againMs = this.#host.nowMs + RETRY_MS;
        this.#wait(id, REQUEST_TIMEOUT_MS, () => {
          if (this.#host.nowMs >= againMs) this.#propose(id, commands, then, edits, untilMs);
          return null;
        });
        return;
      }
      this.#guarded(id, () => then(outcomes.map((outcome) => this.#accepted(outcome, edits))));
    });
  }

  #accepted(outcome: ProposeOutcome, edits: readonly ConfigurationEdit[]): Extract<CommandResult, { ok: true }> {
    if (outcome.kind === "refused") throw refusedByRaft(outcome.reason);
    if (outcome.kind === "unknown") {
      throw new RequestError("TIMEOUT", "the outcome is unknown: the change may or may not have happened", { retryable: true });
    }
    const { result } = outcome;
    if (!result.ok)
      throw new RequestError(result.code, result.message, { facts: conflictFacts(result.code, edits, this.#host.state.epoch) });
    return result;
  }

  #wait(id: number, timeoutMs: number, check: Waiter["check"], timeout?: Waiter["timeout"]): void {
    if (!this.#open.has(id)) return;
    const late = timeout ?? tooLate;
    this.#waiters.set(id, { id, deadlineMs: this.#host.nowMs + timeoutMs, check, timeout: late });
  }

  #guarded(id: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#fail(id, error);
    }
  }

  #finish(id: number, result: unknown): void {
    this.#waiters.delete(id);
    if (this.#open.delete(id)) this.#host.emit({ kind: "answer", id, answer: { result } });
  }

  #fail(id: number, error: RequestError): void {
    this.#waiters.delete(id);
    if (this.#open.delete(id)) this.#emitError(id, error);
  }

  #emitError(id: number, error: RequestError): void {
    const { code, message, retryable } = error;
    const answer = error.facts === undefined ? { code, message, retryable } : { code, message, retryable, detail: error.facts };
    this.#host.emit({ kind: "answer", id, answer: { error: answer } });
  }

  #position(): { readonly index: number; readonly epoch: number } {
    return { index: this.#host.state.index, epoch: this.#host.state.epoch };
  }

  #context(): number {
    // Proposals count from 1 on their own; contexts of other kinds live in another range.
    this.#nextContext += 1;
    return 1_000_000_000 + this.#nextContext;
  }

  #node(params: Params): NodeStatus {
    const name = params.text("node");
    const node = this.#host.state.nodes.get(name);
    if (node === undefined) throw unknownNode(name);
    return node;
  }

  #ownOr(params: Params): NodeStatus {
    const name = params.optionalText("node") ?? this.#host.options.node;
    const node = this.#host.state.nodes.get(name);
    if (node === undefined) throw unknownNode(name);
    return node;
  }

  #memberOf(node: NodeStatus): MemberId {
    if (node.memberId === null) throw new RequestError("NODE_UNKNOWN", `${node.name} is no member of the cluster`);
    return memberId(node.memberId);
  }
}

/** A member has an address on each of at most so many rings. */
const ADDRESSES_MAX = 4;
const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$/;

function voterChange(node: NodeStatus, member: MemberId, votes: number): ConfigChange {
  return { op: "voter", id: member, votes, ...(node.witness === true ? { witness: true } : {}) };
}
