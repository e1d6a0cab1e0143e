import type { LogIndex } from "../base/index.ts";
import { endIncarnation } from "./apply-node.ts";
import type { Command } from "./commands.ts";
import { accepted, type Change, refused, withNode } from "./outcome.ts";
import { type CibState, FENCING_HISTORY_MAX, type FencingRecord, type FencingRequest, type NodeStatus } from "./state.ts";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** Notes that the target is to be fenced. A second request for a target joins the first one. */
export function applyFencingRequest(state: CibState, index: LogIndex, command: Of<"fencing.request">): Change {
  const node = state.nodes.get(command.target);
  if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${command.target}`);
  if (command.basedOn !== null && command.basedOn < state.voidedAt) return refused("PLAN_STALE", `something changed at ${state.voidedAt}`);
  const present = state.fencing.get(command.target);
  if (present !== undefined) {
    const again: FencingRequest = command.source === "operator" ? { ...present, retryAtMs: null, failed: [] } : present;
    return accepted({ ...state, fencing: state.fencing.set(command.target, again) }, { voidsPlans: false, value: present.id });
  }
  const request: FencingRequest = {
    id: index,
    target: command.target,
    incarnation: node.incarnation,
    action: command.action,
    reason: command.reason,
    source: command.source,
    requestedAtMs: state.clockMs,
    attempts: 0,
    current: null,
    failed: [],
    succeeded: [],
    lastFailure: null,
    retryAtMs: null,
  };
  return accepted({ ...state, fencing: state.fencing.set(command.target, request) }, { voidsPlans: false, value: index });
}

export function applyAttempt(state: CibState, index: LogIndex, command: Of<"fencing.attempt">): Change {
  const request = state.fencing.get(command.target);
  if (request === undefined || request.id !== command.request) {
    return refused("FENCING_UNKNOWN", `no such request to fence ${command.target}`);
  }
  if (request.current !== null) return refused("FENCING_UNDER_WAY", `${request.current.device} is fencing ${command.target} already`);
  const by = state.nodes.get(command.attempt.by);
  if (by === undefined || by.membership !== "online" || by.incarnation !== command.attempt.byIncarnation) {
    return refused("NODE_NOT_ONLINE", `node ${command.attempt.by} cannot run the device now`);
  }
  const current = { ...command.attempt, key: `${index}.f`, startedAtMs: state.clockMs, index };
  const next: FencingRequest = { ...request, attempts: request.attempts + 1, current, retryAtMs: null };
  return accepted({ ...state, fencing: state.fencing.set(command.target, next) }, { voidsPlans: false });
}

export function applyFencingResult(state: CibState, command: Of<"fencing.result">): Change {
  const request = state.fencing.get(command.target);
  if (request === undefined || request.id !== command.request || request.current?.key !== command.attemptKey) {
    return refused("FENCING_UNKNOWN", `no such attempt to fence ${command.target}`);
  }
  const tried = `${request.current.level}/${request.current.device}`;
  const next: FencingRequest = command.ok
    ? { ...request, current: null, succeeded: [...request.succeeded, tried] }
    : { ...request, current: null, failed: [...request.failed, tried], lastFailure: command.reason ?? "the device failed" };
  return accepted({ ...state, fencing: state.fencing.set(command.target, next) }, { voidsPlans: false });
}

export function applyFencingFailed(state: CibState, command: Of<"fencing.failed">): Change {
  const request = state.fencing.get(command.target);
  if (request === undefined || request.id !== command.request) {
    return refused("FENCING_UNKNOWN", `no such request to fence ${command.target}`);
  }
  if (request.current !== null)
    return refused("FENCING_UNDER_WAY", `${request.current.device} is fencing ${command.target} at this moment`);
  const record = recordOf(state, request, { by: "none", ok: false, detail: command.reason });
  const fencing =
    request.source === "operator" && request.incarnation !== null && state.nodes.get(command.target)?.membership === "online"
      ? state.fencing.delete(command.target)
      : state.fencing.set(command.target, {
          ...request,
          failed: [],
          succeeded: [],
          lastFailure: command.reason,
          retryAtMs: command.retryAtMs,
        });
  return accepted({ ...state, fencing, fencingHistory: withRecord(state, record) }, { voidsPlans: false });
}

/** Takes back a request of the policy engine, unless a device is already at work: that cannot be called back. */
export function applyFencingWithdraw(state: CibState, command: Of<"fencing.withdraw">): Change {
  const request = state.fencing.get(command.target);
  if (request === undefined || request.id !== command.request || request.source !== "policy") {
    return refused("FENCING_UNKNOWN", `no such request to fence ${command.target}`);
  }
  if (command.basedOn < state.voidedAt) return refused("PLAN_STALE", `something changed at ${state.voidedAt}`);
  if (request.current !== null)
    return refused("FENCING_UNDER_WAY", `${request.current.device} is fencing ${command.target} at this moment`);
  return accepted({ ...state, fencing: state.fencing.delete(command.target) }, { voidsPlans: false });
}

/** Proof that the incarnation ended. Another incarnation that came up meanwhile is left alone. */
export function applyFenced(state: CibState, command: Of<"node.fenced">): Change {
  const node = state.nodes.get(command.target);
  if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${command.target}`);
  const request = state.fencing.get(command.target);
  const fencing = state.fencing.delete(command.target);
  const facts = { by: command.by, ok: true, detail: null };
  const record = request === undefined ? adHocRecord(state, command) : recordOf(state, request, facts);
  const fencingHistory = withRecord(state, record);
  if (node.incarnation !== command.incarnation) {
    return accepted({ ...state, fencing, fencingHistory }, { voidsPlans: true });
  }
  const ended = endIncarnation({ ...state, fencing, fencingHistory }, node);
  const base: NodeStatus = ended.nodes.get(node.name) ?? node;
  return accepted(withNode(ended, { ...base, membership: "fenced", sinceMs: state.clockMs }), { voidsPlans: true });
}

function recordOf(
  state: CibState,
  request: FencingRequest,
  facts: { readonly by: string; readonly ok: boolean; readonly detail: string | null },
): FencingRecord {
  const { id, target, action, reason, source, requestedAtMs } = request;
  return { request: id, target, action, reason, source, startedAtMs: requestedAtMs, finishedAtMs: state.clockMs, ...facts };
}

function adHocRecord(state: CibState, command: Of<"node.fenced">): FencingRecord {
  return {
    target: command.target,
    action: command.action,
    reason: "not asked for by the policy engine",
    source: "operator",
    by: command.by,
    ok: true,
    startedAtMs: state.clockMs,
    finishedAtMs: state.clockMs,
    detail: null,
  };
}

/** Rounds of one request that fail again and again are one record, or they would push everything else out. */
function withRecord(state: CibState, record: FencingRecord): readonly FencingRecord[] {
  const others = state.fencingHistory.filter(
    (kept) => kept.ok || kept.target !== record.target || kept.startedAtMs !== record.startedAtMs || kept.source !== record.source,
  );
  return [...others, record].slice(-FENCING_HISTORY_MAX);
}
