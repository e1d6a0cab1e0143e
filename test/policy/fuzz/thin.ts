import type { Element } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import type { MadeResource } from "./resources.ts";

/** One "dependent with primary" by ids of top-level resources. */
type Edge = { readonly dependent: string; readonly primary: string; readonly mandatory: boolean };

/** Tags that say something about colocations. */
const TAGS = ["colocation", "anti-colocation", "colocation-role", "coloc-node-attribute", "colocation-set"];

/**
 * Drops most colocations of shapes that drawing makes far more often than people do, and that crm_simulate 2.1.5 is known to
 * treat differently (placements.ts). It has a `draw` of its own: everything else in the CIB stays as it is.
 */
export function thinned(constraints: readonly Element[], resources: readonly MadeResource[], draw: Draw, tags: Set<string>): Element[] {
  const groups = new Set(resources.filter(({ kind }) => kind === "group").map(({ id }) => id));
  const clones = new Set(resources.filter(({ kind }) => kind === "clone").map(({ id }) => id));
  const edges: Edge[] = [];
  const kept = constraints.filter((constraint) => {
    if (constraint.name !== "rsc_colocation") return true;
    const added = edgesOf(constraint);
    const unevenly = isUnevenlyShared(constraint, clones) ? 85 : 0;
    if (draw.chance(Math.max(unevenly, dropPercent(constraint, edges, added, groups)))) return false;
    edges.push(...added);
    return true;
  });
  for (const tag of TAGS) tags.delete(tag);
  for (const constraint of kept) if (constraint.name === "rsc_colocation") addTags(constraint, tags);
  return kept;
}

/** How likely a colocation is dropped, given what it ties and what was tied before. */
function dropPercent(constraint: Element, before: readonly Edge[], added: readonly Edge[], groups: ReadonlySet<string>): number {
  const all = [...before, ...added];
  if (hasCircleOrDouble(all)) return 90;
  if (constraint.attributes["rsc-role"] === "Promoted" && constraint.attributes["score"] !== "INFINITY") return 75;
  const touched = new Set(added.flatMap(({ dependent, primary }) => [dependent, primary]));
  if (all.some((edge) => touched.has(edge.dependent) && isChained(edge, all, groups))) return 93;
  // Members of a group depend on each other: a chain again.
  if (added.some((edge) => !edge.mandatory && groups.has(edge.dependent))) return constraint.children.length > 0 ? 80 : 90;
  return all.some((edge) => all.some((other) => edge.dependent === other.dependent && edge.mandatory !== other.mandatory)) ? 80 : 0;
}

/**
 * A positive one with a clone, or an optional one of a clone: 2.1.5 does not hand it to the instances of a clone on all nodes,
 * and instances that would rather be elsewhere it does not keep.
 */
function isUnevenlyShared({ attributes }: Element, clones: ReadonlySet<string>): boolean {
  const { rsc = "", "with-rsc": withRsc = "", "with-rsc-role": role, score = "0" } = attributes;
  if (role !== undefined) return false;
  if (clones.has(rsc) && !score.endsWith("INFINITY")) return true;
  return clones.has(withRsc) && !score.startsWith("-");
}

/** The dependent has dependents itself, whose preferences a group does not pass on, or a finite score does not weaken. */
function isChained(edge: Edge, all: readonly Edge[], groups: ReadonlySet<string>): boolean {
  return (!edge.mandatory || groups.has(edge.dependent)) && all.some((other) => other.primary === edge.dependent);
}

/** Some pair is tied twice, or something depends on itself through others. */
function hasCircleOrDouble(all: readonly Edge[]): boolean {
  const pairs = new Set(all.map(({ dependent, primary }) => `${dependent} ${primary}`));
  if (pairs.size < all.length) return true;
  const open = new Map<string, boolean>();
  const inCircle = (at: string): boolean => {
    const known = open.get(at);
    if (known !== undefined) return known;
    open.set(at, true);
    const found = all.some((edge) => edge.dependent === at && inCircle(edge.primary));
    open.set(at, false);
    return found;
  };
  return all.some(({ dependent }) => inCircle(dependent));
}

function edgesOf(constraint: Element): Edge[] {
  const { rsc, "with-rsc": withRsc, score = "0" } = constraint.attributes;
  const edges: Edge[] = [];
  const tie = (dependent: string, primary: string): void => {
    edges.push({ dependent, primary, mandatory: score.endsWith("INFINITY") });
  };
  if (rsc !== undefined && withRsc !== undefined) tie(rsc, withRsc);
  let earlier: { readonly ids: readonly string[]; readonly sequential: boolean } | null = null;
  for (const set of constraint.children) {
    const ids = set.children.map((reference) => reference.attributes["id"] ?? "");
    const sequential = set.attributes["sequential"] !== "false";
    ids.forEach((id, at) => {
      if (!sequential) return;
      for (const other of score.startsWith("-") ? ids.slice(0, at) : ids.slice(Math.max(0, at - 1), at)) tie(id, other);
    });
    for (const dependent of earlier === null ? [] : earlier.sequential ? earlier.ids.slice(0, 1) : earlier.ids) {
      for (const primary of sequential ? ids.slice(-1) : ids) tie(dependent, primary);
    }
    earlier = { ids, sequential };
  }
  return edges;
}

function addTags(constraint: Element, tags: Set<string>): void {
  const { attributes, children } = constraint;
  if (children.length > 0) {
    tags.add("colocation-set");
    return;
  }
  tags.add("colocation");
  if (attributes["score"]?.startsWith("-") === true) tags.add("anti-colocation");
  if (attributes["rsc-role"] !== undefined || attributes["with-rsc-role"] !== undefined) tags.add("colocation-role");
  if (attributes["node-attribute"] !== undefined) tags.add("coloc-node-attribute");
}
