import { attributeOf, childOf, type Element, element, idOf, walk, withAttributes, withChildren } from "../cib/index.ts";
import type { Draft } from "./drafts.ts";
import { freeMembers } from "./edit-delete.ts";
import { CrmError } from "./errors.ts";
import { DEFAULT_SET_IDS } from "./grammar-others.ts";
import { adoptIds, completeIds, definedIds, IdPool } from "./ids.ts";
import { redirectConstraints } from "./references.ts";
import { keepIfSame } from "./same.ts";
import { HIDDEN_VALUE } from "./secrets.ts";
import {
  addToSection,
  type CrmObject,
  findDefinition,
  findObject,
  listObjects,
  membersOf,
  nodeNames,
  replaceElement,
  sectionOf,
  sectionOfType,
  withoutMembers,
  withSection,
} from "./tree.ts";
import { CONTAINER_ELEMENTS, type ObjectType } from "./words.ts";

export type PutOptions = {
  /** `create` refuses an object that is there; `replace` gives it the new form. */
  readonly mode: "create" | "replace";
  /** What `create` does beyond the words: constraints on members name the container, clones of primitives interleave. */
  readonly improve: boolean;
  readonly warn: (message: string) => void;
  /** The ids in use, kept over many puts; without it they are collected each time. Whoever gives it resolves references at the end. */
  readonly pool?: IdPool;
};

/** The configuration with this object in it. Throws `CrmError` when that cannot be. */
export function putDraft(configuration: Element, draft: Draft, options: PutOptions): Element {
  const put = putTyped(configuration, draft, options);
  return options.pool === undefined && hasReference(draft.element) ? resolveReferences(put) : put;
}

/** Does anything inside use a set, a rule or operations that are elsewhere? */
export function hasReference(of: Element): boolean {
  return attributeOf(of, "id-ref") !== undefined || of.children.some(hasReference);
}

function putTyped(configuration: Element, draft: Draft, options: PutOptions): Element {
  switch (draft.type) {
    case "fencing_topology":
      return putTopology(configuration, draft, options);
    case "node":
      return putNode(configuration, draft, options);
    case "property":
    case "rsc_defaults":
    case "op_defaults":
      return putProperties(configuration, draft, draft.type, options);
    default:
      return CONTAINER_ELEMENTS.has(draft.element.name)
        ? putContainer(configuration, draft, options)
        : putPlain(configuration, draft, options);
  }
}

function definitionOf(configuration: Element, id: string, type: ObjectType): CrmObject | undefined {
  return findDefinition(configuration, id, type === "node");
}

function existingFor(configuration: Element, draft: Draft, options: PutOptions): CrmObject | undefined {
  const existing = definitionOf(configuration, draft.id, draft.type);
  if (existing === undefined) {
    const isUsed = options.pool === undefined ? definedIds(configuration).includes(draft.id) : options.pool.has(draft.id);
    const nested = isUsed && findDefinition(configuration, draft.id, true) === undefined;
    if (nested) throw new CrmError("CRM_DUPLICATE_ID", `${draft.type} ${draft.id}: the id is used inside another object`);
    return undefined;
  }
  if (options.mode === "create") {
    throw new CrmError("CRM_DUPLICATE_ID", `${draft.type} ${draft.id}: there is already ${article(existing.type)} with this id`);
  }
  if (existing.element.name !== draft.element.name) {
    throw new CrmError(
      "CRM_DUPLICATE_ID",
      `${draft.type} ${draft.id}: the id belongs to ${article(existing.type)}; delete or rename it first`,
    );
  }
  return existing;
}

function article(type: string | null): string {
  return type === null ? "an object" : /^[aeo]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** Completes ids, keeping those of the old form. `owner` names what ids are built from. */
function finish(
  configuration: Element,
  drafted: Element,
  old: Element | null,
  how: { readonly owner: string; readonly pool: IdPool | undefined },
): Element {
  const kept = old === null ? drafted : keepHidden(adoptIds(drafted, old), old);
  if (how.pool === undefined) return completeIds(kept, how.owner, new IdPool(definedIds(configuration, old)));
  if (old !== null) how.pool.release(definedIds(withoutMembers(old)));
  return completeIds(kept, how.owner, how.pool);
}

/** A value that was shown as `******` and comes back so keeps what it was. */
export function keepHidden(of: Element, old: Element): Element {
  const values = new Map<string, string>();
  for (const each of walk(old)) {
    const id = idOf(each);
    const value = attributeOf(each, "value");
    if (each.name === "nvpair" && id !== undefined && value !== undefined) values.set(id, value);
  }
  const visit = (each: Element): Element => {
    const kept = values.get(idOf(each) ?? "");
    const own = attributeOf(each, "value") === HIDDEN_VALUE && kept !== undefined ? withAttributes(each, { value: kept }) : each;
    return withChildren(own, own.children.map(visit));
  };
  return visit(of);
}

function putPlain(configuration: Element, draft: Draft, options: PutOptions): Element {
  const existing = existingFor(configuration, draft, options);
  const finished = finish(configuration, draft.element, existing?.element ?? null, { owner: draft.id, pool: options.pool });
  return existing === undefined
    ? addToSection(configuration, sectionOfType(draft.type), [finished])
    : replaceElement(configuration, existing.element, [keepIfSame(existing.element, finished)]);
}

function putTopology(configuration: Element, draft: Draft, options: PutOptions): Element {
  const old = sectionOf(configuration, "fencing-topology") ?? null;
  if (options.mode === "create" && old?.children.some((child) => child.name === "fencing-level")) {
    throw new CrmError("CRM_DUPLICATE_ID", "fencing_topology: there is already one; delete it first, or use 'edit fencing_topology'");
  }
  const finished = finish(configuration, draft.element, old, { owner: "fencing", pool: options.pool });
  return old === null
    ? withSection(configuration, "fencing-topology", finished.children)
    : replaceElement(configuration, old, [keepIfSame(old, withChildren(old, finished.children))]);
}

/** A node that is known by its name or id is changed: in a typed line values are added to what it has. */
function putNode(configuration: Element, draft: Draft, options: PutOptions): Element {
  const uname = attributeOf(draft.element, "uname") ?? draft.id;
  const nodes = (sectionOf(configuration, "nodes")?.children ?? []).filter((child) => child.name === "node");
  const known = nodes.find((node) => attributeOf(node, "uname") === uname) ?? nodes.find((node) => idOf(node) === draft.id);
  if (known === undefined) {
    return addToSection(configuration, "nodes", [finish(configuration, draft.element, null, { owner: uname, pool: options.pool })]);
  }
  const name = attributeOf(known, "uname") ?? uname;
  if (name !== uname) options.warn(`node ${uname}: the node with id ${draft.id} is ${name} and keeps its name`);
  const id = idOf(known) ?? draft.id;
  const merged = options.mode === "create" ? mergeSets(known, draft.element) : draft.element;
  const drafted = withAttributes(merged, { ...draft.element.attributes, id, uname: name });
  return replaceElement(configuration, known, [
    keepIfSame(known, finish(configuration, drafted, known, { owner: name, pool: options.pool })),
  ]);
}

function mergeSets(old: Element, added: Element): Element {
  let result = old;
  for (const set of added.children) {
    const target = childOf(result, set.name);
    const merged = target === undefined || attributeOf(target, "id-ref") !== undefined ? null : mergePairs(target, set);
    const children = merged === null ? [...result.children, set] : result.children.map((child) => (child === target ? merged : child));
    result = withChildren(result, children);
  }
  return result;
}

/** Values of `added` over those of `old`, name by name. */
function mergePairs(old: Element, added: Element): Element {
  let children = old.children;
  for (const pair of added.children) {
    const name = attributeOf(pair, "name");
    const at = name === undefined ? -1 : children.findIndex((child) => child.name === "nvpair" && attributeOf(child, "name") === name);
    const value = attributeOf(pair, "value");
    children =
      at < 0 || value === undefined
        ? [...children, pair]
        : children.map((child, index) => (index === at ? withAttributes(child, { value }) : child));
  }
  return withChildren(old, children);
}

function putProperties(
  configuration: Element,
  draft: Draft,
  type: "property" | "rsc_defaults" | "op_defaults",
  options: PutOptions,
): Element {
  const section = sectionOfType(type);
  const existing = definitionOf(configuration, draft.id, type);
  if (existing === undefined || existing.section !== section) {
    if (existing !== undefined) existingFor(configuration, draft, options);
    return addToSection(configuration, section, [finish(configuration, draft.element, null, { owner: draft.id, pool: options.pool })]);
  }
  const hasRule = draft.element.children.some((child) => child.name === "rule");
  const hasPairs = existing.element.children.some((child) => child.name === "nvpair");
  if (hasRule && hasPairs && options.mode === "create") {
    const advice = draft.id === DEFAULT_SET_IDS[type] ? `; name a set of its own: ${type} ID: rule …` : "";
    throw new CrmError("CRM_REFUSED", `${type} ${draft.id}: a rule would decide about the values the set already has${advice}`);
  }
  const merged = mergePairs(withAttributes(existing.element, draft.element.attributes), draft.element);
  const drafted = options.mode === "create" ? merged : draft.element;
  const finished = finish(configuration, drafted, existing.element, { owner: draft.id, pool: options.pool });
  return replaceElement(configuration, existing.element, [keepIfSame(existing.element, finished)]);
}

function putContainer(configuration: Element, draft: Draft, options: PutOptions): Element {
  const existing = existingFor(configuration, draft, options);
  const members: Element[] = [];
  for (const id of draft.members) {
    const member = memberOf(configuration, draft, id, options);
    if (member !== null) members.push(member);
  }
  let result = configuration;
  if (existing !== undefined) {
    const leaving = membersOf(existing.element).filter((member) => !members.includes(member));
    result = freeMembers(result, existing, new Set(leaving.map((member) => idOf(member) ?? "")));
  }
  for (const member of members) {
    const isInside = existing !== undefined && membersOf(existing.element).includes(member);
    if (!isInside) result = replaceElement(result, member, []);
  }
  const old = existing === undefined ? undefined : findObject(result, draft.id);
  const drafted = options.improve ? withInterleave(draft, members) : draft.element;
  const finished = finish(configuration, drafted, existing?.element ?? null, { owner: draft.id, pool: options.pool });
  const whole = withChildren(finished, [...finished.children, ...members]);
  result =
    old === undefined ? addToSection(result, "resources", [whole]) : replaceElement(result, old.element, [keepIfSame(old.element, whole)]);
  if (!options.improve) return result;
  for (const member of members) result = redirectConstraints(result, idOf(member) ?? "", draft.id);
  return result;
}

function memberOf(configuration: Element, draft: Draft, id: string, options: PutOptions): Element | null {
  const member = definitionOf(configuration, id, draft.type);
  if (member === undefined || member.section !== "resources") {
    options.warn(`${draft.type} ${draft.id}: there is no resource '${id}'; it is left out`);
    return null;
  }
  if (member.parent !== null && member.parent.id !== draft.id) {
    const message = `${draft.type} ${draft.id}: '${id}' is already in ${member.parent.type ?? "container"} ${member.parent.id}`;
    throw new CrmError("CRM_ALREADY_CONTAINED", message);
  }
  if (id === draft.id) throw new CrmError("CRM_REFUSED", `${draft.type} ${draft.id}: a container cannot hold itself`);
  return member.element;
}

/** A clone of a primitive starts and stops beside others without waiting for all of them, unless it was told otherwise. */
function withInterleave(draft: Draft, members: readonly Element[]): Element {
  if (draft.type !== "clone" || members[0]?.name !== "primitive") return draft.element;
  const sets = draft.element.children.filter((child) => child.name === "meta_attributes");
  const said = sets.some((set) => set.children.some((pair) => attributeOf(pair, "name") === "interleave"));
  const first = sets.find((set) => attributeOf(set, "id-ref") === undefined);
  if (said || (first === undefined && sets.length > 0)) return draft.element;
  const pair = element("nvpair", { name: "interleave", value: "true" });
  if (first === undefined) return withChildren(draft.element, [...draft.element.children, element("meta_attributes", {}, [pair])]);
  return withChildren(
    draft.element,
    draft.element.children.map((child) => (child === first ? withChildren(child, [...child.children, pair]) : child)),
  );
}

/** Turns `$id-ref` that names an object into the id of that object's own set, operations or rule. */
export function resolveReferences(configuration: Element): Element {
  const wanted = [...walk(configuration)].filter((each) => attributeOf(each, "id-ref") !== undefined);
  if (wanted.length === 0) return configuration;
  const objects = new Map(listObjects(configuration).map((object) => [object.id, object.element]));
  const names = nodeNames(configuration);
  let result = configuration;
  for (const each of wanted) {
    const reference = attributeOf(each, "id-ref") ?? "";
    const holder = objects.get(reference) ?? (names.includes(reference) ? findObject(configuration, reference)?.element : undefined);
    const target = holder?.children.find((child) => child.name === each.name && idOf(child) !== undefined && child !== each);
    const id = target === undefined || each.name === "nvpair" ? undefined : idOf(target);
    if (id !== undefined && id !== reference) result = replaceElement(result, each, [withAttributes(each, { "id-ref": id })]);
  }
  return result;
}
