import { attributeOf, type Element, element, withChildren } from "./element.ts";
import { renderConfiguration } from "./sections.ts";
import type { CibState, Intent, NodeStatus, OperationRecord, ResourceHistory } from "./state.ts";

/** Feature set and schema that the rendered `<cib>` claims (Pacemaker 3.x). */
export const CRM_FEATURE_SET = "3.19.0";
export const SCHEMA = "pacemaker-3.10";

/** What the tree tells beside the replicated state: facts of the member that renders it. */
export type RenderFacts = {
  readonly quorate: boolean;
  /** Node that leads, or null. */
  readonly leader: string | null;
  /**
   * For the policy engine at this cluster time. Adds `have-watchdog`: to it an elapsed Tsafe is watchdog fencing (RAFT.md §7).
   * Null: for people, with intents in flight as old as they are.
   */
  readonly forPolicy: { readonly nowMs: number } | null;
};

/**
 * The state as a `<cib>` tree with `<configuration>` and `<status>`, as policy/status.md §1 and §9 read it. Parts that
 * did not change since the last call are the same objects.
 */
export function renderCib(state: CibState, facts: RenderFacts): Element {
  const leader = facts.leader === null ? undefined : state.nodes.get(facts.leader)?.id;
  const attributes: Record<string, string> = {
    crm_feature_set: CRM_FEATURE_SET,
    "validate-with": SCHEMA,
    epoch: String(state.epoch),
    num_updates: String(state.index),
    admin_epoch: "0",
    "have-quorum": facts.quorate ? "1" : "0",
  };
  if (leader !== undefined) attributes["dc-uuid"] = leader;
  const configuration = renderConfiguration(state);
  const configured = facts.forPolicy === null ? configuration : withDerived(state, configuration);
  return element("cib", attributes, [configured, renderStatus(state, facts.forPolicy?.nowMs ?? null)]);
}

/** Options that the cluster sets itself; the operator's own sets come first and win. */
function withDerived(state: CibState, configuration: Element): Element {
  const watchdog = [...state.nodes.values()].some((node) => node.guarantee !== "none" && node.witness !== true);
  const pairs = [pair("quorate-derived", "have-watchdog", String(watchdog))];
  if (state.cluster !== null) pairs.push(pair("quorate-derived", "cluster-name", state.cluster.name));
  const derived = element("cluster_property_set", { id: "quorate-derived" }, pairs);
  const children = configuration.children.map((section) =>
    section.name === "crm_config" ? withChildren(section, [...section.children, derived]) : section,
  );
  return withChildren(configuration, children);
}

/**
 * `<status>`: one `node_state` for every node of the configuration and of the membership. With `nowMs` whatever is in flight
 * has just been seen to be.
 */
function renderStatus(state: CibState, nowMs: number | null): Element {
  const byNode = new Map<string, Intent[]>();
  for (const intent of state.intents.values()) {
    const list = byNode.get(intent.node);
    if (list === undefined) byNode.set(intent.node, [intent]);
    else list.push(intent);
  }
  const children: Element[] = [];
  const seen = new Set<string>();
  for (const node of state.nodes.values()) {
    seen.add(node.id);
    if (node.witness === true) continue;
    children.push(renderNode(state, node, { intents: byNode.get(node.name) ?? [], nowMs }));
  }
  for (const [id, object] of state.sections.nodes.objects) {
    if (seen.has(id) || attributeOf(object.element, "type") === "remote") continue;
    children.push(element("node_state", { id, uname: attributeOf(object.element, "uname") ?? id, ...DOWN }));
  }
  return element("status", {}, children);
}

const DOWN = { in_ccm: "false", crmd: "offline", join: "down", expected: "down" };

/** policy/status.md 9.5. A node never seen ran nothing (intents name an incarnation), so it is cleanly down. */
function membershipOf(node: NodeStatus): Readonly<Record<string, string>> {
  const since = String(Math.max(1, Math.floor(node.sinceMs / 1000)));
  switch (node.membership) {
    case "online":
    case "detached":
      return { in_ccm: since, crmd: since, join: "member", expected: "member" };
    case "lost":
      return { in_ccm: "false", crmd: "offline", join: "down", expected: "member" };
    default:
      return DOWN;
  }
}

const nodeCache = new WeakMap<NodeStatus, Element>();

type Pending = { readonly intents: readonly Intent[]; readonly nowMs: number | null };

function renderNode(state: CibState, node: NodeStatus, pending: Pending): Element {
  const { intents } = pending;
  const cached = intents.length === 0 ? nodeCache.get(node) : undefined;
  if (cached !== undefined) return cached;
  const children: Element[] = [];
  if (node.attributes.size > 0) children.push(renderAttributes(node, mayRun(node, intents)));
  const names = new Set<string>(node.history.keys());
  for (const intent of intents) names.add(intent.resource);
  const resources: Element[] = [];
  for (const name of [...names].sort()) {
    const own = intents.filter((intent) => intent.resource === name);
    const resource = renderResource(state, node, name, { ...pending, intents: own });
    if (resource !== null) resources.push(resource);
  }
  if (resources.length > 0) children.push(element("lrm", { id: node.id }, [element("lrm_resources", {}, resources)]));
  const rendered = element("node_state", { id: node.id, uname: node.name, ...membershipOf(node) }, children);
  if (intents.length === 0) nodeCache.set(node, rendered);
  return rendered;
}

/** Also what a cleanup has made the policy engine forget, until a probe has told. Devices run nowhere. */
function mayRun(node: NodeStatus, intents: readonly Intent[]): boolean {
  for (const history of node.history.values()) if (history.active && history.agentClass !== "stonith") return true;
  return intents.some(({ task, action }) => task === "start" && action.agentClass !== "stonith");
}

/**
 * A node that was asked to shut down and fell silent before it had stopped everything is as lost as any other: to the policy
 * engine the request would make it cleanly down (policy/status.md 9.5, row 1), and what ran there would start elsewhere.
 */
function renderAttributes(node: NodeStatus, runs: boolean): Element {
  const setId = `status-${node.id}`;
  const told = [...node.attributes].filter(([name]) => name !== "shutdown" || node.membership !== "lost" || !runs);
  const pairs = told.map(([name, value]) => pair(setId, name, value));
  return element("transient_attributes", { id: node.id }, [element("instance_attributes", { id: setId }, pairs)]);
}

function pair(setId: string, name: string, value: string): Element {
  return element("nvpair", { id: `${setId}-${name}`, name, value });
}

function renderResource(state: CibState, node: NodeStatus, name: string, pending: Pending): Element | null {
  const history = node.history.get(name);
  const agent = history ?? pending.intents[0]?.action;
  if (agent === undefined) return null;
  const operations = history === undefined ? [] : renderOperations(state, node, history);
  const children = [...operations, ...pending.intents.map((intent) => renderPending(state, intent, pending.nowMs))];
  // An empty history says nothing (12.1), so a forgotten resource is probed again.
  if (children.length === 0) return null;
  const attributes: Record<string, string> = { id: name, class: agent.agentClass };
  if (agent.provider !== null) attributes["provider"] = agent.provider;
  attributes["type"] = agent.type;
  return element("lrm_resource", attributes, children);
}

const operationCache = new WeakMap<ResourceHistory, readonly Element[]>();

function renderOperations(state: CibState, node: NodeStatus, history: ResourceHistory): readonly Element[] {
  let rendered = operationCache.get(history);
  if (rendered === undefined) {
    rendered = [...history.operations.values()].map((record) => renderOperation(state, node.name, history.resource, record));
    operationCache.set(history, rendered);
  }
  return rendered;
}

function renderOperation(state: CibState, node: string, resource: string, record: OperationRecord): Element {
  const key = `${record.actionId}:${record.transition}:${record.expectedRc}:${uuidOf(state)}`;
  const attributes: Record<string, string> = {
    id: record.id,
    operation_key: `${resource}_${record.operation}_${record.intervalMs}`,
    operation: record.operation,
    crm_feature_set: CRM_FEATURE_SET,
    "transition-key": key,
    "transition-magic": `${record.status}:${record.rc};${key}`,
    on_node: node,
    "call-id": String(record.callId),
    "rc-code": String(record.rc),
    "op-status": String(record.status),
    interval: String(record.intervalMs),
    "last-rc-change": String(Math.floor(record.changedAtMs / 1000)),
    "exec-time": String(record.execTimeMs),
    "queue-time": "0",
  };
  if (record.exitReason !== null) attributes["exit-reason"] = record.exitReason;
  if (record.digest !== null) attributes["op-digest"] = record.digest;
  if (record.migration !== null) {
    attributes["migrate_source"] = record.migration.source;
    attributes["migrate_target"] = record.migration.target;
  }
  return element("lrm_rsc_op", attributes);
}

/**
 * An intent in flight is a pending operation (policy/status.md 15.4), beside the last finished one. The log vouches for it
 * as of now: by the time at which it was committed the policy engine would take a start for stale when the one before it
 * failed within the same second (15.4), or for expired after `failure-timeout` (19.4), and start the resource elsewhere too.
 */
function renderPending(state: CibState, intent: Intent, nowMs: number | null): Element {
  const key = `${intent.actionId}:${intent.transition}:${intent.expectedRc}:${uuidOf(state)}`;
  const attributes: Record<string, string> = {
    id: `${intent.resource}_pending_${intent.task}_${intent.intervalMs}`,
    operation_key: `${intent.resource}_${intent.task}_${intent.intervalMs}`,
    operation: intent.task,
    crm_feature_set: CRM_FEATURE_SET,
    "transition-key": key,
    "transition-magic": `-1:193;${key}`,
    on_node: intent.node,
    "call-id": "-1",
    "rc-code": "193",
    "op-status": "-1",
    interval: String(intent.intervalMs),
    "last-rc-change": String(nowMs === null ? Math.floor(intent.committedAtMs / 1000) : Math.floor(nowMs / 1000) + 1),
  };
  if (intent.digest !== null) attributes["op-digest"] = intent.digest;
  const { migrate_source: source, migrate_target: target } = intent.action.meta;
  if (source !== undefined && target !== undefined) {
    attributes["migrate_source"] = source;
    attributes["migrate_target"] = target;
  }
  return element("lrm_rsc_op", attributes);
}

/** Transition keys want the form of a UUID; ours is made of the cluster's id, equal for all transitions (13.4 rule 4). */
function uuidOf(state: CibState): string {
  const hex = (state.cluster?.id ?? "")
    .replace(/[^0-9a-f]/gi, "")
    .toLowerCase()
    .padEnd(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}
