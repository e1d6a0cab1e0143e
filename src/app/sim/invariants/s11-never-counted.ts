import type { Status } from "../../../core/raft/index.ts";
import type { Invariant } from "../invariant.ts";
import { Acknowledgements, isQuorum } from "./tally.ts";

/**
 * A damaged member promises nothing, and once it has told a leader so, nothing that it said before counts with it.
 * Learners and removed members hold no votes in the tally, so what they say never makes a quorum.
 */
export function neverCounted(): Invariant {
  const acks = new Acknowledgements();
  const seen = new Map<number, Status>();
  return {
    id: "S11",
    rule: "recovering, amnesiac, removed or learner members are never counted",
    onSend: (world, from, to, message) => {
      // Heartbeats and appends promise nothing, so the core is not asked about them: a status costs more than sending them.
      const elects = (message.kind === "voteReply" && message.granted) || message.kind === "vote";
      const damaged = (elects || message.kind === "snapReply") && from.shell?.core.raftStatus.recovering === true;
      if (damaged && elects) world.violated("S11", `${from.name} is recovering and takes part in the election of term ${message.term}`);
      acks.said(from.member, to, message, message.kind === "appendReply" ? message.state === "recovering" : damaged);
    },
    onDeliver: (world, host, from, message) => {
      if (!world.hosts.some(({ member }) => member === from) && message.kind === "voteReply") return;
      if (message.kind !== "appendReply" && message.kind !== "heartbeatReply") return;
      const told = message.state === "recovering" ? acks.forget : acks.whole;
      told.call(acks, from, host.member, message.term, message.boot);
    },
    onStored: (_, host, write) => acks.stored(host.member, write),
    onRestored: (_, host, { last }) => {
      acks.restored(host.member, last);
      seen.delete(host.member);
    },
    after: (world, touched) => {
      for (const { name, member, shell } of touched) {
        const now = shell?.core.raftStatus;
        if (now === undefined) continue;
        const before = seen.get(member);
        seen.set(member, now);
        if (now.role !== "leader" || before?.role !== "leader" || before.term !== now.term || now.commit <= before.commit) continue;
        const holders = acks.holders(member, now.term, now.commit);
        if (![now, before].some(({ configuration }) => isQuorum(configuration, holders)))
          world.violated("S11", `${name} commits ${now.commit}; of those who may be counted only ${[...holders].join(", ")} hold it`);
      }
    },
  };
}
