import type { Invariant } from "../invariant.ts";
import { CONTACT_MS, quorumWords } from "./quorum-words.ts";

const BEGINS: ReadonlySet<string> = new Set(["start", "promote"]);

export function noQuorumNoStart(): Invariant {
  const words = quorumWords();
  return {
    id: "H5",
    rule: "a node without quorum starts nothing",
    after: words.listen,
    onSpawn: (world, host, { operation, resource, origin, agentClass }) => {
      if (origin === null || !BEGINS.has(operation) || agentClass === "stonith") return;
      const agoMs = words.agoMs(host);
      if (agoMs !== null && agoMs > CONTACT_MS)
        world.violated("H5", `${host.name} runs ${operation} of ${resource} ${Math.round(agoMs)} ms after its last word from a quorum`);
    },
  };
}
