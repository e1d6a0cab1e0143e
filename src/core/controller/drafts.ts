import type { Incarnation } from "../base/index.ts";
import {
  type ActionSpec,
  attributeOf,
  type CibState,
  childrenOf,
  type Element,
  guardiansStopWithoutQuorum,
  type IntentDraft,
  propertyOf,
  renderConfiguration,
  type StopSpec,
  walk,
} from "../cib/index.ts";
import type { ResourceAction } from "../transition/index.ts";

/** Timeout of a stop when neither the resource nor `op_defaults` names one (policy/status.md 2.6), milliseconds. */
const STOP_TIMEOUT_DEFAULT_MS = 20_000;
/** Rounds in which stop stages settle; constraints in a loop end here instead of never. */
const STAGE_ROUNDS_MAX = 64;

/** How resources are stopped at a node's deadline, read from the configuration once for each plan. */
export type StopRules = {
  /** False under policies that keep resources without quorum: then no stop plan covers anything. */
  readonly enabled: boolean;
  readonly byResource: ReadonlyMap<string, StopSpec>;
};

const rulesCache = new WeakMap<CibState["sections"], StopRules>();

/** Stop timeouts and the order in which resources stop: what depends on something stops before it. */
export function stopRulesOf(state: Pick<CibState, "sections">): StopRules {
  let rules = rulesCache.get(state.sections);
  if (rules === undefined) {
    rules = readStopRules(state);
    rulesCache.set(state.sections, rules);
  }
  return rules;
}

function readStopRules(state: Pick<CibState, "sections">): StopRules {
  const configuration = renderConfiguration(state);
  const maintenance = isTrue(propertyOf(state, "maintenance-mode"));
  const enabled = guardiansStopWithoutQuorum(state) && !maintenance;
  const primitives = new Map<string, Element>();
  for (const found of walk(configuration)) {
    if (found.name === "primitive") primitives.set(attributeOf(found, "id") ?? "", found);
  }
  const templates = new Map<string, Element>();
  for (const found of walk(configuration)) if (found.name === "template") templates.set(attributeOf(found, "id") ?? "", found);
  const fallback = durationMs(defaultOf(configuration, "timeout"));
  const stages = stopStages(configuration, [...primitives.keys()]);
  const byResource = new Map<string, StopSpec>();
  for (const [id, primitive] of primitives) {
    const template = templates.get(attributeOf(primitive, "template") ?? "");
    const asked = stopTimeout(primitive) ?? (template === undefined ? null : stopTimeout(template)) ?? fallback;
    const timeoutMs = asked ?? STOP_TIMEOUT_DEFAULT_MS;
    const stage = stages.get(id) ?? 0;
    byResource.set(id, { timeoutMs, stage, exclusive: true, ...(asked === null ? {} : { configured: true }) });
  }
  return { enabled, byResource };
}

function stopTimeout(of: Element): number | null {
  for (const operations of childrenOf(of, "operations")) {
    for (const op of childrenOf(operations, "op")) {
      if (attributeOf(op, "name") === "stop") return durationMs(attributeOf(op, "timeout"));
    }
  }
  return null;
}

function defaultOf(configuration: Element, name: string): string | undefined {
  for (const found of walk(configuration)) {
    if (found.name !== "op_defaults") continue;
    for (const pair of walk(found)) if (pair.name === "nvpair" && attributeOf(pair, "name") === name) return attributeOf(pair, "value");
  }
  return undefined;
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(?:true|on|yes|y|1)$/i.test(value);
}

/** The second form of policy/status.md 2.4; null when it is missing or not positive. */
export function durationMs(text: string | undefined): number | null {
  const parts = /^\s*(\d+)[\d.]*\s*([a-z]*)/i.exec(text ?? "");
  if (parts === null) return null;
  const value = Number.parseInt(parts[1] ?? "", 10);
  const unit = (parts[2] ?? "").toLowerCase();
  const factor = unit.startsWith("ms")
    ? 1
    : unit.startsWith("us")
      ? 0.001
      : unit.startsWith("m")
        ? 60_000
        : unit.startsWith("h")
          ? 3_600_000
          : 1000;
  const milliseconds = Math.floor(value * factor);
  return milliseconds > 0 ? milliseconds : null;
}

/** Stage of each primitive in the stop plan: members of a group backwards, and whatever an order puts later first. */
function stopStages(configuration: Element, primitives: readonly string[]): ReadonlyMap<string, number> {
  const members = new Map<string, readonly string[]>();
  const before: [string, string][] = [];
  for (const found of walk(configuration)) {
    if (found.name === "primitive") members.set(attributeOf(found, "id") ?? "", [attributeOf(found, "id") ?? ""]);
    if (found.name === "group" || found.name === "clone") {
      const ids = [...walk(found)].filter((child) => child.name === "primitive").map((child) => attributeOf(child, "id") ?? "");
      members.set(attributeOf(found, "id") ?? "", ids);
      if (found.name === "group") for (let at = 1; at < ids.length; at += 1) before.push([ids[at] ?? "", ids[at - 1] ?? ""]);
    }
    if (found.name !== "rsc_order") continue;
    const first = members.get(attributeOf(found, "first") ?? "") ?? [];
    const then = members.get(attributeOf(found, "then") ?? "") ?? [];
    for (const a of then) for (const b of first) before.push([a, b]);
  }
  const stages = new Map<string, number>(primitives.map((id) => [id, 0]));
  for (let round = 0; round < STAGE_ROUNDS_MAX; round += 1) {
    let moved = false;
    for (const [earlier, later] of before) {
      const wanted = (stages.get(earlier) ?? 0) + 1;
      if ((stages.get(later) ?? 0) >= wanted) continue;
      stages.set(later, wanted);
      moved = true;
    }
    if (!moved) break;
  }
  return stages;
}

/** The intent that carries out an action of the graph. */
export function draftOf(action: ResourceAction, incarnation: Incarnation, startFailureFatal: boolean, stops: StopRules): IntentDraft {
  const spec: ActionSpec = {
    resource: action.historyName,
    agentClass: agentClassOf(action.agent.agentClass),
    provider: action.agent.provider,
    type: action.agent.type,
    operation: action.task,
    intervalMs: action.intervalMs,
    timeoutMs: action.timeoutMs,
    params: action.params,
    meta: migrationMeta(action),
    node: action.node,
    target: null,
  };
  const begins = action.task === "start" || action.task === "promote" || action.task === "migrate_from";
  const probes = action.task === "monitor" && action.intervalMs === 0;
  const configured = stops.byResource.get(action.resource.replace(/:\d+$/, "")) ?? stops.byResource.get(action.historyName);
  const covered = stops.enabled && spec.agentClass !== "stonith" && (begins || probes) ? (configured ?? null) : null;
  return {
    resource: action.historyName,
    node: action.node,
    incarnation,
    task: action.task,
    intervalMs: action.intervalMs,
    expectedRc: action.targetRc,
    action: spec,
    digest: action.digests.all,
    startFailureFatal,
    stop: covered,
    actionId: action.id,
  };
}

function migrationMeta(action: ResourceAction): Readonly<Record<string, string>> {
  if (action.migration === null) return action.meta;
  return { ...action.meta, migrate_source: action.migration.source, migrate_target: action.migration.target };
}

function agentClassOf(name: string): ActionSpec["agentClass"] {
  switch (name) {
    case "systemd":
    case "lsb":
    case "service":
    case "stonith":
      return name;
    default:
      return "ocf";
  }
}
