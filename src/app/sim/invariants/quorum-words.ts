import type { VirtualHost } from "../host.ts";
import type { World } from "../world.ts";

/** The lease of a heartbeat, and the time an order may wait behind another action of its resource; milliseconds. */
export const CONTACT_MS = 1_000 + 2_500;

/** When each daemon last knew of a quorum, by its host's clock. */
export type QuorumWords = {
  /** To be called after every event: what a leader knew is gone from its status when it steps down, and was true all the same. */
  readonly listen: (world: World, touched: ReadonlySet<VirtualHost>) => void;
  /** Milliseconds since the last word; null: the daemon does not run. A daemon that never heard any counts from its clock's zero. */
  readonly agoMs: (host: VirtualHost) => number | null;
};

export function quorumWords(): QuorumWords {
  const words = new WeakMap<object, number>();
  const lastMs = (host: VirtualHost): number | null => {
    const core = host.shell?.core;
    if (core === undefined) return null;
    const { leaderHeardMs, quorumRoundMs, leaderSinceMs } = core.raftStatus;
    // The votes of an election are a word too: its first round may still be under way.
    const word = Math.max(words.get(core) ?? 0, leaderHeardMs ?? 0, quorumRoundMs ?? 0, leaderSinceMs ?? 0);
    words.set(core, word);
    return word;
  };
  return {
    listen: (_world, touched) => {
      for (const host of touched) lastMs(host);
    },
    agoMs: (host) => {
      const heardMs = lastMs(host);
      return heardMs === null ? null : host.clock.nowMs() - heardMs;
    },
  };
}
