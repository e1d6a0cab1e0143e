export type { AgentAction, AgentClass, AgentOutcome, IntentOrigin } from "./action.ts";
export { API_VERSION, type ApiError, type ApiRequest, type ApiResponse, SESSION_METHODS, TOKEN_LIFE_MAX_S } from "./api.ts";
export {
  type ActionResult,
  type FromGuardian,
  GUARDIAN_PROTOCOL,
  GUARDIAN_QUEUE_MAX,
  type Guarantee,
  type HostProcess,
  type StopPlan,
  type StopStep,
  type ToGuardian,
} from "./guardian.ts";
export { type Log, type LogFields, silentLog } from "./log.ts";
