import type { Invariant } from "../invariant.ts";
import { CONTACT_MS, lastWordMs } from "./h5-no-quorum-no-start.ts";

export function noQuorumNoFence(): Invariant {
  return {
    id: "H6",
    rule: "a partition without quorum fences nobody",
    onSpawn: (world, host, { operation, agentClass, target, origin }) => {
      const heardMs = lastWordMs(host);
      if (agentClass !== "stonith" || operation === "monitor" || target === null || origin === null || heardMs === null) return;
      const agoMs = host.clock.nowMs() - heardMs;
      if (agoMs > CONTACT_MS)
        world.violated("H6", `${host.name} fences ${target} ${Math.round(agoMs)} ms after its last word from a quorum`);
    },
  };
}
