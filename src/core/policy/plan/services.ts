import { parametersDigestText } from "../../transition/index.ts";
import type { Model } from "../model.ts";
import type { HistoryEntry } from "../model-history.ts";
import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import {
  addressIsHost,
  compareDigests,
  type DigestFinding,
  effectiveFailCount as failCount,
  nodeFailCounts,
  parametersOf,
  rawFailCount,
} from "../unpack/index.ts";

export { actionParameters, canFence, fenceNode, operationElement, operationSettings, operationTimeoutMs } from "../unpack/index.ts";

/** Names that a secure digest leaves out for fence devices (status.md 22.3). */
const PRIVATE = new Set(["passwd", "password", "user"]);

/** Instance attributes of a resource on a node, as digests and agents see them. */
export function instanceParameters(model: Model, resource: Resource, node: PolicyNode): Readonly<Record<string, string>> {
  return Object.fromEntries(parametersOf(model, resource, node));
}

export function parametersDigest(model: Model, params: Readonly<Record<string, string>>): string {
  return model.hash(parametersDigestText(params));
}

export function secureDigest(model: Model, params: Readonly<Record<string, string>>): string {
  return model.hash(parametersDigestText(params, { without: PRIVATE }));
}

/** The fail count in force on a node (status.md 19.3). */
export function effectiveFailCount(model: Model, resource: Resource, node: PolicyNode): number {
  return failCount(model, resource, node).count;
}

/** The fail count as recorded, expired or not. */
export function failCountOn(_model: Model, resource: Resource, node: PolicyNode): number {
  const counts = nodeFailCounts(node);
  return counts === null ? 0 : rawFailCount(resource, counts).count;
}

/**
 * Compares a recorded operation with the present definition (status.md 20.4); one-time probes, promotions and incoming
 * migrations stand for a start. A connection whose address follows its container is compared only when `deferred`.
 */
export function compareDefinition(
  model: Model,
  resource: Resource,
  node: PolicyNode,
  entry: HistoryEntry,
  deferred: boolean,
): DigestFinding {
  if (addressIsHost(model, resource) !== deferred) return "equal";
  const task = entry.intervalMs > 0 ? entry.task : "start";
  return compareDigests(model, resource, entry, node, task);
}
