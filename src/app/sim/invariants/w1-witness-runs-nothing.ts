import type { Invariant } from "../invariant.ts";

/** RAFT.md §4: a witness votes and stores; no agent of a resource or a device ever runs there. */
export function witnessRunsNothing(): Invariant {
  return {
    id: "W1",
    rule: "nothing runs on a witness",
    onSpawn: (world, host, { operation, resource, key }) => {
      if (world.replica.nodes.get(host.name)?.witness === true)
        world.violated("W1", `${host.name} is a witness and runs ${operation} of ${resource} (${key})`);
    },
  };
}
