import { INFINITY_SCORE } from "../../base/index.ts";
import { insertByDependent, insertByPrimary } from "../constrain/index.ts";
import type { Colocation } from "../model-constraints.ts";
import type { Resource } from "../model-resource.ts";
import type { Assignment } from "./context.ts";

/** One of the two directions of a constraint list (assignment.md 8.10). */
type Direction = {
  readonly own: (resource: Resource) => readonly Colocation[];
  readonly insert: (list: Colocation[], added: Colocation) => void;
  /** Position of the member that stands for its group in this direction (8.15, 8.16). */
  readonly delegate: (group: Resource) => Resource | undefined;
};

const DEPENDS_ON: Direction = { own: (resource) => resource.dependsOn, insert: insertByPrimary, delegate: (group) => group.children[0] };
const DEPENDED_ON_BY: Direction = {
  own: (resource) => resource.dependedOnBy,
  insert: insertByDependent,
  delegate: (group) => group.children[group.children.length - 1],
};

/** Constraints in which the resource is, or stands for, the dependent (8.14–8.18). */
export function dependsOnOf(assignment: Assignment, resource: Resource): readonly Colocation[] {
  return composed(assignment, resource, DEPENDS_ON, assignment.dependsOn);
}

export function dependedOnByOf(assignment: Assignment, resource: Resource): readonly Colocation[] {
  return composed(assignment, resource, DEPENDED_ON_BY, assignment.dependedOnBy);
}

function composed(
  assignment: Assignment,
  resource: Resource,
  direction: Direction,
  cache: Map<Resource, readonly Colocation[]>,
): readonly Colocation[] {
  // A primitive on its own has just its own list; parts of bundles change lists while roles are selected.
  if (resource.parent === null && resource.kind === "primitive") return direction.own(resource);
  const cacheable = resource.inBundle === null;
  const cached = cacheable ? cache.get(resource) : undefined;
  if (cached !== undefined) return cached;
  const list: Colocation[] = [];
  collect(assignment, resource, resource, list, direction);
  if (cacheable) cache.set(resource, list);
  return list;
}

/** Adds a whole list. Oddity 8.13: into a list that is not empty its first entry goes once per entry. */
function addWhole(list: Colocation[], added: readonly Colocation[], direction: Direction): void {
  if (added.length === 0) return;
  if (list.length === 0) list.push(...added);
  else for (let times = 0; times < added.length; times++) direction.insert(list, added[0]!);
}

/** What `resource` contributes to the list of `orig`, which is itself or something below it. */
function collect(assignment: Assignment, resource: Resource, orig: Resource, list: Colocation[], direction: Direction): void {
  switch (resource.kind) {
    case "primitive":
      collectPrimitive(assignment, resource, orig, list, direction);
      return;
    case "group":
      collectGroup(assignment, resource, orig, list, direction);
      return;
    case "clone":
      addWhole(list, direction.own(resource), direction);
      if (resource.parent !== null) collect(assignment, resource.parent, orig, list, direction);
      return;
    default:
      collectBundle(assignment, resource, orig, list, direction);
  }
}

function collectPrimitive(assignment: Assignment, resource: Resource, orig: Resource, list: Colocation[], direction: Direction): void {
  if (resource !== orig) {
    // On behalf of someone else only what users configured counts (8.17).
    for (const constraint of direction.own(resource)) if (constraint.explicit) direction.insert(list, constraint);
    return;
  }
  addWhole(list, direction.own(resource), direction);
  if (resource.parent !== null) collect(assignment, resource.parent, orig, list, direction);
}

function collectGroup(assignment: Assignment, group: Resource, orig: Resource, list: Colocation[], direction: Direction): void {
  if (orig === group || orig === direction.delegate(group)) {
    addWhole(list, direction.own(group), direction);
    if (group.parent !== null) collect(assignment, group.parent, orig, list, direction);
    if (!group.collocated) return;
    for (const member of group.children) if (member !== orig) collectPrimitive(assignment, member, orig, list, direction);
    return;
  }
  if (direction !== DEPENDS_ON) return;
  // A later member is held by its predecessor, unless an earlier one is unmanaged and may be anywhere (8.15).
  for (const member of group.children) {
    if (member === orig) return;
    if (member.managed) continue;
    for (const constraint of direction.own(group)) if (constraint.score >= INFINITY_SCORE) direction.insert(list, constraint);
    return;
  }
}

/** assignment.md 8.18. */
function collectBundle(assignment: Assignment, bundle: Resource, orig: Resource, list: Colocation[], direction: Direction): void {
  const data = bundle.bundle;
  const inner = data?.innerClone ?? null;
  let applies = orig === bundle;
  if (!applies && data !== null) applies = data.replicas.some((replica) => replica.container === orig);
  if (!applies && inner?.promotable === true) {
    applies = orig === inner ? assignment.selecting.has(inner) : orig.parent === inner && orig.assigned && orig.node !== null;
  }
  if (applies) addWhole(list, direction.own(bundle), direction);
}
