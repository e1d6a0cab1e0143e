import { attributeOf, childrenOf } from "./element.ts";
import { isKept } from "./kept.ts";
import { propertyOf } from "./sections.ts";
import type { CibState, NodeStatus } from "./state.ts";

/** Clock rate bound of RAFT.md §7. */
const CLOCK_RHO = 0.001;

/** `no-quorum-policy` under which a node may keep resources without quorum, so that Tsafe proves nothing (RAFT.md §7). */
const KEEPING_POLICIES = new Set(["freeze", "ignore", "demote"]);

/** Are exclusive resources of silent nodes stopped by their guardians under this configuration? */
export function guardiansStopWithoutQuorum(state: Pick<CibState, "sections">): boolean {
  return !KEEPING_POLICIES.has((propertyOf(state, "no-quorum-policy") ?? "stop").toLowerCase());
}

type Agent = { readonly agentClass: string; readonly provider: string | null; readonly type: string };

/** Agents of other providers that own nothing but processes and files. */
const PROCESS_ONLY = new Set(["heartbeat:Dummy", "heartbeat:Delay", "pacemaker:Dummy", "pacemaker:Stateful"]);

/**
 * May something of the resource outlive all its processes (addresses, mounts, devices, units of systemd)? The answer is
 * yes for every agent that is not known to own processes alone: our own (`ocf:quorate:*`) and a few for tests. Killing
 * proves nothing about the others; only a reset of the host or a device does (RAFT.md §8).
 */
export function leavesKernelState(agent: Agent): boolean {
  if (agent.agentClass === "stonith") return false;
  if (agent.agentClass !== "ocf" || agent.provider === null) return true;
  return agent.provider !== "quorate" && !PROCESS_ONLY.has(`${agent.provider}:${agent.type}`);
}

/**
 * May an elapsed Tsafe count as fencing of this node? Only when its guardian stops everything that may run there: every
 * active resource was in an acknowledged stop plan (a start in flight is covered, else the guardian refuses it), and
 * where the host cannot be reset nothing there leaves kernel state.
 */
export function tsafeCovers(state: CibState, node: NodeStatus): boolean {
  if (node.guarantee === "none" || !guardiansStopWithoutQuorum(state)) return false;
  for (const history of node.history.values()) {
    if (history.active && history.agentClass !== "stonith" && (!history.covered || isKept(state, node, history.resource))) return false;
  }
  for (const intent of state.intents.values()) {
    if (intent.node !== node.name || intent.action.agentClass === "stonith") continue;
    if (begins(intent.task) && intent.stop === null) return false;
  }
  return kernelStateOn(state, node).length === 0;
}

/** Resources on the node whose end nothing but confirmed fencing proves, because its host cannot be reset; sorted. */
export function kernelStateOn(state: CibState, node: NodeStatus): readonly string[] {
  if ((node.kernelGuarantee ?? node.guarantee) !== "none") return [];
  const names = new Set<string>();
  for (const history of node.history.values()) if (history.active && leavesKernelState(history)) names.add(history.resource);
  for (const intent of state.intents.values()) {
    if (intent.node === node.name && begins(intent.task) && leavesKernelState(intent.action)) names.add(intent.resource);
  }
  return [...names].sort();
}

function begins(task: string): boolean {
  return task === "start" || task === "promote" || task === "migrate_from";
}

/**
 * Tsafe of RAFT.md §7: how long after the last contact everything there has certainly stopped, milliseconds. `tselfMs` is
 * that of the member that asks; the node may have told of a longer one.
 */
export function tsafeMs(tselfMs: number, node: Pick<NodeStatus, "stopBoundMs" | "selfFenceMs">): number {
  return Math.ceil((Math.max(tselfMs, node.selfFenceMs ?? 0) * (1 + CLOCK_RHO) + node.stopBoundMs) / (1 - CLOCK_RHO));
}

/** Is the node in standby, or asked to shut down: should it hand on what it does for the cluster? */
export function isRetiring(state: CibState, node: NodeStatus): boolean {
  if (isOn(node.attributes.get("standby")) || (node.attributes.get("shutdown") ?? "0") !== "0") return true;
  const configured = state.sections.nodes.objects.get(node.id)?.element;
  for (const block of configured === undefined ? [] : childrenOf(configured, "instance_attributes")) {
    for (const pair of childrenOf(block, "nvpair")) {
      if (attributeOf(pair, "name") === "standby" && isOn(attributeOf(pair, "value"))) return true;
    }
  }
  return false;
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(?:true|on|yes|y|1)$/i.test(value);
}

/** Names of resources that may be running on the node, in code-unit order. */
export function activeOn(state: CibState, node: NodeStatus): readonly string[] {
  const names = new Set<string>();
  for (const history of node.history.values()) if (history.active) names.add(history.resource);
  for (const intent of state.intents.values()) if (intent.node === node.name && begins(intent.task)) names.add(intent.resource);
  return [...names].sort();
}

/** Is everything done that follows from the present state, as far as the log tells? */
export function isSettled(state: CibState): boolean {
  return state.settled !== null && state.settled.basedOn >= state.changedAt && state.intents.size === 0 && state.fencing.size === 0;
}
