import { INFINITY_SCORE, type Score } from "../../base/index.ts";
import { childOf, type Element } from "../../cib/index.ts";
import type { ClusterOptions, HealthStrategy, NoQuorumPolicy, PlacementStrategy } from "../model-values.ts";
import { applyBlocks, type Block, blocksOf } from "./blocks.ts";
import { type Clock, type Lookup, NO_CONTEXT } from "./rules.ts";
import { parseBoolean, parseDurationMs, parseInteger, parseScore, wholeSeconds } from "./values.ts";

/** Reads cluster options with their checks and defaults (status.md 5). Problems are appended to `warnings`. */
export function unpackOptions(
  configuration: Element,
  context: {
    readonly clock: Clock;
    readonly lookup: Lookup;
    readonly warnings: string[];
    readonly quorate: boolean;
    readonly panic: number;
  },
): ClusterOptions {
  const raw = clusterProperties(configuration, context.clock, context.lookup);
  const read = optionReader(raw, context.warnings);
  const healthStrategy = read.word("node-health-strategy", null, HEALTH_STRATEGIES, "none");
  const custom = healthStrategy === "progressive" || healthStrategy === "custom";
  const fencingEnabled = read.boolean("fencing-enabled", "stonith-enabled", true);
  return {
    noQuorumPolicy: effectiveQuorumPolicy(read.noQuorumPolicy(), fencingEnabled, context),
    fencingEnabled,
    fencingAction: read.word("fencing-action", "stonith-action", FENCING_ACTIONS, "reboot") === "reboot" ? "reboot" : "off",
    fencingTimeoutMs: read.durationMs("fencing-timeout", "stonith-timeout", 60_000),
    startupFencing: fencingEnabled && read.boolean("startup-fencing", null, true),
    priorityFencingDelaySec: wholeSeconds(read.durationMs("priority-fencing-delay", null, 0)),
    concurrentFencing: read.boolean("concurrent-fencing", null, true),
    haveWatchdog: read.boolean("have-watchdog", null, false),
    fenceRemoteWithoutQuorum: read.boolean("fence-remote-without-quorum", null, false),
    nodePendingTimeoutSec: wholeSeconds(read.durationMs("node-pending-timeout", null, 0)),
    symmetric: read.boolean("symmetric-cluster", null, true),
    maintenanceMode: read.boolean("maintenance-mode", null, false),
    stopAllResources: read.boolean("stop-all-resources", null, false),
    stopRemovedResources: read.boolean("stop-removed-resources", "stop-orphan-resources", true),
    cancelRemovedActions: read.boolean("cancel-removed-actions", "stop-orphan-actions", true),
    startFailureIsFatal: read.boolean("start-failure-is-fatal", null, true),
    enableStartupProbes: read.boolean("enable-startup-probes", null, true),
    shutdownLock: read.boolean("shutdown-lock", null, false),
    shutdownLockLimitSec: wholeSeconds(read.durationMs("shutdown-lock-limit", null, 0)),
    placementStrategy: read.word("placement-strategy", null, PLACEMENT_STRATEGIES, "default"),
    healthStrategy,
    healthBase: healthStrategy === "progressive" ? read.score("node-health-base", 0) : 0,
    healthRed: custom ? read.score("node-health-red", -INFINITY_SCORE) : healthStrategy === "none" ? 0 : -INFINITY_SCORE,
    healthYellow: custom ? read.score("node-health-yellow", 0) : healthStrategy === "only-green" ? -INFINITY_SCORE : 0,
    healthGreen: custom ? read.score("node-health-green", 0) : 0,
    clusterDelayMs: read.durationMs("cluster-delay", null, 60_000),
    batchLimit: read.integer("batch-limit", 0),
    migrationLimit: read.integer("migration-limit", -1),
    clusterName: raw.get("cluster-name") ?? null,
    raw,
  };
}

const HEALTH_STRATEGIES: readonly HealthStrategy[] = ["none", "migrate-on-red", "only-green", "progressive", "custom"];
const PLACEMENT_STRATEGIES: readonly PlacementStrategy[] = ["default", "utilization", "minimal", "balanced"];
/** `poweroff` is the former word for `off` (status.md 1.3); the upgrade of a schema changes it, one of today may still have it. */
const FENCING_ACTIONS: readonly ("reboot" | "off" | "poweroff")[] = ["reboot", "off", "poweroff"];

function clusterProperties(configuration: Element, clock: Clock, lookup: Lookup): ReadonlyMap<string, string> {
  const raw = new Map<string, string>();
  const section = childOf(configuration, "crm_config");
  if (section === undefined) return raw;
  const first = (block: Block): number => (block.id === "cib-bootstrap-options" ? 0 : 1);
  const blocks = [...blocksOf([section], "cluster_property_set", lookup, null)].sort((a, b) => first(a) - first(b));
  applyBlocks(blocks, raw, NO_CONTEXT, clock, lookup);
  return raw;
}

/** `fence` acts only where it can (status.md 5.3). */
function effectiveQuorumPolicy(
  policy: NoQuorumPolicy,
  fencingEnabled: boolean,
  context: { readonly quorate: boolean; readonly panic: number; readonly warnings: string[] },
): NoQuorumPolicy {
  if (policy !== "fence") return policy;
  if (!fencingEnabled) {
    context.warnings.push("no-quorum-policy=fence has no effect while fencing is disabled: using stop");
    return "stop";
  }
  return context.quorate || context.panic !== 0 ? "fence" : "stop";
}

/** Typed access to the properties: the current name wins over the old one, an invalid value means the default. */
function optionReader(raw: ReadonlyMap<string, string>, warnings: string[]) {
  const find = (name: string, old: string | null): string | undefined => raw.get(name) ?? (old === null ? undefined : raw.get(old));
  const invalid = (name: string, value: string): void => {
    warnings.push(`cluster option ${name} has the invalid value ${value}: using the default`);
  };
  const checked = <T>(name: string, old: string | null, parse: (text: string) => T | null, preset: T): T => {
    const text = find(name, old);
    if (text === undefined) return preset;
    const value = parse(text);
    if (value === null) invalid(name, text);
    return value ?? preset;
  };
  return {
    boolean: (name: string, old: string | null, preset: boolean): boolean => checked(name, old, parseBoolean, preset),
    durationMs: (name: string, old: string | null, preset: number): number => checked(name, old, parseDurationMs, preset),
    integer: (name: string, preset: number): number => checked(name, null, parseInteger, preset),
    score: (name: string, preset: Score): Score => checked(name, null, (text) => parseScore(text, null), preset),
    word: <W extends string>(name: string, old: string | null, words: readonly W[], preset: W): W =>
      checked(name, old, (text) => words.find((word) => word === text.toLowerCase()) ?? null, preset),
    noQuorumPolicy: (): NoQuorumPolicy =>
      checked("no-quorum-policy", null, (text) => NO_QUORUM_WORDS.get(text.toLowerCase()) ?? null, "stop"),
  };
}

const NO_QUORUM_WORDS: ReadonlyMap<string, NoQuorumPolicy> = new Map([
  ["ignore", "ignore"],
  ["freeze", "freeze"],
  ["stop", "stop"],
  ["demote", "demote"],
  ["fence", "fence"],
  ["suicide", "fence"],
]);
