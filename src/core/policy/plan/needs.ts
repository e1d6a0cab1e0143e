import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";

/** Step 1: what reading the status asked for becomes actions (actions.md section 2). */
export function planNeeds(planner: Planner): void {
  for (const resource of planner.model.primitives) {
    for (const running of resource.running) {
      planner.request({
        resource,
        task: running.task,
        intervalMs: running.intervalMs,
        node: running.node,
        optional: true,
      });
    }
  }
  for (const resource of planner.model.primitives) {
    for (const node of resource.danglingSources) {
      // M7: the stop only ends what the migration left behind.
      planner.request({ resource, task: "stop", node, optional: false }).dangling = true;
    }
  }
  for (const need of planner.model.needs) {
    const { resource, node } = need;
    switch (need.kind) {
      case "stop": {
        const stop = planner.request({ resource, task: "stop", node, optional: need.optional });
        if (need.dangling) stop.dangling = true;
        break;
      }
      case "demote":
        planner.request({ resource, task: "demote", node, optional: false });
        break;
      case "clear-fail-count":
        planClear(planner, planner.request({ resource, task: "clear_failcount", node, optional: false, reason: need.reason }));
        break;
      case "delete-history":
        planner.request({ resource, task: "lrm_delete", node, optional: false, reason: need.reason });
        break;
      case "reschedule":
        break;
    }
  }
}

/** A23: for a remote connection before its next start and, if it waits with reconnecting, after the fencing of its node (status.md 19.7). */
export function planClear(planner: Planner, clear: Action): void {
  clear.noWait = true;
  const resource = clear.resource;
  if (resource === null || !resource.isRemoteConnection || resource.remoteNode === null) return;
  const node = resource.remoteNode;
  if (resource.reconnectIntervalMs > 0) {
    const fence = planner.fence(node, planner.model.options.fencingAction);
    fence.precede(clear, EFFECT.push | EFFECT.seq);
  }
  planner.addRelation(clear, { resource, key: "start_0" }, EFFECT.seq);
}
