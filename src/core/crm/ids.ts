import { attributeOf, type Element, idOf, walk, withAttributes, withChildren } from "../cib/index.ts";
import { RESOURCE_ELEMENTS } from "./words.ts";

/** Elements whose `id` names another element instead of themselves. */
const REFERRING: ReadonlySet<string> = new Set(["resource_ref", "obj_ref", "role"]);
const SETS: ReadonlySet<string> = new Set(["instance_attributes", "meta_attributes", "utilization"]);

/** Ids in use, from which a free one is drawn: the wanted one, else with `-0`, `-1` … (FORMAT.md, normalisation 6). */
export class IdPool {
  readonly #used: Set<string>;
  constructor(used: Iterable<string>) {
    this.#used = new Set(used);
  }

  has(id: string): boolean {
    return this.#used.has(id);
  }

  reserve(id: string): void {
    this.#used.add(id);
  }

  /** Gives ids back, before the object that has them is written anew. */
  release(ids: Iterable<string>): void {
    for (const id of ids) this.#used.delete(id);
  }

  draw(wanted: string): string {
    const base = sanitize(wanted);
    let id = base;
    for (let next = 0; this.#used.has(id); next += 1) id = `${base}-${next}`;
    this.#used.add(id);
    return id;
  }

  /** Recipients are counted from 1: `ALERT-recipient-1`. */
  drawCounted(wanted: string): string {
    const base = sanitize(wanted);
    let next = 1;
    while (this.#used.has(`${base}-${next}`)) next += 1;
    return this.draw(`${base}-${next}`);
  }
}

function sanitize(text: string): string {
  const clean = text.replaceAll(/[^-.\w\u00C0-\uD7FF]/g, "_");
  return /^[-.\d]/.test(clean) ? `_${clean}` : clean;
}

/** Ids that elements of this tree define, leaving out the subtree `except`. */
export function definedIds(root: Element, except: Element | null = null): string[] {
  const ids: string[] = [];
  const visit = (each: Element): void => {
    if (each === except) return;
    const id = idOf(each);
    if (id !== undefined && !REFERRING.has(each.name)) ids.push(id);
    for (const child of each.children) visit(child);
  };
  visit(root);
  return ids;
}

/** Every id that `id-ref` points to, without a name of its own. */
export function referencedIds(root: Element): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const each of walk(root)) {
    const id = attributeOf(each, "id-ref");
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

/** The id that is generated for a nested element, before a clash is avoided; null for elements that get none. */
function wantedId(each: Element, owner: string): { readonly id: string; readonly counted: boolean } | null {
  const plain = (id: string) => ({ id, counted: false });
  switch (each.name) {
    case "instance_attributes":
    case "meta_attributes":
    case "utilization":
      return plain(`${owner}-${each.name}`);
    case "nvpair":
      return plain(`${owner}-${attributeOf(each, "name") ?? ""}`);
    case "op":
      return plain(`${owner}-${attributeOf(each, "name") ?? ""}-${attributeOf(each, "interval") ?? "0"}`);
    case "rule":
      return plain(`${owner}-rule`);
    case "expression":
    case "date_expression":
    case "rsc_expression":
    case "op_expression":
      return plain(`${owner}-expression`);
    case "date_spec":
    case "duration":
      return plain(`${owner}-${each.name}`);
    case "resource_set":
    case "acl_permission":
    case "port-mapping":
    case "storage-mapping":
    case "attribute":
      return plain(owner);
    case "fencing-level":
      return plain("fencing");
    case "recipient":
      return { id: `${owner}-recipient`, counted: true };
    default:
      return null;
  }
}

/**
 * Gives every nested element of an object that has no id the one crmsh would generate. `owner` is the id of the object
 * (for nodes their name). Resources inside a container are objects of their own and left alone.
 */
export function completeIds(object: Element, owner: string, pool: IdPool): Element {
  for (const id of definedIds(object)) pool.reserve(id);
  return completeChildren(object, owner, pool);
}

function completeChildren(parent: Element, owner: string, pool: IdPool): Element {
  const children = parent.children.map((child) => {
    if (RESOURCE_ELEMENTS.has(child.name)) return child;
    const wanted = attributeOf(child, "id") === undefined && attributeOf(child, "id-ref") === undefined ? wantedId(child, owner) : null;
    const id = wanted === null ? null : wanted.counted ? pool.drawCounted(wanted.id) : pool.draw(wanted.id);
    const named = id === null ? child : withAttributes(child, { id });
    return completeChildren(named, idOf(named) ?? owner, pool);
  });
  return withChildren(parent, children);
}

/** Takes away nested ids that look generated from `owner`, so that they can follow a new name. */
export function stripGeneratedIds(parent: Element, owner: string): Element {
  const children = parent.children.map((child) => {
    if (RESOURCE_ELEMENTS.has(child.name)) return child;
    const id = idOf(child);
    const wanted = wantedId(child, owner);
    const stripped = stripGeneratedIds(child, id ?? owner);
    const generated = id !== undefined && wanted !== null && !REFERRING.has(child.name) && isGenerated(id, sanitize(wanted.id));
    return generated ? withAttributes(stripped, { id: null }) : stripped;
  });
  return withChildren(parent, children);
}

function isGenerated(id: string, base: string): boolean {
  return id === base || (id.startsWith(`${base}-`) && /^\d+$/.test(id.slice(base.length + 1)));
}

/** Says which element of the old object an element of the new one continues. */
function matchKey(each: Element): string {
  switch (each.name) {
    case "nvpair":
      return `nvpair ${attributeOf(each, "name") ?? ""} ${attributeOf(each, "id-ref") ?? ""}`;
    case "op":
      return `op ${attributeOf(each, "name") ?? ""} ${attributeOf(each, "interval") ?? ""} ${attributeOf(each, "role") ?? ""}`;
    case "recipient":
      return `recipient ${attributeOf(each, "value") ?? ""}`;
    case "fencing-level":
      return ["target", "target-attribute", "target-value", "target-pattern", "index"]
        .map((name) => attributeOf(each, name) ?? "")
        .join("\u0000");
    default:
      return each.name;
  }
}

/**
 * Lets nested elements without an id keep the id they had in the old form of the object, so that text which says what
 * is already there changes nothing. Elements are matched by what they are and by their place among equals.
 */
export function adoptIds(object: Element, old: Element): Element {
  const candidates = new Map<string, Element[]>();
  for (const child of old.children) {
    const key = matchKey(child);
    candidates.set(key, [...(candidates.get(key) ?? []), child]);
  }
  const children = object.children.map((child) => {
    const match = candidates.get(matchKey(child))?.shift();
    if (match === undefined || RESOURCE_ELEMENTS.has(child.name)) return child;
    const id = idOf(match);
    const free = id !== undefined && idOf(child) === undefined && attributeOf(child, "id-ref") === undefined && !REFERRING.has(child.name);
    return adoptIds(free ? withAttributes(child, { id }) : child, match);
  });
  return withChildren(object, children);
}

/** Is this element a set of name-value pairs? */
export function isAttributeSet(each: Element): boolean {
  return SETS.has(each.name) || each.name === "cluster_property_set";
}
