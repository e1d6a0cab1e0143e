import {
  attributeOf,
  type ConfigurationEdit,
  canonicalText,
  childOf,
  childrenOf,
  type Element,
  element,
  idOf,
  SECTIONS,
  type Section,
  withAttributes,
  withChildren,
} from "../../core/cib/index.ts";
import { CommandError } from "./level.ts";

const RESOURCE_KINDS = new Set(["primitive", "group", "clone", "master", "bundle"]);

export function sectionOf(configuration: Element, section: Section): Element {
  return childOf(configuration, section) ?? element(section);
}

/** What differs between two configurations, object by object: what `config.commit` takes. */
export function editsBetween(before: Element, after: Element): ConfigurationEdit[] {
  const edits: ConfigurationEdit[] = [];
  for (const name of SECTIONS) {
    const old = objectsById(sectionOf(before, name));
    const fresh = objectsById(sectionOf(after, name));
    for (const [id, object] of fresh) {
      const was = old.get(id);
      const text = was === undefined ? null : canonicalText(was);
      if (text !== canonicalText(object)) edits.push({ section: name, id, before: text, after: object });
    }
    for (const [id, object] of old) {
      if (!fresh.has(id)) edits.push({ section: name, id, before: canonicalText(object), after: null });
    }
  }
  return edits;
}

function objectsById(section: Element): Map<string, Element> {
  const objects = new Map<string, Element>();
  for (const child of section.children) {
    const id = idOf(child);
    if (id !== undefined) objects.set(id, child);
  }
  return objects;
}

/** What the daemon adds to the configuration when it computes, from what it knows of itself (`core/cib` render): nobody's to edit. */
const DERIVED = "quorate-derived";

/** The CIB with another configuration; what the daemon derives for the old one holds for the new one too. */
export function withConfiguration(cib: Element, configuration: Element): Element {
  const old = childOf(cib, "configuration");
  const derived = old === undefined ? [] : sectionOf(old, "crm_config").children.filter((set) => idOf(set) === DERIVED);
  const options = sectionOf(configuration, "crm_config");
  const isMissing = derived.length > 0 && !options.children.some((set) => idOf(set) === DERIVED);
  const whole = isMissing ? withSection(configuration, withChildren(options, [...options.children, ...derived])) : configuration;
  if (old === undefined) return withChildren(cib, [whole, ...cib.children]);
  return withChildren(
    cib,
    cib.children.map((child) => (child === old ? whole : child)),
  );
}

/** The configuration with one section replaced. */
export function withSection(configuration: Element, section: Element): Element {
  const known = configuration.children.some((child) => child.name === section.name);
  if (!known && section.children.length === 0) return configuration;
  return withChildren(
    configuration,
    known ? configuration.children.map((child) => (child.name === section.name ? section : child)) : [...configuration.children, section],
  );
}

/** Adds an object to its section, or replaces the one of its id. */
export function putObject(configuration: Element, section: Section, object: Element): Element {
  const old = sectionOf(configuration, section);
  const id = idOf(object);
  const known = old.children.some((child) => idOf(child) === id);
  const children = known ? old.children.map((child) => (idOf(child) === id ? object : child)) : [...old.children, object];
  return withSection(configuration, withChildren(old, children));
}

export function dropObjects(configuration: Element, section: Section, ids: ReadonlySet<string>): Element {
  const old = sectionOf(configuration, section);
  return withSection(
    configuration,
    withChildren(
      old,
      old.children.filter((child) => !ids.has(idOf(child) ?? "")),
    ),
  );
}

/** The resource of that id at any depth, or undefined. */
export function findResource(configuration: Element, id: string): Element | undefined {
  const search = (among: readonly Element[]): Element | undefined => {
    for (const child of among) {
      if (!RESOURCE_KINDS.has(child.name)) continue;
      if (idOf(child) === id) return child;
      const below = search(child.children);
      if (below !== undefined) return below;
    }
    return undefined;
  };
  return search(sectionOf(configuration, "resources").children);
}

/** The resource, or a `CommandError` that names what was asked for. */
export function requireResource(configuration: Element, id: string): Element {
  const found = findResource(configuration, id);
  if (found === undefined) throw new CommandError(`no such resource: ${id}`);
  return found;
}

/** Ids of all resources, containers before what they contain. */
export function resourceIds(configuration: Element): string[] {
  const ids: string[] = [];
  const collect = (among: readonly Element[]): void => {
    for (const child of among) {
      if (!RESOURCE_KINDS.has(child.name)) continue;
      ids.push(idOf(child) ?? "");
      collect(child.children);
    }
  };
  collect(sectionOf(configuration, "resources").children);
  return ids;
}

/** Resources inside a group, clone or bundle, at any depth. */
export function resourcesWithin(container: Element): Element[] {
  return container.children.filter((child) => RESOURCE_KINDS.has(child.name)).flatMap((child) => [child, ...resourcesWithin(child)]);
}

/** The containers around a resource, outermost first. */
export function containersOf(configuration: Element, id: string): Element[] {
  const search = (among: readonly Element[], around: readonly Element[]): Element[] | null => {
    for (const child of among) {
      if (!RESOURCE_KINDS.has(child.name)) continue;
      if (idOf(child) === id) return [...around];
      const below = search(child.children, [...around, child]);
      if (below !== null) return below;
    }
    return null;
  };
  return search(sectionOf(configuration, "resources").children, []) ?? [];
}

/** The configuration with the resource of that id changed, wherever it is. */
export function mapResource(configuration: Element, id: string, change: (resource: Element) => Element): Element {
  const visit = (resource: Element): Element => {
    if (idOf(resource) === id) return change(resource);
    return withChildren(
      resource,
      resource.children.map((child) => (RESOURCE_KINDS.has(child.name) ? visit(child) : child)),
    );
  };
  const resources = sectionOf(configuration, "resources");
  return withSection(
    configuration,
    withChildren(
      resources,
      resources.children.map((child) => (RESOURCE_KINDS.has(child.name) ? visit(child) : child)),
    ),
  );
}

export type SetKind = "meta_attributes" | "instance_attributes" | "utilization";

/**
 * Gives an owner (resource, node, operation) a value in every set of the kind that has the name; in the first set
 * without a rule when none has it; in a new set `OWNER-KIND` when there is none. Null removes the name from every set; a
 * set that becomes empty stays, because something else may refer to it.
 */
export function setValue(owner: Element, kind: SetKind, name: string, value: string | null): Element {
  const sets = childrenOf(owner, kind);
  const holders = sets.filter((set) => pairOf(set, name) !== undefined);
  if (value === null)
    return withChildren(
      owner,
      owner.children.map((child) => (holders.includes(child) ? withoutPair(child, name) : child)),
    );
  if (holders.length > 0)
    return withChildren(
      owner,
      owner.children.map((child) => (holders.includes(child) ? withPair(child, name, value) : child)),
    );
  const plain = sets.find((set) => childOf(set, "rule") === undefined && attributeOf(set, "id-ref") === undefined);
  if (plain !== undefined)
    return withChildren(
      owner,
      owner.children.map((child) => (child === plain ? withPair(child, name, value) : child)),
    );
  const fresh = withPair(element(kind, { id: `${idOf(owner) ?? ""}-${kind}` }), name, value);
  return withChildren(owner, insertSet(owner.children, fresh));
}

export function textOf(owner: Element, kind: SetKind, name: string): string | undefined {
  for (const set of childrenOf(owner, kind)) {
    const pair = pairOf(set, name);
    if (pair !== undefined) return attributeOf(pair, "value") ?? "";
  }
  return undefined;
}

function pairOf(set: Element, name: string): Element | undefined {
  return childrenOf(set, "nvpair").find((pair) => attributeOf(pair, "name") === name);
}

function withPair(set: Element, name: string, value: string): Element {
  if (pairOf(set, name) !== undefined) {
    return withChildren(
      set,
      set.children.map((child) =>
        child.name === "nvpair" && attributeOf(child, "name") === name ? withAttributes(child, { value }) : child,
      ),
    );
  }
  const id = `${idOf(set) ?? ""}-${name}`.replace(/[^A-Za-z0-9_.-]/g, "_");
  return withChildren(set, [...set.children, element("nvpair", { id, name, value })]);
}

function withoutPair(set: Element, name: string): Element {
  return withChildren(
    set,
    set.children.filter((child) => child.name !== "nvpair" || attributeOf(child, "name") !== name),
  );
}

/** Schema order of a resource's children: what a new set goes before. */
const AFTER_SETS: Readonly<Record<SetKind, ReadonlySet<string>>> = {
  meta_attributes: new Set(["instance_attributes", "operations", "utilization", "primitive", "group", "network", "storage"]),
  instance_attributes: new Set(["operations", "utilization", "primitive", "group"]),
  utilization: new Set(),
};

function insertSet(children: readonly Element[], set: Element): Element[] {
  const before = children.findIndex((child) => AFTER_SETS[set.name as SetKind].has(child.name));
  const at = before < 0 ? children.length : before;
  return [...children.slice(0, at), set, ...children.slice(at)];
}
