import type { Invariant } from "../invariant.ts";

export function noWayBack(): Invariant {
  const handedOver = new Map<number, number>();
  const durable = new Map<number, number>();
  const promised = new Map<number, { readonly term: number; readonly to: number }>();
  const commits = new Map<number, number>();
  return {
    id: "S6",
    rule: "term and vote never go back on a member id, commit and applied never within one boot",
    onSend: (_, from, to, message) => {
      if (message.kind === "voteReply" && message.granted) promised.set(from.member, { term: message.term, to });
    },
    onSave: (world, host, { hard }) => {
      if (hard === null) return;
      const before = handedOver.get(host.member) ?? 0;
      if (hard.term < before) world.violated("S6", `${host.name} stores term ${hard.term} after ${before}`);
      handedOver.set(host.member, hard.term);
    },
    onStored: (_, host, { hard }) => {
      if (hard !== null) durable.set(host.member, hard.term);
    },
    onRestored: (world, host, facts) => {
      commits.delete(host.member);
      // A term that was handed to the disk and never became durable bound nobody: it may be gone, or be there.
      const known = durable.get(host.member) ?? 0;
      if (facts.term < known) world.violated("S6", `${host.name} had term ${known} on its disk and starts with term ${facts.term}`);
      durable.set(host.member, facts.term);
      handedOver.set(host.member, facts.term);
      const promise = promised.get(host.member);
      if (promise === undefined || facts.finding === "recovering") return;
      if (facts.term < promise.term || (facts.term === promise.term && facts.vote !== promise.to)) {
        world.violated(
          "S6",
          `${host.name} promised its vote of term ${promise.term} to ${promise.to} and starts with term ${facts.term}, vote ${facts.vote}`,
        );
      }
    },
    after: (world, touched) => {
      for (const { name, member, shell } of touched) {
        if (shell === null) continue;
        const { commit } = shell.core.raftStatus;
        if (commit < (commits.get(member) ?? 0)) world.violated("S6", `the commit index of ${name} went back to ${commit}`);
        commits.set(member, commit);
      }
    },
  };
}
