import { attributeOf, childOf, type Element, element, idOf, SECTIONS, type Section, withChildren } from "../cib/index.ts";
import { CONTAINER_ELEMENTS, ELEMENT_OF_TYPE, OBJECT_TYPES, type ObjectType, RESOURCE_ELEMENTS } from "./words.ts";

/** An object of the configuration as the language sees it. `type` null: an element that only an `xml` line can say. */
export type CrmObject = {
  readonly type: ObjectType | null;
  readonly id: string;
  readonly element: Element;
  readonly section: Section;
  /** The group, clone or bundle it is in. */
  readonly parent: CrmObject | null;
};

export const TOPOLOGY_ID = "fencing_topology";

const TYPE_OF_ELEMENT: ReadonlyMap<string, ObjectType> = new Map(
  OBJECT_TYPES.filter((type) => type !== "rsc_defaults" && type !== "op_defaults").map((type) => [ELEMENT_OF_TYPE[type], type]),
);

export function sectionOf(configuration: Element, section: Section): Element | undefined {
  return childOf(configuration, section);
}

/** Every object, sections in schema order, resources before what they contain. */
export function listObjects(configuration: Element): CrmObject[] {
  const objects: CrmObject[] = [];
  for (const section of SECTIONS) {
    const holder = sectionOf(configuration, section);
    if (holder === undefined) continue;
    if (section === "fencing-topology") {
      if (holder.children.some((child) => child.name === "fencing-level")) {
        objects.push({ type: "fencing_topology", id: TOPOLOGY_ID, element: holder, section, parent: null });
      }
      continue;
    }
    for (const child of holder.children) listInto(objects, child, section, null);
  }
  return objects;
}

function listInto(objects: CrmObject[], found: Element, section: Section, parent: CrmObject | null): void {
  const id = idOf(found);
  if (id === undefined) return;
  const object: CrmObject = { type: typeOf(found, section), id, element: found, section, parent };
  objects.push(object);
  if (section !== "resources") return;
  for (const child of found.children) if (RESOURCE_ELEMENTS.has(child.name)) listInto(objects, child, section, object);
}

function typeOf(found: Element, section: Section): ObjectType | null {
  if (section === "rsc_defaults" || section === "op_defaults") return found.name === "meta_attributes" ? section : null;
  return TYPE_OF_ELEMENT.get(found.name) ?? null;
}

/** The object with this id; a node also by its name. */
export function findObject(configuration: Element, id: string): CrmObject | undefined {
  const objects = listObjects(configuration);
  return (
    objects.find((object) => object.id === id) ??
    objects.find((object) => object.type === "node" && attributeOf(object.element, "uname") === id)
  );
}

export function nodeNames(configuration: Element): string[] {
  const nodes = sectionOf(configuration, "nodes")?.children ?? [];
  return nodes.flatMap((node) => (node.name === "node" ? [attributeOf(node, "uname") ?? idOf(node) ?? ""] : []));
}

/** The configuration with this section's children; the section is created in its place when it was not there. */
export function withSection(configuration: Element, section: Section, children: readonly Element[]): Element {
  const existing = sectionOf(configuration, section);
  if (existing !== undefined) {
    return withChildren(
      configuration,
      configuration.children.map((child) => (child === existing ? withChildren(existing, children) : child)),
    );
  }
  const rank = SECTIONS.indexOf(section);
  const at = configuration.children.findIndex((child) => SECTIONS.indexOf(child.name as Section) > rank);
  const place = at < 0 ? configuration.children.length : at;
  return withChildren(configuration, [
    ...configuration.children.slice(0, place),
    element(section, {}, children),
    ...configuration.children.slice(place),
  ]);
}

export function addToSection(configuration: Element, section: Section, added: readonly Element[]): Element {
  return withSection(configuration, section, [...(sectionOf(configuration, section)?.children ?? []), ...added]);
}

/** Puts `replacement` where `target` (the very same element) is; nothing removes it. Only the way to it is copied. */
export function replaceElement(root: Element, target: Element, replacement: readonly Element[]): Element {
  if (replacement.length === 1 && replacement[0] === target) return root;
  const path = pathTo(root, target);
  if (path === null) return root;
  let below: readonly Element[] = replacement;
  let old = target;
  for (const parent of path.reverse()) {
    const at = parent.children.indexOf(old);
    below = [withChildren(parent, [...parent.children.slice(0, at), ...below, ...parent.children.slice(at + 1)])];
    old = parent;
  }
  return below[0] ?? root;
}

/** The elements from the root down to the target's parent; null when it is not there. */
function pathTo(root: Element, target: Element): Element[] | null {
  for (const child of root.children) {
    if (child === target) return [root];
    const path = child.children.length === 0 ? null : pathTo(child, target);
    if (path !== null) return [root, ...path];
  }
  return null;
}

/** Finds what a definition of this id would replace. Nodes have names of their own: a resource may be called like a node. */
export function findDefinition(configuration: Element, id: string, isNode: boolean): CrmObject | undefined {
  if (id === TOPOLOGY_ID) return listObjects(configuration).find((object) => object.id === id);
  for (const section of SECTIONS) {
    if ((section === "nodes") !== isNode || section === "fencing-topology") continue;
    const holder = sectionOf(configuration, section);
    const found = holder === undefined ? undefined : findIn(holder.children, id, section, null);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findIn(children: readonly Element[], id: string, section: Section, parent: CrmObject | null): CrmObject | undefined {
  for (const child of children) {
    if (parent !== null && !RESOURCE_ELEMENTS.has(child.name)) continue;
    if (idOf(child) === id) return { type: typeOf(child, section), id, element: child, section, parent };
    if (!CONTAINER_ELEMENTS.has(child.name)) continue;
    const container: CrmObject = { type: typeOf(child, section), id: idOf(child) ?? "", element: child, section, parent };
    const found = findIn(child.children, id, section, container);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Resources directly inside a container. */
export function membersOf(container: Element): readonly Element[] {
  return container.children.filter((child) => RESOURCE_ELEMENTS.has(child.name));
}

export function withoutMembers(container: Element): Element {
  return withChildren(
    container,
    container.children.filter((child) => !RESOURCE_ELEMENTS.has(child.name)),
  );
}

/** An empty configuration with the four sections every schema wants. */
export function emptyConfiguration(): Element {
  return element("configuration", {}, [element("crm_config"), element("nodes"), element("resources"), element("constraints")]);
}

/** The section an object of this type lives in. */
export function sectionOfType(type: ObjectType): Section {
  switch (type) {
    case "node":
      return "nodes";
    case "property":
      return "crm_config";
    case "rsc_defaults":
    case "op_defaults":
      return type;
    case "location":
    case "colocation":
    case "order":
    case "rsc_ticket":
      return "constraints";
    case "fencing_topology":
      return "fencing-topology";
    case "role":
    case "acl_target":
    case "acl_group":
      return "acls";
    case "alert":
      return "alerts";
    case "tag":
      return "tags";
    default:
      return "resources";
  }
}
