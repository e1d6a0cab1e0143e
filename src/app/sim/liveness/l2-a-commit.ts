import type { Bound } from "./bound.ts";
import { commitOne } from "./commit-one.ts";

/** Slowest write of the simulated disks, and the way to the leader and back; milliseconds. */
const WRITE_MS = 20;

export const aCommit: Bound = {
  id: "L2",
  rule: "a proposal commits within 2 E + write",
  hold: async (world) => {
    const committed = commitOne(world, world.leader());
    await world.until("a commit", 2 * world.plan.electionMs + WRITE_MS, committed, "L2");
  },
};
