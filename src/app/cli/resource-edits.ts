import { attributeOf, childOf, childrenOf, type Element, element, idOf, withChildren } from "../../core/cib/index.ts";
import { booleanOf } from "./arguments.ts";
import {
  containersOf,
  dropObjects,
  findResource,
  mapResource,
  putObject,
  requireResource,
  resourcesWithin,
  sectionOf,
  setValue,
  textOf,
} from "./edits.ts";
import { CommandError } from "./level.ts";

/** Ids as crm tools give them, so that what one of them made another one finds. */
const preferId = (resource: string): string => `cli-prefer-${resource}`;
const banId = (resource: string, node: string): string => `cli-ban-${resource}-on-${node}`;
const BAN_PREFIX = (resource: string): string => `cli-ban-${resource}-on-`;

const CLONES = new Set(["clone", "master"]);

/** The resource that a wish about this one is written at: its clone, for what a clone is made of (as crm tools do; measured). */
export function wishTarget(configuration: Element, id: string): Element {
  const resource = requireResource(configuration, id);
  const parent = containersOf(configuration, id).at(-1);
  return parent !== undefined && CLONES.has(parent.name) ? parent : resource;
}

/** Resources inside the one that a wish is about which have their own value, and it is another one: they would not follow. */
export function membersThatDiffer(configuration: Element, id: string, name: string, value: string): string[] {
  return resourcesWithin(wishTarget(configuration, id)).flatMap((child) => {
    const own = textOf(child, "meta_attributes", name);
    const childId = idOf(child);
    return childId === undefined || childId === id || own === undefined || own === value ? [] : [childId];
  });
}

/** Gives a resource, or the clone made of it, a meta-attribute (null removes it). What was named has then none of its own. */
export function setMeta(configuration: Element, id: string, name: string, value: string | null): Element {
  const target = idOf(wishTarget(configuration, id)) ?? id;
  const cleared = target === id ? configuration : dropMeta(configuration, id, name);
  return mapResource(cleared, target, (item) => setValue(item, "meta_attributes", name, value));
}

/** Takes a meta-attribute away from this resource alone. */
export function dropMeta(configuration: Element, id: string, name: string): Element {
  return mapResource(configuration, id, (item) => setValue(item, "meta_attributes", name, null));
}

/** Is it a clone whose instances can be promoted? */
export function isPromotable(resource: Element): boolean {
  if (resource.name === "master") return true;
  const value = resource.name === "clone" ? textOf(resource, "meta_attributes", "promotable") : undefined;
  return value !== undefined && booleanOf(value) === true;
}

/** The end of a constraint's life, and null for one that stays. */
export type Lifetime = string | null;

/** A constraint that the resource runs on `node`; it replaces an earlier one. */
export function preferNode(configuration: Element, resource: string, node: string, lifetime: Lifetime): Element {
  requireResource(configuration, resource);
  const cleared = dropObjects(configuration, "constraints", new Set([preferId(resource), banId(resource, node)]));
  return putObject(cleared, "constraints", locationOf(preferId(resource), { resource, node, score: "INFINITY", lifetime }));
}

/** A constraint that the resource does not run on `node`. */
export function banNode(configuration: Element, resource: string, node: string, lifetime: Lifetime): Element {
  requireResource(configuration, resource);
  const cleared = dropObjects(configuration, "constraints", new Set([preferId(resource)]));
  return putObject(cleared, "constraints", locationOf(banId(resource, node), { resource, node, score: "-INFINITY", lifetime }));
}

/** Ids of the constraints that `move` and `ban` made for the resource; with `node`, only those about it. */
export function cliConstraints(configuration: Element, resource: string, node: string | null): string[] {
  return sectionOf(configuration, "constraints")
    .children.filter((child) => child.name === "rsc_location" && attributeOf(child, "rsc") === resource)
    .filter((child) => {
      const id = idOf(child) ?? "";
      if (id === preferId(resource)) return node === null || nodeOfLocation(child) === node;
      return node === null ? id.startsWith(BAN_PREFIX(resource)) : id === banId(resource, node);
    })
    .map((child) => idOf(child) ?? "");
}

export function clearConstraints(configuration: Element, resource: string, node: string | null): Element {
  requireResource(configuration, resource);
  return dropObjects(configuration, "constraints", new Set(cliConstraints(configuration, resource, node)));
}

type LocationWish = { readonly resource: string; readonly node: string; readonly score: string; readonly lifetime: Lifetime };

function locationOf(id: string, wish: LocationWish): Element {
  const { resource, node, score, lifetime } = wish;
  if (lifetime === null) return element("rsc_location", { id, rsc: resource, role: "Started", node, score });
  const rule = element("rule", { id: `${id}-rule`, score, "boolean-op": "and" }, [
    element("expression", { id: `${id}-rule-expr`, attribute: "#uname", operation: "eq", value: node, type: "string" }),
    element("date_expression", { id: `${id}-lifetime`, operation: "lt", end: lifetime }),
  ]);
  return element("rsc_location", { id, rsc: resource, role: "Started" }, [rule]);
}

function nodeOfLocation(location: Element): string | undefined {
  const node = attributeOf(location, "node");
  if (node !== undefined) return node;
  const rule = childOf(location, "rule");
  const expression =
    rule === undefined ? undefined : childrenOf(rule, "expression").find((item) => attributeOf(item, "attribute") === "#uname");
  return expression === undefined ? undefined : attributeOf(expression, "value");
}

/** Constraints that name the resource, in any place. */
export function constraintsOf(configuration: Element, resource: string): Element[] {
  const names = (item: Element): boolean =>
    ["rsc", "with-rsc", "first", "then"].some((name) => attributeOf(item, name) === resource) ||
    (item.name === "resource_ref" && idOf(item) === resource) ||
    item.children.some(names);
  return sectionOf(configuration, "constraints").children.filter(names);
}

/** Sets or removes `trace_ra` on operations of a primitive; all of them, or those of that name (and interval). */
export function setTrace(
  configuration: Element,
  resource: string,
  wish: { readonly operation: string | null; readonly interval: string | null; readonly directory: string | null; readonly on: boolean },
): Element {
  const found = requireResource(configuration, resource);
  if (found.name !== "primitive") throw new CommandError(`${resource} is no primitive: only agents can be traced`);
  return mapResource(configuration, resource, (primitive) => {
    const operations = childOf(primitive, "operations") ?? element("operations");
    const wanted = (item: Element): boolean =>
      item.name === "op" &&
      (wish.operation === null || attributeOf(item, "name") === wish.operation) &&
      (wish.interval === null || attributeOf(item, "interval")?.replace(/s$/, "") === wish.interval.replace(/s$/, ""));
    let children = operations.children.map((item) => (wanted(item) ? traced(item, wish.directory, wish.on) : item));
    if (wish.on && wish.operation !== null && !operations.children.some(wanted)) {
      const interval = wish.interval ?? "0";
      const fresh = element("op", { id: `${resource}-${wish.operation}-${interval}`, name: wish.operation, interval });
      children = [...children, traced(fresh, wish.directory, true)];
    }
    const next = withChildren(operations, children);
    const others = primitive.children.filter((item) => item.name !== "operations");
    return children.length === 0 ? primitive : withChildren(primitive, [...others, next]);
  });
}

function traced(op: Element, directory: string | null, on: boolean): Element {
  const set = setValue(op, "instance_attributes", "trace_ra", on ? "1" : null);
  return directory === null && on ? set : setValue(set, "instance_attributes", "trace_dir", on ? directory : null);
}

/** The resource, or the one that contains it and is not contained: what constraints should name. */
export function outermost(configuration: Element, id: string): Element {
  const top = sectionOf(configuration, "resources").children.find(
    (child) => idOf(child) === id || resourcesWithin(child).some((inner) => idOf(inner) === id),
  );
  return top ?? requireResource(configuration, id);
}

/** True when the id names a resource. */
export function isResource(configuration: Element, id: string): boolean {
  return findResource(configuration, id) !== undefined;
}
