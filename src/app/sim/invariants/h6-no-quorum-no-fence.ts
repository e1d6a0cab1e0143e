import type { Invariant } from "../invariant.ts";
import { CONTACT_MS, quorumWords } from "./quorum-words.ts";

export function noQuorumNoFence(): Invariant {
  const words = quorumWords();
  return {
    id: "H6",
    rule: "a partition without quorum fences nobody",
    after: words.listen,
    onSpawn: (world, host, { operation, agentClass, target, origin }) => {
      if (agentClass !== "stonith" || operation === "monitor" || target === null || origin === null) return;
      const agoMs = words.agoMs(host);
      if (agoMs !== null && agoMs > CONTACT_MS)
        world.violated("H6", `${host.name} fences ${target} ${Math.round(agoMs)} ms after its last word from a quorum`);
    },
  };
}
