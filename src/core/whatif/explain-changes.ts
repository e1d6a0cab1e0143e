import { attributeOf, childOf, type Element, element, idOf, withAttributes, withChildren } from "../cib/index.ts";
import { inject } from "./inject.ts";

/** A change that an operator can make. */
export type ProposedChange =
  | { readonly kind: "drop-constraint"; readonly id: string }
  | { readonly kind: "clean-up"; readonly resource: string; readonly node: string }
  | { readonly kind: "set-meta"; readonly resource: string; readonly name: string; readonly value: string }
  | { readonly kind: "set-property"; readonly name: string; readonly value: string }
  | { readonly kind: "set-node-attribute"; readonly node: string; readonly name: string; readonly value: string }
  | { readonly kind: "grant-ticket"; readonly ticket: string }
  | { readonly kind: "prefer"; readonly resource: string; readonly node: string };

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
      return inject(
        cib,
        (["grant", "activate"] as const).map((state) => ({ kind: "ticket", ticket: change.ticket, state })),
        0,
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
