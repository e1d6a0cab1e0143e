export {
  describeClusterAction,
  type Execution,
  type ExecutionOptions,
  type ExecutionStep,
  executeTransition,
  type InjectedFailure,
} from "./execute.ts";
export { type Injection, inject } from "./inject.ts";
export { type FinalState, finalState, nodeState, type SimulationResult, simulationResult } from "./report.ts";
export { describeAction, simulationText, statusLines, summaryText, type TextOptions } from "./text.ts";
export {
  describeCause,
  type ExplainedInstance,
  type ExplainedNode,
  type Explanation,
  explain,
  explainModel,
  findResources,
  type ScoreTerm,
  totalOf,
  unavailability,
} from "./explain.ts";
export { applyChange, type Proposal, PROPOSAL_RUNS_MAX, type ProposedChange, proposeChanges } from "./explain-changes.ts";
