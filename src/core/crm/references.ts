import { attributeOf, type Element, idOf, withAttributes, withChildren } from "../cib/index.ts";
import { sectionOf, withSection } from "./tree.ts";

/** Attributes of constraints that name a resource, a template or a tag. */
export const RESOURCE_ATTRIBUTES = ["rsc", "with-rsc", "first", "then"] as const;

/** The ids a constraint names. */
export function namedBy(constraint: Element): string[] {
  const ids: string[] = [];
  for (const name of RESOURCE_ATTRIBUTES) {
    const id = attributeOf(constraint, name);
    if (id !== undefined) ids.push(id);
  }
  for (const set of constraint.children) {
    if (set.name !== "resource_set") continue;
    for (const ref of set.children) {
      const id = ref.name === "resource_ref" ? idOf(ref) : undefined;
      if (id !== undefined) ids.push(id);
    }
  }
  return ids;
}

function mapConstraints(configuration: Element, change: (constraint: Element) => Element | null): Element {
  const section = sectionOf(configuration, "constraints");
  if (section === undefined) return configuration;
  let changed = false;
  const children = section.children.flatMap((constraint) => {
    const next = change(constraint);
    if (next !== constraint) changed = true;
    return next === null ? [] : [next];
  });
  return changed ? withSection(configuration, "constraints", children) : configuration;
}

/** Makes constraints that name `from` outside of sets name `to`; one that would be about `to` alone goes. */
export function redirectPairs(configuration: Element, from: string, to: string): Element {
  return mapConstraints(configuration, (constraint) => {
    const names = RESOURCE_ATTRIBUTES.filter((name) => attributeOf(constraint, name) === from);
    if (names.length === 0) return constraint;
    const redirected = withAttributes(constraint, Object.fromEntries(names.map((name) => [name, to])));
    return isAboutOne(redirected) ? null : redirected;
  });
}

/** Makes constraints that name `from` name `to`, but for those in `except`. */
export function redirectConstraints(configuration: Element, from: string, to: string, except: ReadonlySet<string> = new Set()): Element {
  return mapConstraints(configuration, (constraint) => {
    if (except.has(idOf(constraint) ?? "") || !namedBy(constraint).includes(from)) return constraint;
    const changes: Record<string, string> = {};
    for (const name of RESOURCE_ATTRIBUTES) if (attributeOf(constraint, name) === from) changes[name] = to;
    const children = constraint.children.map((set) =>
      set.name !== "resource_set"
        ? set
        : withChildren(
            set,
            set.children.map((ref) => (idOf(ref) === from ? withAttributes(ref, { id: to }) : ref)),
          ),
    );
    const redirected = withoutRepeats(withChildren(withAttributes(constraint, changes), children));
    return redirected === null || isAboutOne(redirected) ? null : shortest(redirected);
  });
}

/** Sets of two resources that say no more than a plain pair become one, as in crmsh (measured). */
function shortest(constraint: Element): Element {
  const sets = constraint.children.filter((child) => child.name === "resource_set");
  return sets.reduce((sum, set) => sum + set.children.length, 0) === 2 ? (simplify(constraint) ?? constraint) : constraint;
}

/** Sets in which two resources became the same one name it once. */
function withoutRepeats(constraint: Element): Element | null {
  const ids = constraint.children.flatMap((set) => (set.name === "resource_set" ? set.children.map(idOf) : []));
  if (new Set(ids).size === ids.length) return constraint;
  const seen = new Set<string | undefined>();
  const children = constraint.children.flatMap((set) => {
    if (set.name !== "resource_set") return [set];
    const left = set.children.filter((ref) => {
      const isNew = !seen.has(idOf(ref));
      seen.add(idOf(ref));
      return isNew;
    });
    return left.length === 0 ? [] : [withChildren(set, left)];
  });
  return simplify(withChildren(constraint, children));
}

/** Does a constraint between two resources name the same one twice? */
function isAboutOne(constraint: Element): boolean {
  const rsc = attributeOf(constraint, "rsc");
  const first = attributeOf(constraint, "first");
  return (
    (rsc !== undefined && rsc === attributeOf(constraint, "with-rsc")) || (first !== undefined && first === attributeOf(constraint, "then"))
  );
}

/** Removes an object from constraints: plain ones go, sets lose the member and become a plain pair when two are left. */
export function dropFromConstraints(configuration: Element, id: string): Element {
  return mapConstraints(configuration, (constraint) => {
    if (!namedBy(constraint).includes(id)) return constraint;
    if (RESOURCE_ATTRIBUTES.some((name) => attributeOf(constraint, name) === id)) return null;
    const children = constraint.children.flatMap((set) => {
      if (set.name !== "resource_set") return [set];
      const left = set.children.filter((ref) => idOf(ref) !== id);
      return left.some((ref) => ref.name === "resource_ref") ? [withChildren(set, left)] : [];
    });
    return simplify(withChildren(constraint, children));
  });
}

function simplify(constraint: Element): Element | null {
  const sets = constraint.children.filter((child) => child.name === "resource_set");
  const count = sets.reduce((sum, set) => sum + set.children.length, 0);
  if (count === 0) return null;
  // A location or a ticket can be about one resource; the other constraints need two.
  if (count === 1) return constraint.name === "rsc_location" || constraint.name === "rsc_ticket" ? constraint : null;
  if (count > 2) return constraint;
  const pair = asPair(constraint, sets);
  if (pair === null) return constraint;
  const others = constraint.children.filter((child) => child.name !== "resource_set");
  return withChildren(withAttributes(constraint, pair), others);
}

/**
 * Two resources in one ordered set, or alone in two sets, as attributes. Inside one colocation set the later member goes
 * where the earlier is, between sets the first goes where the next is (Pacemaker Explained: colocation sets), so the
 * order differs.
 */
function asPair(constraint: Element, sets: readonly Element[]): Record<string, string> | null {
  const [one, two] = sets;
  if (one === undefined || (two === undefined && attributeOf(one, "sequential") === "false")) return null;
  // "Any of these" is more than a pair can say.
  if (sets.some((set) => attributeOf(set, "require-all") === "false")) return null;
  const members = sets.flatMap((set) => set.children.map((ref) => ({ id: idOf(ref) ?? "", set })));
  const [first, second] = members;
  if (first === undefined || second === undefined) return null;
  if (constraint.name === "rsc_order") {
    return compact([
      ["first", first.id],
      ["first-action", attributeOf(first.set, "action")],
      ["then", second.id],
      ["then-action", attributeOf(second.set, "action")],
    ]);
  }
  if (constraint.name !== "rsc_colocation") return null;
  const [dependent, primary] = two === undefined ? [second, first] : [first, second];
  return compact([
    ["rsc", dependent.id],
    ["rsc-role", attributeOf(dependent.set, "role")],
    ["with-rsc", primary.id],
    ["with-rsc-role", attributeOf(primary.set, "role")],
  ]);
}

function compact(values: readonly (readonly [string, string | undefined])[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of values) if (value !== undefined) result[name] = value;
  return result;
}

/** Removes an object from tags; a tag without members goes. */
export function dropFromTags(configuration: Element, id: string): Element {
  const section = sectionOf(configuration, "tags");
  if (section === undefined) return configuration;
  const children = section.children.flatMap((tag) => {
    const left = tag.children.filter((ref) => idOf(ref) !== id);
    if (left.length === tag.children.length) return [tag];
    return left.some((ref) => ref.name === "obj_ref") ? [withChildren(tag, left)] : [];
  });
  return withSection(configuration, "tags", children);
}

/** Changes names of nested ids wherever `id-ref` uses them. */
export function redirectIdRefs(root: Element, names: ReadonlyMap<string, string>): Element {
  if (names.size === 0) return root;
  const reference = attributeOf(root, "id-ref");
  const to = reference === undefined ? undefined : names.get(reference);
  const children = root.children.map((child) => redirectIdRefs(child, names));
  const same = children.every((child, index) => child === root.children[index]);
  if (same && to === undefined) return root;
  return withChildren(to === undefined ? root : withAttributes(root, { "id-ref": to }), children);
}
