import type { Invariant } from "../invariant.ts";

export function ackedIsDurable(): Invariant {
  const acked = new Map<number, number>();
  const durable = new Map<number, number>();
  return {
    id: "S8",
    rule: "every acknowledged entry is durable at the time of its acknowledgement",
    onSend: (world, from, _, message) => {
      const appended = message.kind === "appendReply" && message.ok && message.state !== "recovering";
      const match = appended ? message.match : message.kind === "snapReply" && message.done ? message.last.index : 0;
      const held = durable.get(from.member) ?? 0;
      if (match > held) world.violated("S8", `${from.name} acknowledges entry ${match}, and its disk holds ${held} entries`);
      acked.set(from.member, Math.max(acked.get(from.member) ?? 0, match));
    },
    onSave: (_, host, { entries, snapshot }) => {
      // A conflicting leader takes back what was acknowledged to a deposed one; it never was committed (S4 watches).
      const first = entries[0];
      const known = acked.get(host.member) ?? 0;
      if (first !== undefined && first.index <= known) acked.set(host.member, first.index - 1);
      // A snapshot is taken only over a log that conflicts with it; it is acknowledged by an answer of its own.
      if (snapshot !== null) acked.set(host.member, Math.min(known, snapshot.meta.last.index));
    },
    onStored: (_, host, { entries, snapshot }) => {
      const last = entries.at(-1)?.index ?? snapshot?.meta.last.index;
      if (last !== undefined) durable.set(host.member, last);
    },
    onRestored: (world, host, facts) => {
      durable.set(host.member, facts.last);
      const known = acked.get(host.member) ?? 0;
      if (facts.finding !== "recovering" && facts.last < known) {
        world.violated("S8", `${host.name} acknowledged entry ${known} and starts with a log that ends at ${facts.last}`);
      }
    },
  };
}
