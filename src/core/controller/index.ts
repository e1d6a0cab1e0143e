export { isMemberAddress } from "./membership-requests.ts";
export { DUTY_TICK_MS, NodeCore, SNAPSHOT_LOG_BYTES } from "./node.ts";
export { RequestError } from "./params.ts";
export { type FromPlanner, type PlannedTransition, Planner, type Schedule, type ToPlanner } from "./planner.ts";
export { isQuorate } from "./status.ts";
export * from "./types.ts";
