import type { Invariant } from "../invariant.ts";

export function leaderAppendOnly(): Invariant {
  const lastSaved = new Map<string, { readonly term: number; readonly index: number }>();
  return {
    id: "S2",
    rule: "a leader never rewrites its log",
    onSave: (world, host, { entries }) => {
      const raft = host.shell?.core.raftStatus;
      const first = entries[0];
      const last = entries.at(-1);
      if (raft?.role !== "leader" || first === undefined || last === undefined) return;
      const before = lastSaved.get(host.name);
      if (before !== undefined && before.term === raft.term && first.index <= before.index) {
        world.violated("S2", `${host.name} leads in term ${raft.term} and rewrites entry ${first.index}`);
      }
      lastSaved.set(host.name, { term: raft.term, index: last.index });
    },
    onRestored: (_, host) => {
      lastSaved.delete(host.name);
    },
  };
}
