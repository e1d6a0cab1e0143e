import { createHash } from "node:crypto";
import { snapshotCodec } from "../../daemon/index.ts";
import type { Invariant } from "../invariant.ts";

/** A whole state is compared when a member stands on such an index; every command is compared always. */
const SAMPLE = 32;

export function sameState(): Invariant {
  const states = new Map<number, string>();
  const stood = new Map<string, number>();
  return {
    id: "S5",
    rule: "all members apply the same entry with the same outcome at each index",
    after: (world, touched) => {
      for (const { name, shell } of touched) {
        const state = shell?.core.state;
        if (state === undefined || state.index % SAMPLE !== 0 || stood.get(name) === state.index) continue;
        stood.set(name, state.index);
        const digest = createHash("sha1").update(snapshotCodec.encode(state)).digest("hex");
        const known = states.get(state.index);
        if (known === undefined) states.set(state.index, digest);
        else if (known !== digest) world.violated("S5", `${name} has another state at index ${state.index} than the first that got there`);
      }
    },
  };
}
