export { type DigestFilter, parametersDigestText } from "./digest.ts";
export {
  actionsInLoops,
  type ClusterAction,
  emptyGraph,
  type FenceAction,
  type GraphAction,
  type GraphAgent,
  type GraphDigests,
  type PseudoAction,
  type ResourceAction,
  type ResourceTask,
  successorsOf,
  type TransitionGraph,
} from "./graph.ts";
export { Walk, type WalkCounts } from "./walk.ts";
