import { addScores, formatScore, INFINITY_SCORE, PersistentMap } from "../base/index.ts";
import type { ActionSpec, OperationResult, StopSpec } from "./commands.ts";
import type { Intent, NodeStatus, OperationRecord, RecurringOperation, ResourceHistory } from "./state.ts";

/** What is common to an intent and to a recurring operation when a result comes in. */
export type Outcome = {
  readonly resource: string;
  readonly key: string;
  readonly task: string;
  readonly intervalMs: number;
  readonly expectedRc: number;
  readonly digest: string | null;
  readonly action: ActionSpec;
  readonly transition: number;
  readonly actionId: number;
  readonly startFailureFatal: boolean;
  readonly stop: StopSpec | null;
  readonly lastRun?: RecurringOperation["lastRun"];
};

export function outcomeOfIntent(intent: Intent): Outcome {
  return intent;
}

export function outcomeOfRecurring(resource: string, recurring: RecurringOperation, lastRun?: Outcome["lastRun"]): Outcome {
  return { resource, startFailureFatal: true, stop: null, ...recurring, ...(lastRun === undefined ? {} : { lastRun }) };
}

/** Did the operation fail in the sense of fail counts and `_last_failure_0` entries? */
export function isFailure(result: OperationResult, expectedRc: number): boolean {
  if (result.status === 1 || result.status === -1) return false;
  return result.status !== 0 || result.rc !== expectedRc;
}

const PROMOTED_RC = new Set([8, 9, 191]);
const RUNNING_RC = new Set([0, 190, ...PROMOTED_RC]);

/** Records a result in the history of its resource. A failure is kept a second time as `<resource>_last_failure_0`. */
export function recordOperation(node: NodeStatus, outcome: Outcome, result: OperationResult, atMs: number): NodeStatus {
  const callId = node.lastCallId + 1;
  const before = node.history.get(outcome.resource) ?? emptyHistory(outcome);
  const record = makeRecord(outcome, result, callId, atMs);
  let operations = before.operations.set(record.id, record);
  if (isFailure(result, outcome.expectedRc)) {
    const id = `${outcome.resource}_last_failure_0`;
    operations = operations.set(id, { ...record, id });
  }
  const { agentClass, provider, type } = outcome.action;
  const { active, startedCall, covered, recurring, stop } = activity(before, outcome, result, callId);
  const history = { ...before, agentClass, provider, type, operations, recurring, active, startedCall, covered, stop };
  const counted = isFailure(result, outcome.expectedRc) ? countFailure(node, outcome, atMs) : node;
  return { ...counted, lastCallId: callId, history: node.history.set(outcome.resource, history) };
}

function emptyHistory(outcome: Outcome): ResourceHistory {
  return {
    resource: outcome.resource,
    agentClass: outcome.action.agentClass,
    provider: outcome.action.provider,
    type: outcome.action.type,
    operations: PersistentMap.empty(),
    recurring: PersistentMap.empty(),
    active: false,
    startedCall: 0,
    covered: false,
    stop: null,
  };
}

function makeRecord(outcome: Outcome, result: OperationResult, callId: number, atMs: number): OperationRecord {
  const id = outcome.intervalMs === 0 ? `${outcome.resource}_last_0` : `${outcome.resource}_${outcome.task}_${outcome.intervalMs}`;
  const source = outcome.action.meta["migrate_source"];
  const target = outcome.action.meta["migrate_target"];
  return {
    id,
    operation: outcome.task,
    intervalMs: outcome.intervalMs,
    callId,
    rc: result.rc,
    expectedRc: outcome.expectedRc,
    status: result.status,
    exitReason: result.exitReason,
    changedAtMs: atMs,
    execTimeMs: result.execTimeMs,
    digest: outcome.digest,
    transition: outcome.transition,
    actionId: outcome.actionId,
    migration: source !== undefined && target !== undefined ? { source, target } : null,
  };
}

type Activity = Pick<ResourceHistory, "active" | "startedCall" | "covered" | "stop" | "recurring">;

/**
 * What runs after the result. A failed start or stop leaves the resource possibly active: only a successful stop or a
 * "not running" proves the contrary, because H1 counts from the attempt to start.
 */
function activity(before: ResourceHistory, outcome: Outcome, result: OperationResult, callId: number): Activity {
  const stop = outcome.stop === null ? before.stop : { action: stopAction(outcome.action, outcome.stop), spec: outcome.stop };
  const stopped = (outcome.task === "stop" && result.rc === 0 && result.status === 0) || (result.rc === 7 && result.status === 0);
  if (stopped && outcome.intervalMs === 0) {
    return { active: false, startedCall: 0, covered: false, stop: null, recurring: PersistentMap.empty() };
  }
  const began = outcome.task === "start" || outcome.task === "migrate_from";
  const found = outcome.task === "monitor" && outcome.intervalMs === 0 && RUNNING_RC.has(result.rc);
  const recurring = outcome.intervalMs > 0 ? before.recurring.set(recurringKey(outcome), recurringOf(outcome)) : before.recurring;
  if (!began && !found) {
    const unknown = outcome.task === "monitor" && outcome.intervalMs === 0;
    const { active, startedCall, covered } = before;
    return { active, startedCall, covered, recurring, stop: unknown && !before.active ? null : stop };
  }
  return { active: true, startedCall: callId, covered: result.covered, stop, recurring };
}

export function stopAction(action: ActionSpec, spec: StopSpec): ActionSpec {
  return { ...action, operation: "stop", intervalMs: 0, timeoutMs: spec.timeoutMs };
}

export function recurringKey(of: { readonly task: string; readonly intervalMs: number }): string {
  return `${of.task}_${of.intervalMs}`;
}

function recurringOf(outcome: Outcome): RecurringOperation {
  const { key, task, intervalMs, expectedRc, digest, action, transition, actionId, lastRun } = outcome;
  return { key, task, intervalMs, expectedRc, digest, action, transition, actionId, ...(lastRun === undefined ? {} : { lastRun }) };
}

/** Probes do not count; a failed stop counts as INFINITY, and so does a failed start unless told otherwise (19.2). */
function countFailure(node: NodeStatus, outcome: Outcome, atMs: number): NodeStatus {
  const { task, intervalMs } = outcome;
  const counts = intervalMs > 0 || task === "start" || task === "stop" || task === "promote" || task === "demote";
  if (!counts) return node;
  const infinite = task === "stop" || (task === "start" && outcome.startFailureFatal);
  const suffix = `${outcome.resource}#${task}_${intervalMs}`;
  const before = parseCount(node.attributes.get(`fail-count-${suffix}`));
  const next = infinite ? INFINITY_SCORE : addScores(before, 1);
  const attributes = node.attributes
    .set(`fail-count-${suffix}`, formatScore(next))
    .set(`last-failure-${suffix}`, String(Math.floor(atMs / 1000)));
  return { ...node, attributes };
}

export function parseCount(text: string | undefined): number {
  if (text === undefined) return 0;
  if (text === "INFINITY" || text === "+INFINITY") return INFINITY_SCORE;
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? 0 : Math.min(value, INFINITY_SCORE);
}

/** The attribute names of a resource's fail counts on a node, all operations or one. */
export function failCountNames(
  node: NodeStatus,
  resource: string | null,
  operation: string | null,
  intervalMs: number | null,
): readonly string[] {
  const names: string[] = [];
  for (const name of node.attributes.keys()) {
    const parts = /^(?:fail-count|last-failure)-(.+)#(.+)_(\d+)$/.exec(name);
    if (parts === null) continue;
    if (resource !== null && parts[1] !== resource) continue;
    if (operation !== null && parts[2] !== operation) continue;
    if (intervalMs !== null && parts[3] !== String(intervalMs)) continue;
    names.push(name);
  }
  return names;
}
