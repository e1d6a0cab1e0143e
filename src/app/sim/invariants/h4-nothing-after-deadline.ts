import type { Invariant } from "../invariant.ts";

/** g, Tstop and Tkill of the simulated guardians, and a little for the last kill itself; milliseconds. */
const BOUND_MS = 1_000 + 3_000 + 500 + 100;

export function nothingAfterDeadline(): Invariant {
  return {
    id: "H4",
    rule: "nothing exclusive runs on a node at D + S",
    afterAll: (world) => {
      for (const host of world.hosts) {
        if (!host.powered || host.services.active.size === 0) continue;
        const bound = Math.max(BOUND_MS, 1_600 + (host.memory.plan?.stopMs ?? 0));
        const lateMs = host.clock.nowMs() - host.memory.deadlineMs - bound;
        if (lateMs > 0)
          world.violated("H4", `${[...host.services.active].join(", ")} still active on ${host.name} ${Math.round(lateMs)} ms after D + S`);
      }
    },
  };
}
