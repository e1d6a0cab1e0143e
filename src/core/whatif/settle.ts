import type { Hash } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import { type Plan, schedule } from "../policy/index.ts";
import { executeTransition } from "./execute.ts";

/** Transitions followed on paper before we stop: fencing, recovery and what comes of it are two or three. */
const ROUNDS_MAX = 6;

/** Everything that happens until nothing is left to do, and the state then. */
export type Settled = {
  readonly cib: Element;
  readonly plans: readonly Plan[];
  /** False: after `ROUNDS_MAX` transitions there was still something to do, so `cib` is a state on the way. */
  readonly complete: boolean;
};

/**
 * Decides and executes on paper, again and again, until a decision asks for nothing, or for the same as the one before:
 * paper keeps fail counts that were cleared and nodes that were shut down, so those would be asked for without end.
 */
export function settle(cib: Element, nowMs: number, hash: Hash): Settled {
  const plans: Plan[] = [];
  let state = cib;
  let before = "";
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const plan = schedule(state, nowMs, hash);
    const asked = askedFor(plan);
    if (asked === "" || asked === before) return { cib: state, plans, complete: true };
    before = asked;
    plans.push(plan);
    state = executeTransition(state, plan.graph, { wallSec: Math.floor(nowMs / 1000) }).cib;
  }
  return { cib: state, plans, complete: false };
}

/** The real actions of a plan as one text; empty when there are none. */
function askedFor(plan: Plan): string {
  return plan.graph.actions
    .flatMap((action) => (action.kind === "pseudo" ? [] : [`${action.kind} ${action.key} ${action.node}`]))
    .sort()
    .join("\n");
}
