import { type MemberId, PersistentMap } from "../base/index.ts";
import type { Command } from "./commands.ts";
import { element } from "./element.ts";
import { isKept } from "./kept.ts";
import { accepted, type Change, refused, withNode } from "./outcome.ts";
import { activeOn } from "./queries.ts";
import { applyEdits } from "./sections.ts";
import type { CibState, NodeStatus } from "./state.ts";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** Cluster nodes (RAFT.md §6: 32 members). */
export const NODES_MAX = 32;

/** Gives the node an entry in the configuration (or takes over the one that is there) and ties it to the member. */
export function applyJoin(state: CibState, command: Of<"node.join">): Change {
  const present = state.nodes.get(command.node);
  if (present !== undefined && present.memberId === command.memberId) return accepted(state, { voidsPlans: false });
  if (present !== undefined && (present.membership === "online" || present.membership === "detached")) {
    return refused("NODE_EXISTS", `node ${command.node} is online as another member: give this one another name, or stop that one first`);
  }
  // The newcomer may be another machine: its new incarnation would prove nothing about what the old one still runs (H1).
  if (present !== undefined && present.membership === "lost" && mayRun(state, present)) {
    const proof = "it is let in when that is fenced, has stopped by itself (Tsafe) or is confirmed down (node clearstate)";
    return refused("NODE_EXISTS", `what ran on the lost ${command.node} may run still: ${proof}`);
  }
  if (present === undefined && state.nodes.size >= NODES_MAX) return refused("LIMIT_EXCEEDED", `at most ${NODES_MAX} nodes`);
  const configured = [...state.sections.nodes.objects.values()].find(
    (object) => object.element.attributes["uname"]?.toLowerCase() === command.node.toLowerCase(),
  );
  if (command.witness === true && configured !== undefined) {
    return refused("NODE_EXISTS", `${command.node} is a node of the configuration; a witness is none`);
  }
  const id = present?.id ?? configured?.element.attributes["id"] ?? nextNodeId(state);
  let next = state;
  if (configured === undefined && command.witness !== true) {
    const after = element("node", { id, uname: command.node });
    const edited = applyEdits(state.sections, [{ section: "nodes", id, before: null, after }]);
    if ("refusal" in edited) return refused(edited.refusal.code, edited.refusal.message);
    next = { ...state, sections: edited.sections, epoch: state.epoch + 1 };
  }
  const { witness: _, ...node } = present === undefined ? newNode(command.node, id, state.clockMs) : present;
  const role = command.witness === true ? { witness: true } : {};
  return accepted(withNode(next, { ...node, memberId: command.memberId, ...role }), { voidsPlans: true });
}

function nextNodeId(state: CibState): string {
  let highest = 0;
  const witnesses = [...state.nodes.values()].map((node) => node.id);
  for (const id of [...state.sections.nodes.objects.keys(), ...witnesses]) {
    const value = Number.parseInt(id, 10);
    if (Number.isSafeInteger(value)) highest = Math.max(highest, value);
  }
  return String(highest + 1);
}

function newNode(name: string, id: string, sinceMs: number): NodeStatus {
  return {
    name,
    id,
    memberId: null,
    membership: "never",
    incarnation: null,
    sinceMs,
    detachedUntilMs: null,
    guarantee: "none",
    stopBoundMs: 0,
    trips: 0,
    version: "",
    featureLevelMax: 1,
    attributes: PersistentMap.empty(),
    history: PersistentMap.empty(),
    lastCallId: 0,
  };
}

/** Removes a node that is proven down or gone for good; what ran there must have ended before. */
export function applyForget(state: CibState, command: Of<"node.forget">): Change {
  const node = state.nodes.get(command.node);
  if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${command.node}`);
  if (isAnother(node, command.memberId)) return refused("NODE_EXISTS", `node ${command.node} is another member by now`);
  // A witness never ran anything, so its silence leaves nothing to prove.
  if ((node.membership === "lost" && node.witness !== true) || mayRun(state, node)) {
    return refused("NODE_ACTIVE", `resources may still run on ${command.node}; stop them or fence it first`);
  }
  if (isLastThatLeads(state, node)) return refusedAsLast(node);
  const objects = state.sections.nodes.objects.delete(node.id);
  const sections = { ...state.sections, nodes: { ...state.sections.nodes, objects } };
  const ended = endIncarnation({ ...state, sections, epoch: state.epoch + 1 }, node);
  return accepted({ ...ended, nodes: ended.nodes.delete(node.name) }, { voidsPlans: true });
}

/** Votes of one node (RAFT.md §3). */
export const VOTES_MAX = 1_000;

export function applyVotes(state: CibState, command: Of<"node.votes">): Change {
  const node = state.nodes.get(command.node);
  if (node === undefined) return refused("NODE_UNKNOWN", `there is no node ${command.node}`);
  if (isAnother(node, command.memberId)) return refused("NODE_EXISTS", `node ${command.node} is another member by now`);
  if (!Number.isSafeInteger(command.votes) || command.votes < 0 || command.votes > VOTES_MAX) {
    return refused("LIMIT_EXCEEDED", `a node has from 0 to ${VOTES_MAX} votes`);
  }
  if (command.votes === 0 && isLastThatLeads(state, node)) return refusedAsLast(node);
  return accepted(withNode(state, { ...node, votesWanted: command.votes }), { voidsPlans: false });
}

/** A request that a cut-off member took on may be about a member that has been replaced since under the same name. */
function isAnother(node: NodeStatus, meant: MemberId | undefined): boolean {
  return meant !== undefined && node.memberId !== meant;
}

/**
 * Is the node a member that is wanted as a voter and can lead, and the only one? Asked where the wishes have their order:
 * two that are each harmless, one vote taken while another member is removed, would together leave a member that Raft
 * can never let go.
 */
function isLastThatLeads(state: CibState, node: NodeStatus): boolean {
  const leads = ({ memberId, witness, votesWanted }: NodeStatus): boolean => memberId !== null && witness !== true && votesWanted !== 0;
  return leads(node) && ![...state.nodes.values()].some((other) => other.name !== node.name && leads(other));
}

function refusedAsLast({ name }: NodeStatus): Change {
  return refused("MEMBERSHIP_REFUSED", `${name} is the last member that votes and can lead`);
}

/** Something runs there, or an action is under way. */
function mayRun(state: CibState, node: NodeStatus): boolean {
  for (const history of node.history.values()) if (history.active) return true;
  return [...state.intents.values()].some((intent) => intent.node === node.name);
}

/**
 * A node says hello with the incarnation of its host. A new incarnation is proof that the old one ended with all it ran;
 * the same one coming back before it was fenced keeps what it runs (H8: a node that a quorum hears is not fenced).
 */
export function applyHello(state: CibState, command: Of<"node.hello">): Change {
  const node = findMember(state, command.memberId);
  if (node === undefined) return refused("NODE_UNKNOWN", `member ${command.memberId} is no node of this cluster`);
  const same = node.incarnation === command.incarnation;
  if (same && (command.greeting ?? 0) < (node.greeting ?? 0)) {
    return refused("INCARNATION_OLD", `a newer greeting of node ${node.name} is in force`);
  }
  const walked = same && command.trips > node.trips;
  if (same && node.membership === "fenced" && !walked) {
    return refused("INCARNATION_FENCED", `node ${node.name} was fenced in this incarnation`);
  }
  const request = state.fencing.get(node.name);
  if (same && node.membership === "lost" && request?.current != null) {
    return refused("FENCING_UNDER_WAY", `a device is fencing ${node.name} at this moment`);
  }
  const facts = {
    guarantee: command.guarantee,
    kernelGuarantee: command.kernelGuarantee ?? command.guarantee,
    greeting: command.greeting ?? 0,
    ...(command.clockDifferenceMs === undefined ? {} : { clockDifferenceMs: command.clockDifferenceMs }),
    ...(command.selfFenceMs === undefined ? {} : { selfFenceMs: Math.max(command.selfFenceMs, same ? (node.selfFenceMs ?? 0) : 0) }),
    stopBoundMs: command.stopBoundMs,
    trips: command.trips,
    version: command.version,
    featureLevelMax: command.featureLevelMax,
    // Its guardian keeps the deadline that a planned absence was promised, also when the daemon is back before.
    detachedUntilMs: same ? node.detachedUntilMs : null,
  };
  if (same && node.membership === "online" && !walked) {
    return accepted(withNode(state, { ...node, ...facts }), { voidsPlans: false });
  }
  const kept = same && !walked ? state : endIncarnation(state, node);
  const base = kept.nodes.get(node.name) ?? node;
  const arrived = same ? {} : { arrivedAt: state.index };
  const { incarnation } = command;
  const online: NodeStatus = { ...base, ...facts, ...arrived, membership: "online", incarnation, sinceMs: state.clockMs };
  const withdrawn = request !== undefined && request.source === "policy" && request.current === null;
  const fencing = withdrawn ? kept.fencing.delete(node.name) : kept.fencing;
  return accepted({ ...withNode(kept, online), fencing }, { voidsPlans: true });
}

/** Silence (RAFT.md §7, node loss). What the node ran is kept in its history: it may run still. */
export function applyLost(state: CibState, command: Of<"node.lost">): Change {
  const node = findMember(state, command.memberId);
  if (node === undefined) return refused("NODE_UNKNOWN", `member ${command.memberId} is no node of this cluster`);
  if (node.incarnation !== command.incarnation) return refused("INCARNATION_OLD", `node ${node.name} is in another incarnation now`);
  if (node.membership !== "online" && node.membership !== "detached") {
    return refused("NODE_NOT_ONLINE", `node ${node.name} is ${node.membership} already`);
  }
  const lost: NodeStatus = { ...node, membership: "lost", sinceMs: state.clockMs };
  return accepted(withNode(state, lost), { voidsPlans: true });
}

/**
 * Resources that were found running, or managed again, are covered from here on. Refused when anything changed since the
 * plan was made: it may have been a plan without them.
 */
export function applyCovers(state: CibState, command: Of<"node.covers">): Change {
  const node = findMember(state, command.memberId);
  if (node === undefined) return refused("NODE_UNKNOWN", `member ${command.memberId} is no node of this cluster`);
  if (node.incarnation !== command.incarnation) return refused("INCARNATION_OLD", `node ${node.name} is in another incarnation now`);
  if (command.basedOn < state.voidedAt) return refused("PLAN_STALE", `something changed at ${state.voidedAt}`);
  let history = node.history;
  for (const resource of command.resources) {
    const entry = history.get(resource);
    if (entry === undefined || !entry.active || isKept(state, node, resource)) continue;
    history = history.set(resource, { ...entry, covered: true });
  }
  return accepted(withNode(state, { ...node, history }), { voidsPlans: false });
}

/** A planned absence of the daemon, at most this long (milliseconds). */
export const DETACH_MAX_MS = 600_000;

export function applyDetach(state: CibState, command: Of<"node.detach">): Change {
  const node = findMember(state, command.memberId);
  if (node === undefined) return refused("NODE_UNKNOWN", `member ${command.memberId} is no node of this cluster`);
  if (node.incarnation !== command.incarnation) return refused("INCARNATION_OLD", `node ${node.name} is in another incarnation now`);
  if (node.membership !== "online" && node.membership !== "detached") {
    return refused("NODE_NOT_ONLINE", `node ${node.name} is ${node.membership}`);
  }
  // Never earlier than promised before: the guardian's deadline does not move back.
  const detachedUntilMs = Math.max(node.detachedUntilMs ?? 0, Math.min(command.untilMs, state.clockMs + DETACH_MAX_MS));
  const detachedAtMs = state.clockMs;
  const detached: NodeStatus = { ...node, membership: "detached", sinceMs: state.clockMs, detachedUntilMs, detachedAtMs };
  return accepted(withNode(state, detached), { voidsPlans: false });
}

export function applyLeave(state: CibState, command: Of<"node.leave">): Change {
  const node = findMember(state, command.memberId);
  if (node === undefined) return refused("NODE_UNKNOWN", `member ${command.memberId} is no node of this cluster`);
  if (node.incarnation !== command.incarnation) return refused("INCARNATION_OLD", `node ${node.name} is in another incarnation now`);
  // A goodbye of an earlier plan may come after something was begun there again: forgotten, that would be started elsewhere too.
  if (activeOn(state, node).length > 0) return refused("NODE_ACTIVE", `resources still run on ${node.name}`);
  const ended = endIncarnation(state, node);
  const base = ended.nodes.get(node.name) ?? node;
  return accepted(withNode(ended, { ...base, membership: "offline", sinceMs: state.clockMs }), { voidsPlans: true });
}

/** Everything tied to the incarnation ends with it: intents, history, transient attributes. */
export function endIncarnation(state: CibState, node: NodeStatus): CibState {
  let intents = state.intents;
  for (const intent of state.intents.values()) if (intent.node === node.name) intents = intents.delete(intent.key);
  const cleared: NodeStatus = { ...node, attributes: PersistentMap.empty(), history: PersistentMap.empty(), detachedUntilMs: null };
  return { ...withNode(state, cleared), intents };
}

export function findMember(state: CibState, memberId: number): NodeStatus | undefined {
  for (const node of state.nodes.values()) if (node.memberId === memberId) return node;
  return undefined;
}
