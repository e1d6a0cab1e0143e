import type { Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import type { Resource } from "../model-resource.ts";
import { applyBlocks, type Block, blocksOf } from "./blocks.ts";
import type { RuleContext } from "./rules.ts";
import { agentContext } from "./settings.ts";

/**
 * Instance attributes of a resource on a node (status.md 3.5), or without one. Rules with node attributes make the
 * result differ by node; where no block has a rule, one evaluation serves all.
 */
export function parametersOf(model: Model, resource: Resource, node: PolicyNode | null): ReadonlyMap<string, string> {
  let prepared = model.caches.parameterBlocks.get(resource);
  if (prepared === undefined) {
    prepared = prepare(model, resource);
    model.caches.parameterBlocks.set(resource, prepared);
  }
  if (prepared.constant !== null) return prepared.constant;
  let byNode = model.caches.parameters.get(resource);
  if (byNode === undefined) {
    byNode = new Map();
    model.caches.parameters.set(resource, byNode);
  }
  let values = byNode.get(node);
  if (values === undefined) {
    values = evaluate(model, prepared.blocks, { node: node?.attributes ?? null, agent: agentContext(resource), operation: null });
    byNode.set(node, values);
  }
  return values;
}

function prepare(model: Model, resource: Resource): { blocks: readonly Block[]; constant: ReadonlyMap<string, string> | null } {
  const blocks: Block[] = [];
  for (let at: Resource | null = resource; at !== null; at = at.parent) {
    blocks.push(...blocksOf([at.xml], "instance_attributes", model.caches.lookup, model.options));
  }
  const constant = blocks.some((block) => block.rule !== null)
    ? null
    : evaluate(model, blocks, { node: null, agent: agentContext(resource), operation: null });
  return { blocks, constant };
}

function evaluate(model: Model, blocks: readonly Block[], context: RuleContext): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  applyBlocks(blocks, values, context, model, model.caches.lookup);
  return values;
}

/** An operation's own instance attributes (status.md 8.5); rules see the node's attributes. */
export function operationParameters(
  model: Model,
  resource: Resource,
  op: Element | null,
  node: PolicyNode | null,
): ReadonlyMap<string, string> {
  if (op === null) return NO_PARAMETERS;
  const blocks = blocksOf([op], "instance_attributes", model.caches.lookup, model.options);
  if (blocks.length === 0) return NO_PARAMETERS;
  return evaluate(model, blocks, { node: node?.attributes ?? null, agent: agentContext(resource), operation: null });
}

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();
