import { attributeOf, type Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { OperationDefinition, Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { applyBlocks, blocksOf } from "./blocks.ts";
import { parametersOf } from "./parameters.ts";
import type { RuleContext } from "./rules.ts";
import { agentContext } from "./settings.ts";
import { parseSimpleDurationMs } from "./values.ts";

const DEFAULT_TIMEOUT_MS = 20_000;

/** The `op` that belongs to an action (status.md 8.1): same name and interval; `migrate` stands in for both migrations. */
export function operationFor(resource: Resource, task: string, intervalMs: number): OperationDefinition | null {
  const exact = resource.operations.find((op) => op.name === task && op.intervalMs === intervalMs);
  if (exact !== undefined) return exact;
  if (task !== "migrate_to" && task !== "migrate_from") return null;
  return resource.operations.find((op) => op.name === "migrate" && op.intervalMs === 0) ?? null;
}

/**
 * The settings of an action before checks (status.md 8.4): the operation's attributes, its meta-attributes, for a probe
 * the timeout of the shortest recurring monitor, `op_defaults`. Names as written in the configuration.
 */
export function operationSettings(model: Model, resource: Resource, task: string, intervalMs: number): ReadonlyMap<string, string> {
  const cacheKey = `${resource.kind === "primitive" ? cacheId(resource) : resource.id}\u0000${task}\u0000${intervalMs}`;
  const cached = model.caches.settings.get(cacheKey);
  if (cached !== undefined) return cached;
  const settings = new Map<string, string>();
  const op = operationFor(resource, task, intervalMs);
  const context: RuleContext = { node: null, agent: agentContext(resource), operation: { name: task, intervalMs } };
  const { lookup, operationDefaults } = model.caches;
  if (op !== null) {
    for (const name of Object.keys(op.xml.attributes)) if (name !== "id") settings.set(name, op.xml.attributes[name]!);
    applyBlocks(blocksOf([op.xml], "meta_attributes", lookup, model.options), settings, context, model, lookup);
  }
  if (task === "monitor" && intervalMs === 0 && !settings.has("timeout")) {
    const timeout = shortestMonitorTimeout(resource);
    if (timeout !== undefined) settings.set("timeout", timeout);
  }
  applyBlocks(operationDefaults, settings, context, model, lookup);
  model.caches.settings.set(cacheKey, settings);
  return settings;
}

/** Instances share their configuration's operations; removed resources have none. */
function cacheId(resource: Resource): string {
  return resource.removed ? resource.id : resource.configId;
}

function shortestMonitorTimeout(resource: Resource): string | undefined {
  let shortest: OperationDefinition | null = null;
  for (const op of resource.operations) {
    if (op.name !== "monitor" || op.intervalMs <= 0 || !op.enabled) continue;
    if (shortest === null || op.intervalMs < shortest.intervalMs) shortest = op;
  }
  return shortest === null ? undefined : attributeOf(shortest.xml, "timeout");
}

/** Timeout of an action in milliseconds (status.md 2.6, 8.4). */
export function operationTimeoutMs(model: Model, resource: Resource, task: string, intervalMs: number): number {
  if (resource.isFenceDevice && intervalMs === 0 && (task === "start" || task === "monitor")) {
    const special = parseSimpleDurationMs(parametersOf(model, resource, null).get("pcmk_monitor_timeout"));
    if (special !== null && special > 0) return special;
  }
  const timeout = parseSimpleDurationMs(operationSettings(model, resource, task, intervalMs).get("timeout"));
  return timeout === null || timeout <= 0 ? DEFAULT_TIMEOUT_MS : timeout;
}

/** The element of the action's operation, for its own instance attributes (status.md 8.5). */
export function operationElement(resource: Resource, task: string, intervalMs: number): Element | null {
  return operationFor(resource, task, intervalMs)?.xml ?? null;
}

/** The enabled recurring monitors configured with role Promoted. */
export function promotedMonitors(resource: Resource): readonly OperationDefinition[] {
  return resource.operations.filter((op) => op.name === "monitor" && op.intervalMs > 0 && op.enabled && op.role === ROLE.promoted);
}
