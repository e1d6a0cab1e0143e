import type { Hash } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import type { TransitionGraph } from "../transition/index.ts";
import { assign } from "./assign/index.ts";
import { constrain } from "./constrain/index.ts";
import type { SummaryLine } from "./graph/index.ts";
import type { Model, ScheduleOptions } from "./model.ts";
import { beginActions, finishActions } from "./plan-actions.ts";
import { unpack } from "./unpack/index.ts";

/** The decision of one run: what is, where everything goes, and what must be done in which order. */
export type Plan = {
  readonly model: Model;
  readonly graph: TransitionGraph;
  readonly summary: readonly SummaryLine[];
};

/** Where everything goes; `finish`, called at most once, adds what must be done. */
export type Placement = { readonly model: Model; readonly finish: () => Plan };

/**
 * Decides what the cluster has to do (the whole of the policy description). A pure function of the CIB (already
 * upgraded), the effective time and the hash; it keeps nothing between runs. Throws `QuorateError` when the input is not
 * a CIB it can read.
 */
export function schedule(cib: Element, nowMs: number, hash: Hash, want: ScheduleOptions = {}): Plan {
  return place(cib, nowMs, hash, want).finish();
}

/** The first half of `schedule`, for who tries many changes and looks at the actions of few. Throws as `schedule` does. */
export function place(cib: Element, nowMs: number, hash: Hash, want: ScheduleOptions = {}): Placement {
  const model = unpack(cib, nowMs, hash, want);
  constrain(model);
  const planner = beginActions(model);
  assign(model);
  const finish = (): Plan => {
    const { graph, summary } = finishActions(planner);
    return { model, graph, summary };
  };
  return { model, finish };
}

/** Reads configuration and status without deciding anything: the state for people. */
export function readModel(cib: Element, nowMs: number, hash: Hash): Model {
  return unpack(cib, nowMs, hash);
}
