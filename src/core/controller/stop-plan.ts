import {
  type CibState,
  guardiansStopWithoutQuorum,
  type Intent,
  isKept,
  type NodeStatus,
  type StopSpec,
  stopAction,
} from "../cib/index.ts";
import type { StopPlan, StopStep } from "../ports/index.ts";

/** The guardian walks at most this long, milliseconds; what asks for more is killed then. */
export const WALK_MAX_MS = 3_600_000;

/**
 * What the guardian must stop at the deadline: everything that may be running here by the replicated state, and
 * whatever an intent in flight is about to start or to find. Empty where the cluster keeps resources without quorum.
 * `stopMs` is what the configured stop timeouts need, stage after stage (RAFT.md §7: a longer one raises Tsafe).
 */
export function stopPlanOf(state: CibState, self: NodeStatus): Required<Omit<StopPlan, "version">> {
  if (!guardiansStopWithoutQuorum(state)) return { stopMs: 0, steps: [] };
  const steps = new Map<string, StopStep>();
  const asked = new Map<string, { readonly stage: number; readonly timeoutMs: number }>();
  for (const history of self.history.values()) {
    if (!history.active || history.stop === null || history.agentClass === "stonith") continue;
    if (isKept(state, self, history.resource)) continue;
    const { action, spec } = history.stop;
    asked.set(history.resource, { stage: spec.stage, timeoutMs: spec.configured === true ? spec.timeoutMs : 0 });
    steps.set(history.resource, { resource: history.resource, exclusive: spec.exclusive, action, stage: spec.stage });
  }
  for (const intent of state.intents.values()) {
    if (intent.node !== self.name || intent.incarnation !== self.incarnation || intent.stop === null) continue;
    if (isKept(state, self, intent.resource)) continue;
    const action = stopOf(intent, intent.stop);
    const { stage, timeoutMs, configured } = intent.stop;
    asked.set(intent.resource, { stage, timeoutMs: configured === true ? timeoutMs : 0 });
    steps.set(intent.resource, { resource: intent.resource, exclusive: intent.stop.exclusive, action, stage: intent.stop.stage });
  }
  const sorted = [...steps.values()].sort((a, b) => a.stage - b.stage || (a.resource < b.resource ? -1 : 1));
  return { stopMs: walkMs([...asked.values()]), steps: sorted };
}

/** Stages run one after the other, the steps of one side by side. */
function walkMs(asked: readonly { readonly stage: number; readonly timeoutMs: number }[]): number {
  const longest = new Map<number, number>();
  for (const { stage, timeoutMs } of asked) longest.set(stage, Math.max(longest.get(stage) ?? 0, timeoutMs));
  let sum = 0;
  for (const timeoutMs of longest.values()) sum += timeoutMs;
  return Math.min(WALK_MAX_MS, sum);
}

/** An intent is looked at many times while it is under way. */
const stops = new WeakMap<Intent, StopStep["action"]>();

function stopOf(intent: Intent, spec: StopSpec): StopStep["action"] {
  let action = stops.get(intent);
  if (action === undefined) {
    action = stopAction(intent.action, spec);
    stops.set(intent, action);
  }
  return action;
}

/** Actions are most of a plan's text, and stay the same from one plan to the next. */
const actionTexts = new WeakMap<StopStep["action"], string>();

function actionText(action: StopStep["action"]): string {
  let text = actionTexts.get(action);
  if (text === undefined) {
    text = JSON.stringify(action);
    actionTexts.set(action, text);
  }
  return text;
}

/** Equal for plans that ask for the same; JSON, with whatever a step holds. */
export function planSignature(plan: Omit<StopPlan, "version">): string {
  if (plan.steps.length === 0) return "[]";
  const steps = plan.steps.map(({ action, ...step }) => `${JSON.stringify(step)},${actionText(action)}`);
  return `[${plan.stopMs ?? 0},[${steps.join()}]]`;
}
