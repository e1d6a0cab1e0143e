import { compareText, INFINITY_SCORE, type Score } from "../../base/index.ts";
import { attributeOf, type Element, idOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { Colocation } from "../model-constraints.ts";
import { descendantsOf } from "../model-queries.ts";
import type { Resource, ResourceKind } from "../model-resource.ts";
import { ROLE, type Role } from "../model-values.ts";
import { parseBoolean, parseRole, parseScore } from "../unpack/index.ts";
import { knownFrom, listed, type MemberList, type References, setsOf } from "./references.ts";

const KIND_RANK: Readonly<Record<ResourceKind, number>> = { bundle: 0, clone: 1, group: 2, primitive: 3 };

/** Order of constraints by the other side (assignment.md 8.11). */
function compareSides(a: Resource, b: Resource): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  if (a.kind !== b.kind) return KIND_RANK[a.kind] - KIND_RANK[b.kind];
  if (a.kind === "clone" && a.promotable !== b.promotable) return a.promotable ? -1 : 1;
  return compareText(a.id, b.id);
}

/** Inserts by 8.11: among equal ones the later added comes first. */
export function insertByPrimary(list: Colocation[], added: Colocation): void {
  let at = 0;
  while (at < list.length && compareSides(added.primary, list[at]!.primary) > 0) at++;
  list.splice(at, 0, added);
}

export function insertByDependent(list: Colocation[], added: Colocation): void {
  let at = 0;
  while (at < list.length && compareSides(added.dependent, list[at]!.dependent) > 0) at++;
  list.splice(at, 0, added);
}

/** Adds a colocation to both lists; a score of 0 makes it vanish (8.1). */
export function addColocation(model: Model, colocation: Colocation): void {
  if (colocation.score === 0 || colocation.dependent === colocation.primary) return;
  model.colocations.push(colocation);
  insertByPrimary(colocation.dependent.dependsOn, colocation);
  insertByDependent(colocation.primary.dependedOnBy, colocation);
}

/** Influence as configured, else the dependent's `critical` (8.3). */
function influenceOf(constraint: Element, dependent: Resource): boolean {
  return parseBoolean(attributeOf(constraint, "influence")) ?? dependent.critical;
}

/** Role Started means no role (8.1). */
function colocationRole(text: string | undefined): Role {
  const role = parseRole(text) ?? ROLE.unknown;
  return role === ROLE.started ? ROLE.unknown : role;
}

/** Reads one `rsc_colocation` (assignment.md 8a). */
export function readColocation(model: Model, constraint: Element, references: References): void {
  const id = idOf(constraint) ?? "";
  const score = parseScore(attributeOf(constraint, "score"), model.options) ?? 0;
  const sets = setsOf(model, constraint);
  if (sets.length > 0) {
    readSets(
      model,
      constraint,
      sets.map((set) => setFrom(model, set, score, references)),
      score,
    );
    return;
  }
  const dependent = references.find(attributeOf(constraint, "rsc"));
  const primary = references.find(attributeOf(constraint, "with-rsc"));
  if (dependent.kind === "unknown" || primary.kind === "unknown" || (dependent.kind === "list" && primary.kind === "list")) {
    model.warnings.push(`colocation ${id} is ignored: its resources cannot be resolved`);
    return;
  }
  const dependentRole = colocationRole(attributeOf(constraint, "rsc-role"));
  const primaryRole = colocationRole(attributeOf(constraint, "with-rsc-role"));
  if (dependent.kind === "list" || primary.kind === "list") {
    const side = (found: typeof dependent, role: Role): ColocationSet => ({
      members: listed(found),
      role,
      score,
      sequential: found.kind !== "list",
      reversed: false,
    });
    readSets(model, constraint, [side(dependent, dependentRole), side(primary, primaryRole)], score);
    return;
  }
  const attribute = attributeOf(constraint, "node-attribute");
  addColocation(model, {
    id,
    dependent: dependent.resource,
    primary: primary.resource,
    score,
    dependentRole,
    primaryRole,
    attribute: attribute === undefined || attribute === "#uname" ? null : attribute,
    influence: influenceOf(constraint, dependent.resource),
    explicit: true,
  });
}

type ColocationSet = {
  readonly members: MemberList;
  readonly role: Role;
  readonly score: Score;
  readonly sequential: boolean;
  /** Deprecated `ordering` other than `group` (8.5). */
  readonly reversed: boolean;
};

function setFrom(model: Model, set: Element, score: Score, references: References): ColocationSet {
  const ordering = attributeOf(set, "ordering");
  return {
    members: references.members(set),
    role: colocationRole(attributeOf(set, "role")),
    score: parseScore(attributeOf(set, "score"), model.options) ?? score,
    sequential: parseBoolean(attributeOf(set, "sequential")) !== false,
    reversed: ordering !== undefined && ordering.toLowerCase() !== "group",
  };
}

function readSets(model: Model, constraint: Element, sets: readonly ColocationSet[], score: Score): void {
  const id = idOf(constraint) ?? "";
  const add = (dependent: Resource, primary: Resource, value: Score, roles: { dependent: Role; primary: Role }): void => {
    addColocation(model, {
      id,
      dependent,
      primary,
      score: value,
      dependentRole: roles.dependent,
      primaryRole: roles.primary,
      attribute: null,
      influence: influenceOf(constraint, dependent),
      explicit: true,
    });
  };
  let earlier: ColocationSet | null = null;
  for (const set of sets) {
    pairsInside(set, (dependent, primary) => add(dependent, primary, set.score, { dependent: set.role, primary: set.role }));
    if (earlier !== null) {
      const roles = { dependent: earlier.role, primary: set.role };
      for (const [dependent, primary] of pairsBetween(earlier, set)) add(dependent, primary, score, roles);
    }
    earlier = set;
  }
}

/**
 * Pairs of a set with the one after it (8.6): of what is sequential, its first member depends and its last is depended on.
 * They end at a member that names no resource.
 */
function pairsBetween(set: ColocationSet, next: ColocationSet): readonly (readonly [Resource, Resource])[] {
  const primaries = next.sequential ? next.members.slice(-1) : next.members;
  const pairs: (readonly [Resource, Resource])[] = [];
  for (const dependent of knownFrom(set.sequential ? set.members.slice(0, 1) : set.members)) {
    for (const primary of primaries) {
      if (primary === null) return pairs;
      pairs.push([dependent, primary]);
    }
  }
  return pairs;
}

/** Pairs inside one set (8.5). */
function pairsInside(set: ColocationSet, add: (dependent: Resource, primary: Resource) => void): void {
  if (!set.sequential || set.score === 0 || set.members.includes(null)) return;
  const resources = knownFrom(set.members);
  for (let at = 1; at < resources.length; at++) {
    if (set.score > 0) {
      if (set.reversed) add(resources[at - 1]!, resources[at]!);
      else add(resources[at]!, resources[at - 1]!);
    } else for (let before = 0; before < at; before++) add(resources[at]!, resources[before]!);
  }
}

/** Constraints that structure implies (8.9, but for the one made while a bundle is assigned). */
export function addImplicitColocations(model: Model): void {
  for (const top of model.resources) for (const resource of descendantsOf(top)) addImplicit(model, resource);
}

function addImplicit(model: Model, resource: Resource): void {
  const imply = (id: string, dependent: Resource, primary: Resource, score: Score, influence: boolean): void =>
    addColocation(model, {
      id,
      dependent,
      primary,
      score,
      dependentRole: ROLE.unknown,
      primaryRole: ROLE.unknown,
      attribute: null,
      influence,
      explicit: false,
    });
  if (resource.kind === "group" && resource.collocated) {
    for (let at = 1; at < resource.children.length; at++) {
      const member = resource.children[at]!;
      imply("#group-members", member, resource.children[at - 1]!, INFINITY_SCORE, member.critical);
    }
  }
  for (const replica of resource.bundle?.replicas ?? []) {
    if (replica.ip !== null) imply("#ip-with-container", replica.ip, replica.container, INFINITY_SCORE, true);
  }
  const launcher = resource.launcher;
  if (launcher === null || !resource.managed) return;
  if (resource.inBundle !== null) imply("#replica-remote-with-container", resource, launcher, 10_000, true);
  else if (!containerIsNode(resource, launcher)) imply("#resource-with-container", resource, launcher, INFINITY_SCORE, true);
}

/** The launcher is, or makes, a node, and the resource runs on that node instead (4.30). */
export function containerIsNode(resource: Resource, launcher: Resource): boolean {
  if (resource.isRemoteConnection) return false;
  return launcher.isRemoteConnection || launcher.launched.some((other) => other.isRemoteConnection);
}
