import type { Invariant } from "../invariant.ts";

export function oneLeader(): Invariant {
  const leaders = new Map<number, string>();
  return {
    id: "S1",
    rule: "one leader per term",
    after: (world, touched) => {
      for (const { name, shell } of touched) {
        const raft = shell?.core.raftStatus;
        if (raft?.role !== "leader") continue;
        const known = leaders.get(raft.term);
        if (known === undefined) leaders.set(raft.term, name);
        else if (known !== name) world.violated("S1", `${known} and ${name} both lead in term ${raft.term}`);
      }
    },
  };
}
