import type { SeededFault } from "../../../src/core/raft/index.ts";
import type { Budget, Setup } from "./model.ts";

export type Scene = { readonly name: string; readonly fault: SeededFault | null; readonly setup: Setup; readonly maxStates: number };

const none: Budget = { campaigns: 0, proposals: 0, crashes: 0, duplicates: 0, heartbeats: 0, damages: 0, changes: 0 };

function setup(budget: Partial<Budget>, rest: Partial<Setup> = {}): Setup {
  const base = { votes: [1, 1, 1], lazyWriters: [], maxTerm: 3, maxMessages: 6, faults: new Set<SeededFault>() };
  return { ...base, budget: { ...none, ...budget }, ...rest };
}

function faulty(name: string, fault: SeededFault, of: Setup, maxStates = 200_000): Scene {
  return { name, fault, setup: { ...of, faults: new Set([fault]) }, maxStates };
}

/** Two elections, one crash: whoever forgets its vote elects two leaders in one term. */
const elections = setup({ campaigns: 2, crashes: 1 }, { campaigners: [1, 3], crashers: [2] });
/** Figure 8 of the Raft paper from its step (b) on: an entry of an old term on one node, a newer one on another. */
const figure8 = setup({ campaigns: 3 }, { logs: [[2], [], [3]], terms: [3, 3, 3], campaigners: [1, 3], maxTerm: 5, maxMessages: 4 });
/** A slow disk on node 2, one proposal, one crash. */
const slowDisk = setup({ campaigns: 3, crashes: 1 }, { campaigners: [1, 3], crashers: [2], lazyWriters: [2], maxTerm: 2 });
/** A deposed leader with a write under way whose entry is overwritten. */
const overwritten = setup({ campaigns: 3 }, { campaigners: [1, 2], lazyWriters: [1], maxTerm: 2 });
/** A member loses its log after it acknowledged an entry, and is repaired. */
const damaged = setup(
  { campaigns: 1, proposals: 1, damages: 1, heartbeats: 2 },
  { campaigners: [1], crashers: [2], deaf: [3], maxTerm: 1, maxMessages: 3 },
);
/** Four members, a leader with one commit; member 2 acknowledges a second entry, which is not yet committed. */
const acknowledged = setup(
  { campaigns: 1, proposals: 1, damages: 1, heartbeats: 2 },
  {
    votes: [1, 1, 1, 1],
    campaigners: [1],
    crashers: [2],
    deaf: [4],
    maxTerm: 1,
    maxMessages: 5,
    prefix: [
      "campaign 1",
      "deliver 1>2 vote t1",
      "deliver 1>3 vote t1",
      "deliver 2>1 voteReply t1",
      "deliver 3>1 voteReply t1",
      "deliver 1>2 append t1",
      "deliver 1>3 append t1",
      "deliver 2>1 appendReply t1",
      "deliver 3>1 appendReply t1",
      "propose 1",
      "deliver 1>2 append t1",
      "deliver 2>1 appendReply t1",
    ],
  },
);
/** A leader gives itself three votes of five while the others may elect. */
const changing = setup({ campaigns: 2, changes: 1 }, { campaigners: [1, 2], maxTerm: 2, maxMessages: 5 });
const unequal = setup({ campaigns: 2 }, { votes: [3, 1, 1] });

/** What the real core must survive; run to the end or to the bound. */
export const sound: readonly Scene[] = [
  { name: "elections and a crash", fault: null, setup: elections, maxStates: 60_000 },
  { name: "figure 8", fault: null, setup: figure8, maxStates: 60_000 },
  { name: "slow disk and a crash", fault: null, setup: slowDisk, maxStates: 60_000 },
  { name: "an overwritten write", fault: null, setup: overwritten, maxStates: 60_000 },
  { name: "a damaged member", fault: null, setup: damaged, maxStates: 60_000 },
  { name: "an acknowledged entry and a damaged member", fault: null, setup: acknowledged, maxStates: 60_000 },
  { name: "votes that change", fault: null, setup: changing, maxStates: 60_000 },
  { name: "unequal votes", fault: null, setup: unequal, maxStates: 60_000 },
  {
    name: "all together",
    fault: null,
    setup: setup({ campaigns: 2, proposals: 1, crashes: 1, duplicates: 1 }, { lazyWriters: [1, 2, 3] }),
    maxStates: 60_000,
  },
];

/** Each planted defect with the scene in which it must show. */
export const planted: readonly Scene[] = [
  faulty("the vote is not persisted", "vote-not-persisted", elections),
  faulty("nodes are counted instead of votes", "count-nodes", unequal),
  faulty("entries of old terms are committed by counting", "commit-old-term", figure8),
  faulty("acknowledged before sync", "ack-before-sync", slowDisk),
  faulty("an old word of the disk counts", "stale-stored-ack", overwritten),
  faulty("an acknowledgement of an earlier boot counts", "accept-old-boot", damaged),
  faulty("a recovering member is counted", "count-recovering", acknowledged),
  faulty("votes change in a single step", "single-step-votes", changing),
];
