import type { LogIndex, MemberId } from "../base/index.ts";
import { findMember } from "./apply-node.ts";
import type { CancelDraft, Command, IntentDraft, OperationResult } from "./commands.ts";
import { isFailure, outcomeOfIntent, outcomeOfRecurring, recordOperation, recurringKey } from "./history.ts";
import { isKept } from "./kept.ts";
import { accepted, type Change, refused, withNode } from "./outcome.ts";
import {
  type CibState,
  HISTORY_MAX,
  INTENTS_MAX,
  type Intent,
  type NodeStatus,
  type RecurringOperation,
  type ResourceHistory,
} from "./state.ts";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/**
 * Commits the ready intents of one step, all or none. Refused when the state that they were decided on has changed
 * since, when another plan has begun actions that this one cannot know of (it may have started the same resource
 * elsewhere), or when one of them meets another action of the same resource on its node: the plan waits or is made anew.
 */
export function applyIntents(state: CibState, index: LogIndex, command: Of<"intents.commit">): Change {
  if (command.basedOn < state.voidedAt) return refused("PLAN_STALE", `something changed at ${state.voidedAt}, after ${command.basedOn}`);
  const last = state.lastPlan;
  const same = last?.transition === command.transition && last.basedOn === command.basedOn;
  if (last !== undefined && !same && last.at > command.basedOn)
    return refused("PLAN_STALE", `transition ${last.transition} began actions at ${last.at}, after ${command.basedOn}`);
  if (state.intents.size + command.intents.length > INTENTS_MAX)
    return refused("LIMIT_EXCEEDED", `at most ${INTENTS_MAX} intents in flight`);
  const busy = new Map<string, Intent>();
  for (const intent of state.intents.values()) busy.set(placeOf(intent), intent);
  let intents = state.intents;
  for (const [position, draft] of command.intents.entries()) {
    const refusal = checkDraft(state, draft);
    if (refusal !== null) return refusal;
    const present = busy.get(placeOf(draft));
    if (present !== undefined && sameAction(present, draft)) continue;
    if (present !== undefined) {
      return refused("INTENT_CONFLICT", `${present.resource} ${present.task} is still under way on ${present.node}`);
    }
    const own = { key: `${index}.${position}`, index, transition: command.transition, committedAtMs: state.clockMs };
    // Not `{ ...draft, ...own }`: V8 gives an object that grows after a spread a shape of its own each time, which costs 20 us.
    const intent: Intent = Object.assign({}, draft, own);
    busy.set(placeOf(draft), intent);
    intents = intents.set(intent.key, intent);
  }
  const transition = Math.max(state.transition, command.transition);
  const began = intents !== state.intents;
  const lastPlan = began ? { transition: command.transition, basedOn: command.basedOn, at: index } : last;
  let next: CibState = { ...state, intents, transition, lastPlan };
  for (const cancel of command.cancels) next = cancelRecurring(next, cancel);
  return accepted(next, { voidsPlans: false });
}

/** One action at a time of one resource on one node, as the agents expect. */
function placeOf(of: { readonly resource: string; readonly node: string }): string {
  return `${of.node}\n${of.resource}`;
}

function checkDraft(state: CibState, draft: IntentDraft): Change | null {
  const node = state.nodes.get(draft.node);
  if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${draft.node}`);
  if (node.membership !== "online") return refused("NODE_NOT_ONLINE", `node ${draft.node} is ${node.membership}`);
  if (node.incarnation !== draft.incarnation) return refused("INCARNATION_OLD", `node ${draft.node} is in another incarnation now`);
  if (node.history.size >= HISTORY_MAX && !node.history.has(draft.resource)) {
    return refused("LIMIT_EXCEEDED", `at most ${HISTORY_MAX} resources with history on one node`);
  }
  return null;
}

/** STYLE.md §1: an action equal to one in flight joins it (resource, node, task, interval, digest). */
export function sameAction(intent: IntentDraft, draft: IntentDraft): boolean {
  return (
    intent.resource === draft.resource &&
    intent.node === draft.node &&
    intent.incarnation === draft.incarnation &&
    intent.task === draft.task &&
    intent.intervalMs === draft.intervalMs &&
    intent.digest === draft.digest
  );
}

function cancelRecurring(state: CibState, cancel: CancelDraft): CibState {
  const node = state.nodes.get(cancel.node);
  const history = node?.history.get(cancel.resource);
  if (node === undefined || history === undefined) return state;
  const recurring = history.recurring.delete(recurringKey(cancel));
  const operations = history.operations.delete(`${cancel.resource}_${cancel.task}_${cancel.intervalMs}`);
  return withNode(state, { ...node, history: node.history.set(cancel.resource, { ...history, recurring, operations }) });
}

/**
 * Records the results of one tick of a node. Repeats are harmless: an intent is answered once, and a recurring
 * operation only counts while it is in force and tells something new. An unexpected outcome voids plans; an expected one does not.
 */
export function applyResults(state: CibState, command: Of<"results.record">): Change {
  const node = findMember(state, command.memberId);
  if (node === undefined) return refused("NODE_UNKNOWN", `member ${command.memberId} is no node of this cluster`);
  if (node.incarnation !== command.incarnation) return refused("INCARNATION_OLD", `node ${node.name} is in another incarnation now`);
  if (node.membership === "fenced" || node.membership === "offline") {
    return refused("NODE_NOT_ONLINE", `node ${node.name} is ${node.membership}`);
  }
  let next = state;
  let voidsPlans = false;
  for (const result of command.results) {
    const current = next.nodes.get(node.name) ?? node;
    const recorded = recordOne(next, current, command.memberId, result);
    if (recorded === null) continue;
    next = recorded.state;
    voidsPlans ||= recorded.unexpected;
  }
  return accepted(next, { voidsPlans });
}

function recordOne(
  state: CibState,
  node: NodeStatus,
  memberId: MemberId,
  result: OperationResult,
): { state: CibState; unexpected: boolean } | null {
  const intent = state.intents.get(result.key);
  if (intent !== undefined && intent.node === node.name) {
    const outcome = outcomeOfIntent(intent);
    // The node may have told so before it heard that the resource is to be left alone: its next plan is without it.
    const covered = result.covered && !isKept(state, node, intent.resource);
    const updated = recordOperation(node, outcome, { ...result, covered }, state.clockMs);
    const intents = state.intents.delete(result.key);
    return { state: { ...withNode(state, updated), intents }, unexpected: isFailure(result, intent.expectedRc) };
  }
  for (const history of node.history.values()) {
    for (const recurring of history.recurring.values()) {
      if (recurring.key !== result.key) continue;
      // Only changes are told, so an equal one is the same one again: its proposal outlived the leader that was asked first.
      if (isRecorded(history, recurring, result) || isPast(recurring, memberId, result)) return null;
      const lastRun = result.run === undefined ? undefined : { member: memberId, run: result.run };
      const outcome = outcomeOfRecurring(history.resource, recurring, lastRun);
      return { state: withNode(state, recordOperation(node, outcome, result, state.clockMs)), unexpected: true };
    }
  }
  return null;
}

/** A later run of the same member is recorded already: this one was recorded before that, or is of no interest any more. */
function isPast({ lastRun }: RecurringOperation, memberId: MemberId, { run }: OperationResult): boolean {
  return run !== undefined && lastRun !== undefined && lastRun.member === memberId && run <= lastRun.run;
}

function isRecorded(history: ResourceHistory, { task, intervalMs }: RecurringOperation, result: OperationResult): boolean {
  const record = history.operations.get(`${history.resource}_${task}_${intervalMs}`);
  return record?.rc === result.rc && record.status === result.status && record.exitReason === result.exitReason;
}
