import { INFINITY_SCORE } from "../../base/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { primitivesOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { markFailedStop } from "./fencing.ts";
import type { Reading } from "./reading.ts";
import { addScore, replaceByBan } from "./scores.ts";

/** The node becomes an active node of the resource being read; `failed`: as the other end of a failed migration. */
export function becomeActive(reading: Reading, node: PolicyNode | null, failed = false): void {
  if (node === null) return;
  if (failed) markFailedStop(reading.resource);
  addActiveNode(reading.model, reading.resource, node);
}

/** status.md 18.5. */
export function addActiveNode(model: Model, resource: Resource, node: PolicyNode): void {
  if (resource.activeNodes.includes(node)) return;
  resource.activeNodes.push(node);
  if (resource.kind === "primitive") {
    node.active.push(resource);
    if (node.maintenance) {
      resource.managed = false;
      resource.maintenance = true;
    }
  }
  if (!resource.managed) {
    addScore(resource, node, INFINITY_SCORE, { kind: "unmanaged" });
    for (let parent = resource.parent; parent !== null; parent = parent.parent) parent.activeNodes.push(node);
    return;
  }
  if (resource.kind === "primitive" && isMultiplyActive(resource)) {
    if (resource.multipleActive === "stop_only") replaceByBan(model, resource, { kind: "multiple-active" });
    else if (resource.multipleActive === "block") blockMultiplyActive(resource);
  }
  if (resource.parent !== null) addActiveNode(model, resource.parent, node);
}

/** More than one active node; without fencing only online clean ones count (assignment.md 4.13). */
export function isMultiplyActive(resource: Resource): boolean {
  if (resource.activeNodes.length < 2) return false;
  if (resource.requiresFencing) return true;
  let count = 0;
  for (const node of resource.activeNodes) if (node.online && !node.unclean) count++;
  return count > 1;
}

function blockMultiplyActive(resource: Resource): void {
  blockResource(resource);
  const parent = resource.parent;
  if (parent === null || (parent.kind !== "group" && parent.kind !== "bundle") || parent.multipleActive !== "block") return;
  for (const sibling of parent.children) for (const primitive of primitivesOf(sibling)) blockResource(primitive);
}

/** Nothing may be done to it until someone intervenes: unmanaged and blocked. */
export function blockResource(resource: Resource): void {
  resource.managed = false;
  resource.blocked = true;
}
