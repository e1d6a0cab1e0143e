export { type ConfigurationError, emptyConfiguration, enterJoint, leaveJoint, memberIds, simpleChange, votesOf } from "./configuration.ts";
export { createRaft } from "./core.ts";
export { CLOCK_RHO, DEFAULT_LIMITS, DEFAULT_TIMING, ENTRY_OVERHEAD_BYTES, LEASE_MARGIN_MS } from "./limits.ts";
export { mergeReady } from "./merge.ts";
export { committedIndex, type Half, type VoteResult, voteResult } from "./quorum.ts";
export { bootstrap, emptyRestored, forceNewCluster } from "./restored.ts";
export { type TraceEvent, traceEvent } from "./trace.ts";
export type * from "./types.ts";
