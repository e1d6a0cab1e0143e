import { addScores, type Hash, QuorateError, type Score } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import {
  type Cause,
  type Model,
  type NodeTable,
  type PolicyNode,
  primitivesOf,
  type Resource,
  roleName,
  schedule,
  type Term,
} from "../policy/index.ts";

/** One named part of a score. The terms of a row add up to its score (saturating, in this order). */
export type ScoreTerm = {
  readonly score: Score;
  /** The kind of cause, for programs. */
  readonly kind: Cause["kind"];
  /** Constraint id, where there is one. */
  readonly id: string | null;
  /** The resource through which a colocation acts. */
  readonly through: string | null;
  /** What the cause names besides: a ticket, an operation; null: nothing. */
  readonly detail: string | null;
  /** In the operator's words. */
  readonly text: string;
};

/** A resource instance on one node. */
export type ExplainedNode = {
  readonly node: string;
  /** null: no entry, the resource is not allowed there at all. */
  readonly score: Score | null;
  readonly terms: readonly ScoreTerm[];
  /** Why the node cannot take anything just now; null: it is available. */
  readonly unavailable: string | null;
  readonly chosen: boolean;
};

export type ExplainedInstance = {
  readonly resource: string;
  readonly node: string | null;
  readonly role: string;
  readonly managed: boolean;
  readonly nodes: readonly ExplainedNode[];
  /** One sentence: where it goes, or why nowhere. */
  readonly verdict: string;
};

export type Explanation = { readonly resource: string; readonly instances: readonly ExplainedInstance[] };

/**
 * Every score of a resource as a sum of named terms, as the engine computed it (assignment.md 4 to 8). `resource` is an
 * id of the configuration, or of an instance. Throws `QuorateError` RESOURCE_UNKNOWN.
 */
export function explain(cib: Element, nowMs: number, hash: Hash, resource: string, node: string | null = null): Explanation {
  const { model } = schedule(cib, nowMs, hash, { explain: true });
  return explainModel(model, resource, node);
}

/** The same from a run that was made with `explain: true`. Throws also NODE_UNKNOWN. */
export function explainModel(model: Model, resource: string, node: string | null = null): Explanation {
  const found = findResources(model, resource);
  if (found.length === 0) throw new QuorateError(`there is no resource ${resource}`, { code: "RESOURCE_UNKNOWN" });
  const wanted = node === null ? null : model.nodesByName.get(node.toLowerCase());
  if (wanted === undefined) throw new QuorateError(`there is no node ${node ?? ""}`, { code: "NODE_UNKNOWN" });
  return { resource, instances: found.map((instance) => explainInstance(model, instance, wanted)) };
}

/** Primitives that an id stands for: itself, everything below, or all instances of that name. */
export function findResources(model: Model, id: string): readonly Resource[] {
  const exact = model.resourcesById.get(id);
  if (exact !== undefined) return [...primitivesOf(exact)];
  return model.primitives.filter((primitive) => primitive.configId === id);
}

function explainInstance(model: Model, instance: Resource, only: PolicyNode | null): ExplainedInstance {
  const table = instance.report ?? instance.table;
  const terms = termsByNode(table);
  const nodes = model.nodeList
    .filter((node) => only === null || node === only)
    .map((node) => explainNode(instance, node, table, terms.get(node.index) ?? []));
  return {
    resource: instance.id,
    node: instance.node?.name ?? null,
    role: roleName(instance.nextRole),
    managed: instance.managed,
    nodes,
    verdict: verdictOf(model, instance, table),
  };
}

function explainNode(instance: Resource, node: PolicyNode, table: NodeTable, terms: readonly ScoreTerm[]): ExplainedNode {
  const allowed = table.has(node.index);
  return {
    node: node.name,
    score: allowed ? table.get(node.index) : null,
    terms: allowed ? terms : [],
    unavailable: unavailability(node),
    chosen: instance.node === node,
  };
}

/** Terms of every entry: what was said before a score was fixed anew no longer counts. */
function termsByNode(table: NodeTable): Map<number, ScoreTerm[]> {
  const byNode = new Map<number, ScoreTerm[]>();
  for (const term of table.log ?? []) {
    let terms = byNode.get(term.node);
    if (terms === undefined) {
      terms = [];
      byNode.set(term.node, terms);
    }
    if (term.set) terms.length = 0;
    terms.push(describeTerm(term));
  }
  for (const [node, terms] of byNode) byNode.set(node, withoutZeros(terms));
  return byNode;
}

/** A base of 0 says nothing unless it is all there is. */
function withoutZeros(terms: readonly ScoreTerm[]): ScoreTerm[] {
  const telling = terms.filter((term) => term.score !== 0);
  return telling.length > 0 ? telling : terms.slice(0, 1);
}

/** What the terms of a row come to: equal to its score. */
export function totalOf(terms: readonly ScoreTerm[]): Score {
  return terms.reduce<Score>((total, term) => addScores(total, term.score), 0);
}

function describeTerm(term: Term): ScoreTerm {
  const { cause } = term;
  return {
    score: term.value,
    kind: cause.kind,
    id: cause.id ?? null,
    through: cause.through ?? null,
    detail: cause.detail ?? null,
    text: describeCause(cause),
  };
}

/** A cause in the operator's words. */
export function describeCause(cause: Cause): string {
  const detail = cause.detail === undefined ? "" : ` (${cause.detail})`;
  switch (cause.kind) {
    case "base":
      return "base score of the node";
    case "location":
      return `location constraint ${cause.id ?? ""}`;
    case "health":
      return "node health";
    case "stickiness":
      return "stickiness: it runs here";
    case "failure":
      return `failure recorded in history${detail}`;
    case "fail-count":
      return `fail count has reached migration-threshold${detail}`;
    case "ticket":
      return `ticket constraint ${cause.id ?? ""}${detail}`;
    case "lock":
      return `shutdown lock${detail}`;
    case "discovery":
      return "resource-discovery=exclusive elsewhere";
    case "unmanaged":
      return "unmanaged and active here";
    case "multiple-active":
      return "active on several nodes with multiple-active=stop_only";
    case "removed":
      return "no longer configured";
    case "structure":
      return `not possible there${detail}`;
    case "colocation":
      return `colocation ${cause.id ?? ""} with ${cause.through ?? ""}`;
    case "colocated-with":
      return `preference of ${cause.through ?? ""} through colocation ${cause.id ?? ""}`;
    case "promotion":
      return "promotion score";
    case "rating":
      return `promotion rating of ${cause.through ?? ""}`;
    case "target-role":
      return "target-role is Stopped, or an instance was found not to be needed";
    case "distribution":
      return `distribution of instances${detail}`;
    case "capacity":
      return "not enough capacity";
    case "bundle":
      return `bundle${detail}`;
  }
}

/** Why a node is not available (assignment.md 2.2). */
export function unavailability(node: PolicyNode): string | null {
  if (node.unclean) return "unclean: it must be fenced first";
  if (!node.online) return "offline";
  if (node.shuttingDown) return "shutting down";
  if (node.pending) return "still joining";
  if (node.standbyOnFail) return "standby after a failure";
  if (node.standby) return "standby";
  return node.maintenance ? "maintenance" : null;
}

function verdictOf(model: Model, instance: Resource, table: NodeTable): string {
  if (instance.blocked) return `${instance.id} is blocked: nothing is done until its failure is cleaned up`;
  if (!instance.managed)
    return instance.node === null
      ? `${instance.id} is unmanaged and inactive`
      : `${instance.id} is unmanaged and stays on ${instance.node.name}`;
  if (instance.node !== null) return `${instance.id} goes to ${instance.node.name} with score ${table.get(instance.node.index)}`;
  if (model.options.stopAllResources) return `${instance.id} stops: stop-all-resources is set`;
  const usable = model.nodeList.some((node) => node.available && table.has(node.index) && table.get(node.index) >= 0);
  if (usable) return `${instance.id} gets no node: no allowed node has room for it`;
  const available = model.nodeList.some((node) => node.available);
  return available
    ? `${instance.id} gets no node: every available node has a negative score`
    : `${instance.id} gets no node: none is available`;
}
