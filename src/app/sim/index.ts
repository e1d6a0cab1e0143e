export { createSimulatedDisk, type SimulatedDisk, type SimulatedDiskOptions } from "./disk.ts";
export { type AppliedCommand, type Invariant, type SpawnFacts, Violation } from "./invariant.ts";
export { allInvariants } from "./invariants/index.ts";
export { drawPlan, quietPlan, type RunPlan } from "./plan.ts";
export { type RunOptions, type RunResult, runSeed } from "./run.ts";
export { CORE_FAULTS, HOST_FAULTS, type SeededFault } from "./seeded-faults.ts";
export { type Shrunk, shrink } from "./shrink.ts";
export { Trace } from "./trace.ts";
export { World } from "./world.ts";
