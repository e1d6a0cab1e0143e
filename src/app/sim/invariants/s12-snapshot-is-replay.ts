import { createHash } from "node:crypto";
import type { Configuration } from "../../../core/raft/index.ts";
import { snapshotCodec } from "../../daemon/index.ts";
import type { Invariant } from "../invariant.ts";
import type { World } from "../world.ts";

type Taken = { readonly index: number; readonly host: string; readonly digest: string };

const digestOf = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex");

/** The state against the world's own replay of the log, and the configuration against the log that members have stored. */
export function snapshotIsReplay(): Invariant {
  const waiting: Taken[] = [];
  /** Per index the newest term stored there, and the configuration if the entry is one: a committed entry has no newer rival. */
  const entries = new Map<number, { readonly term: number; readonly configuration: Configuration | null }>();
  const expected = (index: number): Configuration | null => {
    for (let at = index; at > 0; at -= 1) {
      const configuration = entries.get(at)?.configuration;
      if (configuration !== undefined && configuration !== null) return configuration;
    }
    return null;
  };
  const compare = (world: World): void => {
    for (const taken of [...waiting]) {
      if (taken.index > world.replica.index) continue;
      waiting.splice(waiting.indexOf(taken), 1);
      const state = world.stateAt(taken.index);
      if (state !== undefined && digestOf(snapshotCodec.encode(state)) !== taken.digest)
        world.violated("S12", `the snapshot of ${taken.host} at ${taken.index} is not what the log up to there gives`);
    }
  };
  return {
    id: "S12",
    rule: "a snapshot at an index equals the replay of the log to that index, configuration included",
    onSave: (_, __, write) => {
      for (const entry of write.entries) {
        if (entry.term < (entries.get(entry.index)?.term ?? 0)) continue;
        entries.set(entry.index, { term: entry.term, configuration: entry.kind === "config" ? entry.configuration : null });
      }
    },
    onSnapshot: (world, host, meta, bytes) => {
      const configuration = expected(meta.last.index);
      if (configuration !== null && textOf(configuration) !== textOf(meta.configuration))
        world.violated("S12", `the snapshot of ${host.name} at ${meta.last.index} has the configuration ${textOf(meta.configuration)}`);
      waiting.push({ index: meta.last.index, host: host.name, digest: digestOf(bytes) });
      compare(world);
    },
    onApplied: (world) => compare(world),
    atEnd: (world) => compare(world),
  };
}

function textOf({ voters, outgoing, learners, witnesses, members }: Configuration): string {
  const half = (votes: ReadonlyMap<number, number>): string =>
    [...votes]
      .map(([id, count]) => `${id}:${count}`)
      .sort()
      .join("+");
  const ids = [learners, witnesses, new Set(members.keys())].map((set) => [...set].sort().join("+"));
  return [half(voters), half(outgoing), ...ids].join(" | ");
}
