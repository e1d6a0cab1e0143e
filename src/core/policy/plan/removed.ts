import type { Resource } from "../model-resource.ts";
import { EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";
import { failCountOn } from "./services.ts";

/**
 * A resource in history that is not configured (A15): its history goes, and its fail counts, too, active or not. The stop
 * itself follows from having no assignment.
 */
export function planRemoved(planner: Planner, resource: Resource): void {
  if (!resource.managed) return;
  const inClone = resource.parent !== null;
  if (!inClone && !resource.failed) {
    for (const node of resource.histories.keys()) {
      // As for changed definitions, only nodes count where actions may run (actions.md 3.2; seen with crm_simulate on standby nodes).
      if (!node.online || node.unclean || (!node.available && !node.maintenance)) continue;
      if (node.shuttingDown) continue;
      // Decided before anything is assigned: what is only about to be connected is still out of reach (seen with crm_simulate).
      if (node.connection !== null && node.connection.activeNodes.length === 0) continue;
      planner.request({ resource, task: "delete", node, optional: false });
    }
  }
  // A removed instance shares its fail counts with the clone, which is still configured: they stay.
  if (inClone) return;
  for (const node of planner.model.nodeList) {
    if (!node.online || node.unclean || (node.kind !== "cluster" && node.shuttingDown)) continue;
    if (failCountOn(planner.model, resource, node) <= 0) continue;
    const clear = planner.request({ resource, task: "clear_failcount", node, optional: false, reason: "it is removed" });
    clear.noWait = true;
    planner.addRelation(clear, { resource, key: "stop_0" }, EFFECT.seq);
  }
}
