import type { Score } from "../../base/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import type { Cause } from "../model-terms.ts";
import { MINUS_INFINITY } from "../model-values.ts";
import { newTable } from "./resources.ts";

/** Adds to the resource's entry and all its descendants', creating missing entries from the base score (assignment.md 4.3). */
export function addScore(resource: Resource, node: PolicyNode, score: Score, cause: Cause): void {
  if (!resource.table.has(node.index)) resource.table.set(node.index, node.baseScore, { kind: "base" });
  resource.table.add(node.index, score, cause);
  for (const child of resource.children) addScore(child, node, score, cause);
}

/** The same for every node of the cluster, remote and guest ones too. */
export function addScoreEverywhere(model: Model, resource: Resource, score: Score, cause: Cause): void {
  for (const node of model.nodes) addScore(resource, node, score, cause);
}

/** What a failure excludes from a node: the resource, or its whole anonymous clone (assignment.md 4b). */
export function banTarget(resource: Resource): Resource {
  const top = topOf(resource);
  return top.kind === "clone" && !top.globallyUnique ? top : resource;
}

/** The table becomes every node at minus infinity (assignment.md 4.10, 4.11). */
export function replaceByBan(model: Model, resource: Resource, cause: Cause): void {
  resource.table = newTable(model, false);
  for (const node of model.nodes) resource.table.set(node.index, MINUS_INFINITY, cause);
}
