export { CgroupTree, groupName, ownGroupPath } from "./cgroup.ts";
export {
  EXIT_REASON_PREFIX,
  exitedOutcome,
  exitReason,
  type Mapped,
  mapExit,
  mapFence,
  mapLsb,
  mapSystemctl,
  mapUnitState,
  OCF,
  type ProcessEnd,
  readProperties,
  secretValues,
  withoutSecrets,
} from "./codes.ts";
export { baseEnvironment, type EnvironmentSettings, ocfEnvironment } from "./environment.ts";
export { fenceInput, fenceOperation, hostArgument, hostPort, parameterNames } from "./fence.ts";
export { type Command, OUTPUT_MAX_BYTES, type ProcessGroup, spawnGroup, TERM_GRACE_MS } from "./group.ts";
export { type AgentPlaces, agentPaths, findAgent } from "./locate.ts";
export { groupMembers, hasMarkers, isAlive, listProcesses, type ProcessInfo, parseStat, readProcess, signal } from "./processes.ts";
export { type PurgeSettings, processesOf, purgeResource } from "./purge.ts";
export { type AgentRun, AgentRunner, type RunHooks, type RunnerSettings, unitName } from "./runner.ts";
