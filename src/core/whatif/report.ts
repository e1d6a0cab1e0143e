import {
  type Model,
  type Plan,
  type PolicyNode,
  primitivesOf,
  printedName,
  type Resource,
  ROLE,
  type Role,
  roleName,
  topOf,
} from "../policy/index.ts";
import type { GraphAction } from "../transition/index.ts";

/** The JSON result of a simulation; field names are those of the published format. */
export type SimulationResult = {
  readonly final: FinalState;
  readonly actions: readonly Record<string, unknown>[];
  readonly pseudo: readonly Record<string, unknown>[];
  readonly order: readonly (readonly [string, string])[];
  readonly scores: {
    readonly allocation: readonly ScoreLine[];
    readonly promotion: readonly ScoreLine[];
    readonly collective: readonly ScoreLine[];
  };
  readonly summary: readonly Record<string, unknown>[];
  readonly recheck_by?: number;
};

export type ScoreLine = { readonly rsc: string; readonly node: string | null; readonly score: number };

export type InstanceState = {
  readonly node: string;
  readonly role: string;
  readonly flags: readonly string[];
  readonly replica?: number;
};

export type FinalState = {
  readonly nodes: Readonly<Record<string, { readonly type: string; readonly state: string; readonly health?: string }>>;
  readonly resources: Readonly<Record<string, readonly InstanceState[]>>;
  readonly bundles: Readonly<Record<string, readonly InstanceState[]>>;
};

/** Decision and outcome as one object. `after` is the model read from the CIB that the transition leaves behind. */
export function simulationResult(plan: Plan, after: Model): SimulationResult {
  const actions = plan.graph.actions.filter((action) => action.kind !== "pseudo").map(actionLine);
  const pseudo = plan.graph.actions.filter((action) => action.kind === "pseudo").map(pseudoLine);
  const order: [string, string][] = [];
  for (const action of plan.graph.actions) for (const input of action.inputs) order.push([String(input), String(action.id)]);
  const result: SimulationResult = {
    final: finalState(after),
    actions,
    pseudo,
    order,
    scores: scoreLines(plan.model),
    summary: plan.summary
      .filter((line) => line.verb !== "Shutdown")
      .filter(hasMeaning)
      .map(summaryLine),
  };
  return plan.graph.recheckBy === null ? result : { ...result, recheck_by: plan.graph.recheckBy };
}

function hasMeaning(line: Plan["summary"][number]): boolean {
  return line.verb !== "Fence" || line.reason !== null;
}

function summaryLine(line: Plan["summary"][number]): Record<string, unknown> {
  const subject = line.resource === null ? { node: line.node } : { rsc: line.resource };
  const out: Record<string, unknown> = { verb: line.verb, ...subject, detail: line.detail, reason: line.reason };
  if (line.blocked) out["blocked"] = true;
  if (line.launcher !== undefined) out["rsc"] = line.launcher;
  return out;
}

function pseudoLine(action: GraphAction): Record<string, unknown> {
  const line: Record<string, unknown> = { id: String(action.id), task: action.task, key: action.key };
  if (action.node !== null) line["node"] = action.node;
  return line;
}

function actionLine(action: GraphAction): Record<string, unknown> {
  const line: Record<string, unknown> = { id: String(action.id), kind: action.kind, task: action.task };
  if (action.node !== null) line["node"] = action.node;
  if (action.kind === "cluster" && action.resource !== null) line["rsc"] = action.resource;
  if (action.kind !== "resource") return line;
  line["rsc"] = action.resource;
  line["timeout_ms"] = action.timeoutMs;
  if (action.intervalMs > 0) line["interval_ms"] = action.intervalMs;
  if (action.router !== null) line["router"] = action.router;
  if (action.migration !== null) {
    line["migrate_source"] = action.migration.source;
    line["migrate_target"] = action.migration.target;
  }
  if (action.notification !== null) {
    line["notify_type"] = action.notification.type;
    line["notify_operation"] = action.notification.operation;
  }
  if (action.cancels !== null) line["cancel_task"] = action.cancels.task;
  if (action.targetRc !== 0) line["target_rc"] = action.targetRc;
  if (action.startDelayMs > 0) line["start_delay_ms"] = action.startDelayMs;
  if (Object.keys(action.params).length > 0) line["params"] = action.params;
  return line;
}

/** The state a model describes: nodes, active instances, bundles. */
export function finalState(model: Model): FinalState {
  const nodes: Record<string, { type: string; state: string; health?: string }> = {};
  for (const node of model.nodeList) {
    const state = nodeState(node);
    if (node.isGuest && state === "offline") continue;
    const health = healthOf(model, node);
    nodes[node.name] = health === null ? { type: node.kind, state } : { type: node.kind, state, health };
  }
  const resources: Record<string, InstanceState[]> = {};
  const bundles: Record<string, InstanceState[]> = {};
  for (const resource of model.resources) {
    if (resource.kind === "bundle") bundles[resource.id] = bundleState(model, resource);
    else collect(resource, resources);
  }
  return { nodes, resources, bundles };
}

/** The state in the words of the format, the first that applies (status.md 28.4). */
export function nodeState(node: PolicyNode): string {
  if (node.unclean) return node.online ? "unclean-online" : node.pending ? "unclean-pending" : "unclean-offline";
  if (node.pending) return "pending";
  if (node.standbyOnFail && node.online) return "standby-on-fail";
  if (node.standby) return node.online ? "standby" : "offline-standby";
  if (node.maintenance) return node.online ? "maintenance" : "offline-maintenance";
  return node.online ? "online" : "offline";
}

/** The colour that status shows beside a node (status.md 28.4): null is green. */
function healthOf(model: Model, node: PolicyNode): string | null {
  const { options } = model;
  if (options.healthStrategy === "none") return null;
  let yellow = false;
  for (const [name, value] of node.attributes) {
    if (!name.startsWith("#health")) continue;
    const word = value.toLowerCase();
    const score = Number.parseInt(value, 10);
    if (word === "red" || score <= options.healthRed) return "red";
    if (word === "yellow" || (options.healthYellow !== options.healthGreen && score <= options.healthYellow)) yellow = true;
  }
  return yellow ? "yellow" : null;
}

function collect(resource: Resource, into: Record<string, InstanceState[]>, summarised: Role | null = null): void {
  if (resource.kind !== "primitive") {
    const instances = resource.kind === "clone" && !resource.globallyUnique;
    for (const child of resource.children) {
      if (!instances) collect(child, into, summarised);
      else if (isAtWork(child)) collect(child, into, summarisedRole(child));
    }
    return;
  }
  if (resource.internal) return;
  const name = resource.removed && resource.parent !== null ? resource.configId : printedName(resource);
  const states = instanceStates(resource, summarised);
  const known = into[name];
  if (known === undefined) into[name] = states;
  else known.push(...states);
}

/** Status leaves out an instance that is only on nodes which went down in good order, unless nobody manages it (status.md 28.13). */
function isAtWork(instance: Resource): boolean {
  for (const primitive of primitivesOf(instance))
    if (!primitive.managed || primitive.activeNodes.some((node) => node.online || node.unclean)) return true;
  return false;
}

/** The role that status shows for an instance of a cloned group that it sums up in one word (status.md 28.11), else null. */
function summarisedRole(instance: Resource): Role | null {
  if (instance.kind !== "group") return null;
  let role: Role = ROLE.unknown;
  let host: PolicyNode | null = null;
  for (const member of instance.children) {
    const node = member.activeNodes[0];
    const plain = !member.removed && !member.failed && member.managed && member.activeNodes.length === 1 && member.role > ROLE.stopped;
    if (!plain || node === undefined || (host !== null && host !== node) || (node.unclean && !node.online)) return null;
    host = node;
    if (member.role > role) role = member.role;
  }
  return role;
}

function instanceStates(resource: Resource, summarised: Role | null): InstanceState[] {
  if (resource.activeNodes.length === 0 || resource.role <= ROLE.stopped) {
    // As in the text: what is no longer configured is shown only where it runs.
    if (resource.lockNode === null || resource.removed) return [];
    return [{ node: resource.lockNode.name, role: "Stopped", flags: flagsOf(resource, resource.lockNode) }];
  }
  // So it is left out on nodes that went down in good order, like an instance (seen with crm_simulate).
  if (resource.removed && resource.parent === null && !isAtWork(resource)) return [];
  return resource.activeNodes.map((node) => ({ node: node.name, role: shownRole(resource, summarised), flags: flagsOf(resource, node) }));
}

function shownRole(resource: Resource, summarised: Role | null = null): string {
  let role: Role = summarised ?? resource.role;
  if (role === ROLE.started && topOf(resource).promotable) role = ROLE.unpromoted;
  return roleName(role);
}

function flagsOf(resource: Resource, node: PolicyNode): string[] {
  const flags: string[] = [];
  if (resource.removed) flags.push("orphaned");
  if (resource.failed) flags.push("failed");
  if (resource.lockNode === node) flags.push("locked");
  if (resource.blocked) flags.push("blocked");
  else if (resource.maintenance) flags.push("maintenance");
  else if (!resource.managed) flags.push("unmanaged");
  return flags;
}

function bundleState(_model: Model, bundle: Resource): InstanceState[] {
  const states: InstanceState[] = [];
  for (const replica of bundle.bundle?.replicas ?? []) {
    const shown = replica.child ?? replica.container;
    for (const node of replica.container.activeNodes) {
      const active = shown.activeNodes.length > 0 && shown.role > ROLE.stopped;
      states.push({
        replica: replica.number,
        node: node.name,
        role: active ? shownRole(shown) : "Stopped",
        flags: flagsOf(shown, node),
      });
    }
  }
  return states;
}

/** Scores as they stood when the node was chosen; the last report of a resource counts. */
function scoreLines(model: Model): SimulationResult["scores"] {
  const primitives = new Map<Resource, readonly ScoreLine[]>();
  const collectives = new Map<Resource, readonly ScoreLine[]>();
  for (const report of model.reports) {
    const lines = report.scores.map(({ node, score }) => ({ rsc: report.resource.id, node: node.name, score }));
    if (report.resource.kind === "primitive") {
      if (report.label === "primitive") primitives.set(report.resource, lines);
    } else collectives.set(report.resource, lines);
  }
  for (const report of model.reports) {
    if (report.resource.kind !== "primitive" || primitives.has(report.resource)) continue;
    primitives.set(
      report.resource,
      report.scores.map(({ node, score }) => ({ rsc: report.resource.id, node: node.name, score })),
    );
  }
  return {
    allocation: [...primitives.values()].flat(),
    promotion: model.promotions.map(({ instance, node, score }) => ({ rsc: instance.id, node: node?.name ?? null, score })),
    collective: [...collectives.values()].flat(),
  };
}
