import type { LogIndex, MemberId } from "../base/index.ts";
import { logIndex } from "../base/index.ts";

/** One half of a configuration: member -> votes, integers >= 0 (RAFT.md §3). */
export type Half = ReadonlyMap<MemberId, number>;

/** The halves that must both agree. Empty halves agree to everything (outside a joint change `outgoing` is empty). */
export type Halves = { readonly voters: Half; readonly outgoing: Half };

export type VoteResult = "won" | "lost" | "pending";

function totalVotes(half: Half): number {
  let total = 0;
  for (const votes of half.values()) total += votes;
  return total;
}

/**
 * The largest value that members with strictly more than half of the votes have reached. This is the one decision of
 * the room: commit (value = match), check-quorum, read rounds and leases (value = a time or a round) all ask it.
 * An empty half gives Infinity; nothing known gives 0, or `floor` if the caller's values may be lower.
 */
function halfReached(half: Half, reached: (id: MemberId) => number, floor: number): number {
  if (half.size === 0) return Number.POSITIVE_INFINITY;
  // Sorted as they come: there are seldom more than seven, and this is asked several times an event.
  const values: number[] = [];
  const votes: number[] = [];
  let total = 0;
  for (const [id, own] of half) {
    const value = reached(id);
    let at = values.length;
    for (; at > 0 && (values[at - 1] ?? 0) < value; at -= 1) {
      values[at] = values[at - 1] ?? 0;
      votes[at] = votes[at - 1] ?? 0;
    }
    values[at] = value;
    votes[at] = own;
    total += own;
  }
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) {
    sum += votes[at] ?? 0;
    if (sum * 2 > total) return values[at] ?? floor;
  }
  return floor;
}

/** The largest value that a quorum of each half has reached; `floor` when no quorum can exist. */
export function quorumReached(halves: Halves, reached: (id: MemberId) => number, floor = 0): number {
  return Math.min(halfReached(halves.voters, reached, floor), halfReached(halves.outgoing, reached, floor));
}

/** Highest index that a quorum of each half holds durably; Infinity when both halves are empty (RAFT.md §3). */
export function committedIndex(halves: Halves, matchOf: (id: MemberId) => LogIndex | undefined): LogIndex {
  return logIndex(quorumReached(halves, (id) => matchOf(id) ?? 0));
}

function halfVote(half: Half, answers: ReadonlyMap<MemberId, boolean>): VoteResult {
  if (half.size === 0) return "won";
  const total = totalVotes(half);
  let granted = 0;
  let missing = 0;
  for (const [id, votes] of half) {
    const answer = answers.get(id);
    if (answer === undefined) missing += votes;
    else if (answer) granted += votes;
  }
  if (granted * 2 > total) return "won";
  return (granted + missing) * 2 > total ? "pending" : "lost";
}

/** Outcome of an election: lost as soon as the missing answers cannot make it won any more. Both halves must agree. */
export function voteResult(halves: Halves, answers: ReadonlyMap<MemberId, boolean>): VoteResult {
  const one = halfVote(halves.voters, answers);
  const other = halfVote(halves.outgoing, answers);
  if (one === other) return one;
  if (one === "lost" || other === "lost") return "lost";
  return "pending";
}
