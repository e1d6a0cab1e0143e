import type { Role, Status } from "./types.ts";

/** One event in the form of etcd's TLA+ trace (RAFT.md §11): one JSON line an event, so that a model can be laid beside it. */
export type TraceEvent = {
  readonly tag: "trace";
  readonly event: {
    readonly name: string;
    readonly nid: string;
    readonly state: { readonly term: number; readonly vote: string; readonly commit: number };
    readonly role: string;
    readonly log: number;
    readonly conf: readonly [readonly string[], readonly string[]];
  };
};

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  preCandidate: "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};

/** What `name` (the kind of an input or message) has led to. `log` is the index of the last entry. */
export function traceEvent(name: string, status: Status): TraceEvent {
  const { id, term, vote, commit, role, last, configuration } = status;
  const ids = (half: ReadonlyMap<number, number>): string[] => [...half.keys()].map(String);
  return {
    tag: "trace",
    event: {
      name,
      nid: `${id}`,
      state: { term, vote: vote === null ? "0" : `${vote}`, commit },
      role: ROLE_NAMES[role],
      log: last.index,
      conf: [ids(configuration.voters), ids(configuration.outgoing)],
    },
  };
}
