import { attributeOf, childrenOf, type Element, walk } from "./element.ts";
import { propertyOf, renderSection } from "./sections.ts";
import { type CibState, type ConfigurationObject, type NodeStatus, uniformNode } from "./state.ts";

/** Resources that the cluster must leave alone: unmanaged or in maintenance by their own or a collective's settings. */
type Kept = { readonly all: boolean; readonly resources: ReadonlySet<string> };

const cache = new WeakMap<object, Kept>();

function keptOf(state: Pick<CibState, "sections">): Kept {
  let kept = cache.get(state.sections);
  if (kept === undefined) {
    kept = readKept(state);
    cache.set(state.sections, kept);
  }
  return kept;
}

function readKept(state: Pick<CibState, "sections">): Kept {
  const { rsc_defaults, resources } = state.sections;
  const all = isTrue(propertyOf(state, "maintenance-mode")) || asksToKeep(renderSection("rsc_defaults", rsc_defaults));
  const kept = new Set<string>();
  for (const object of resources.objects.values()) for (const id of keptBy(object)) kept.add(id);
  return { all, resources: kept };
}

/** A change touches few objects, and every change is asked about on every node. */
const objectCache = new WeakMap<ConfigurationObject, readonly string[]>();

function keptBy(object: ConfigurationObject): readonly string[] {
  let kept = objectCache.get(object);
  if (kept === undefined) {
    const ids: string[] = [];
    note(object.element, false, ids);
    kept = ids;
    objectCache.set(object, kept);
  }
  return kept;
}

/** What a collective says holds for its members. */
function note(resource: Element, inherited: boolean, kept: string[]): void {
  const own = inherited || asksToKeep(resource);
  const id = attributeOf(resource, "id");
  if (own && id !== undefined) kept.push(id);
  for (const child of resource.children) if (COLLECTED.has(child.name)) note(child, own, kept);
}

const COLLECTED: ReadonlySet<string> = new Set(["primitive", "group", "clone", "bundle"]);

/** Any block that says so counts, whatever its rules: a wrong yes only asks for more proof than needed. */
function asksToKeep(of: Element): boolean {
  for (const block of childrenOf(of, "meta_attributes")) {
    for (const pair of walk(block)) {
      if (pair.name !== "nvpair") continue;
      const name = attributeOf(pair, "name");
      const value = attributeOf(pair, "value");
      if (name === "is-managed" && value !== undefined && !isTrue(value)) return true;
      if (name === "maintenance" && isTrue(value)) return true;
    }
  }
  return false;
}

/**
 * Is the resource on this node left alone, so that no guardian may stop it and Tsafe proves nothing about it (RAFT.md
 * §7: unmanaged or in maintenance, confirmed fencing only)? `resource` is the name in history.
 */
export function isKept(state: CibState, node: NodeStatus, resource: string): boolean {
  const { all, resources } = keptOf(state);
  if (all || (resources.size > 0 && (resources.has(resource) || resources.has(resource.replace(/:\d+$/, ""))))) return true;
  return isNodeKept(state, node);
}

/** The one node attribute, transient or not, that leaves everything on its node alone. */
export const KEEPING_ATTRIBUTE = "maintenance";

/** Is everything on this node left alone? */
function isNodeKept(state: CibState, node: NodeStatus): boolean {
  if (isTrue(node.attributes.get(KEEPING_ATTRIBUTE))) return true;
  const configured = state.sections.nodes.objects.get(node.id)?.element;
  for (const block of configured === undefined ? [] : childrenOf(configured, "instance_attributes")) {
    for (const pair of childrenOf(block, "nvpair")) {
      if (attributeOf(pair, "name") === KEEPING_ATTRIBUTE && isTrue(attributeOf(pair, "value"))) return true;
    }
  }
  return false;
}

/** After a change that may keep resources: those are no longer covered, until their node says so anew. */
export function dropCoverage(state: CibState): CibState {
  let nodes = state.nodes;
  for (const node of state.nodes.values()) {
    let history = node.history;
    for (const entry of node.history.values()) {
      if (entry.covered && isKept(state, node, entry.resource)) history = history.set(entry.resource, { ...entry, covered: false });
    }
    if (history !== node.history) nodes = nodes.set(node.name, uniformNode({ ...node, history }));
  }
  return nodes === state.nodes ? state : { ...state, nodes };
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(?:true|on|yes|y|1)$/i.test(value);
}
