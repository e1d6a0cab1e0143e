import type { Hash, LogIndex } from "../base/index.ts";
import {
  apply,
  applyEdits,
  applyEmpty,
  type CancelDraft,
  type CibState,
  type Command,
  type ConfigurationEdit,
  EDITS_MAX,
  EDITS_STAGED_MAX,
  type Element,
  editsOfUpload,
  emptyState,
  type FencingAction,
  type IntentDraft,
  type Proposal,
  recurringKey,
  renderCib,
  sameAction,
} from "../cib/index.ts";
import type { Entry } from "../raft/index.ts";
import {
  type ClusterAction,
  type FenceAction,
  type GraphAction,
  type ResourceAction,
  type TransitionGraph,
  Walk,
} from "../transition/index.ts";
import { draftOf, type StopRules, stopRulesOf } from "./drafts.ts";
import { looksFor, mayForget } from "./holds.ts";
import { Strays } from "./strays.ts";

/** Actions in flight in the whole cluster when `batch-limit` is 0. */
export const BATCH_LIMIT_DEFAULT = 256;
/** Actions in flight on one node. */
export const NODE_JOBS_MAX = 32;
/** Plans in one second of the leader's clock; more are held back until the second is over. */
export const PLANS_PER_SECOND_MAX = 50;

/** What a run of the policy engine gives the planner. */
export type PlannedTransition = {
  readonly graph: TransitionGraph;
  /** Lines for people. */
  readonly summary: readonly string[];
  readonly placements: unknown;
  readonly scores: unknown;
  /** Cluster time at which the decision must be made anew, or null. */
  readonly recheckAtMs: number | null;
};

export type Schedule = (cib: Element, nowMs: number, hash: Hash) => PlannedTransition;

/** What reaches the policy worker. `entries`: all that were applied, in their order. */
export type ToPlanner =
  | { readonly kind: "load"; readonly state: CibState }
  | { readonly kind: "applied"; readonly entries: readonly Entry<Proposal>[]; readonly nowMs: number }
  /** This node begins (or no longer is) to lead with a quorum behind it. `session` tags everything that follows. */
  | { readonly kind: "lead"; readonly session: number; readonly node: string | null; readonly nowMs: number }
  /** A step was not committed: decide again. */
  | { readonly kind: "refused"; readonly session: number; readonly nowMs: number }
  | { readonly kind: "recheck"; readonly session: number; readonly nowMs: number }
  /** `upload`: the edits that were uploaded under that name, which the worker's state holds too. */
  | {
      readonly kind: "rehearse";
      readonly id: number;
      readonly edits?: readonly ConfigurationEdit[];
      readonly upload?: string;
      readonly nowMs: number;
    }
  /** Computes what the present state leads to, for people; nothing is begun. */
  | { readonly kind: "explain"; readonly id: number; readonly quorate: boolean; readonly node: string | null; readonly nowMs: number };

/** What the policy worker answers. */
export type FromPlanner =
  | {
      readonly kind: "planned";
      readonly session: number;
      readonly basedOn: LogIndex;
      readonly transition: number;
      readonly plan: PlannedTransition;
      readonly computedMs: number;
    }
  /** Commands to commit now, in this order; all based on the same plan. */
  /** What was applied has been taken in, whatever came of it: there is room for more. */
  | { readonly kind: "heard" }
  | { readonly kind: "step"; readonly session: number; readonly commands: readonly Command[] }
  /** How far the present transition is. `idle`: nothing is under way and nothing more will begin. */
  | {
      readonly kind: "progress";
      readonly session: number;
      readonly index: LogIndex;
      readonly waiting: number;
      readonly sent: number;
      readonly idle: boolean;
    }
  | { readonly kind: "failed"; readonly session: number; readonly basedOn: LogIndex; readonly code: string; readonly message: string }
  | { readonly kind: "refusedAction"; readonly session: number; readonly key: string; readonly reason: string }
  | { readonly kind: "rehearsed"; readonly id: number; readonly problem: RehearsalProblem | null }
  | {
      readonly kind: "explained";
      readonly id: number;
      readonly basedOn: LogIndex;
      readonly computedMs: number;
      readonly outcome: { readonly plan: PlannedTransition } | { readonly problem: Problem };
    };

export type Problem = { readonly code: string; readonly message: string };

/** Why a change may not be committed. */
export type RehearsalProblem = { readonly code: "CIB_CONFLICT" | "CIB_INVALID" | "REHEARSAL_FAILED"; readonly message: string };

type Running = {
  readonly basedOn: LogIndex;
  readonly transition: number;
  readonly walk: Walk;
  /** Key of the intent that carries out a graph action, once it is committed. */
  readonly keys: Map<number, string>;
  readonly stops: StopRules;
  readonly strays: Strays;
  readonly recheckAtMs: number | null;
};

/**
 * The side of the policy worker: applies the same committed commands as the node, computes transitions and walks them.
 * Pure but for the arguments: `schedule`, `hash` and `elapsedMs` (a stopwatch for people). A defect of `schedule` is
 * caught here and becomes a `failed` answer: it never stops a node (STYLE.md §1).
 */
export class Planner {
  readonly #schedule: Schedule;
  readonly #hash: Hash;
  readonly #elapsedMs: () => number;
  #state: CibState = emptyState();
  #session = 0;
  #leader: string | null = null;
  #running: Running | null = null;
  #failedAt: LogIndex | null = null;
  #mustPlan = false;
  #windowStartMs = 0;
  #windowPlans = 0;
  /** A plan is wanted and waits until the second is over. */
  #holdsBack = false;
  #out: FromPlanner[] = [];

  constructor(options: { readonly schedule: Schedule; readonly hash: Hash; readonly elapsedMs: () => number }) {
    this.#schedule = options.schedule;
    this.#hash = options.hash;
    this.#elapsedMs = options.elapsedMs;
  }

  handle(message: ToPlanner): readonly FromPlanner[] {
    this.#out = [];
    switch (message.kind) {
      case "load":
        this.#state = message.state;
        this.#running = null;
        break;
      case "applied":
        for (const entry of message.entries) this.#apply(entry);
        this.#advance(message.nowMs);
        if (message.entries.length > 0) this.#out.push({ kind: "heard" });
        break;
      case "lead":
        this.#session = message.session;
        this.#leader = message.node;
        this.#running = null;
        this.#failedAt = null;
        this.#advance(message.nowMs);
        break;
      case "refused":
      case "recheck":
        if (message.session !== this.#session) break;
        this.#mustPlan = true;
        this.#advance(message.nowMs);
        break;
      case "rehearse":
        this.#out.push({ kind: "rehearsed", id: message.id, problem: this.#rehearse(message) });
        break;
      case "explain":
        this.#explain(message);
        break;
    }
    return this.#out;
  }

  #apply(entry: Entry<Proposal>): void {
    if (entry.index <= this.#state.index) return;
    const proposal = entry.kind === "data" ? entry.data : null;
    const command = proposal?.command;
    if (command?.kind === "intents.commit") this.#noteIntents(command);
    if (command?.kind === "results.record") for (const result of command.results) this.#noteResult(result.key);
    this.#state = proposal === null ? applyEmpty(this.#state, entry.index) : apply(this.#state, entry.index, proposal).state;
  }

  /** An earlier plan's last step came after the present plan was made: it may have begun what the present one decides anew. */
  #noteIntents(command: Extract<Command, { kind: "intents.commit" }>): void {
    if (this.#running === null) return;
    const own = command.transition === this.#running.transition && command.basedOn === this.#running.basedOn;
    if (!own) this.#mustPlan = true;
  }

  /** An action of an earlier plan that the present one does not contain has ended: what the present one assumed may be wrong. */
  #noteResult(key: string): void {
    const intent = this.#state.intents.get(key);
    if (intent === undefined || this.#running === null || intent.transition === this.#running.transition) return;
    for (const joined of this.#running.keys.values()) if (joined === key) return;
    this.#mustPlan = true;
  }

  #advance(nowMs: number): void {
    if (this.#leader === null) return;
    if (this.#needsPlan(nowMs)) this.#plan(nowMs);
    if (this.#running !== null) this.#step(this.#running);
  }

  #needsPlan(nowMs: number): boolean {
    const state = this.#state;
    if (this.#failedAt !== null && state.changedAt <= this.#failedAt && !this.#mustPlan) return false;
    if (this.#running === null || this.#mustPlan) return true;
    if (state.changedAt > this.#running.basedOn) return true;
    const recheck = this.#running.recheckAtMs;
    return recheck !== null && nowMs >= recheck;
  }

  #plan(nowMs: number): void {
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs;
      this.#windowPlans = 0;
    }
    this.#windowPlans += 1;
    this.#holdsBack = this.#windowPlans > PLANS_PER_SECOND_MAX;
    if (this.#holdsBack) return;
    this.#mustPlan = false;
    const state = this.#state;
    const before = this.#elapsedMs();
    try {
      const plan = this.#decide(state, { quorate: true, leader: this.#leader, nowMs });
      const transition = Math.max(state.transition, this.#running?.transition ?? 0) + 1;
      const walk = new Walk(plan.graph);
      const [stops, strays] = [stopRulesOf(state), new Strays(state, plan.graph)];
      this.#running = { basedOn: state.index, transition, walk, keys: new Map(), stops, strays, recheckAtMs: plan.recheckAtMs };
      this.#failedAt = null;
      const computedMs = this.#elapsedMs() - before;
      this.#out.push({ kind: "planned", session: this.#session, basedOn: state.index, transition, plan, computedMs });
    } catch (error) {
      this.#running = null;
      this.#failedAt = state.index;
      this.#out.push({ kind: "failed", session: this.#session, basedOn: state.index, ...describe(error) });
    }
  }

  /** Cluster time never goes back, so a clock that is behind decides as of the last entry. */
  #decide(state: CibState, as: { readonly quorate: boolean; readonly leader: string | null; readonly nowMs: number }): PlannedTransition {
    const { quorate, leader } = as;
    const nowMs = Math.max(as.nowMs, state.clockMs);
    return this.#schedule(renderCib(state, { quorate, leader, forPolicy: { nowMs } }), nowMs, this.#hash);
  }

  #explain(message: Extract<ToPlanner, { kind: "explain" }>): void {
    const before = this.#elapsedMs();
    const { quorate, node: leader, nowMs } = message;
    let outcome: { readonly plan: PlannedTransition } | { readonly problem: Problem };
    try {
      outcome = { plan: this.#decide(this.#state, { quorate, leader, nowMs }) };
    } catch (error) {
      outcome = { problem: describe(error) };
    }
    this.#out.push({ kind: "explained", id: message.id, basedOn: this.#state.index, computedMs: this.#elapsedMs() - before, outcome });
  }

  #rehearse(message: Extract<ToPlanner, { kind: "rehearse" }>): RehearsalProblem | null {
    const state = this.#state;
    const { upload, nowMs } = message;
    const edits = upload === undefined ? (message.edits ?? []) : editsOfUpload(state, upload);
    if (edits === null) return { code: "CIB_INVALID", message: `there is no upload ${upload}; it may have been dropped meanwhile` };
    const edited = applyEdits(state.sections, edits, upload === undefined ? EDITS_MAX : EDITS_STAGED_MAX);
    if ("refusal" in edited) return edited.refusal;
    try {
      this.#decide({ ...state, sections: edited.sections, epoch: state.epoch + 1 }, { quorate: true, leader: this.#leader, nowMs });
      return null;
    } catch (error) {
      return { code: "REHEARSAL_FAILED", message: describe(error).message };
    }
  }

  /** Compares the walk with the state, then hands out what may begin. */
  #step(running: Running): void {
    for (const action of running.walk.sent()) this.#settle(running, action);
    const commands: Command[] = [...this.#withdrawals(running)];
    const intents: IntentDraft[] = [];
    const cancels: CancelDraft[] = [];
    const room = this.#room(running);
    // Completing one action may make others ready at once, so this repeats until nothing more begins.
    for (let more = true; more; ) {
      more = false;
      for (const action of running.walk.ready()) {
        if (this.#begin(running, action, { commands, intents, cancels, room })) more = true;
      }
    }
    if (intents.length > 0 || cancels.length > 0) {
      commands.push({ kind: "intents.commit", basedOn: running.basedOn, transition: running.transition, intents, cancels });
    }
    if (commands.length > 0) this.#out.push({ kind: "step", session: this.#session, commands });
    const counts = running.walk.counts();
    // A plan that was held back for its time may still begin something.
    const idle = !this.#holdsBack && running.walk.finished() && this.#state.intents.size === 0 && this.#state.fencing.size === 0;
    const index = this.#state.index;
    this.#out.push({ kind: "progress", session: this.#session, index, waiting: counts.waiting, sent: counts.sent, idle });
  }

  /** Requests to fence that this plan no longer makes: their cause was cleaned up, or the node came back. */
  #withdrawals(running: Running): readonly Command[] {
    const wanted = new Set<string>();
    for (const action of running.walk.graph.actions) if (action.kind === "fence" && action.task !== "on") wanted.add(action.node);
    const commands: Command[] = [];
    for (const request of this.#state.fencing.values()) {
      if (request.source !== "policy" || request.current !== null || wanted.has(request.target)) continue;
      commands.push({ kind: "fencing.withdraw", target: request.target, request: request.id, basedOn: running.basedOn });
    }
    return commands;
  }

  #settle(running: Running, action: GraphAction): void {
    if (action.kind === "resource" && action.task === "cancel") {
      if (!this.#isRecurring(action)) running.walk.complete(action.id, "done");
      return;
    }
    if (action.kind === "resource" && action.task !== "delete") {
      this.#settleIntent(running, action);
      return;
    }
    // Fencing and what the cluster does itself change the state so that a new plan follows; nothing to settle here.
  }

  #settleIntent(running: Running, action: ResourceAction): void {
    const key = running.keys.get(action.id);
    if (key === undefined) {
      const joined = this.#inFlight(action);
      if (joined !== null) running.keys.set(action.id, joined);
      else if (this.#doneAlready(running, action)) running.walk.complete(action.id, "done");
      return;
    }
    // The result is recorded: an unexpected one has moved `changedAt`, so a plan that is still in force saw success.
    if (!this.#state.intents.has(key)) running.walk.complete(action.id, "done");
  }

  /** Committed and answered within one batch of applied entries: the record tells which transition asked. */
  #doneAlready(running: Running, action: ResourceAction): boolean {
    const history = this.#state.nodes.get(action.node)?.history.get(action.historyName);
    if (history === undefined) return false;
    for (const record of history.operations.values()) {
      const same = record.operation === action.task && record.intervalMs === action.intervalMs;
      if (same && record.transition === running.transition && record.actionId === action.id) return true;
    }
    return false;
  }

  #inFlight(action: ResourceAction): string | null {
    for (const intent of this.#state.intents.values()) {
      const same = intent.resource === action.historyName && intent.node === action.node && intent.task === action.task;
      if (same && intent.intervalMs === action.intervalMs && intent.digest === action.digests.all) return intent.key;
    }
    return null;
  }

  #isRecurring(action: ResourceAction): boolean {
    const history = this.#state.nodes.get(action.node)?.history.get(action.historyName);
    const task = action.cancels?.task ?? "monitor";
    return history?.recurring.has(recurringKey({ task, intervalMs: action.intervalMs })) ?? false;
  }

  #room(running: Running): Room {
    const limit = running.walk.graph.batchLimit > 0 ? running.walk.graph.batchLimit : BATCH_LIMIT_DEFAULT;
    const perNode = new Map<string, number>();
    const busy = new Map<string, IntentDraft>();
    for (const intent of this.#state.intents.values()) {
      perNode.set(intent.node, (perNode.get(intent.node) ?? 0) + 1);
      busy.set(`${intent.node}\n${intent.resource}`, intent);
    }
    for (const action of running.walk.sent()) {
      if (action.kind !== "resource" || running.keys.has(action.id)) continue;
      perNode.set(action.node, (perNode.get(action.node) ?? 0) + 1);
    }
    return { left: limit - this.#state.intents.size, perNode, busy };
  }

  /** Begins one action if it may; true when it began. */
  #begin(running: Running, action: GraphAction, step: Step): boolean {
    switch (action.kind) {
      case "pseudo":
        running.walk.complete(action.id, "done");
        return true;
      case "resource":
        return this.#beginResource(running, action, step);
      case "fence":
        return this.#beginFence(running, action, step);
      case "cluster":
        return this.#beginCluster(running, action, step);
    }
  }

  #beginResource(running: Running, action: ResourceAction, step: Step): boolean {
    const node = this.#state.nodes.get(action.node);
    if (action.task === "delete") {
      const may = mayForget(running.walk, action);
      if (may === "later") return false;
      if (may === "done") {
        running.walk.complete(action.id, "done");
        return true;
      }
      const selection = { resource: action.historyName, node: action.node, operation: null, intervalMs: null, scope: "all" } as const;
      step.commands.push({ kind: "history.delete", selection });
      running.walk.markSent(action.id);
      return true;
    }
    if (action.task === "cancel") {
      const task = action.cancels?.task ?? "monitor";
      step.cancels.push({ resource: action.historyName, node: action.node, task, intervalMs: action.intervalMs });
      running.walk.markSent(action.id);
      return true;
    }
    if (running.strays.holds(this.#state, action.resource)) return false;
    if (action.task === "promote" && looksFor(running.walk, action.historyName)) return false;
    if (action.router !== null) return this.#refuse(running, action, `actions on remote node ${action.node} are not supported`);
    if (node === undefined || node.incarnation === null || node.membership !== "online") return false;
    const draft = draftOf(action, node.incarnation, running.walk.graph.startFailureIsFatal, running.stops);
    const place = `${action.node}\n${action.historyName}`;
    const present = step.room.busy.get(place);
    if (present !== undefined) {
      if (!sameAction(present, draft)) return false;
      running.walk.markSent(action.id);
      if ("key" in present && typeof present.key === "string") running.keys.set(action.id, present.key);
      return true;
    }
    const jobs = step.room.perNode.get(action.node) ?? 0;
    if (step.room.left <= 0 || jobs >= NODE_JOBS_MAX) return false;
    step.room.left -= 1;
    step.room.perNode.set(action.node, jobs + 1);
    step.room.busy.set(place, draft);
    step.intents.push(draft);
    running.walk.markSent(action.id);
    return true;
  }

  /** What this build cannot do fails in the open, and so does what waits for it. */
  #refuse(running: Running, action: GraphAction, reason: string): boolean {
    running.walk.complete(action.id, "failed");
    this.#out.push({ kind: "refusedAction", session: this.#session, key: action.key, reason });
    return true;
  }

  #beginFence(running: Running, action: FenceAction, step: Step): boolean {
    if (action.task === "on") return this.#refuse(running, action, `unfencing of ${action.node} is not supported`);
    running.walk.markSent(action.id);
    if (this.#state.fencing.has(action.node)) return true;
    const task: FencingAction = action.task;
    const reason = action.reason ?? "the policy engine asked for it";
    step.commands.push({ kind: "fencing.request", target: action.node, action: task, reason, source: "policy", basedOn: running.basedOn });
    return true;
  }

  #beginCluster(running: Running, action: ClusterAction, step: Step): boolean {
    running.walk.markSent(action.id);
    switch (action.task) {
      case "clear_failcount": {
        const resource = action.historyName ?? action.resource ?? "";
        step.commands.push({ kind: "failcount.set", resource, node: action.node, operation: null, intervalMs: null, value: 0 });
        break;
      }
      case "lrm_delete": {
        const resource = action.historyName ?? action.resource;
        step.commands.push({
          kind: "history.delete",
          selection: { resource, node: action.node, operation: null, intervalMs: null, scope: "all" },
        });
        break;
      }
      case "do_shutdown": {
        const node = this.#state.nodes.get(action.node);
        if (node?.memberId == null || node.incarnation === null) break;
        step.commands.push({ kind: "node.leave", memberId: node.memberId, incarnation: node.incarnation });
        break;
      }
    }
    if (action.noWait) running.walk.complete(action.id, "done");
    return true;
  }
}

type Room = { left: number; readonly perNode: Map<string, number>; readonly busy: Map<string, IntentDraft> };
type Step = {
  readonly commands: Command[];
  readonly intents: IntentDraft[];
  readonly cancels: CancelDraft[];
  readonly room: Room;
};

function describe(error: unknown): Problem {
  if (error instanceof Error) return { code: error.name === "QuorateError" ? "POLICY_REFUSED" : "POLICY_DEFECT", message: error.message };
  return { code: "POLICY_DEFECT", message: String(error) };
}
