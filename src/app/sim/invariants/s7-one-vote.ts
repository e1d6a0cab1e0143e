import type { Invariant } from "../invariant.ts";

export function oneVote(): Invariant {
  const votes = new Map<string, number>();
  return {
    id: "S7",
    rule: "one vote per term per member id",
    onSend: (world, from, to, message) => {
      if (message.kind !== "voteReply" || !message.granted) return;
      const key = `${from.member}/${message.term}`;
      const known = votes.get(key);
      if (known === undefined) votes.set(key, to);
      else if (known !== to) world.violated("S7", `${from.name} votes for ${known} and for ${to} in term ${message.term}`);
    },
  };
}
