import { Violation } from "../invariant.ts";
import type { Bound } from "./bound.ts";

const QUIET_S = 5;

export const noStorm: Bound = {
  id: "L7",
  rule: "retries stop: an idle cluster sends at most members x (1000 / H) x 2 messages a second",
  hold: async (world) => {
    const before = world.network.sent;
    await world.advance(world.time.nowMs + QUIET_S * 1_000);
    const sent = world.network.sent - before;
    const heartbeatMs = Math.floor(world.plan.electionMs / 6);
    const most = world.hosts.length * (1_000 / heartbeatMs) * 2 * QUIET_S;
    if (sent > most) throw new Violation("L7", `${sent} messages in ${QUIET_S} s of rest, at most ${Math.round(most)} are needed`);
  },
};
