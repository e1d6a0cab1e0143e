import type { VirtualHost } from "../host.ts";
import type { Invariant } from "../invariant.ts";

/** The lease of a heartbeat, and the time an order may wait behind another action of its resource; milliseconds. */
export const CONTACT_MS = 1_000 + 2_500;

/** When this node last knew of a quorum, by its own clock; null: its daemon does not run. */
export function lastWordMs(host: VirtualHost): number | null {
  const status = host.shell?.core.raftStatus;
  return status === undefined ? null : Math.max(status.leaderHeardMs ?? 0, status.quorumRoundMs ?? 0);
}

const BEGINS: ReadonlySet<string> = new Set(["start", "promote"]);

export function noQuorumNoStart(): Invariant {
  return {
    id: "H5",
    rule: "a node without quorum starts nothing",
    onSpawn: (world, host, { operation, resource, origin, agentClass }) => {
      const heardMs = lastWordMs(host);
      if (heardMs === null || origin === null || !BEGINS.has(operation) || agentClass === "stonith") return;
      const agoMs = host.clock.nowMs() - heardMs;
      if (agoMs > CONTACT_MS)
        world.violated("H5", `${host.name} runs ${operation} of ${resource} ${Math.round(agoMs)} ms after its last word from a quorum`);
    },
  };
}
