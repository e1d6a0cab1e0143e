import { schedulePlan } from "../../../src/app/daemon/index.ts";
import { runSeed, type SeededFault } from "../../../src/app/sim/index.ts";
import { explore } from "../../raft/explorer/explore.ts";
import { planted } from "../../raft/explorer/scenes.ts";
import { play } from "../../raft/world-play.ts";

/** Where a fault showed, in words; null: nowhere within the bound. */
export type Found = { readonly where: string; readonly what: string };

export type Planted = {
  readonly name: string;
  /** The rule that is broken. */
  readonly rule: string;
  readonly bound: string;
  /** Begins to look at this seed (the explorer has none), so that a shorter look need not begin at the beginning. */
  readonly find: (from: number) => Promise<Found | null>;
};

/** A fault that only shows as a cluster that does not recover does not count, so the promises that may notice are named. */
function bySimulator(name: string, rule: string, fault: SeededFault, may: RegExp, seedsMax: number): Planted {
  return {
    name,
    rule,
    bound: `the simulator, ${seedsMax} seeds`,
    find: async (from) => {
      for (let seed = from; seed < from + seedsMax; seed += 1) {
        const { violation } = await runSeed({ seed, minutes: 2, schedule: schedulePlan, seededFault: fault });
        if (violation !== null && may.test(violation.id)) return { where: `simulator seed ${seed}`, what: violation.message };
      }
      return null;
    },
  };
}

function byExplorer(name: string, rule: string, fault: string): Planted {
  return {
    name,
    rule,
    bound: "the explorer, 200,000 states",
    find: async () => {
      const scene = planted.find((one) => one.fault === fault);
      if (scene === undefined) throw new Error(`the explorer has no scene for ${fault}`);
      const { states, depth, violation } = explore(scene.setup, scene.maxStates);
      return violation === null ? null : { where: `explorer, ${states} states, ${depth} steps deep`, what: violation.rule };
    },
  };
}

/** The simulator of the consensus room alone, where lease reads are drawn often. */
function byRaftWorld(name: string, rule: string, seedsMax: number): Planted {
  return {
    name,
    rule,
    bound: `the raft simulator, ${seedsMax} seeds`,
    find: async (from) => {
      const seededFaults = new Set(["keep-lease-on-transfer" as const]);
      for (let seed = from; seed < from + seedsMax; seed += 1) {
        try {
          play({ seed, members: 3, faults: true, leaseReads: true, seededFaults }, 8000);
        } catch (error) {
          const what = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
          if (/stale read/.test(what)) return { where: `raft simulator seed ${seed}`, what };
        }
      }
      return null;
    },
  };
}

/** The five of the thin path, then the others of issue 5; each is broken outside of the production code or by a core option for tests. */
export const faults: readonly Planted[] = [
  bySimulator("vote-not-persisted", "a vote is durable before it is given", "vote-not-persisted", /^S[67]$/, 500),
  bySimulator("ack-before-sync", "an entry is durable before it is acknowledged", "ack-before-sync", /^(S\d+|C\d|H3)$/, 500),
  bySimulator("uncommitted-intent", "only what is committed is acted on", "uncommitted-intent", /^H[35]$/, 500),
  bySimulator("fence-wait-skipped", "recovery follows proof", "fence-wait-skipped", /^H[128]$/, 500),
  bySimulator("old-incarnation", "an intent ends with the boot it names", "old-incarnation", /^H3$/, 500),
  byExplorer("count-nodes", "votes are counted, not nodes", "count-nodes"),
  bySimulator("chain-check-skipped", "a log with a gap is not taken for whole", "chain-check-skipped", /^(S\d+|C\d)$/, 2_000),
  byExplorer("count-recovering", "a recovering member is not counted", "count-recovering"),
  byRaftWorld("keep-lease-on-transfer", "a transfer ends the read lease", 60),
  byExplorer("single-step-votes", "votes change jointly", "single-step-votes"),
  byExplorer("accept-old-boot", "an acknowledgement of an earlier boot does not count", "accept-old-boot"),
  bySimulator(
    "snapshot-without-configuration",
    "a snapshot carries the configuration",
    "snapshot-without-configuration",
    /^(S12|S9|S11|S1|S4)$/,
    2_000,
  ),
];
