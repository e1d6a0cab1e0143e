import { type CibState, guardiansStopWithoutQuorum, isKept, type NodeStatus, stopAction } from "../cib/index.ts";
import type { StopStep } from "../ports/index.ts";

/**
 * What the guardian must stop at the deadline: everything that may be running here by the replicated state, and
 * whatever an intent in flight is about to start or to find. Empty where the cluster keeps resources without quorum.
 */
export function stopSteps(state: CibState, self: NodeStatus): readonly StopStep[] {
  if (!guardiansStopWithoutQuorum(state)) return [];
  const steps = new Map<string, StopStep>();
  for (const history of self.history.values()) {
    if (!history.active || history.stop === null || history.agentClass === "stonith") continue;
    if (isKept(state, self, history.resource)) continue;
    const { action, spec } = history.stop;
    steps.set(history.resource, { resource: history.resource, exclusive: spec.exclusive, action, stage: spec.stage });
  }
  for (const intent of state.intents.values()) {
    if (intent.node !== self.name || intent.incarnation !== self.incarnation || intent.stop === null) continue;
    if (isKept(state, self, intent.resource)) continue;
    const action = stopAction(intent.action, intent.stop);
    steps.set(intent.resource, { resource: intent.resource, exclusive: intent.stop.exclusive, action, stage: intent.stop.stage });
  }
  return [...steps.values()].sort((a, b) => a.stage - b.stage || (a.resource < b.resource ? -1 : 1));
}

/** Equal for plans that ask for the same. */
export function planSignature(steps: readonly StopStep[]): string {
  return JSON.stringify(steps);
}
