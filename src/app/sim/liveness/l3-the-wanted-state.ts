import { Violation } from "../invariant.ts";
import { TIMEOUTS } from "../services.ts";
import type { World } from "../world.ts";
import type { Bound } from "./bound.ts";
import { serves } from "./serves.ts";

/** The longest chain: probe, the dependent stops, what it depends on stops and starts elsewhere, it starts; seconds. */
const CHAIN_S = TIMEOUTS.monitor + TIMEOUTS.stop + TIMEOUTS.slowStop + 2 * TIMEOUTS.start + TIMEOUTS.promote;
/** Tself, the guardian's pause, the stop plan of both tied services, the last kill, and drift (RAFT.md §7); seconds. */
const TSAFE_S = 5 + 1 + TIMEOUTS.stop + TIMEOUTS.slowStop + 0.5 + 0.1;
/** A fence agent that began to hang before the end of the faults ends at its own timeout; seconds. */
const FENCE_S = 60;
export const WANTED_MS = (CHAIN_S + TSAFE_S + FENCE_S) * 1_000;
const LOOKS_APART_MS = 10_000;

export const theWantedState: Bound = {
  id: "L3",
  rule: "the cluster reaches the wanted state within the agents' timeouts and Tsafe, and two looks 10 s apart show no change",
  hold: async (world) => {
    await world.until("the wanted state", WANTED_MS, () => serves(world), "L3");
    const before = look(world);
    await world.advance(world.time.nowMs + LOOKS_APART_MS);
    const after = look(world);
    if (before !== after || !serves(world))
      throw new Violation("L3", `the cluster does not rest: ${before} became ${after}; ${world.summary()}`);
  },
};

/** What runs where, and the last change that could alter a decision. */
function look(world: World): string {
  const running = world.hosts.map(({ name, services }) => `${name} ${[...services.active].sort()} ${[...services.promoted].sort()}`);
  return `${running.join("; ")}; changed at ${world.replica.changedAt}`;
}
