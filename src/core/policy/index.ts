export { upgradeCib } from "../cib/index.ts";
export { printedName, type SummaryLine } from "./graph/index.ts";
export type { Model, PromotionReport, ScheduleOptions, ScoreReport } from "./model.ts";
export type {
  Colocation,
  Location,
  LossPolicy,
  OrderConstraint,
  OrderKind,
  OrderSet,
  Ticket,
  TicketConstraint,
} from "./model-constraints.ts";
export type { FailedAction, HistoryEntry, PendingTask, ResourceHistory, RunningRecurring, StatusNeed } from "./model-history.ts";
export { type FencingNeed, type NodeKind, PolicyNode } from "./model-node.ts";
export {
  activeNodesOf,
  blockedWithin,
  cloneOf,
  currentNodeOf,
  currentRole,
  descendantsOf,
  failedWithin,
  isWithin,
  nextRoleOf,
  outermostOf,
  primitivesOf,
  requiresFencing,
  topOf,
} from "./model-queries.ts";
export { type BundleData, type BundleReplica, type OperationDefinition, Resource, type ResourceKind } from "./model-resource.ts";
export type { Cause, Term } from "./model-terms.ts";
export {
  type ClusterOptions,
  DISCOVERY,
  type Discovery,
  HANDLING,
  type Handling,
  type Requires,
  ROLE,
  type Role,
  roleName,
} from "./model-values.ts";
export { NodeTable } from "./node-table.ts";
export { type Placement, type Plan, place, readModel, schedule } from "./schedule.ts";
export { CibError, type CibFault, ID_MAX_CHARS, validateCib } from "./validate.ts";
