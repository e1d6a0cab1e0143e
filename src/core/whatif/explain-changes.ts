import { type Hash, QuorateError } from "../base/index.ts";
import { attributeOf, childOf, type Element, element, idOf, withAttributes, withChildren } from "../cib/index.ts";
import { type Model, type PolicyNode, type Resource, ROLE, schedule } from "../policy/index.ts";
import { explainModel, findResources } from "./explain.ts";

/** A change that an operator can make. */
export type ProposedChange =
  | { readonly kind: "drop-constraint"; readonly id: string }
  | { readonly kind: "clean-up"; readonly resource: string; readonly node: string }
  | { readonly kind: "set-meta"; readonly resource: string; readonly name: string; readonly value: string }
  | { readonly kind: "set-property"; readonly name: string; readonly value: string }
  | { readonly kind: "set-node-attribute"; readonly node: string; readonly name: string; readonly value: string }
  | { readonly kind: "grant-ticket"; readonly ticket: string }
  | { readonly kind: "prefer"; readonly resource: string; readonly node: string };

/** The smallest set found; `node` is where the engine then puts the resource. */
export type Proposal = { readonly changes: readonly ProposedChange[]; readonly node: string };

/** Runs of the engine that one question may cost. */
export const PROPOSAL_RUNS_MAX = 40;

/**
 * The smallest set of changes after which the resource would run (on `node`, or anywhere), found by running the engine
 * on the changed configuration: what it promises has been seen. null: nothing within `PROPOSAL_RUNS_MAX` runs helps, or
 * it runs there already (then `changes` is empty).
 */
export function proposeChanges(cib: Element, nowMs: number, hash: Hash, resource: string, node: string | null = null): Proposal | null {
  const { model } = schedule(cib, nowMs, hash, { explain: true });
  if (findResources(model, resource).length === 0) throw new QuorateError(`there is no resource ${resource}`, { code: "RESOURCE_UNKNOWN" });
  const there = placedAt(model, resource, node);
  if (there !== null) return { changes: [], node: there };
  const candidates = candidateChanges(model, resource, node);
  let runs = 0;
  for (let size = 1; size <= Math.min(3, candidates.length); size++) {
    for (const changes of subsets(candidates, size)) {
      if (runs++ >= PROPOSAL_RUNS_MAX) return null;
      const changed = changes.reduce(applyChange, cib);
      const placed = placedAt(schedule(changed, nowMs, hash).model, resource, node);
      if (placed !== null) return { changes, node: placed };
    }
  }
  return null;
}

/** Where an instance that the id stands for will run; null: nowhere (or not on the wanted node). */
function placedAt(model: Model, resource: string, node: string | null): string | null {
  for (const instance of findResources(model, resource)) {
    const at = instance.node;
    if (at === null || instance.nextRole === ROLE.stopped || !at.available) continue;
    if (node === null || at.name.toLowerCase() === node.toLowerCase()) return at.name;
  }
  return null;
}

function* subsets(from: readonly ProposedChange[], size: number, begin = 0): Iterable<readonly ProposedChange[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let at = begin; at <= from.length - size; at++) {
    for (const rest of subsets(from, size - 1, at + 1)) yield [from[at]!, ...rest];
  }
}

/** Changes suggested by the terms that speak against the node, and by the states of node and resource. */
function candidateChanges(model: Model, resource: string, node: string | null): readonly ProposedChange[] {
  const found = new Map<string, ProposedChange>();
  const add = (change: ProposedChange): void => void found.set(JSON.stringify(change), change);
  for (const instance of findResources(model, resource)) addResourceChanges(instance, add);
  if (model.options.stopAllResources) add({ kind: "set-property", name: "stop-all-resources", value: "false" });
  for (const target of model.nodeList) {
    if (node !== null && target.name.toLowerCase() !== node.toLowerCase()) continue;
    addNodeChanges(target, add);
    addTermChanges(model, resource, target, add);
  }
  for (const instance of findResources(model, resource)) {
    if (node !== null) add({ kind: "prefer", resource: topId(instance), node });
  }
  return [...found.values()];
}

function topId(instance: Resource): string {
  let top = instance;
  while (top.parent !== null) top = top.parent;
  return top.configId;
}

function addResourceChanges(instance: Resource, add: (change: ProposedChange) => void): void {
  for (let at: Resource | null = instance; at !== null; at = at.parent) {
    if (at.targetRole === ROLE.stopped) add({ kind: "set-meta", resource: at.configId, name: "target-role", value: "Started" });
    if (!at.configuredManaged) add({ kind: "set-meta", resource: at.configId, name: "is-managed", value: "true" });
  }
  if (instance.blocked) {
    for (const node of instance.histories.keys()) add({ kind: "clean-up", resource: instance.configId, node: node.name });
  }
}

function addNodeChanges(node: PolicyNode, add: (change: ProposedChange) => void): void {
  if (node.standby && !node.pending && !node.standbyOnFail)
    add({ kind: "set-node-attribute", node: node.name, name: "standby", value: "off" });
  if (node.maintenance) add({ kind: "set-node-attribute", node: node.name, name: "maintenance", value: "off" });
}

function addTermChanges(model: Model, resource: string, node: PolicyNode, add: (change: ProposedChange) => void): void {
  for (const instance of explainModel(model, resource, node.name).instances) {
    for (const { terms } of instance.nodes) {
      for (const term of terms) {
        if (term.score >= 0) continue;
        if (
          (term.kind === "location" || term.kind === "colocation" || term.kind === "colocated-with") &&
          term.id !== null &&
          !term.id.startsWith("#")
        ) {
          add({ kind: "drop-constraint", id: term.id });
        }
        if (term.kind === "ticket") for (const ticket of model.tickets.keys()) add({ kind: "grant-ticket", ticket });
        if (term.kind === "failure" || term.kind === "fail-count") {
          add({ kind: "clean-up", resource: instance.resource.replace(/:\d+$/, ""), node: node.name });
        }
        // Bound to something that gets no node: what would help that one helps here.
        if ((term.kind === "colocation" || term.kind === "colocated-with") && term.through !== null) {
          const other = model.resourcesById.get(term.through);
          if (other !== undefined && other.node === null) addResourceChanges(other, add);
        }
      }
    }
  }
}

/** The configuration (or status) with a change made. */
export function applyChange(cib: Element, change: ProposedChange): Element {
  switch (change.kind) {
    case "drop-constraint":
      return edit(cib, "constraints", (section) =>
        withChildren(
          section,
          section.children.filter((child) => idOf(child) !== change.id),
        ),
      );
    case "prefer": {
      const attributes = { id: `prefer-${change.resource}-${change.node}`, rsc: change.resource, node: change.node, score: "INFINITY" };
      return edit(cib, "constraints", (section) => withChildren(section, [...section.children, element("rsc_location", attributes)]));
    }
    case "set-meta":
      return edit(cib, "resources", (section) =>
        mapElements(section, (found) => (idOf(found) === change.resource ? withMeta(found, change) : found)),
      );
    case "set-property":
      return edit(cib, "crm_config", (section) => withPair(section, "cluster_property_set", change.name, change.value));
    case "set-node-attribute":
      return mapElements(cib, (found) => changeNode(found, change));
    case "clean-up":
      return mapElements(cib, (found) =>
        found.name === "node_state" && attributeOf(found, "uname") === change.node ? cleaned(found, change.resource) : found,
      );
    case "grant-ticket":
      return mapElements(cib, (found) =>
        found.name === "ticket_state" && idOf(found) === change.ticket
          ? withAttributes(found, { granted: "true", standby: "false" })
          : found,
      );
  }
}

function edit(cib: Element, section: string, change: (section: Element) => Element): Element {
  const configuration = childOf(cib, "configuration");
  if (configuration === undefined) return cib;
  const old = childOf(configuration, section) ?? element(section);
  const others = configuration.children.filter((child) => child !== old);
  const after = withChildren(configuration, [...others, change(old)]);
  return withChildren(
    cib,
    cib.children.map((child) => (child === configuration ? after : child)),
  );
}

function mapElements(of: Element, change: (element: Element) => Element): Element {
  const children = of.children.map((child) => mapElements(child, change));
  const same = children.every((child, at) => child === of.children[at]);
  return change(same ? of : withChildren(of, children));
}

function withMeta(resource: Element, change: { readonly name: string; readonly value: string }): Element {
  return withPair(resource, "meta_attributes", change.name, change.value);
}

/** Sets a pair in every block of the kind that has it, else in the last block, else in a new one. */
function withPair(owner: Element, kind: string, name: string, value: string): Element {
  let found = false;
  const children = owner.children.map((block) => {
    if (block.name !== kind || !block.children.some((pair) => attributeOf(pair, "name") === name)) return block;
    found = true;
    return withChildren(
      block,
      block.children.map((pair) => (attributeOf(pair, "name") === name ? withAttributes(pair, { value }) : pair)),
    );
  });
  if (found) return withChildren(owner, children);
  const id = `${idOf(owner) ?? "cluster"}-${kind}-changed`;
  const block = element(kind, { id, score: "INFINITY" }, [element("nvpair", { id: `${id}-${name}`, name, value })]);
  return withChildren(owner, [...owner.children, block]);
}

function changeNode(found: Element, change: { readonly node: string; readonly name: string; readonly value: string }): Element {
  const isNode = (found.name === "node" || found.name === "node_state") && attributeOf(found, "uname") === change.node;
  if (!isNode) return found;
  if (found.name === "node") return withPair(found, "instance_attributes", change.name, change.value);
  const transient = childOf(found, "transient_attributes");
  if (transient === undefined) return found;
  const listed = transient.children.some((block) => block.children.some((pair) => attributeOf(pair, "name") === change.name));
  if (!listed) return found;
  const after = withPair(transient, "instance_attributes", change.name, change.value);
  return withChildren(
    found,
    found.children.map((child) => (child === transient ? after : child)),
  );
}

/** Without the resource's history and fail counts. */
function cleaned(state: Element, resource: string): Element {
  const matches = (name: string | undefined): boolean => name !== undefined && name.replace(/:\d+$/, "") === resource;
  return mapElements(state, (found) => {
    if (found.name === "lrm_resources")
      return withChildren(
        found,
        found.children.filter((history) => !matches(idOf(history))),
      );
    if (found.name !== "instance_attributes") return found;
    const kept = found.children.filter((pair) => {
      const parts = /^(?:fail-count|last-failure)-(.+)#/.exec(attributeOf(pair, "name") ?? "");
      return parts === null || !matches(parts[1]);
    });
    return withChildren(found, kept);
  });
}
