import { logIndex, type MemberId, term } from "../base/index.ts";
import { emptyConfiguration } from "./configuration.ts";
import type { Configuration, Entry, Member, Restored, SnapshotMeta } from "./types.ts";

/** State of a member that joins: it knows nothing and waits for a leader to speak to it. */
export function emptyRestored<C>(): Restored<C> {
  return {
    hard: { term: term(0), vote: null, commit: logIndex(0) },
    mark: { term: term(0), index: logIndex(0) },
    snapshot: null,
    entries: [],
    recovering: false,
  };
}

/**
 * State of the first member of a new cluster: one committed configuration entry at index 1 of term 1. Used once, on
 * one node, by explicit order (RAFT.md §6); the host must store hard state and entry before it starts the core.
 */
export function bootstrap<C>(first: { readonly id: MemberId; readonly member: Member }): Restored<C> {
  const configuration: Configuration = {
    ...emptyConfiguration(),
    voters: new Map([[first.id, 1]]),
    members: new Map([[first.id, first.member]]),
  };
  return {
    hard: { term: term(1), vote: null, commit: logIndex(1) },
    mark: { term: term(0), index: logIndex(0) },
    snapshot: null,
    entries: [{ term: term(1), index: logIndex(1), kind: "config", configuration }],
    recovering: false,
  };
}

/**
 * `force-new-cluster` (RAFT.md §6): this member alone becomes the cluster, by a human's decision after more than half
 * of the votes were lost for good. Everything that its log holds is taken as committed and a configuration entry with
 * only this member is appended in a new term; acknowledged changes that only lost members held are gone.
 */
export function forceNewCluster<C>(from: Restored<C>, only: { readonly id: MemberId; readonly member: Member }): Restored<C> {
  const lastEntry = from.entries.at(-1);
  const lastIndex = lastEntry?.index ?? from.mark.index;
  const newTerm = term(Math.max(from.hard.term, lastEntry?.term ?? 0) + 1);
  const configuration: Configuration = {
    ...emptyConfiguration(),
    voters: new Map([[only.id, 1]]),
    members: new Map([[only.id, only.member]]),
  };
  const entry: Entry<C> = { term: newTerm, index: logIndex(lastIndex + 1), kind: "config", configuration };
  return {
    hard: { term: newTerm, vote: null, commit: entry.index },
    mark: from.mark,
    snapshot: from.snapshot satisfies SnapshotMeta | null,
    entries: [...from.entries, entry],
    recovering: false,
  };
}
