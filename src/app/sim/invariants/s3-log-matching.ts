import type { Invariant } from "../invariant.ts";
import { textOf } from "../text-of.ts";

/** By induction: an entry with the same index and term is the same entry, and follows one of the same term everywhere. */
export function logMatching(): Invariant {
  const content = new Map<string, string>();
  const previous = new Map<string, number>();
  return {
    id: "S3",
    rule: "same index and term means same prefix",
    onSave: (world, host, { entries }) => {
      let before: number | null = null;
      for (const entry of entries) {
        const key = `${entry.index}/${entry.term}`;
        const text = entry.kind === "data" ? textOf(entry.data) : entry.kind;
        const known = content.get(key);
        if (known === undefined) content.set(key, text);
        else if (known !== text) world.violated("S3", `${host.name} stores another entry ${entry.index} of term ${entry.term}`);
        if (before !== null) {
          const knownBefore = previous.get(key);
          if (knownBefore === undefined) previous.set(key, before);
          else if (knownBefore !== before)
            world.violated("S3", `entry ${key} follows term ${before} on ${host.name}, term ${knownBefore} elsewhere`);
        }
        before = entry.term;
      }
    },
  };
}
