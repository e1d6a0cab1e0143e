import type { PolicyNode } from "./model-node.ts";
import type { Resource } from "./model-resource.ts";
import { ROLE, type Role } from "./model-values.ts";

/** Outermost clone or group, not counting a bundle around it (status.md, "top of"). */
export function topOf(resource: Resource): Resource {
  let top = resource;
  while (top.parent !== null && top.parent.kind !== "bundle") top = top.parent;
  return top;
}

/** Outermost resource, bundles included. */
export function outermostOf(resource: Resource): Resource {
  let top = resource;
  while (top.parent !== null) top = top.parent;
  return top;
}

/** The clone around a resource (directly or through a group), or null. */
export function cloneOf(resource: Resource): Resource | null {
  for (let at: Resource | null = resource; at !== null; at = at.parent) if (at.kind === "clone") return at;
  return null;
}

/** Every primitive at or below, in configuration order. */
export function* primitivesOf(resource: Resource): Iterable<Resource> {
  if (resource.kind === "primitive") yield resource;
  else for (const child of resource.children) yield* primitivesOf(child);
}

/** The resource and everything below, parents first. */
export function* descendantsOf(resource: Resource): Iterable<Resource> {
  yield resource;
  for (const child of resource.children) yield* descendantsOf(child);
}

export function isWithin(resource: Resource, ancestor: Resource): boolean {
  for (let at: Resource | null = resource; at !== null; at = at.parent) if (at === ancestor) return true;
  return false;
}

/** Current role: of a collective the highest below it (assignment.md 3.2), of a group its first member's (9.6). */
export function currentRole(resource: Resource): Role {
  if (resource.kind === "primitive") return resource.role;
  let role: Role = ROLE.unknown;
  for (const child of resource.children) {
    const below = currentRole(child);
    if (below > role) role = below;
  }
  return role;
}

export function nextRoleOf(resource: Resource): Role {
  if (resource.kind === "primitive") return resource.nextRole;
  let role: Role = ROLE.unknown;
  for (const child of resource.children) {
    const below = nextRoleOf(child);
    if (below > role) role = below;
  }
  return role;
}

/** Active nodes of a resource or of everything below a collective (assignment.md 3.3); of a bundle: its containers'. */
export function activeNodesOf(resource: Resource): readonly PolicyNode[] {
  return resource.activeNodes;
}

/** Any primitive failed within. */
export function failedWithin(resource: Resource): boolean {
  if (resource.failed) return true;
  return resource.children.some(failedWithin);
}

/** Blocked itself or in a descendant. */
export function blockedWithin(resource: Resource): boolean {
  if (resource.blocked) return true;
  return resource.children.some(blockedWithin);
}

/** Some member requires fencing (a collective requires what any of its primitives requires). */
export function requiresFencing(resource: Resource): boolean {
  if (resource.kind === "primitive") return resource.requiresFencing;
  return resource.children.some(requiresFencing);
}

/**
 * The node that counts as current (assignment.md 3.4): the source of a half-done migration; else the first active one,
 * or, if fencing is not required, the first that is online and clean.
 */
export function currentNodeOf(resource: Resource): PolicyNode | null {
  const nodes = resource.activeNodes;
  if (nodes.length === 0) return null;
  if (nodes.length === 1) return nodes[0]!;
  if (resource.partialSource !== null && nodes.includes(resource.partialSource)) return resource.partialSource;
  if (requiresFencing(resource)) return nodes[0]!;
  return nodes.find((node) => node.online && !node.unclean) ?? nodes[0]!;
}
