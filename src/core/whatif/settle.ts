import type { Hash } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import { type Plan, schedule } from "../policy/index.ts";
import { executeTransition } from "./execute.ts";

/** Transitions followed on paper before we stop: fencing, recovery and what comes of it are two or three. */
const ROUNDS_MAX = 6;

/** Everything that happens until nothing is left to do, and the state then. */
export type Settled = { readonly cib: Element; readonly plans: readonly Plan[] };

/** Decides and executes on paper, again and again, until a decision asks for nothing. */
export function settle(cib: Element, nowMs: number, hash: Hash): Settled {
  const plans: Plan[] = [];
  let state = cib;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const plan = schedule(state, nowMs, hash);
    if (!plan.graph.actions.some((action) => action.kind !== "pseudo")) break;
    plans.push(plan);
    state = executeTransition(state, plan.graph, { wallSec: Math.floor(nowMs / 1000) }).cib;
  }
  return { cib: state, plans };
}
