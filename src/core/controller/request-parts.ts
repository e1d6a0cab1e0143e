import {
  attributeOf,
  type ConfigurationEdit,
  childrenOf,
  type Element,
  element,
  failCountNames,
  type NodeStatus,
  parseCount,
  withChildren,
} from "../cib/index.ts";
import type { ConfigChange, Configuration, Member } from "../raft/index.ts";
import { RequestError } from "./params.ts";

/** How long an attribute lives: in the configuration, or until the host boots. */
export type Lifetime = "forever" | "reboot";
export const LIFETIMES: readonly Lifetime[] = ["forever", "reboot"];

/** `wait.idle`, and the wait for a node's shutdown, take at most this long, milliseconds. */
export const WAIT_MAX_MS = 3_600_000;

/** A wait that took longer than its limit. */
export function tooLate(): RequestError {
  return new RequestError("TIMEOUT", "this took longer than it may", { retryable: true });
}

/** A node name that the cluster does not know. */
export function unknownNode(name: string): RequestError {
  return new RequestError("NODE_UNKNOWN", `there is no node ${name}`);
}

/** What an editor needs to know about a conflict: which object, and the epoch now. */
export function conflictFacts(code: string, edits: readonly ConfigurationEdit[], epoch: number): unknown {
  const first = edits[0];
  return code === "CIB_CONFLICT" && first !== undefined ? { section: first.section, id: first.id, epoch } : undefined;
}

/** Does the configuration say what the change asks for? */
export function isMade(configuration: Configuration, change: ConfigChange): boolean {
  switch (change.op) {
    case "voter":
      return (configuration.voters.get(change.id) ?? 0) === change.votes;
    case "learner":
      return configuration.learners.has(change.id) && !configuration.voters.has(change.id);
    case "remove":
      return !configuration.members.has(change.id);
    case "member":
      return sameMember(configuration.members.get(change.id), change.member);
  }
}

function sameMember(a: Member | undefined, b: Member): boolean {
  return a?.name === b.name && a.incarnation === b.incarnation && a.addresses.join(" ") === b.addresses.join(" ");
}

/** What a refusal of the consensus core means to a caller. */
export function refusedByRaft(reason: string, detail?: string): RequestError {
  const told = detail === undefined || detail === "" ? "" : `: ${detail}`;
  switch (reason) {
    case "not-leader":
    case "no-leader":
    case "not-ready":
      return new RequestError("NO_LEADER", `there is no leader now${told}`, { retryable: true });
    case "busy":
    case "transferring":
      return new RequestError("BUSY", `the cluster cannot take this now (${reason})${told}`, { retryable: true });
    case "too-large":
      return new RequestError("LIMIT_EXCEEDED", `one change in one entry has at most 2 MiB; upload it in parts${told}`);
    case "change-pending":
      return new RequestError("CHANGE_IN_PROGRESS", `another change of the membership is under way${told}`, { retryable: true });
    case "lost-leadership":
    case "timed-out":
      return new RequestError("LEADER_CHANGED", `the leader changed meanwhile${told}`, { retryable: true });
    default:
      return new RequestError("MEMBERSHIP_REFUSED", `refused (${reason})${told}`);
  }
}

/** The result of `resource.failcount` with action `show`. */
export function failCountOf(node: NodeStatus, resource: string, operation: string | null, intervalMs: number | null): unknown {
  const entries: { operation: string; intervalMs: number; value: number; lastFailureMs: number | null }[] = [];
  for (const name of failCountNames(node, resource, operation, intervalMs)) {
    const parts = /^fail-count-.+#(.+)_(\d+)$/.exec(name);
    if (parts === null) continue;
    const last = node.attributes.get(name.replace(/^fail-count-/, "last-failure-"));
    const lastFailureMs = last === undefined ? null : Number.parseInt(last, 10) * 1000;
    entries.push({ operation: parts[1] ?? "", intervalMs: Number(parts[2]), value: parseCount(node.attributes.get(name)), lastFailureMs });
  }
  const value = Math.min(
    1_000_000,
    entries.reduce((sum, entry) => sum + entry.value, 0),
  );
  return { value, entries };
}

/** The node's element with the attribute set (or, with null, removed) in its `instance_attributes`. */
export function withNodeAttribute(node: Element, name: string, value: string | null): Element {
  const id = attributeOf(node, "id") ?? "";
  const sets = childrenOf(node, "instance_attributes");
  const setId = sets[0] === undefined ? `nodes-${id}` : (attributeOf(sets[0], "id") ?? `nodes-${id}`);
  const base = sets[0] ?? element("instance_attributes", { id: setId });
  const others = base.children.filter((pair) => attributeOf(pair, "name") !== name);
  const pairs = value === null ? others : [...others, element("nvpair", { id: `${setId}-${name}`, name, value })];
  const rest = node.children.filter((child) => child !== sets[0]);
  return withChildren(node, pairs.length === 0 ? rest : [withChildren(base, pairs), ...rest]);
}
