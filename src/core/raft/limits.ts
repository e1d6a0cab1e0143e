import type { Limits, Timing } from "./types.ts";

/** Bytes counted for an entry beside its command: index, term, kind and framing. */
export const ENTRY_OVERHEAD_BYTES = 24;

/** Clock rate bound rho of RAFT.md §7 (NTP slews by at most 500 ppm; doubled). */
export const CLOCK_RHO = 0.001;

/** Safety margin of the read lease, milliseconds (RAFT.md §7). */
export const LEASE_MARGIN_MS = 10;

/** Defaults for a LAN (RAFT.md §7). Tick 10 ms is the host's resolution; the core takes any. */
export const DEFAULT_TIMING: Timing = {
  heartbeatMs: 50,
  electionMs: 300,
  commitHintMs: 0,
  storeStallMs: 1000,
  storeHealthyMs: 100,
  storeRecoveryMs: 10_000,
};

/** RAFT.md §2 feature 12, §5 and §6 (limits). */
export const DEFAULT_LIMITS: Limits = {
  inflightMessages: 64,
  inflightBytes: 4 * 1024 * 1024,
  inflightPartial: 64,
  appendBytes: 256 * 1024,
  entryBytes: 2 * 1024 * 1024,
  uncommittedEntries: 4096,
  uncommittedBytes: 8 * 1024 * 1024,
  unappliedBytes: 16 * 1024 * 1024,
  chunkBytes: 256 * 1024,
  keepEntries: 1024,
  keepBytes: 8 * 1024 * 1024,
  keepBytesMax: 64 * 1024 * 1024,
  pendingReads: 4096,
  voters: 7,
  members: 32,
};
