import type { TransitionGraph } from "../transition/index.ts";
import { buildGraph, type SummaryLine, summarize } from "./graph/index.ts";
import type { Model } from "./model.ts";
import { relateAntiColocations, relateBuiltIn, relateUserOrders, settleOrder } from "./order/index.ts";
import {
  checkDeferred,
  checkDefinitions,
  checkRecordedDevices,
  orderRemoteActions,
  Planner,
  planNeeds,
  planNodeActions,
  planProbes,
  planResource,
} from "./plan/index.ts";

/** What the action phases made of a model. */
export type Actions = { readonly planner: Planner; readonly graph: TransitionGraph; readonly summary: readonly SummaryLine[] };

/** Steps 1 to 4 of actions.md section 2: before assignment, while "managed" is still what status says. */
export function beginActions(model: Model): Planner {
  const planner = new Planner(model);
  planNeeds(planner);
  relateUserOrders(planner, model.orders);
  relateAntiColocations(planner, model.colocations);
  for (const resource of model.resources) relateBuiltIn(planner, resource);
  checkDefinitions(planner);
  return planner;
}

/** Steps 6 to 11: after assignment. */
export function finishActions(planner: Planner): Actions {
  const { model } = planner;
  checkDeferred(planner);
  checkRecordedDevices(planner);
  planProbes(planner);
  for (const resource of model.resources) planResource(planner, resource);
  orderRemoteActions(planner);
  planNodeActions(planner);
  settleOrder(planner);
  const summary = summarize(planner);
  const graph = buildGraph(planner);
  return { planner, graph, summary };
}
