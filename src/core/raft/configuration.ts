import { invariant, type MemberId, unreachable } from "../base/index.ts";
import type { ConfigChange, Configuration, Limits, Member, Refusal } from "./types.ts";

export type ConfigurationError = "already-joint" | "not-joint" | "no-voters" | "simple-while-joint" | "removed-all-voters" | "needs-joint";

type Draft = {
  readonly voters: Map<MemberId, number>;
  readonly outgoing: Map<MemberId, number>;
  readonly learners: Set<MemberId>;
  readonly learnersNext: Set<MemberId>;
  readonly witnesses: Set<MemberId>;
  readonly members: Map<MemberId, Member>;
};

/** No voters at all: a node that was never told who belongs to the cluster. */
export function emptyConfiguration(): Configuration {
  return {
    voters: new Map(),
    outgoing: new Map(),
    learners: new Set(),
    learnersNext: new Set(),
    witnesses: new Set(),
    autoLeave: false,
    members: new Map(),
  };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.size > 0;
}

/** Every member of either half and every learner, ascending: the order in which anything is ever sent or counted. */
export function memberIds(configuration: Configuration): readonly MemberId[] {
  const ids = new Set<MemberId>([...configuration.voters.keys(), ...configuration.outgoing.keys(), ...configuration.learners]);
  return [...ids].sort((a, b) => a - b);
}

export function isMember(configuration: Configuration, id: MemberId): boolean {
  return configuration.voters.has(id) || configuration.outgoing.has(id) || configuration.learners.has(id);
}

/** Votes in the stronger of both halves; 0 = learner, witness without votes, or stranger. */
export function votesOf(configuration: Configuration, id: MemberId): number {
  return Math.max(configuration.voters.get(id) ?? 0, configuration.outgoing.get(id) ?? 0);
}

/** True if the two give the same votes in both halves, so that no decision can differ. */
export function sameVotes(a: ReadonlyMap<MemberId, number>, b: ReadonlyMap<MemberId, number>): boolean {
  return voteDistance(a, b) === 0;
}

/** Sum of |change| over all members; a step is safe alone only up to 1 (RAFT.md §3). */
export function voteDistance(a: ReadonlyMap<MemberId, number>, b: ReadonlyMap<MemberId, number>): number {
  let sum = 0;
  for (const [id, votes] of a) sum += Math.abs(votes - (b.get(id) ?? 0));
  for (const [id, votes] of b) if (!a.has(id)) sum += votes;
  return sum;
}

/** One step without a joint configuration; at most one vote may differ afterwards (Raft thesis §4.1). */
export function simpleChange(from: Configuration, changes: readonly ConfigChange[]): Configuration | ConfigurationError {
  if (isJoint(from)) return "simple-while-joint";
  const draft = draftOf(from);
  applyChanges(draft, changes);
  if (draft.voters.size === 0) return "removed-all-voters";
  if (voteDistance(from.voters, draft.voters) > 1) return "needs-joint";
  return finish(draft, false);
}

/** Starts a joint change (Raft paper §6): agreement needs both halves, each with its own votes, until `leaveJoint`. */
export function enterJoint(from: Configuration, changes: readonly ConfigChange[], autoLeave: boolean): Configuration | ConfigurationError {
  if (isJoint(from)) return "already-joint";
  if (from.voters.size === 0) return "no-voters";
  const draft = draftOf(from);
  for (const [id, votes] of from.voters) draft.outgoing.set(id, votes);
  applyChanges(draft, changes);
  if (draft.voters.size === 0) return "removed-all-voters";
  return finish(draft, autoLeave);
}

/** Ends a joint change: the incoming half alone decides; voters of the old half that were demoted become learners. */
export function leaveJoint(from: Configuration): Configuration | ConfigurationError {
  if (!isJoint(from)) return "not-joint";
  const draft = draftOf(from);
  draft.outgoing.clear();
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  return finish(draft, false);
}

function draftOf(from: Configuration): Draft {
  return {
    voters: new Map(from.voters),
    outgoing: new Map(from.outgoing),
    learners: new Set(from.learners),
    learnersNext: new Set(from.learnersNext),
    witnesses: new Set(from.witnesses),
    members: new Map(from.members),
  };
}

function applyChanges(draft: Draft, changes: readonly ConfigChange[]): void {
  for (const change of changes) applyChange(draft, change);
}

function applyChange(draft: Draft, change: ConfigChange): void {
  switch (change.op) {
    case "voter":
      if (change.votes === 0) makeLearner(draft, change.id);
      else {
        draft.voters.set(change.id, change.votes);
        draft.learners.delete(change.id);
        draft.learnersNext.delete(change.id);
      }
      if (change.witness === true) draft.witnesses.add(change.id);
      else if (change.witness === false) draft.witnesses.delete(change.id);
      if (change.member !== undefined) draft.members.set(change.id, change.member);
      return;
    case "learner":
      makeLearner(draft, change.id);
      if (change.member !== undefined) draft.members.set(change.id, change.member);
      return;
    case "remove":
      draft.voters.delete(change.id);
      draft.learners.delete(change.id);
      draft.learnersNext.delete(change.id);
      return;
    case "member":
      if (draft.voters.has(change.id) || draft.outgoing.has(change.id) || draft.learners.has(change.id)) {
        draft.members.set(change.id, change.member);
      }
      return;
    default:
      unreachable(change);
  }
}

function makeLearner(draft: Draft, id: MemberId): void {
  if (draft.learners.has(id)) return;
  draft.voters.delete(id);
  // A voter of the outgoing half must keep its vote there until the change has been left (Raft paper §6).
  if (draft.outgoing.has(id)) draft.learnersNext.add(id);
  else draft.learners.add(id);
}

function finish(draft: Draft, autoLeave: boolean): Configuration {
  const kept = (id: MemberId): boolean => draft.voters.has(id) || draft.outgoing.has(id) || draft.learners.has(id);
  for (const id of draft.learners) {
    invariant(!draft.voters.has(id) && !draft.outgoing.has(id), `member ${id} is a learner and a voter`);
  }
  for (const id of draft.learnersNext) invariant(draft.outgoing.has(id), `member ${id} waits to be a learner but does not vote`);
  return {
    voters: sortedMap(draft.voters),
    outgoing: sortedMap(draft.outgoing),
    learners: sortedSet(draft.learners),
    learnersNext: sortedSet(draft.learnersNext),
    witnesses: sortedSet([...draft.witnesses].filter(kept)),
    autoLeave,
    members: sortedMap([...draft.members].filter(([id]) => kept(id))),
  };
}

function sortedMap<V>(entries: Iterable<readonly [MemberId, V]>): ReadonlyMap<MemberId, V> {
  return new Map([...entries].sort((a, b) => a[0] - b[0]));
}

function sortedSet(ids: Iterable<MemberId>): ReadonlySet<MemberId> {
  return new Set([...ids].sort((a, b) => a - b));
}

/** Refuses what no configuration may hold: too many voters or members, votes that are not small integers. */
export function checkConfiguration(
  configuration: Configuration,
  limits: Limits,
): { readonly reason: Refusal; readonly detail: string } | null {
  if (configuration.voters.size > limits.voters) {
    return { reason: "limit-voters", detail: `${configuration.voters.size} voters, the limit is ${limits.voters}` };
  }
  const count = memberIds(configuration).length;
  if (count > limits.members) return { reason: "limit-members", detail: `${count} members, the limit is ${limits.members}` };
  if ([...configuration.voters.keys()].every((id) => configuration.witnesses.has(id))) {
    return { reason: "change-invalid", detail: "only witnesses would be left to vote; a witness never leads for long" };
  }
  return null;
}

/** Votes are positive integers of at most this size, so that sums stay exact. */
export const VOTES_MAX = 1_000_000;

/** The first change that cannot be meant, or null. */
export function checkChanges(changes: readonly ConfigChange[]): string | null {
  for (const change of changes) {
    if (!Number.isSafeInteger(change.id) || change.id <= 0) return `${change.id} is not a member id`;
    if (change.op === "voter" && (!Number.isSafeInteger(change.votes) || change.votes < 0 || change.votes > VOTES_MAX)) {
      return `${change.votes} votes: must be an integer from 0 to ${VOTES_MAX}`;
    }
  }
  return null;
}
