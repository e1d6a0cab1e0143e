export {
  Action,
  type ActionDetail,
  completionOf,
  type Edge,
  EFFECT,
  inverseOf,
  isDownTask,
  isUpTask,
  memberTaskOf,
  type NotifyPhase,
  QUIET,
} from "./action.ts";
export { planResource, refreshPoints } from "./collectives.ts";
export { checkDeferred, checkDefinitions } from "./definitions.ts";
export { planNodeActions } from "./fencing.ts";
export { planNeeds } from "./needs.ts";
export { planNotifications } from "./notify.ts";
export { Planner, type Relation, type Side } from "./planner.ts";
export { failAssignment } from "./primitive.ts";
export { planProbes } from "./probes.ts";
export { orderRemoteActions } from "./remote.ts";
export { actionParameters, canFence, operationElement, operationSettings, operationTimeoutMs, parametersDigest } from "./services.ts";
export { checkRecordedDevices } from "./unfencing.ts";
