export { BLAST_SETS_MAX, type Blast, type BlastEffect, type BlastOptions, blastRadius, blastSets, clusterNodes } from "./blast-radius.ts";
export {
  describeClusterAction,
  type Execution,
  type ExecutionOptions,
  type ExecutionStep,
  executeTransition,
  type InjectedFailure,
} from "./execute.ts";
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
export { applyChange, type ProposedChange } from "./explain-changes.ts";
export { describeInjection, type Injection, inject } from "./inject.ts";
export { type PlannedChange, type PlannedEdit, type PlannedEffect, planChange } from "./plan.ts";
export { PROPOSAL_RUNS_MAX, type Proposal, placesAfter, proposeChanges, proposeFrom, type Question } from "./proposals.ts";
export { type FinalState, finalState, nodeState, type SimulationResult, simulationResult } from "./report.ts";
export { type Settled, settle } from "./settle.ts";
export { headingLines, type StatusOptions, statusLines } from "./status-lines.ts";
export { currentStatusText, describeAction, scoreText, simulationText, summaryText, type TextOptions, utilizationText } from "./text.ts";
