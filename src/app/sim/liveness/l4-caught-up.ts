import type { Bound } from "./bound.ts";

/** A commit is told within a heartbeat; milliseconds. */
const CATCH_UP_MS = 1_000;

export const caughtUp: Bound = {
  id: "L4",
  rule: "every live member is caught up",
  hold: (world) => {
    const target = world.replica.index;
    const behind = (): boolean => world.hosts.some(({ shell }) => shell === null || shell.core.state.index < target);
    return world.until("every member at the end of the log", CATCH_UP_MS, () => !behind(), "L4");
  },
};
