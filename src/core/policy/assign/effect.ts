import { addScores, INFINITY_SCORE } from "../../base/index.ts";
import type { Colocation } from "../model-constraints.ts";
import type { PolicyNode } from "../model-node.ts";
import { blockedWithin } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY, ROLE, type Role } from "../model-values.ts";
import { sortedNodes } from "./choose.ts";
import { type Assignment, anyUsable, assignedNode, attributeValue, isAssigned } from "./context.ts";

/** What processing a constraint can change (assignment.md 8.19). */
export type Affected = "nothing" | "role" | "location";

/** For a bundle container, role tests look at the primitive inside. */
function roleHolder(resource: Resource): Resource {
  const bundle = resource.inBundle;
  if (bundle === null || !resource.implicit || resource.isRemoteConnection) return resource;
  const replica = bundle.bundle?.replicas.find((candidate) => candidate.container === resource);
  return replica?.child ?? resource;
}

/** Of a collective the highest below it (3.2): a member without node makes a group of undecided ones count as Stopped. */
export function nextRole(resource: Resource): Role {
  const holder = roleHolder(resource);
  if (holder.kind === "primitive") return holder.nextRole;
  let role: Role = ROLE.unknown;
  for (const child of holder.children) {
    const below = nextRole(child);
    if (below > role) role = below;
  }
  return role;
}

/** `supposing`: as if everything involved were unassigned or assigned as needed (13.5). */
export function affects(dependent: Resource, primary: Resource, constraint: Colocation, supposing = false): Affected {
  if (!supposing && !isAssigned(primary)) return "nothing";
  const holder = roleHolder(dependent);
  if (constraint.dependentRole >= ROLE.unpromoted && isPromotableChild(holder) && isAssigned(dependent)) return "role";
  if (!supposing && isAssigned(dependent)) return "nothing";
  if (constraint.dependentRole !== ROLE.unknown && constraint.dependentRole !== nextRole(dependent)) return "nothing";
  if (constraint.primaryRole !== ROLE.unknown && constraint.primaryRole !== nextRole(primary)) return "nothing";
  return "location";
}

function isPromotableChild(resource: Resource): boolean {
  return resource.parent !== null && resource.parent.kind === "clone" && resource.parent.promotable;
}

/** Applies a constraint to the dependent `resource`, which stands for the configured one (8c). */
export function applyColocation(assignment: Assignment, resource: Resource, constraint: Colocation): void {
  withPrimary(assignment, resource, constraint.primary, constraint);
}

function withPrimary(assignment: Assignment, resource: Resource, primary: Resource, constraint: Colocation): void {
  if (resource.kind === "group") {
    groupDependent(assignment, resource, primary, constraint);
    return;
  }
  switch (primary.kind) {
    case "primitive":
      withPrimitive(assignment, resource, primary, constraint);
      return;
    case "group":
      withGroup(assignment, resource, primary, constraint);
      return;
    case "clone":
      withClone(assignment, resource, primary, constraint);
      return;
    default:
      withBundle(assignment, resource, primary, constraint);
  }
}

/** 8.27: role selection of a group instance. The rating of the instance follows its members' adjustments. */
function groupDependent(assignment: Assignment, group: Resource, primary: Resource, constraint: Colocation): void {
  const targets = group.collocated ? group.children.slice(0, 1) : group.children;
  for (const member of targets) {
    const before = member.rating;
    assignment.roleGroup = group;
    withPrimary(assignment, member, primary, constraint);
    assignment.roleGroup = null;
    if (member.rating !== before) group.rating = addScores(group.rating, member.rating - before);
  }
}

function withGroup(assignment: Assignment, resource: Resource, primary: Resource, constraint: Colocation): void {
  const members = primary.children;
  if (!primary.collocated) {
    if (constraint.score < INFINITY_SCORE) for (const member of members) withPrimary(assignment, resource, member, constraint);
    return;
  }
  const member = constraint.score >= INFINITY_SCORE ? members[members.length - 1] : members[0];
  if (member !== undefined) withPrimary(assignment, resource, member, constraint);
}

/** 8.20 and 11.8. */
function withPrimitive(assignment: Assignment, resource: Resource, primary: Resource, constraint: Colocation): void {
  const tested = assignment.roleGroup ?? resource;
  switch (affects(tested, primary, constraint)) {
    case "location":
      applyLocation(assignment, resource, primary, constraint);
      return;
    case "role":
      adjustRole(resource, tested, primary, constraint);
      return;
    default:
  }
}

function applyLocation(assignment: Assignment, resource: Resource, primary: Resource, constraint: Colocation): void {
  const { score, attribute } = constraint;
  const { model } = assignment;
  const cause = { kind: "colocation", id: constraint.id, through: primary.id } as const;
  const work = resource.table.snapshot();
  if (primary.node === null) {
    if (score < 0) return;
    const change = score >= INFINITY_SCORE ? MINUS_INFINITY : -score;
    for (const node of model.nodes) work.add(node.index, change, cause);
  } else {
    const wanted = attributeValue(primary, primary.node, attribute);
    for (const node of model.nodes) {
      if (!work.has(node.index)) continue;
      const matches = attributeValue(resource, node, attribute) === wanted;
      if (matches) {
        if (score < INFINITY_SCORE) work.add(node.index, score, cause);
      } else if (score >= INFINITY_SCORE) work.add(node.index, MINUS_INFINITY, cause);
    }
  }
  const finite = score > MINUS_INFINITY && score < INFINITY_SCORE;
  if (finite && !anyUsable(model, work)) return;
  resource.table.adopt(work);
  resource.table.log = work.log;
}

/** 11.8: the rating of an instance with a primitive primary. */
function adjustRole(resource: Resource, tested: Resource, primary: Resource, constraint: Colocation): void {
  const node = assignedNode(tested);
  if (node === null) return;
  if (primary.node !== null && constraint.primaryRole !== ROLE.unknown && constraint.primaryRole !== nextRole(primary)) return;
  const matches =
    primary.node !== null &&
    attributeValue(resource, node, constraint.attribute) === attributeValue(primary, primary.node, constraint.attribute);
  const promoted = constraint.dependentRole === ROLE.promoted;
  if (!matches) {
    if (constraint.score >= INFINITY_SCORE && promoted) resource.rating = addScores(resource.rating, MINUS_INFINITY);
    return;
  }
  resource.rating = addScores(resource.rating, promoted ? constraint.score : -constraint.score);
}

/** 8.22. */
function withClone(assignment: Assignment, resource: Resource, clone: Resource, constraint: Colocation): void {
  if (!clone.assigned) return;
  const unassigned = !isAssigned(assignment.roleGroup ?? resource);
  if (clone.promotable && constraint.primaryRole !== ROLE.unknown) {
    if (unassigned) {
      withPromotable(assignment, resource, clone, constraint);
      return;
    }
    if (constraint.dependentRole === ROLE.promoted) {
      promotedWithPromoted(assignment, resource, clone, constraint);
      return;
    }
  }
  if (interleaves(assignment, resource, clone)) {
    const instance = matchingInstance(assignment, resource, clone, { role: ROLE.unknown, attribute: null });
    if (instance !== null) withPrimary(assignment, resource, instance, constraint);
    else if (constraint.score >= INFINITY_SCORE && unassigned) settleNowhere(resource);
    return;
  }
  if (constraint.score >= INFINITY_SCORE) {
    if (unassigned) keepNodesOf(assignment, resource, clone.children, constraint, clone);
    return;
  }
  // In the order in which they were assigned: an effect that leaves no usable node is taken back (seen with crm_simulate).
  for (const instance of assignment.sequences.get(clone) ?? clone.children) withPrimary(assignment, resource, instance, constraint);
}

/** 8.22.3: no node, for good. */
function settleNowhere(resource: Resource): void {
  resource.assigned = true;
  resource.partnerless = true;
  resource.node = null;
  resource.nextRole = ROLE.stopped;
}

/** 8.22.4: every entry for a node where no unblocked instance is assigned becomes minus infinity. */
function keepNodesOf(
  assignment: Assignment,
  resource: Resource,
  instances: readonly Resource[],
  constraint: Colocation,
  through: Resource,
): void {
  const hosts = new Set<PolicyNode>();
  for (const instance of instances) {
    const node = blockedWithin(instance) ? null : assignedNode(instance);
    if (node !== null) hosts.add(node);
  }
  for (const node of assignment.model.nodes) {
    if (resource.table.has(node.index) && !hosts.has(node)) {
      resource.table.add(node.index, MINUS_INFINITY, { kind: "colocation", id: constraint.id, through: through.id });
    }
  }
}

/** Clones and bundles share instances with the dependent's one if it is interleaved (8.22.3). */
function interleaves(assignment: Assignment, resource: Resource, primary: Resource): boolean {
  const own = collectiveOf(resource);
  if (own === null || !own.interleave) return false;
  if (perNodeMaximum(own) === perNodeMaximum(primary)) return true;
  assignment.model.warnings.push(`cannot interleave ${own.id} and ${primary.id}: they have different limits per node`);
  return false;
}

function collectiveOf(resource: Resource): Resource | null {
  for (let at: Resource | null = resource; at !== null; at = at.parent) {
    if (at.kind === "bundle") return at;
    if (at.kind === "clone" && at.parent === null) return at;
  }
  return null;
}

function perNodeMaximum(collective: Resource): number {
  return collective.kind === "bundle" ? (collective.bundle?.replicasPerHost ?? 1) : collective.cloneNodeMax;
}

/** 8.25: the first instance on the dependent's node, or on its best nodes. */
export function matchingInstance(
  assignment: Assignment,
  resource: Resource,
  collective: Resource,
  how: { readonly role: Role; readonly attribute: string | null },
): Resource | null {
  const node = assignedNode(resource);
  const nodes = isAssigned(resource) ? (node === null ? [] : [node]) : sortedNodes(assignment.model, resource.table, null);
  const instances =
    collective.kind === "bundle" ? (collective.bundle?.replicas.map((replica) => replica.container) ?? []) : collective.children;
  for (const candidate of nodes) {
    const host = hostOf(candidate, collective);
    const wanted = how.attribute === null ? null : attributeValue(resource, candidate, how.attribute);
    for (const instance of instances) {
      const at = assignedNode(instance);
      if (at === null || blockedWithin(instance)) continue;
      if (how.role !== ROLE.unknown && nextRole(instance) !== how.role) continue;
      if (how.attribute === null ? at === host : attributeValue(instance, at, how.attribute) === wanted) return instance;
    }
  }
  return null;
}

/** For bundle containers a bundle node stands for its container's host (8.26). */
function hostOf(node: PolicyNode, collective: Resource): PolicyNode {
  return collective.kind === "bundle" && node.isBundleNode ? (node.launcher?.node ?? node) : node;
}

/** 8.23: an unassigned dependent with a role of a promotable clone. */
function withPromotable(assignment: Assignment, resource: Resource, clone: Resource, constraint: Colocation): void {
  const { model } = assignment;
  const instances = clone.children.filter((instance) => assignedNode(instance) !== null && nextRole(instance) === constraint.primaryRole);
  const cause = { kind: "colocation", id: constraint.id, through: clone.id } as const;
  if (constraint.score < INFINITY_SCORE) {
    for (const instance of instances) {
      const wanted = attributeValue(instance, assignedNode(instance)!, constraint.attribute);
      for (const node of model.nodes) {
        if (resource.table.has(node.index) && attributeValue(resource, node, constraint.attribute) === wanted) {
          resource.table.add(node.index, constraint.score, cause);
        }
      }
    }
    return;
  }
  if (constraint.dependentRole === ROLE.promoted && constraint.primaryRole === ROLE.promoted) return;
  const hosts = new Map<PolicyNode, Resource>();
  for (const instance of instances) hosts.set(assignedNode(instance)!, instance);
  for (const node of model.nodes) {
    if (!resource.table.has(node.index)) continue;
    const instance = hosts.get(node);
    if (instance === undefined) resource.table.add(node.index, MINUS_INFINITY, cause);
    else resource.table.add(node.index, instance.table.get(node.index), cause);
  }
}

/** 11.9. */
function promotedWithPromoted(assignment: Assignment, resource: Resource, clone: Resource, constraint: Colocation): void {
  const standing = assignment.roleGroup ?? resource;
  const found = matchingInstance(assignment, standing, clone, { role: constraint.primaryRole, attribute: constraint.attribute });
  if (found !== null) resource.rating = addScores(resource.rating, constraint.score);
  else if (constraint.score >= INFINITY_SCORE) resource.rating = MINUS_INFINITY;
}

/** 8.24. */
function withBundle(assignment: Assignment, resource: Resource, bundle: Resource, constraint: Colocation): void {
  if (!bundle.assigned) return;
  const unassigned = !isAssigned(resource);
  if (constraint.dependent.kind === "clone" || constraint.dependent.kind === "bundle") {
    const container = matchingInstance(assignment, resource, bundle, { role: ROLE.unknown, attribute: null });
    if (container !== null) withPrimitive(assignment, resource, container, constraint);
    else if (constraint.score >= INFINITY_SCORE && unassigned) settleNowhere(resource);
    return;
  }
  const replicas = bundle.bundle?.replicas ?? [];
  if (constraint.score < INFINITY_SCORE) {
    for (const replica of replicas) withPrimitive(assignment, resource, replica.container, constraint);
    return;
  }
  if (!unassigned) return;
  const wantsPromoted = constraint.primaryRole === ROLE.promoted;
  const containers = replicas
    .filter((replica) => !wantsPromoted || replica.child?.nextRole === ROLE.promoted)
    .map((replica) => replica.container);
  keepNodesOf(assignment, resource, containers, constraint, bundle);
}
