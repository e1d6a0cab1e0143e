import type { Planner } from "../plan/index.ts";
import { applyRelations, pairInstances } from "./apply.ts";
import { Points } from "./points.ts";
import { orderProbes } from "./probes.ts";
import { Settler } from "./settle.ts";

export { relateBuiltIn } from "./builtin.ts";
export { relateAntiColocations, relateUserOrders } from "./user.ts";

/** Step 10: relations become edges, probes find their place, flags settle. */
export function settleOrder(planner: Planner): void {
  const points = new Points(planner);
  const redundant = applyRelations(planner, points);
  orderProbes(planner);
  pairInstances(planner, points, redundant);
  new Settler(planner, points).run();
}
