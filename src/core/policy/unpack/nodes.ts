import type { Score } from "../../base/index.ts";
import { attributeOf, childOf, childrenOf, type Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import { type NodeKind, PolicyNode } from "../model-node.ts";
import { ROLE } from "../model-values.ts";
import { applyBlocks, blocksOf } from "./blocks.ts";
import { NO_CONTEXT } from "./rules.ts";
import { isTrue, parseInteger, parseScore } from "./values.ts";

/** Numeric-aware, case-insensitive order of node names (assignment.md 2.1). */
export function compareNodeNames(a: string, b: string): number {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    const digitsLeft = /^\d+/.exec(left.slice(i, i + 20))?.[0];
    const digitsRight = /^\d+/.exec(right.slice(j, j + 20))?.[0];
    if (digitsLeft !== undefined && digitsRight !== undefined) {
      const difference = Number(digitsLeft) - Number(digitsRight) || digitsLeft.length - digitsRight.length;
      if (difference !== 0) return difference < 0 ? -1 : 1;
      i += digitsLeft.length;
      j += digitsRight.length;
    } else {
      if (left[i] !== right[j]) return left[i]! < right[j]! ? -1 : 1;
      i++;
      j++;
    }
  }
  return left.length - i - (right.length - j);
}

/** Creates a node and puts it into all lists. A second node of the same name exists, but is not found by name. */
export function addNode(model: Model, id: string, name: string, kind: NodeKind, baseScore: Score = 0): PolicyNode {
  const node = new PolicyNode(model.nodes.length, id, name, kind);
  node.baseScore = baseScore;
  model.nodes.push(node);
  let at = model.nodeList.length;
  while (at > 0 && compareNodeNames(model.nodeList[at - 1]!.name, name) > 0) at--;
  model.nodeList.splice(at, 0, node);
  if (!model.nodesByName.has(name.toLowerCase())) model.nodesByName.set(name.toLowerCase(), node);
  if (!model.nodesById.has(id.toLowerCase())) model.nodesById.set(id.toLowerCase(), node);
  if (kind !== "cluster") model.hasRemoteNodes = true;
  model.caches.seed = null;
  return node;
}

export function nodeByName(model: Model, name: string): PolicyNode | undefined {
  return model.nodesByName.get(name.toLowerCase());
}

/** By id first, then by name (status.md 6.2). */
export function nodeByIdOrName(model: Model, id: string | undefined, name: string | undefined): PolicyNode | undefined {
  const byId = id === undefined ? undefined : model.nodesById.get(id.toLowerCase());
  return byId ?? (name === undefined ? undefined : nodeByName(model, name));
}

/** Nodes of the configuration (status.md 6). */
export function unpackNodes(model: Model, configuration: Element): void {
  const section = childOf(configuration, "nodes");
  const dcId = attributeOf(model.cib, "dc-uuid");
  for (const entry of section === undefined ? [] : childrenOf(section, "node")) {
    const id = attributeOf(entry, "id");
    const name = attributeOf(entry, "uname");
    if (id === undefined || name === undefined) {
      model.warnings.push("a node entry without id or uname is ignored");
      continue;
    }
    const type = (attributeOf(entry, "type") ?? "member").toLowerCase();
    if (type !== "member" && type !== "remote" && type !== "ping") {
      model.warnings.push(`node ${name} has the unknown type ${type}: it and the rest of the nodes are ignored`);
      return;
    }
    if (model.nodesByName.has(name.toLowerCase())) model.warnings.push(`two node entries are named ${name}`);
    const score = parseScore(attributeOf(entry, "score"), model.options) ?? 0;
    const node = addNode(model, id, name, type === "remote" ? "remote" : "cluster", score);
    node.configured = true;
    node.isPing = type === "ping";
    node.noProbes = node.isPing;
    node.isDc = dcId !== undefined && dcId.toLowerCase() === id.toLowerCase();
    if (node.isDc) model.dc = node;
    if (node.kind === "cluster") node.unclean = model.options.startupFencing;
    addAttributes(model, node, entry);
    const capacity = new Map<string, string>();
    applyBlocks(blocksOf([entry], "utilization", model.caches.lookup, model.options), capacity, NO_CONTEXT, model, model.caches.lookup);
    addCapacity(node, capacity);
  }
}

/** Capacity values do not overwrite what is there (status.md 3.6). */
export function addCapacity(node: PolicyNode, values: ReadonlyMap<string, string>): void {
  for (const [name, value] of values) if (!node.capacity.has(name)) node.capacity.set(name, parseInteger(value) ?? 0);
}

/** Attributes every node gets (status.md 6.3), then its configured ones, which cannot override these. */
export function addAttributes(model: Model, node: PolicyNode, owner: Element | null): void {
  const attributes = node.attributes;
  attributes.set("#uname", node.name);
  attributes.set("#id", node.id);
  attributes.set("#is_dc", node.isDc ? "true" : "false");
  attributes.set("#kind", nodeKindName(node));
  if (model.options.clusterName !== null) attributes.set("#cluster-name", model.options.clusterName);
  if (owner !== null) {
    const values = new Map<string, string>();
    applyBlocks(
      blocksOf([owner], "instance_attributes", model.caches.lookup, model.options),
      values,
      NO_CONTEXT,
      model,
      model.caches.lookup,
    );
    for (const [name, value] of values) if (!attributes.has(name)) attributes.set(name, value);
  }
  const site = attributes.get("site-name") ?? model.options.clusterName;
  if (site !== null && site !== undefined) attributes.set("#site-name", site);
}

export function nodeKindName(node: PolicyNode): string {
  return node.kind === "guest" ? "container" : node.kind;
}

/** Merges transient attributes over the configured ones (status.md 26), and further utilization. */
export function mergeTransientAttributes(model: Model, node: PolicyNode, state: Element): void {
  const transient = childOf(state, "transient_attributes");
  if (transient === undefined) return;
  const values = new Map<string, string>();
  applyBlocks(
    blocksOf([transient], "instance_attributes", model.caches.lookup, model.options),
    values,
    NO_CONTEXT,
    model,
    model.caches.lookup,
  );
  for (const [name, value] of values) node.attributes.set(name, value);
  const capacity = new Map<string, string>();
  applyBlocks(blocksOf([transient], "utilization", model.caches.lookup, model.options), capacity, NO_CONTEXT, model, model.caches.lookup);
  addCapacity(node, capacity);
  const site = node.attributes.get("site-name");
  if (site !== undefined) node.attributes.set("#site-name", site);
}

/** Remote and guest nodes that resources imply (status.md 7.4, 7.5); they exist before resources are read. */
export function addImpliedNodes(model: Model, resources: Element): void {
  for (const child of resources.children) {
    if (child.name === "primitive") {
      if (isRemoteElement(child)) {
        const id = attributeOf(child, "id");
        if (id !== undefined && literalMeta(child, "container") === undefined) implyNode(model, id, "remote");
      } else implyGuest(model, child);
    } else if (child.name === "group") {
      for (const member of childrenOf(child, "primitive")) implyGuest(model, member);
    }
  }
}

function implyGuest(model: Model, launcher: Element): void {
  const name = literalMeta(launcher, "remote-node");
  if (name !== undefined && name !== "") implyNode(model, name, "guest");
}

function implyNode(model: Model, name: string, kind: NodeKind): void {
  const existing = nodeByName(model, name);
  if (existing === undefined) {
    const node = addNode(model, name, name, kind);
    node.attributes.set("#kind", nodeKindName(node));
    if (kind === "remote") node.unclean = model.options.startupFencing;
  } else if (existing.kind !== "cluster") {
    existing.kind = kind;
    existing.attributes.set("#kind", nodeKindName(existing));
    if (kind === "remote") existing.unclean = model.options.startupFencing;
  }
}

/** An element of agent `ocf:pacemaker:remote`, ignoring case. */
export function isRemoteElement(primitive: Element): boolean {
  return (
    attributeOf(primitive, "class")?.toLowerCase() === "ocf" &&
    attributeOf(primitive, "provider")?.toLowerCase() === "pacemaker" &&
    attributeOf(primitive, "type")?.toLowerCase() === "remote"
  );
}

/** A pair of the element's own blocks, literally, the last in document order (status.md 7.5). */
export function literalMeta(owner: Element, name: string): string | undefined {
  let value: string | undefined;
  for (const block of owner.children) {
    if (block.name !== "meta_attributes") continue;
    for (const pair of block.children) {
      if (pair.name === "nvpair" && attributeOf(pair, "name") === name) value = attributeOf(pair, "value") ?? value;
    }
  }
  return value;
}

/** Attribute `name` is set and true. */
export function nodeFlag(node: PolicyNode, name: string): boolean {
  return isTrue(node.attributes.get(name));
}

/** What status.md 10.2.2 calls up: the connection's current role is at least Started. */
export function connectionIsUp(node: PolicyNode): boolean {
  return node.connection !== null && node.connection.role >= ROLE.started;
}
