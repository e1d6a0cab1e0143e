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
