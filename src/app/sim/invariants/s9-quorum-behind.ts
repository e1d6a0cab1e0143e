import type { Status } from "../../../core/raft/index.ts";
import type { VirtualHost } from "../host.ts";
import type { Invariant } from "../invariant.ts";
import type { World } from "../world.ts";
import { Acknowledgements, isQuorum } from "./tally.ts";

/**
 * Counted from what members said to each other: votes granted to a candidate, entries acknowledged to a leader, and what
 * the leader's own disk has confirmed. One event may commit and change the configuration, so the one before counts too.
 */
export function quorumBehind(): Invariant {
  const granted = new Map<string, Set<number>>();
  const acks = new Acknowledgements();
  const seen = new Map<number, Status>();
  const elected = (world: World, host: VirtualHost, now: Status, before: Status | undefined): void => {
    const voters = new Set([host.member, ...(granted.get(`${host.member}/${now.term}`) ?? [])]);
    if (![now, before].some((status) => status !== undefined && isQuorum(status.configuration, voters)))
      world.violated("S9", `${host.name} leads in term ${now.term} by the votes of ${[...voters].join(", ")} alone`);
  };
  const committed = (world: World, host: VirtualHost, now: Status, before: Status): void => {
    if (host.shell?.core.raft.entryId(now.commit)?.term !== now.term)
      world.violated("S9", `${host.name} leads in term ${now.term} and commits entry ${now.commit}, which is not of its term`);
    const holders = acks.holders(host.member, now.term, now.commit);
    if (![now, before].some(({ configuration }) => isQuorum(configuration, holders)))
      world.violated("S9", `${host.name} commits ${now.commit}, which is durable on members ${[...holders].join(", ")} alone`);
  };
  return {
    id: "S9",
    rule: "a quorum by votes of each half stands behind every election and commit",
    onSend: (_, from, to, message) => {
      acks.said(from.member, to, message);
      if (message.kind !== "voteReply" || !message.granted) return;
      const key = `${to}/${message.term}`;
      granted.set(key, (granted.get(key) ?? new Set<number>()).add(from.member));
    },
    onStored: (_, host, write) => acks.stored(host.member, write),
    onRestored: (_, host, { last }) => {
      acks.restored(host.member, last);
      seen.delete(host.member);
    },
    after: (world, touched) => {
      for (const host of touched) {
        const now = host.shell?.core.raftStatus;
        if (now === undefined) continue;
        const before = seen.get(host.member);
        seen.set(host.member, now);
        if (now.role !== "leader") continue;
        if (before?.role !== "leader" || before.term !== now.term) elected(world, host, now, before);
        else if (now.commit > before.commit) committed(world, host, now, before);
      }
    },
  };
}
