import type { Invariant } from "../invariant.ts";
import { contentOf, isSameContent } from "../same-entry.ts";

/** By induction: an entry with the same index and term is the same entry, and follows one of the same term everywhere. */
export function logMatching(): Invariant {
  const contents = new Map<string, Uint8Array>();
  const previous = new Map<string, number>();
  return {
    id: "S3",
    rule: "same index and term means same prefix",
    onSave: (world, host, { entries }) => {
      let before: number | null = null;
      for (const entry of entries) {
        const key = `${entry.index}/${entry.term}`;
        const content = contentOf(entry);
        const known = contents.get(key);
        if (known === undefined) contents.set(key, content);
        else if (!isSameContent(known, content))
          world.violated("S3", `${host.name} stores another entry ${entry.index} of term ${entry.term}`);
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
