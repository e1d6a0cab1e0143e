import type { SeededFault as CoreFault } from "../../core/raft/index.ts";

/** Rules of the daemon's surroundings that the virtual host breaks; the production code stays as it is. */
export const HOST_FAULTS = [
  "vote-not-persisted",
  "ack-before-sync",
  "uncommitted-intent",
  "fence-wait-skipped",
  "old-incarnation",
  "chain-check-skipped",
  "snapshot-without-configuration",
] as const;

/** Rules inside of the consensus core, broken by its option for tests. */
export const CORE_FAULTS = [
  "count-nodes",
  "count-recovering",
  "keep-lease-on-transfer",
  "single-step-votes",
  "accept-old-boot",
] as const satisfies readonly CoreFault[];

/** A production rule that is broken on purpose, to see that an invariant notices. */
export type SeededFault = (typeof HOST_FAULTS)[number] | (typeof CORE_FAULTS)[number];

/** The part of a seeded fault that the core carries. */
export function coreFaults(fault: SeededFault | null): ReadonlySet<CoreFault> {
  return new Set(CORE_FAULTS.filter((one) => one === fault));
}
