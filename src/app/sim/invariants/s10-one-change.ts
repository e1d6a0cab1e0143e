import type { Status } from "../../../core/raft/index.ts";
import type { Invariant } from "../invariant.ts";

/** Seen on leaders, which alone append: the configuration entry before must be committed when the next one is there. */
export function oneChange(): Invariant {
  const seen = new Map<number, Pick<Status, "role" | "term" | "configIndex">>();
  return {
    id: "S10",
    rule: "at most one uncommitted configuration change",
    onRestored: (_, host) => {
      seen.delete(host.member);
    },
    after: (world, touched) => {
      for (const { name, member, shell } of touched) {
        const now = shell?.core.raftStatus;
        if (now === undefined) continue;
        const before = seen.get(member);
        seen.set(member, now);
        if (now.role !== "leader" || before?.role !== "leader" || before.term !== now.term) continue;
        if (now.configIndex > before.configIndex && now.commit < before.configIndex)
          world.violated(
            "S10",
            `${name} changes the configuration at ${now.configIndex} while that of ${before.configIndex} is not committed`,
          );
      }
    },
  };
}
