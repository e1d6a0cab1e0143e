import { logIndex } from "../../../core/base/index.ts";
import type { Invariant } from "../invariant.ts";

/** With S3 it is enough to look for the newest committed entry. */
export function leaderCompleteness(): Invariant {
  const committed = { index: 0, term: 0, foundIn: 0 };
  const checked = new Map<string, number>();
  return {
    id: "S4",
    rule: "a committed entry is in every later leader's log",
    after: (world, touched) => {
      for (const { name, shell } of touched) {
        if (shell === null) continue;
        const { raft, raftStatus: status, state } = shell.core;
        if (status.role === "leader" && checked.get(name) !== status.term) {
          checked.set(name, status.term);
          if (committed.index > 0 && status.term > committed.foundIn) {
            const own = raft.entryId(logIndex(committed.index));
            const compacted = committed.index < status.first;
            if (!compacted && own?.term !== committed.term) {
              world.violated("S4", `${name} leads in term ${status.term} without entry ${committed.index} of term ${committed.term}`);
            }
          }
        }
        if (state.index > committed.index) {
          const own = raft.entryId(state.index);
          if (own !== null) Object.assign(committed, { index: state.index, term: own.term, foundIn: status.term });
        }
      }
    },
  };
}
