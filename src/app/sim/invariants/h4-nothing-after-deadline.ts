import { stopBoundMs } from "../guardian.ts";
import type { Invariant } from "../invariant.ts";

/** What the last kill itself may take, milliseconds. */
const LAST_KILL_MS = 100;

export function nothingAfterDeadline(): Invariant {
  return {
    id: "H4",
    rule: "nothing exclusive runs on a node at D + S",
    afterAll: (world) => {
      for (const host of world.hosts) {
        if (!host.powered || host.services.active.size === 0) continue;
        const { deadlineMs, plan } = host.memory;
        const lateMs = host.clock.nowMs() - deadlineMs - stopBoundMs(plan) - LAST_KILL_MS;
        if (lateMs > 0)
          world.violated("H4", `${[...host.services.active].join(", ")} still active on ${host.name} ${Math.round(lateMs)} ms after D + S`);
      }
    },
  };
}
