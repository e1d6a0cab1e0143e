import type { Invariant } from "../invariant.ts";

export function noWayBack(): Invariant {
  const terms = new Map<number, number>();
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
      if (hard.term < (terms.get(host.member) ?? 0))
        world.violated("S6", `${host.name} stores term ${hard.term} after ${terms.get(host.member)}`);
      terms.set(host.member, hard.term);
    },
    onRestored: (world, host, facts) => {
      commits.delete(host.member);
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
