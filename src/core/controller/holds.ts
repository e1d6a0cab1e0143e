import type { GraphAction, ResourceAction, Walk } from "../transition/index.ts";

/** What an action waits for although the graph does not order it: Pacemaker's graph leaves these to chance. */

/**
 * Does a probe of the resource run, or may one begin? The graph lets starts wait for it, but not promotions of what runs
 * already, and the promoted copy may be there: its history is forgotten by a cleanup (RAFT.md §10 H7).
 */
export function looksFor(walk: Walk, resource: string): boolean {
  return [...walk.ready(), ...walk.sent()].some(
    (action) => action.kind === "resource" && action.task === "monitor" && action.intervalMs === 0 && action.historyName === resource,
  );
}

/**
 * May the history be forgotten now? Each instance of an anonymous clone asks for what is recorded under the name that all share
 * (actions.md A10), and only the first of these requests is ordered: after the stop of what runs, before its start. Forgotten
 * before the stop, something that runs with another agent would be found by nobody; forgotten after the start, that again.
 * So all wait for the stop, one is carried out, and `done` means that it was.
 */
export function mayForget(walk: Walk, request: ResourceAction): "now" | "later" | "done" {
  const isThere = (action: GraphAction): action is ResourceAction =>
    action.kind === "resource" && action.node === request.node && action.historyName === request.historyName;
  const there = walk.graph.actions.filter(isThere);
  const requests = there.filter(({ task, id }) => task === "delete" && id !== request.id);
  if (requests.some(({ id }) => walk.isDone(id))) return "done";
  if (walk.sent().some(({ id }) => requests.some((one) => one.id === id))) return "later";
  return there.every(({ task, id }) => task !== "stop" || walk.isDone(id)) ? "now" : "later";
}
