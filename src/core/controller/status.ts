import {
  attributeOf,
  type CibState,
  childrenOf,
  type Element,
  isSettled,
  kernelStateOn,
  type NodeStatus,
  renderCib,
  tsafeMs,
} from "../cib/index.ts";
import type { Configuration } from "../raft/index.ts";
import { deadMemberWarning } from "./dead-members.ts";
import { type Host, stampMs } from "./host.ts";
import type { Leader } from "./leader.ts";

/** An action may wait this long for its turn at the guardian on top of its own timeout, milliseconds. */
const OVERDUE_MS = 20_000;
/** A member whose wall clock differs by more is reported (RAFT.md §7), milliseconds. */
const CLOCK_WARN_MS = 1_000;
/** Names in one warning. */
const NAMES_MAX = 5;

/** Is there a leader that this node hears, with a quorum behind it? */
export function isQuorate(host: Host): boolean {
  const { raftStatus: raft, nowMs, timing } = host;
  if (raft.leader === null || raft.removed) return false;
  if (raft.role === "leader") return raft.quorumRoundMs !== null && nowMs - raft.quorumRoundMs < timing.leaseMs;
  return raft.leaderHeardMs !== null && nowMs - raft.leaderHeardMs < timing.leaseMs;
}

export function leaderName(host: Host): string | null {
  const leader = host.raftStatus.leader;
  if (leader === null) return null;
  for (const node of host.state.nodes.values()) if (node.memberId === leader) return node.name;
  return host.raftStatus.configuration.members.get(leader)?.name ?? null;
}

export function cibOf(host: Host): Element {
  return renderCib(host.state, { quorate: isQuorate(host), leader: leaderName(host), forPolicy: null });
}

/** The result of `status` (docs/api.md). */
export function statusOf(host: Host, leader: Leader): Readonly<Record<string, unknown>> {
  const { state, raftStatus: raft, options } = host;
  const quorate = isQuorate(host);
  return {
    phase: "member",
    version: options.version,
    cluster: state.cluster,
    self: { node: options.node, memberId: options.memberId },
    leader: raft.leader === null ? null : { node: leaderName(host), memberId: raft.leader },
    term: raft.term,
    quorate,
    stale: !quorate || state.index < raft.leaderCommit,
    index: state.index,
    epoch: state.epoch,
    featureLevel: state.featureLevel,
    clockMs: state.clockMs,
    // As the policy engine sees it, so that explanations, plans and simulations decide as the cluster does.
    cib: renderCib(state, { quorate, leader: leaderName(host), forPolicy: { nowMs: stampMs(host) } }),
    nodes: [...state.nodes.values()].map((node) => nodeRow(host, node)),
    transition: transitionOf(host, leader),
    fencing: { pending: pendingFencing(host, leader), history: [...state.fencingHistory].reverse().map(fencingRow) },
    policyFailure: failureInForce(state),
    warnings: [...warningsOf(host, quorate), ...holdOf(leader)],
  };
}

function failureInForce(state: CibState): unknown {
  const failure = state.policyFailure;
  return failure !== null && failure.basedOn >= state.changedAt
    ? { code: failure.code, message: failure.message, basedOn: failure.basedOn }
    : null;
}

function nodeRow(host: Host, node: NodeStatus): unknown {
  const { raftStatus: raft, nowMs, timing } = host;
  const peer = node.memberId === null ? undefined : raft.peers.get(node.memberId);
  const votes = node.memberId === null ? 0 : (raft.configuration.voters.get(node.memberId) ?? 0);
  const own = node.memberId === host.options.memberId;
  return {
    name: node.name,
    id: node.id,
    memberId: node.memberId,
    state: node.membership,
    incarnation: node.incarnation,
    sinceMs: node.sinceMs,
    detachedUntilMs: node.membership === "detached" ? node.detachedUntilMs : null,
    guarantee: node.guarantee,
    kernelGuarantee: node.kernelGuarantee ?? node.guarantee,
    kernelState: kernelStateOn(host.state, node),
    stopBoundMs: node.stopBoundMs,
    tsafeMs: node.guarantee === "none" ? null : tsafeMs(timing.tselfMs, node),
    clockDifferenceMs: node.clockDifferenceMs ?? null,
    votes,
    witness: node.witness === true,
    learner: node.memberId !== null && raft.configuration.learners.has(node.memberId),
    contactAgeMs: own ? 0 : peer?.lastHeardMs == null ? null : Math.round(nowMs - peer.lastHeardMs),
    version: node.version,
  };
}

/** The result of `transition`. */
export function transitionOf(host: Host, leader: Leader): Readonly<Record<string, unknown>> {
  const { state } = host;
  const inFlight = [...state.intents.values()].map((intent) => ({
    key: intent.key,
    resource: intent.resource,
    task: intent.task,
    intervalMs: intent.intervalMs,
    node: intent.node,
    sinceMs: intent.committedAtMs,
  }));
  const failed = failureInForce(state) !== null;
  const idle = isSettled(state);
  const kind = failed ? "failed" : idle ? "idle" : inFlight.length > 0 || state.fencing.size > 0 ? "running" : "computing";
  return {
    state: kind,
    id: state.transition,
    basedOn: leader.lastPlan?.basedOn ?? state.settled?.basedOn ?? null,
    inFlight,
    waiting: leader.waiting,
    recheckAtMs: state.settled?.recheckAtMs ?? null,
  };
}

function pendingFencing(host: Host, leader: Leader): readonly unknown[] {
  return [...host.state.fencing.values()].map((request) => {
    const node = host.state.nodes.get(request.target);
    const { target, action, reason, source, attempts, lastFailure } = request;
    const current = request.current === null ? null : { device: request.current.device, by: request.current.by };
    const tsafeInMs = node === undefined ? null : leader.tsafeInMs(node);
    return { target, action, reason, source, sinceMs: request.requestedAtMs, attempts, current, lastFailure, tsafeInMs };
  });
}

export function fencingRow(record: CibState["fencingHistory"][number]): unknown {
  const { target, action, reason, source, by, ok, startedAtMs, finishedAtMs, detail } = record;
  return { target, action, reason, source, by, ok, startedMs: startedAtMs, finishedMs: finishedAtMs, detail };
}

function warningsOf(host: Host, quorate: boolean): readonly string[] {
  const { state } = host;
  const warnings: string[] = [];
  if (!quorate) warnings.push("no quorum: this node knows no leader with a majority of votes behind it; what is shown may be old");
  if (state.cluster?.forcedAtMs !== undefined && [...state.nodes.values()].some((node) => isStranger(host, node))) {
    const names = [...state.nodes.values()].filter((node) => isStranger(host, node)).map((node) => node.name);
    warnings.push(
      `force-new-cluster was used: ${names.join(", ")} left the membership with it; confirm that they are down, then remove them`,
    );
  }
  for (const node of state.nodes.values()) {
    if (node.membership === "online" && node.witness !== true && node.guarantee === "none") {
      warnings.push(`node ${node.name}: nothing guarantees that its resources stop when it falls silent; confirmed fencing is needed`);
    }
    const kernel = kernelStateOn(state, node);
    if (kernel.length > 0 && node.guarantee !== "none") {
      const names = kernel.slice(0, NAMES_MAX).join(", ") + (kernel.length > NAMES_MAX ? ", ..." : "");
      warnings.push(
        `node ${node.name} cannot reset its host (self-fence=kill), and killing proves nothing about ${names}: confirmed fencing is needed`,
      );
    }
    const difference = node.clockDifferenceMs ?? 0;
    if (node.membership === "online" && Math.abs(difference) > CLOCK_WARN_MS) {
      const way = difference > 0 ? "ahead of" : "behind";
      warnings.push(`node ${node.name}: its clock is ${Math.abs(difference)} ms ${way} the cluster's`);
    }
  }
  warnings.push(...overdue(host));
  const alone = majorityAlone(host);
  if (alone !== null) warnings.push(`${alone} alone has more than half of the votes: without it there is no quorum, whoever else is there`);
  const dead = deadMemberWarning(host);
  if (dead !== null) warnings.push(dead);
  const failure = failureInForce(state);
  if (failure !== null) warnings.push("the policy engine failed: nothing new is started until the configuration or the cluster changes");
  for (const set of childrenOf(cibConfiguration(host), "cluster_property_set")) {
    for (const pair of childrenOf(set, "nvpair")) {
      const name = attributeOf(pair, "name");
      const off = /^(?:false|off|no|n|0)$/i.test(attributeOf(pair, "value") ?? "");
      if ((name === "stonith-enabled" || name === "fencing-enabled") && off) {
        warnings.push("fencing is disabled: a resource may run twice after a failure (H1 is not guaranteed)");
      }
    }
  }
  return warnings;
}

/**
 * Nodes that owe the end of an action for much longer than it may take: their guardian hangs or is not there. Nothing is
 * decided about such a node while its daemon speaks, so a person has to be told.
 */
function overdue(host: Host): readonly string[] {
  const { state } = host;
  const owed = new Map<string, { readonly what: string; readonly sinceMs: number }>();
  for (const intent of state.intents.values()) {
    const sinceMs = stampMs(host) - intent.committedAtMs;
    const isLate = sinceMs > intent.action.timeoutMs + OVERDUE_MS && state.nodes.get(intent.node)?.membership === "online";
    if (isLate && sinceMs > (owed.get(intent.node)?.sinceMs ?? 0))
      owed.set(intent.node, { what: `${intent.task} of ${intent.resource}`, sinceMs });
  }
  return [...owed].map(
    ([node, { what, sinceMs }]) =>
      `node ${node}: its guardian has not told the end of the ${what} that was asked ${Math.round(sinceMs / 1000)} s ago; does quorate-guardian run and answer there?`,
  );
}

function holdOf(leader: Leader): readonly string[] {
  const { awaited } = leader;
  return leader.leading || awaited.length === 0
    ? []
    : [`wait-for-all: nothing is decided before ${awaited.join(", ")} has been seen (or confirmed down with \`node clearstate\`)`];
}

/** The member, of several, that is a quorum by itself: allowed, and seldom meant (RAFT.md §3). */
function majorityAlone(host: Host): string | null {
  const { voters, members } = host.raftStatus.configuration;
  if (members.size < 2) return null;
  const total = [...voters.values()].reduce((sum, votes) => sum + votes, 0);
  const found = [...voters].find(([, votes]) => 2 * votes > total);
  return found === undefined ? null : (members.get(found[0])?.name ?? String(found[0]));
}

function isStranger(host: Host, node: NodeStatus): boolean {
  return node.memberId !== null && !host.raftStatus.configuration.members.has(node.memberId);
}

function cibConfiguration(host: Host): Element {
  const configuration = cibOf(host).children[0];
  const section = configuration === undefined ? undefined : configuration.children.find((child) => child.name === "crm_config");
  return section ?? { name: "crm_config", attributes: {}, children: [] };
}

/** The result of `cluster.status` (docs/api.md). */
export function clusterStatusOf(host: Host): Readonly<Record<string, unknown>> {
  const { raftStatus: raft, state, options, nowMs } = host;
  const configuration: Configuration = raft.configuration;
  const last = raft.last.index;
  const isLeader = raft.role === "leader";
  const members = [...configuration.members].map(([memberId, member]) => {
    const peer = raft.peers.get(memberId);
    const own = memberId === options.memberId;
    const match = own ? raft.stored : (peer?.match ?? null);
    const node = [...state.nodes.values()].find((candidate) => candidate.memberId === memberId);
    return {
      memberId,
      node: member.name,
      addresses: member.addresses,
      votes: configuration.voters.get(memberId) ?? 0,
      learner: configuration.learners.has(memberId),
      witness: configuration.witnesses.has(memberId),
      match: isLeader ? match : null,
      lag: isLeader && match !== null ? Math.max(0, last - match) : null,
      contactAgeMs: own ? 0 : peer?.lastHeardMs == null ? null : Math.round(nowMs - peer.lastHeardMs),
      storeAgeMs: own ? raft.storeAgeMs : isLeader ? (peer?.storeAgeMs ?? null) : null,
      state: own ? (raft.recovering ? "recovering" : "normal") : isLeader ? (peer?.state ?? null) : null,
      guarantee: node?.guarantee ?? "none",
      kernelGuarantee: node?.kernelGuarantee ?? node?.guarantee ?? "none",
      tsafeMs: node === undefined || node.guarantee === "none" ? null : tsafeMs(host.timing.tselfMs, node),
      clockDifferenceMs: node?.clockDifferenceMs ?? null,
    };
  });
  const role = configuration.learners.has(options.memberId) ? "learner" : raft.role === "preCandidate" ? "candidate" : raft.role;
  const totalVotes = [...configuration.voters.values()].reduce((sum, votes) => sum + votes, 0);
  return {
    clusterId: state.cluster?.id ?? null,
    name: state.cluster?.name ?? null,
    self: { node: options.node, memberId: options.memberId },
    term: raft.term,
    role,
    leader: raft.leader === null ? null : { node: leaderName(host), memberId: raft.leader },
    quorate: isQuorate(host),
    commitIndex: raft.commit,
    appliedIndex: state.index,
    lastIndex: last,
    quorumVotes: Math.floor(totalVotes / 2) + 1,
    totalVotes,
    joint: configuration.outgoing.size > 0,
    members,
  };
}
