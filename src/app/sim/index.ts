export { createSimulatedDisk, type SimulatedDisk, type SimulatedDiskOptions } from "./disk.ts";
export type { SeededFault } from "./host.ts";
export { type RunOptions, type RunResult, runSeed } from "./run.ts";
export { Trace } from "./trace.ts";
export { World } from "./world.ts";
