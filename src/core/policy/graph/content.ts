import { INFINITY_SCORE } from "../../base/index.ts";
import { attributeOf } from "../../cib/index.ts";
import type { ClusterAction, FenceAction, GraphAction, PseudoAction, ResourceAction, ResourceTask } from "../../transition/index.ts";
import type { PolicyNode } from "../model-node.ts";
import { cloneOf, currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import {
  type Action,
  actionParameters,
  completionOf,
  isDownTask,
  operationElement,
  operationSettings,
  operationTimeoutMs,
  type Planner,
  parametersDigest,
} from "../plan/index.ts";
import { parseDate, parseSimpleDurationMs } from "../unpack/index.ts";
import { isInput } from "./emit.ts";

/** The name people and agents know (FORMAT: anonymous instances by the bare id, removed ones as history has them). */
export function printedName(resource: Resource): string {
  const clone = cloneOf(resource);
  if (clone === null) return resource.id;
  if (resource.removed) return resource.historyName ?? (resource.activeNodes.length > 0 ? resource.id : resource.configId);
  return clone.globallyUnique ? resource.id : resource.configId;
}

/** The entry of an action in the graph (G5-G9). */
export function graphAction(contents: Contents, action: Action): GraphAction {
  const { planner } = contents;
  const inputs = inputsOf(action);
  const detail = action.detail;
  if (action.pseudo) return pseudoAction(planner, action, inputs);
  if (detail.kind === "fence") return fenceAction(planner, action, inputs);
  switch (action.task) {
    case "do_shutdown":
    case "clear_failcount":
    case "lrm_delete":
      return clusterAction(planner, action, inputs);
    default:
      return resourceAction(contents, action, inputs);
  }
}

function inputsOf(action: Action): readonly number[] {
  const ids = new Set<number>();
  for (const edge of action.before) if (isInput(edge)) ids.add(edge.first.graphId);
  return [...ids].sort((a, b) => a - b);
}

function priorityOf(action: Action): number {
  return Math.max(0, Math.min(INFINITY_SCORE, Math.max(action.priority, action.resource?.priority ?? 0)));
}

function keyOf(action: Action): string {
  if (action.resource === null) return action.key;
  const name = action.resource.kind === "primitive" ? printedName(action.resource) : action.resource.id;
  if (action.detail.kind === "cancel") return `${name}_${action.detail.operation}_${action.intervalMs}`;
  if (action.detail.kind === "notify") return `${name}_${action.detail.type}_notify_${action.detail.operation}_0`;
  return `${name}_${action.key}`;
}

function pseudoAction(planner: Planner, action: Action, inputs: readonly number[]): PseudoAction {
  const maintenance: Record<string, string> = {};
  if (action.task === "maintenance_nodes") {
    for (const node of planner.model.nodeList) {
      if (node.kind === "cluster" || node.toldMaintenance === null || node.toldMaintenance === node.maintenance) continue;
      maintenance[node.id] = node.maintenance ? "1" : "0";
    }
  }
  return {
    kind: "pseudo",
    id: action.graphId,
    key: keyOf(action),
    task: action.detail.kind === "fence" ? action.detail.operation : action.task,
    resource: action.resource === null ? null : printedName(action.resource),
    node: action.node?.name ?? null,
    inputs,
    priority: priorityOf(action),
    reason: action.reason,
    maintenance,
  };
}

function fenceAction(planner: Planner, action: Action, inputs: readonly number[]): FenceAction {
  const { detail } = action;
  const node = detail.kind === "fence" ? detail.target : action.node!;
  const operation = detail.kind === "fence" ? detail.operation : "reboot";
  const meta: Record<string, string> = { on_node: node.name, on_node_uuid: node.id, stonith_action: operation };
  for (const [name, value] of action.meta) meta[name] = value;
  const delay = action.meta.get("priority_fencing_delay");
  return {
    kind: "fence",
    id: action.graphId,
    key: action.key,
    task: operation,
    node: node.name,
    nodeId: node.id,
    inputs,
    priority: priorityOf(action),
    reason: action.reason,
    params: {},
    meta,
    downs: operation === "on" ? [] : [node.id, ...guestsOn(planner, node)],
    timeoutMs: planner.model.options.fencingTimeoutMs,
    priorityDelayS: delay === undefined ? null : Number(delay),
  };
}

/** Guest nodes whose launcher is active on a node go down with it. */
function guestsOn(planner: Planner, node: PolicyNode): readonly string[] {
  return planner.model.nodeList
    .filter((guest) => guest.isGuest && guest.launcher?.activeNodes.includes(node) === true)
    .map((guest) => guest.id);
}

function clusterAction(planner: Planner, action: Action, inputs: readonly number[]): ClusterAction {
  const node = action.node!;
  const { resource } = action;
  const meta: Record<string, string> = { on_node: node.name, on_node_uuid: node.id };
  if (action.noWait) meta["op_no_wait"] = "true";
  return {
    kind: "cluster",
    id: action.graphId,
    key: keyOf(action),
    task: action.task as ClusterAction["task"],
    node: node.name,
    nodeId: node.id,
    router: resource === null ? null : routerOf(action),
    resource: resource === null ? null : printedName(resource),
    historyName: resource === null ? null : (resource.historyName ?? printedName(resource)),
    inputs,
    priority: priorityOf(action),
    reason: action.reason,
    timeoutMs: planner.model.options.clusterDelayMs,
    noWait: action.noWait,
    meta,
    downs: action.task === "do_shutdown" ? [node.id] : [],
  };
}

/** Task and interval whose operation gives settings and timeout. */
function settingsTask(action: Action): string {
  return action.detail.kind === "cancel" ? action.detail.operation : action.task;
}

/** What all actions of one operation of a resource share; computed once, because clusters have many nodes. */
type OperationTemplate = {
  readonly settings: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
  readonly startDelayMs: number;
  readonly meta: Readonly<Record<string, string>>;
  /** Parameters as last asked for: where no rule depends on the node, every node shares them and their digest. */
  source: ReadonlyMap<string, string> | null;
  params: Readonly<Record<string, string>>;
  digest: string;
};

function templateFor(contents: Contents, resource: Resource, task: string, intervalMs: number): OperationTemplate {
  let byOperation = contents.templates.get(resource);
  if (byOperation === undefined) {
    byOperation = new Map();
    contents.templates.set(resource, byOperation);
  }
  const key = `${task}_${intervalMs}`;
  let template = byOperation.get(key);
  if (template === undefined) {
    const { model } = contents.planner;
    const settings = operationSettings(model, resource, task, intervalMs);
    const timeoutMs = operationTimeoutMs(model, resource, task, intervalMs);
    template = {
      settings,
      timeoutMs,
      startDelayMs: startDelay(contents.planner, intervalMs, settings),
      meta: operationMeta(resource, task, intervalMs, settings, timeoutMs),
      source: null,
      params: {},
      digest: "",
    };
    byOperation.set(key, template);
  }
  return template;
}

/** Caches of one graph. */
export type Contents = { readonly planner: Planner; readonly templates: Map<Resource, Map<string, OperationTemplate>> };

function resourceAction(contents: Contents, action: Action, inputs: readonly number[]): ResourceAction {
  const { planner } = contents;
  const resource = action.resource!;
  const node = action.node!;
  const template = templateFor(contents, resource, settingsTask(action), action.intervalMs);
  fillParameters(contents, template, action);
  const { detail } = action;
  const connectionNode = resource.isRemoteConnection ? resource.remoteNode : null;
  const migrating = resource.isRemoteConnection && planner.actionsOf(resource, "migrate_from_0").some((one) => one.graphId !== 0);
  const printed = printedName(resource);
  return {
    kind: "resource",
    id: action.graphId,
    key: keyOf(action),
    task: action.task as ResourceTask,
    resource: printed,
    instance: resource.id,
    historyName: resource.historyName ?? printed,
    agent: { agentClass: resource.agentClass, provider: resource.provider, type: resource.type },
    node: node.name,
    nodeId: node.id,
    router: routerOf(action),
    intervalMs: action.intervalMs,
    timeoutMs: template.timeoutMs,
    startDelayMs: template.startDelayMs,
    targetRc: action.expectedRc,
    params: template.params,
    meta: metaOf(action, template.meta),
    digests: { all: template.digest },
    canFail: template.settings.get("on-fail")?.toLowerCase() === "ignore",
    migration: detail.kind === "migration" ? { source: detail.source.name, target: detail.target.name } : null,
    notification: detail.kind === "notify" ? { type: detail.type, operation: detail.operation } : null,
    cancels: detail.kind === "cancel" ? { task: detail.operation, callId: detail.callId } : null,
    shutdownLock: lockOf(resource, action, node),
    downs: action.task === "stop" && connectionNode !== null && !migrating ? [connectionNode.id] : [],
    inputs,
    priority: priorityOf(action),
    reason: action.reason,
  };
}

/** Agents get no parameter whose name could not be an XML name (it begins with a digit): the field's tools drop them. */
function fillParameters(contents: Contents, template: OperationTemplate, action: Action): void {
  const resource = action.resource!;
  const { model } = contents.planner;
  const source = actionParameters(model, resource, settingsTask(action), action.intervalMs, action.node);
  if (source === template.source) return;
  const params: Record<string, string> = {};
  for (const [name, value] of source) if (!/^\d/.test(name)) params[name] = value;
  const replica = resource.inBundle?.bundle?.replicas.find((one) => one.child === resource);
  if (replica?.address != null) params["pcmk_external_ip"] = replica.address;
  const hashed: Record<string, string> = Object.fromEntries(source);
  if (action.intervalMs > 0) hashed["CRM_meta_timeout"] = String(template.timeoutMs);
  template.source = source;
  template.params = params;
  template.digest = parametersDigest(model, hashed);
}

/** The lock is recorded with every action on the lock node; while that node shuts down only with its stop (G8). */
function lockOf(resource: Resource, action: Action, node: PolicyNode): number | null {
  if (resource.lockNode !== node || resource.lockTimeSec <= 0) return null;
  return node.shuttingDown && action.task !== "stop" ? null : resource.lockTimeSec;
}

/** `start-delay`, or the time to the next multiple of the interval since `interval-origin` (status.md 8.6). */
function startDelay(planner: Planner, intervalMs: number, settings: ReadonlyMap<string, string>): number {
  const explicit = settings.get("start-delay");
  if (explicit !== undefined) return Math.max(0, parseSimpleDurationMs(explicit) ?? 0);
  const origin = settings.get("interval-origin");
  if (origin === undefined || intervalMs <= 0) return 0;
  const { nowSec } = planner.model;
  const at = parseDate(origin, nowSec);
  if (at === null) return 0;
  const intervalSec = Math.floor(intervalMs / 1000);
  if (intervalSec <= 0) return 0;
  const since = (((nowSec - at) % intervalSec) + intervalSec) % intervalSec;
  return since === 0 ? 0 : (intervalSec - since) * 1000;
}

/** The cluster node that carries out an action on a remote or guest node (G8). */
function routerOf(action: Action): string | null {
  const node = action.node;
  if (node === null || node.kind === "cluster" || node.connection === null) return null;
  const connection = node.connection;
  const before = currentNodeOf(connection);
  const after = connection.node;
  if (before === null) return after?.name ?? null;
  if (after === null) return before.name;
  if (before === after) return before.name;
  if (connection.partialTarget !== null && connection.partialSource !== null && connection.partialTarget === after) return after.name;
  const settled = action.detail.kind === "notify" ? action.detail.operation : action.task;
  if (isDownTask(settled) || settled === "cancel" || settled.startsWith("migrate")) return before.name;
  return after.name;
}

const OWN_ATTRIBUTES = new Set(["id", "name", "interval", "description"]);

/** Meta environment without prefix, dashes as underscores (G8): what does not depend on the action. */
function operationMeta(
  resource: Resource,
  task: string,
  intervalMs: number,
  settings: ReadonlyMap<string, string>,
  timeoutMs: number,
): Readonly<Record<string, string>> {
  const meta: Record<string, string> = {};
  const put = (name: string, value: string): void => {
    meta[name.replaceAll("-", "_")] = value;
  };
  const operation = operationElement(resource, task, intervalMs);
  const name = operation === null ? undefined : attributeOf(operation, "name");
  for (const [key, value] of settings) if (!OWN_ATTRIBUTES.has(key)) put(key, value);
  if (name !== undefined) put("name", name);
  if (intervalMs > 0) put("interval", String(intervalMs));
  put("timeout", String(timeoutMs));
  const delay = settings.get("start-delay");
  if (delay !== undefined) put("start-delay", String(parseSimpleDurationMs(delay) ?? 0));
  putCollective(resource, put);
  return meta;
}

/** Nothing about this action needs saying beyond its fields and the operation's settings. */
function isPlain(action: Action): boolean {
  if (action.notification !== null || action.detail.kind !== "none" || action.node?.isGuest === true) return false;
  const resource = action.resource!;
  return resource.launched.length === 0 && !resource.attributesFromHost;
}

/** The same with what the action itself adds. Shared where nothing is added: clusters have many probes. */
function metaOf(action: Action, base: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (isPlain(action)) return base;
  const meta: Record<string, string> = { ...base };
  const put = (name: string, value: string): void => {
    meta[name] = value;
  };
  putDetail(action, put);
  putLaunching(action, put);
  if (action.notification !== null) putNotification(action, put);
  return meta;
}

type Put = (name: string, value: string) => void;

function putDetail(action: Action, put: Put): void {
  const { detail } = action;
  if (detail.kind === "migration") {
    put("migrate_source", detail.source.name);
    put("migrate_target", detail.target.name);
    if (action.task === "migrate_to") put("record_pending", "true");
  } else if (detail.kind === "cancel") {
    put("operation", detail.operation);
    put("interval", String(action.intervalMs));
    if (detail.callId !== null) put("call_id", detail.callId);
  }
}

function putCollective(resource: Resource, put: Put): void {
  const clone = cloneOf(resource);
  if (clone === null) return;
  let instance = resource;
  while (instance.parent !== null && instance.parent !== clone) instance = instance.parent;
  if (instance.number !== null) put("clone", String(instance.number));
  put("clone_max", String(clone.cloneMax));
  put("clone_node_max", String(clone.cloneNodeMax));
  put("globally_unique", String(clone.globallyUnique));
  put("notify", String(clone.notify));
  if (!clone.promotable) return;
  for (const prefix of ["promoted", "master"]) {
    put(`${prefix}_max`, String(clone.promotedMax));
    put(`${prefix}_node_max`, String(clone.promotedNodeMax));
  }
}

/** Things in or creating guest nodes (G8). */
function putLaunching(action: Action, put: Put): void {
  const resource = action.resource!;
  const connection = resource.launched.find((one) => one.isRemoteConnection && one.remoteNode !== null);
  if (connection?.remoteNode != null) put("remote_node", connection.remoteNode.name);
  if (resource.attributesFromHost) put("container_attribute_target", "host");
  const launcher = action.node?.launcher ?? null;
  if (launcher === null) return;
  put("container", launcher.id);
  const host = isDownTask(action.task) ? currentNodeOf(launcher) : launcher.node;
  if (host !== null) put("physical_host", host.name);
}

function putNotification(action: Action, put: Put): void {
  const phase = action.notification!;
  for (const [name, value] of phase.variables) {
    if (name !== "notify_operation") put(name, value);
  }
  if (action.detail.kind !== "notify") return;
  const { type, operation } = action.detail;
  put("notify_type", type);
  put("notify_operation", operation);
  put("notify_key_type", type);
  put("notify_key_operation", type === "pre" ? operation : completionOf(operation));
}
