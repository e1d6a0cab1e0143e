import type { Invariant } from "../invariant.ts";

/** The lease of a heartbeat, and the time an order may wait behind another action of its resource; milliseconds. */
const CONTACT_MS = 1_000 + 2_500;

export function noQuorumNoStart(): Invariant {
  return {
    id: "H5",
    rule: "a node without quorum starts nothing",
    onSpawn: (world, host, { operation, resource, origin, agentClass }) => {
      const status = host.shell?.core.raftStatus;
      if (status === undefined || origin === null || operation !== "start" || agentClass === "stonith") return;
      const heardMs = Math.max(status.leaderHeardMs ?? 0, status.quorumRoundMs ?? 0);
      const agoMs = host.clock.nowMs() - heardMs;
      if (agoMs > CONTACT_MS)
        world.violated("H5", `${host.name} starts ${resource} ${Math.round(agoMs)} ms after its last word from a quorum`);
    },
  };
}
