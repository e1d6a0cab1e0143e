import type { Model, ScoreReport } from "../model.ts";
import { descendantsOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";

/** Prints one table, if anyone listens (assignment.md 16). Removed resources print nothing (16.5). */
export function report(model: Model, label: ScoreReport["label"], resource: Resource): void {
  if (isRemoved(resource)) return;
  if (label === "primitive" && (model.want.scores === true || model.want.explain === true)) resource.report = resource.table.snapshot();
  if (model.want.scores !== true) return;
  const scores: { node: (typeof model.nodes)[number]; score: number }[] = [];
  for (const node of model.nodeList) {
    if (resource.table.has(node.index)) scores.push({ node, score: resource.table.get(node.index) });
  }
  model.reports.push({ label, resource, scores });
}

export function reportTree(model: Model, label: ScoreReport["label"], resource: Resource): void {
  if (model.want.scores !== true) return;
  for (const below of descendantsOf(resource)) report(model, label, below);
}

function isRemoved(resource: Resource): boolean {
  for (let at: Resource | null = resource; at !== null; at = at.parent) if (at.removed) return true;
  return false;
}
