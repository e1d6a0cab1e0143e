import { INFINITY_SCORE } from "../../base/index.ts";
import { childOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import { topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { type MultipleActive, type Requires, ROLE, type Role } from "../model-values.ts";
import { applyBlocks, blocksOf } from "./blocks.ts";
import { parametersOf } from "./parameters.ts";
import { readCloneCounts } from "./resources.ts";
import type { RuleContext } from "./rules.ts";
import { isTrue, parseBoolean, parseDurationMs, parseInteger, parseRole, parseScore, wholeSeconds } from "./values.ts";

/** Class, provider and type for rules; groups and clones have none. */
export function agentContext(resource: Resource): RuleContext["agent"] {
  if (resource.kind !== "primitive") return null;
  return { agentClass: resource.agentClass, provider: resource.provider, type: resource.type };
}

/** Meta-attributes in force (status.md 3.4). */
export function unpackMeta(model: Model, resource: Resource): void {
  const meta = new Map<string, string>();
  for (const name of Object.keys(resource.xml.attributes)) meta.set(name, resource.xml.attributes[name]!);
  const context: RuleContext = { node: null, agent: agentContext(resource), operation: null };
  const { lookup, resourceDefaults } = model.caches;
  applyBlocks(blocksOf([resource.xml], "meta_attributes", lookup, model.options), meta, context, model, lookup);
  for (let at = resource.parent; at !== null; at = at.parent) {
    // Apart, so that a parent's `#default` takes nothing from the resource itself (seen with crm_simulate).
    const inherited = new Map<string, string>();
    applyBlocks(blocksOf([at.xml], "meta_attributes", lookup, model.options), inherited, context, model, lookup);
    for (const [name, value] of inherited) if (!meta.has(name)) meta.set(name, value);
  }
  applyBlocks(resourceDefaults, meta, context, model, lookup);
  if (resource.parent !== null) {
    for (const [name, value] of resource.parent.meta) if (!meta.has(name)) meta.set(name, value);
  }
  if (resource.kind === "clone") {
    readCloneCounts(model, resource, meta);
    meta.set("globally-unique", resource.globallyUnique ? "true" : "false");
    if (!meta.has("resource-stickiness")) meta.set("resource-stickiness", "1");
  }
  resource.meta = meta;
}

/** Settings of status.md 7.7–7.10 from the meta-attributes. */
export function applySettings(model: Model, resource: Resource): void {
  const { meta } = resource;
  const { options } = model;
  const score = (name: string, preset: number): number => parseScore(meta.get(name), options) ?? preset;
  resource.priority = score("priority", 0);
  const critical = meta.get("critical");
  resource.critical = critical === undefined || isTrue(critical);
  resource.stickiness = score("resource-stickiness", 0);
  const threshold = score("migration-threshold", INFINITY_SCORE);
  resource.migrationThreshold = threshold < 0 ? INFINITY_SCORE : threshold;
  resource.failureTimeoutSec = wholeSeconds(parseDurationMs(meta.get("failure-timeout")) ?? 0);
  resource.multipleActive = multipleActiveOf(meta.get("multiple-active"));
  resource.notify = isTrue(meta.get("notify"));
  resource.interleave = isTrue(meta.get("interleave"));
  resource.ordered = resource.kind === "group" ? parseBoolean(meta.get("ordered")) !== false : isTrue(meta.get("ordered"));
  resource.collocated = parseBoolean(meta.get("collocated")) !== false;
  resource.allowUnhealthyNodes = isTrue(meta.get("allow-unhealthy-nodes"));
  resource.attributesFromHost = meta.get("container-attribute-target") === "host";
  resource.containerName = meta.get("container") ?? null;
  if (resource.kind !== "clone") resource.globallyUnique = isTrue(meta.get("globally-unique"));
  applyManaged(model, resource);
  resource.targetRole = targetRoleOf(model, resource);
  if (resource.kind !== "primitive") return;
  resource.requires = requiresOf(model, resource);
  const migrate = meta.get("allow-migrate");
  resource.allowMigrate = migrate === undefined ? resource.isRemoteConnection && resource.containerName === null : isTrue(migrate);
  applyUtilization(model, resource);
  if (resource.isRemoteConnection && resource.containerName === null) {
    const interval = parametersOf(model, resource, null).get("reconnect_interval");
    resource.reconnectIntervalMs = parseDurationMs(interval) ?? 0;
    if (resource.reconnectIntervalMs > 0) resource.failureTimeoutSec = wholeSeconds(resource.reconnectIntervalMs);
  }
}

function applyManaged(model: Model, resource: Resource): void {
  const managed = resource.meta.get("is-managed");
  resource.managed = managed === undefined || isTrue(managed);
  resource.maintenance = isTrue(resource.meta.get("maintenance")) || model.options.maintenanceMode;
  if (resource.maintenance) resource.managed = false;
  resource.configuredManaged = resource.managed;
  resource.configuredMaintenance = resource.maintenance;
}

function multipleActiveOf(text: string | undefined): MultipleActive {
  const word = text?.toLowerCase();
  return word === "stop_only" || word === "block" || word === "stop_unexpected" ? word : "stop_start";
}

/** status.md 7.10; what is void there counts as unset. */
function targetRoleOf(model: Model, resource: Resource): Role {
  const text = resource.meta.get("target-role");
  const role = parseRole(text);
  if (role === null) {
    model.warnings.push(`resource ${resource.id} has the invalid target-role ${text ?? ""}`);
    return ROLE.unknown;
  }
  if ((role === ROLE.unpromoted || role === ROLE.promoted) && !topOf(resource).promotable) {
    if (resource.kind === "primitive")
      model.warnings.push(`target-role ${text ?? ""} of ${resource.id} makes sense only in promotable clones`);
    return ROLE.unknown;
  }
  return role;
}

/** status.md 7.9. */
function requiresOf(model: Model, resource: Resource): Requires {
  const { options } = model;
  const text = resource.meta.get("requires");
  switch (text?.toLowerCase()) {
    case "nothing":
      return "nothing";
    case "quorum":
      return "quorum";
    case "fencing":
      if (!options.fencingEnabled) model.warnings.push(`resource ${resource.id} requires fencing, which is disabled`);
      return "fencing";
    case "unfencing":
      return resource.isFenceDevice || !options.fencingEnabled ? "quorum" : "unfencing";
    case undefined:
      break;
    default:
      model.warnings.push(`resource ${resource.id} has the invalid requires ${text ?? ""}`);
  }
  if (resource.isFenceDevice || resource.isRemoteConnection) return "quorum";
  if (model.unfencingActive) return options.fencingEnabled ? "unfencing" : "quorum";
  if (options.fencingEnabled) return "fencing";
  return options.noQuorumPolicy === "ignore" ? "nothing" : "quorum";
}

function applyUtilization(model: Model, resource: Resource): void {
  if (childOf(resource.xml, "utilization") === undefined) return;
  const values = new Map<string, string>();
  const { lookup } = model.caches;
  const context: RuleContext = { node: null, agent: agentContext(resource), operation: null };
  applyBlocks(blocksOf([resource.xml], "utilization", lookup, model.options), values, context, model, lookup);
  for (const [name, value] of values) resource.utilization.set(name, parseInteger(value) ?? 0);
}

/** Gives an instance the settings of another instance of the same element. */
export function copySettings(to: Resource, from: Resource): void {
  to.meta = from.meta;
  to.priority = from.priority;
  to.critical = from.critical;
  to.targetRole = from.targetRole;
  // Status may have changed these two of `from` since: an instance added later starts from the configuration.
  to.managed = from.configuredManaged;
  to.maintenance = from.configuredMaintenance;
  to.configuredManaged = from.configuredManaged;
  to.configuredMaintenance = from.configuredMaintenance;
  to.stickiness = from.stickiness;
  to.migrationThreshold = from.migrationThreshold;
  to.failureTimeoutSec = from.failureTimeoutSec;
  to.multipleActive = from.multipleActive;
  to.requires = from.requires;
  to.allowMigrate = from.allowMigrate;
  to.notify = from.notify;
  to.interleave = from.interleave;
  to.ordered = from.ordered;
  to.collocated = from.collocated;
  to.promotable = from.promotable;
  to.globallyUnique = from.globallyUnique;
  to.allowUnhealthyNodes = from.allowUnhealthyNodes;
  to.attributesFromHost = from.attributesFromHost;
  to.containerName = from.containerName;
  to.reconnectIntervalMs = from.reconnectIntervalMs;
  to.operations = from.operations;
  for (const [name, value] of from.utilization) to.utilization.set(name, value);
}
