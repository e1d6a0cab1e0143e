import { memberId } from "../../../src/core/base/index.ts";
import type { ChangeRequest, Message } from "../../../src/core/raft/index.ts";
import { changesOf } from "./decisions.ts";
import { canonical, mismatch, type Verdict } from "./report.ts";
import { type NodeOptions, type Queued, ScenarioNode, type Sent, type StartJson, TICK_MS } from "./scenario-node.ts";

type Expect = {
  readonly nodes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly log?: { readonly first?: number; readonly entries: readonly Readonly<Record<string, unknown>>[] };
  readonly roles?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly progress?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly sends?: readonly Sent[];
  readonly error?: string;
};

type Step = {
  readonly do: string;
  readonly node?: number;
  readonly nodes?: readonly number[];
  readonly to?: readonly number[] | number;
  readonly from?: number;
  readonly drop?: readonly number[];
  readonly only?: string;
  readonly count?: number;
  readonly start?: StartJson;
  readonly options?: NodeOptions;
  readonly ticks?: number;
  readonly data?: string;
  readonly changes?: Parameters<typeof changesOf>[0];
  readonly mode?: string;
  readonly target?: number;
  readonly peer?: number;
  readonly index?: number;
  readonly expect?: Expect;
};

export type ScenarioCase = {
  readonly id: string;
  readonly group: "core" | "membership" | "flow" | "async" | "optional";
  readonly ticks: { readonly election: number; readonly heartbeat: number };
  readonly steps: readonly Step[];
};

type ChangeMode = Extract<ChangeRequest, { kind: "change" }>["mode"];
const MODES: ReadonlyMap<string, ChangeMode> = new Map([
  ["simple", "simple"],
  ["auto", "auto"],
  ["joint-auto", "joint"],
  ["joint-explicit", "joint-explicit"],
]);

/** What the data call a message, by the core's name of it. */
const MESSAGE_KINDS: ReadonlyMap<string, Message<string>["kind"]> = new Map([
  ["append", "append"],
  ["append-reply", "appendReply"],
  ["heartbeat", "heartbeat"],
  ["heartbeat-reply", "heartbeatReply"],
  ["pre-vote", "preVote"],
  ["pre-vote-reply", "preVoteReply"],
  ["vote", "vote"],
  ["vote-reply", "voteReply"],
  ["snapshot", "snapChunk"],
  ["timeout-now", "timeoutNow"],
  ["propose", "propose"],
  ["change", "change"],
]);
const EXPECTATIONS: ReadonlySet<string> = new Set(["nodes", "log", "roles", "progress", "sends", "error"]);

/** What `known` knows by this name; a name that nobody knows is a failure that says so, never passed over. */
function named<T>(known: ReadonlyMap<string, T>, name: string, what: string): T {
  const found = known.get(name);
  if (found === undefined) throw new Error(`unknown ${what} ${name}`);
  return found;
}

function idsOf(step: Step, key: "nodes" | "to" | "drop"): readonly number[] {
  const ids = step[key];
  if (ids === undefined) throw new Error(`${step.do} without ${key}`);
  return typeof ids === "number" ? [ids] : ids;
}

/** How much of the expectations holds for a core that activates a configuration when it is appended. */
type Scope = { readonly kind: "all" } | { readonly kind: "settled" } | { readonly kind: "roles" };

/** Plays one scenario; every node and queue lives in here. */
class Player {
  readonly #nodes = new Map<number, ScenarioNode>();
  readonly #case: ScenarioCase;
  readonly #queues = new Map<number, Queued[]>();
  #sent: Sent[] = [];
  #refused = false;
  #compared = 0;

  constructor(scenario: ScenarioCase) {
    this.#case = scenario;
  }

  /** Expectations that were compared. */
  get compared(): number {
    return this.#compared;
  }

  /** The first difference in words, or null. */
  play(scope: Scope): string | null {
    let settled = false;
    for (const [ordinal, step] of this.#case.steps.entries()) {
      this.#sent = [];
      this.#refused = false;
      this.#perform(step);
      settled =
        step.do === "settle" ? step.nodes === undefined || step.nodes.length === this.#nodes.size : settled && step.do.startsWith("check-");
      const problem = this.#check(step, step.expect ?? {}, scope, settled);
      if (problem !== null) return `step ${ordinal} (${step.do}): ${problem}`;
    }
    return null;
  }

  #node(id: number | undefined): ScenarioNode {
    const node = this.#nodes.get(id ?? 0);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #perform(step: Step): void {
    switch (step.do) {
      case "add":
        for (let n = 0; n < (step.count ?? 1); n += 1) this.#add(step);
        return;
      case "ready":
        for (const id of idsOf(step, "nodes")) this.#node(id).ready();
        return;
      case "persist":
        for (const id of idsOf(step, "nodes")) this.#node(id).persist();
        return;
      case "apply":
        for (const id of idsOf(step, "nodes")) this.#node(id).apply();
        return;
      case "deliver":
        this.#deliverStep(step);
        return;
      case "settle":
        this.#settle(step.nodes ?? [...this.#nodes.keys()]);
        return;
      case "send-snapshot": {
        const message = this.#node(step.from).snapshotMessage();
        this.#queue(Number(step.to)).push({ kind: "message", from: memberId(step.from ?? 0), message });
        return;
      }
      case "check-log":
      case "check-roles":
      case "check-progress":
        return;
      default:
        this.#act(this.#node(step.node), step);
    }
  }

  /** Steps that one node takes alone. */
  #act(node: ScenarioNode, step: Step): void {
    switch (step.do) {
      case "campaign":
        node.campaign();
        return;
      case "tick":
        node.tick(step.ticks ?? 1);
        return;
      case "set-election-timeout":
        node.step({ kind: "electionTimeout", timeoutMs: (step.ticks ?? 1) * TICK_MS });
        return;
      case "propose":
        this.#propose(step);
        return;
      case "change":
      case "leave-joint":
        this.#change(step);
        return;
      case "transfer":
        this.#transfer(step);
        return;
      case "compact":
        node.compact(step.index ?? 0);
        return;
      case "forget-leader":
        node.step({ kind: "forgetLeader" });
        return;
      case "report-unreachable":
        node.step({ kind: "link", peer: memberId(step.peer ?? 0), up: false });
        return;
      default:
        throw new Error(`unknown step ${step.do}`);
    }
  }

  #add(step: Step): void {
    const id = this.#nodes.size + 1;
    const node = new ScenarioNode(id, {
      start: step.start,
      options: step.options ?? {},
      ticks: this.#case.ticks,
      send: (to, queued) => this.#queue(to).push(queued),
      noteSent: (sent) => this.#sent.push(sent),
    });
    this.#nodes.set(id, node);
  }

  #queue(id: number): Queued[] {
    const known = this.#queues.get(id);
    if (known !== undefined) return known;
    const fresh: Queued[] = [];
    this.#queues.set(id, fresh);
    return fresh;
  }

  #propose(step: Step): void {
    const node = this.#node(step.node);
    node.refusals = [];
    node.step({ kind: "propose", context: node.nextContext(), commands: [step.data ?? ""] });
    this.#takeRefusals(node, false);
  }

  #transfer(step: Step): void {
    const node = this.#node(step.node);
    node.refusals = [];
    node.step({ kind: "transfer", context: node.nextContext(), to: memberId(step.target ?? 0) });
    this.#takeRefusals(node, false);
  }

  #change(step: Step): void {
    const node = this.#node(step.node);
    const mode = named(MODES, step.mode ?? "auto", "mode");
    const request: ChangeRequest = step.do === "change" ? { kind: "change", mode, changes: changesOf(step.changes) } : { kind: "leave" };
    node.refusals = [];
    node.step({ kind: "proposeChange", context: node.nextContext(), request });
    this.#takeRefusals(node, step.expect?.error === undefined);
  }

  /** The data's source writes an empty entry in place of a change that it refuses; ours refuses it without an entry. */
  #takeRefusals(node: ScenarioNode, emptyInstead: boolean): void {
    const refusals = node.refusals;
    node.refusals = [];
    for (const refusal of refusals) {
      if (refusal.what === "change" && emptyInstead) node.step({ kind: "propose", context: node.nextContext(), commands: [""] });
      else this.#refused = true;
    }
  }

  #deliverStep(step: Step): void {
    const only = step.only === undefined ? null : named(MESSAGE_KINDS, step.only, "kind of message");
    const limit = (queued: Queued): boolean => only === null || (queued.kind === "message" && queued.message.kind === only);
    for (const id of step.to === undefined && step.drop !== undefined ? [] : idsOf(step, "to")) this.#deliver(id, limit);
    for (const id of step.drop === undefined ? [] : idsOf(step, "drop")) {
      const queue = this.#queue(id);
      // Word from a node's own disk is no message on a wire: it cannot be lost.
      const kept = queue.filter((queued) => queued.kind === "own" || !limit(queued));
      queue.splice(0, queue.length, ...kept);
    }
  }

  #deliver(id: number, wanted: (queued: Queued) => boolean = () => true): boolean {
    const queue = this.#queue(id);
    const now = queue.filter(wanted);
    queue.splice(0, queue.length, ...queue.filter((queued) => !wanted(queued)));
    const node = this.#nodes.get(id);
    if (node === undefined) return false;
    for (const queued of now) node.receive(queued);
    this.#takeRefusals(node, true);
    return now.length > 0;
  }

  #settle(ids: readonly number[]): void {
    for (let turn = 0; turn < 1000; turn += 1) {
      const nodes = ids.map((id) => this.#node(id));
      let moved = false;
      for (const node of nodes) {
        if (!node.hasOutput) continue;
        node.ready();
        moved = true;
      }
      for (const id of ids) moved = this.#deliver(id) || moved;
      for (const node of nodes) {
        if (!node.hasWrites) continue;
        node.persist();
        moved = true;
      }
      for (const node of nodes) {
        if (!node.hasApplies) continue;
        node.apply();
        moved = true;
      }
      if (!moved) return;
    }
    throw new Error("the nodes never come to rest");
  }

  #check(step: Step, expect: Expect, scope: Scope, settled: boolean): string | null {
    const unknown = Object.keys(expect).find((key) => !EXPECTATIONS.has(key));
    if (unknown !== undefined) return `unknown expectation ${unknown}`;
    if (scope.kind === "roles" && !(settled && step.do === "check-roles")) return null;
    if (scope.kind === "settled" && !settled && step.do !== "add") return null;
    this.#compared += Object.keys(expect).length;
    if ((expect.error !== undefined) !== this.#refused && (expect.error !== undefined || step.do === "propose")) {
      return expect.error === undefined ? "was refused" : `expected to be refused (${expect.error})`;
    }
    return (
      this.#checkNodes(expect) ??
      (expect.roles === undefined ? null : this.#checkRoles(expect.roles, scope)) ??
      (expect.log === undefined ? null : this.#checkLog(step, expect.log)) ??
      (expect.progress === undefined ? null : this.#checkProgress(step, expect.progress)) ??
      (expect.sends === undefined ? null : this.#checkSends(expect.sends))
    );
  }

  #checkNodes(expect: Expect): string | null {
    for (const [id, wanted] of Object.entries(expect.nodes ?? {})) {
      const found = mismatch(wanted, this.#node(Number(id)).state(), `node ${id}`);
      if (found !== null) return found;
    }
    return null;
  }

  /** A removed member goes on to get what commits its removal only in the data's source: there, roles of voters are what agrees. */
  #checkRoles(roles: NonNullable<Expect["roles"]>, scope: Scope): string | null {
    for (const [id, wanted] of Object.entries(roles)) {
      if (scope.kind === "roles" && wanted["voter"] === false) continue;
      const found = mismatch(wanted, this.#node(Number(id)).roles(), `role of node ${id}`);
      if (found !== null) return found;
    }
    return null;
  }

  #checkLog(step: Step, wanted: NonNullable<Expect["log"]>): string | null {
    const got = this.#node(step.node).log() as { first: number; entries: readonly Record<string, unknown>[] };
    if (wanted.first !== undefined && wanted.first !== got.first) return `log starts at ${got.first}, expected ${wanted.first}`;
    // The content of a configuration entry is a list of changes there and a whole configuration here.
    const entries = wanted.entries.map((entry) => {
      const { changes: _changes, ...rest } = entry;
      if (rest["kind"] === "data" && (rest["data"] ?? "") === "") return { ...rest, kind: "empty", data: "" };
      return rest;
    });
    return canonical(entries) === canonical(got.entries) ? null : `log: expected ${canonical(entries)}, got ${canonical(got.entries)}`;
  }

  #checkProgress(step: Step, wanted: NonNullable<Expect["progress"]>): string | null {
    const got = this.#node(step.node).progress();
    for (const [id, peer] of Object.entries(wanted)) {
      const found = mismatch(peer, got[id], `progress of ${id}`);
      if (found !== null) return found;
    }
    return null;
  }

  /** Messages of a node to itself are a device of the data's source; here the disk's answer takes their place. */
  #checkSends(wanted: readonly Sent[]): string | null {
    const others = wanted.filter((sent) => sent["from"] !== sent["to"]);
    return canonical(others) === canonical(this.#sent) ? null : `sends: expected ${canonical(others)}, got ${canonical(this.#sent)}`;
  }
}

/**
 * What may be compared (FORMAT.md, group `membership`): a core that activates a configuration when it is appended agrees
 * only where everything has settled. It sends nothing more to a removed member and refuses proposals as a removed leader,
 * so where that shows (one-step removals, leaders that do not step down) only roles are compared.
 */
function scopeOf(scenario: ScenarioCase): Scope {
  if (scenario.group !== "membership") return { kind: "all" };
  const removals = scenario.steps.filter((step) => step.do === "change" && (step.changes ?? []).some((change) => change.op === "remove"));
  const oneStep = removals.some((step) => step.mode === "simple" || (!isJointMode(step) && (step.changes ?? []).length <= 1));
  const stepsDown = scenario.steps.some((step) => step.options?.["stepDownOnRemoval"] === true);
  return removals.length > 0 && (oneStep || !stepsDown) ? { kind: "roles" } : { kind: "settled" };
}

function isJointMode(step: Step): boolean {
  return step.mode === "joint-auto" || step.mode === "joint-explicit";
}

const WHY_ROLES_ONLY = "written for a core that activates configurations when applied and keeps sending to removed members";

export function runScenario(scenario: ScenarioCase): Verdict {
  const scope = scopeOf(scenario);
  const player = new Player(scenario);
  const { id } = scenario;
  const problem = player.play(scope);
  if (problem !== null) return { id, kind: "failed", reason: problem };
  if (player.compared === 0 && scope.kind === "all") return { id, kind: "failed", reason: "nothing to compare" };
  if (player.compared === 0) return { id, kind: "skipped", reason: `${WHY_ROLES_ONLY}; nothing else to compare` };
  if (scope.kind === "roles") return { id, kind: "skipped", reason: `${WHY_ROLES_ONLY}; role checks after a settle hold` };
  return { id, kind: "passed" };
}
