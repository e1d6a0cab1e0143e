import type { Hash } from "../../core/base/index.ts";
import type { Element } from "../../core/cib/index.ts";
import type { PlannedTransition } from "../../core/controller/index.ts";
import { schedule } from "../../core/policy/index.ts";

/** Rows of scores kept for people; a cluster with more shows the first ones. */
const SCORES_MAX = 20_000;

/** The policy engine as the planner wants it: plain data only, because it crosses a thread. */
export function schedulePlan(cib: Element, nowMs: number, hash: Hash): PlannedTransition {
  const { model, graph, summary } = schedule(cib, nowMs, hash, { scores: true });
  const lines = summary.map((line) => {
    const reason = line.reason === null ? "" : ` due to ${line.reason}${line.blocked ? " (blocked)" : ""}`;
    return `${line.verb} ${line.resource ?? line.node ?? ""} (${line.detail})${reason}`;
  });
  const scores: { resource: string; node: string; score: number }[] = [];
  for (const report of model.reports) {
    for (const { node, score } of report.scores) {
      if (scores.length < SCORES_MAX) scores.push({ resource: report.resource.id, node: node.name, score });
    }
  }
  const placements = summary.map(({ verb, resource, node, detail, reason, blocked }) => ({
    verb,
    resource,
    node,
    detail,
    reason,
    blocked,
  }));
  return { graph, summary: lines, placements, scores, recheckAtMs: graph.recheckBy === null ? null : graph.recheckBy * 1000 };
}
