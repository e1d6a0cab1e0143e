import type { TransitionGraph } from "../../transition/index.ts";
import { type Planner, planNotifications, refreshPoints } from "../plan/index.ts";
import { graphAction } from "./content.ts";
import { dropLoadLoops, emitActions } from "./emit.ts";

export { printedName } from "./content.ts";
export { type SummaryLine, summarize } from "./summary.ts";

/** Step 11: what is needed and possible becomes the graph (section 11). */
export function buildGraph(planner: Planner): TransitionGraph {
  const { model } = planner;
  for (const resource of model.resources) refreshPoints(planner, resource);
  for (const resource of model.resources) planNotifications(planner, resource);
  planMaintenanceNotice(planner);
  const emitted = emitActions(planner);
  dropLoadLoops(planner, emitted);
  const { options } = model;
  const contents = { planner, templates: new Map() };
  return {
    actions: emitted.map((action) => graphAction(contents, action)),
    clusterDelayMs: options.clusterDelayMs,
    fencingTimeoutMs: options.fencingTimeoutMs,
    batchLimit: options.batchLimit,
    migrationLimit: options.migrationLimit > 0 ? options.migrationLimit : null,
    startFailureIsFatal: options.startFailureIsFatal,
    recheckBy: model.recheckAtSec > model.nowSec ? model.recheckAtSec : null,
  };
}

/** A25: remote and guest nodes are told when their maintenance state has changed. */
function planMaintenanceNotice(planner: Planner): void {
  const changed = planner.model.nodeList.some(
    (node) => node.kind !== "cluster" && node.toldMaintenance !== null && node.toldMaintenance !== node.maintenance,
  );
  if (changed) planner.point("maintenance_nodes", null, true).shown = true;
}
