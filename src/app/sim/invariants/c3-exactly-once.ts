import type { Invariant } from "../invariant.ts";

/** A command that ran has the index of its own entry in its answer; a repeated one gets the answer of the first time. */
export function exactlyOnce(): Invariant {
  const ran = new Map<string, number>();
  return {
    id: "C3",
    rule: "no command of a session is applied twice",
    onApplied: (world, { index, origin, ok, result }) => {
      if (origin === null || !ok) return;
      const key = `${origin.client}/${origin.sequence}`;
      const first = ran.get(key);
      if (first === undefined) {
        ran.set(key, index);
        if (result.index !== index) world.violated("C3", `command ${key} is answered as that of entry ${result.index}, which it never was`);
      } else if (result.index !== first) world.violated("C3", `command ${key} ran as entry ${first} and again as entry ${index}`);
    },
  };
}
