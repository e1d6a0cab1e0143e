import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import { type Action, EFFECT } from "./action.ts";
import type { Planner } from "./planner.ts";
import { canFence, instanceParameters, parametersDigest, secureDigest } from "./services.ts";

/** Fence devices with `provides=unfencing` (status.md 22.1). */
export function unfencingDevices(planner: Planner): readonly Resource[] {
  if (!planner.model.unfencingActive) return [];
  return planner.model.primitives.filter(
    (resource) => resource.isFenceDevice && !resource.removed && resource.meta.get("provides") === "unfencing",
  );
}

/** The node counts as unfenced by now (status.md 22.2). */
function isUnfenced(node: PolicyNode): boolean {
  const since = node.attributes.get("#node-unfenced");
  return since !== undefined && since !== "0" && since !== "";
}

/** Whether the node is fit for unfencing at all (A21). */
export function mayUnfence(node: PolicyNode): boolean {
  return node.online && !node.unclean && !node.shuttingDown;
}

/** Makes unfencing of the node needed, the first reason stays; never with fencing switched off. */
export function requireUnfencing(planner: Planner, node: PolicyNode, reason: string): void {
  if (!planner.model.options.fencingEnabled || !mayUnfence(node)) return;
  // A guest of which nobody can say that its host is gone (seen with crm_simulate).
  if (node.isGuest && !canFence(planner.model, node)) return;
  const on = planner.unfence(node);
  if (on.optional) {
    on.optional = false;
    on.reason = reason;
  }
}

/** An action that must come after unfencing of its node (O17); an unfenced node needs nothing. */
export function orderAfterUnfencing(planner: Planner, action: Action, effects: number = EFFECT.seq): void {
  const { resource, node } = action;
  if (resource === null || node === null || !needsUnfencing(planner, resource)) return;
  const on = planner.unfence(node);
  on.precede(action, effects);
  if (!isUnfenced(node)) requireUnfencing(planner, node, `required by ${resource.id} ${action.task}`);
}

function needsUnfencing(planner: Planner, resource: Resource): boolean {
  if (!planner.model.unfencingActive || !planner.model.options.fencingEnabled) return false;
  if (resource.isFenceDevice) return unfencingDevices(planner).length > 0;
  return resource.requires === "unfencing";
}

/** Digests of the unfencing devices travel with fencing, so that the node's summaries can be compared later (A18). */
export function annotateFencing(planner: Planner, fence: Action, node: PolicyNode): void {
  const devices = unfencingDevices(planner);
  if (devices.length === 0) return;
  let all = "";
  let secure = "";
  for (const device of devices) {
    const agent = `${device.id}:${device.type}:`;
    const params = instanceParameters(planner.model, device, node);
    all += `${agent}${parametersDigest(planner.model, params)},`;
    secure += `${agent}${secureDigest(planner.model, params)},`;
  }
  fence.meta = new Map([...fence.meta, ["digests_all", all], ["digests_secure", secure]]);
}

/** The recorded summaries of devices do not match the current ones: unfence again (status.md 22.3). */
export function checkRecordedDevices(planner: Planner): void {
  const devices = unfencingDevices(planner);
  if (devices.length === 0) return;
  for (const node of planner.model.nodeList) {
    const all = node.attributes.get("#digests-all");
    if (all === undefined || !mayUnfence(node)) continue;
    const secure = node.attributes.get("#digests-secure") ?? "";
    for (const device of devices) {
      const agent = `${device.id}:${device.type}:`;
      const params = instanceParameters(planner.model, device, node);
      if (all.includes(`${agent}${parametersDigest(planner.model, params)}`)) continue;
      if (secure.includes(`${agent}${secureDigest(planner.model, params)}`)) continue;
      requireUnfencing(planner, node, "Device parameters changed");
    }
  }
}
