import { Violation } from "../invariant.ts";
import { isQuorum } from "../invariants/tally.ts";
import type { Bound } from "./bound.ts";
import { commitOne } from "./commit-one.ts";
import { WANTED_MS } from "./l3-the-wanted-state.ts";
import { serves } from "./serves.ts";

/** A client asks again so often, milliseconds. */
const ASK_EVERY_MS = 25;

/** The leader's daemon is killed: the worst of all single crashes. Others never stop writes at all. */
export const oneCrash: Bound = {
  id: "L5",
  rule: "a single crash never stops writes for more than 10 E",
  hold: async (world) => {
    const leader = world.leader();
    const configuration = leader?.shell?.core.raftStatus.configuration;
    const others = world.hosts.filter((host) => host !== leader);
    // A witness leads for a moment only, and takes no writes (RAFT.md §4).
    const writers = others.filter((host) => !world.isWitness(host) && (configuration?.voters.get(host.member) ?? 0) > 0);
    if (leader === null || configuration === undefined || writers.length === 0) return;
    if (!isQuorum(configuration, new Set(others.map(({ member }) => member)))) return;
    const limitMs = 10 * world.plan.electionMs;
    const beganMs = world.time.nowMs;
    world.crashDaemon(leader, limitMs + 100);
    for (;;) {
      const committed = commitOne(world, world.leader() ?? others[0] ?? null);
      await world.advance(world.time.nowMs + ASK_EVERY_MS, committed);
      if (committed()) break;
      if (world.time.nowMs - beganMs > limitMs)
        throw new Violation("L5", `no write for ${limitMs} ms after the crash of ${leader.name}; ${world.summary()}`);
    }
    world.outageMs = world.time.nowMs - beganMs;
    await world.until("the wanted state after a crash", WANTED_MS, () => serves(world), "L5");
  },
};
