import type { Bound } from "./bound.ts";

export const aLeader: Bound = {
  id: "L1",
  rule: "a leader within 10 E",
  hold: (world) => world.until("a leader", 10 * world.plan.electionMs, () => world.leader() !== null, "L1"),
};
