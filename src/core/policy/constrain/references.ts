import { attributeOf, childrenOf, type Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import { cloneOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";

/** Resources in order; null where a reference names none, which ends what the constraint does with the list. */
export type MemberList = readonly (Resource | null)[];

/** What an id in a constraint stands for: one resource, or the list of a tag or template. */
export type Reference =
  | { readonly kind: "resource"; readonly resource: Resource }
  | { readonly kind: "list"; readonly resources: MemberList }
  | { readonly kind: "unknown" };

/** The members before the first unknown one. */
export function knownFrom(members: MemberList): readonly Resource[] {
  const known: Resource[] = [];
  for (const member of members) {
    if (member === null) break;
    known.push(member);
  }
  return known;
}

/** Resolves ids of constraints (assignment.md 8.4, status.md 25.4). */
export class References {
  private readonly model: Model;
  private byHistory: Map<string, Resource> | null = null;

  constructor(model: Model) {
    this.model = model;
  }

  resource(id: string): Resource | null {
    const found = this.model.resourcesById.get(id);
    if (found !== undefined) return found;
    this.byHistory ??= this.clonesByHistoryName();
    return this.byHistory.get(id) ?? null;
  }

  find(id: string | undefined): Reference {
    if (id === undefined) return { kind: "unknown" };
    const resource = this.resource(id);
    if (resource !== null) return { kind: "resource", resource };
    const ids = this.model.templates.get(id) ?? this.model.tags.get(id);
    if (ids === undefined) return { kind: "unknown" };
    return { kind: "list", resources: ids.map((each) => this.resource(each)) };
  }

  /** A set's resources: tags and templates replaced in place (8.7). */
  members(set: Element): MemberList {
    return childrenOf(set, "resource_ref").flatMap((child) => listed(this.find(attributeOf(child, "id"))));
  }

  /** The bare id of something cloned means the clone, if an instance has history under it (8.4). */
  private clonesByHistoryName(): Map<string, Resource> {
    const clones = new Map<string, Resource>();
    for (const primitive of this.model.primitives) {
      if (primitive.number === null || primitive.historyName === null) continue;
      const clone = cloneOf(primitive);
      if (clone !== null && !clones.has(primitive.historyName)) clones.set(primitive.historyName, clone);
    }
    return clones;
  }
}

/** A reference as a list of one or more. */
export function listed(found: Reference): MemberList {
  switch (found.kind) {
    case "resource":
      return [found.resource];
    case "list":
      return found.resources;
    default:
      return [null];
  }
}

/** The sets of a constraint, references to sets resolved. */
export function setsOf(model: Model, constraint: Element): readonly Element[] {
  const sets: Element[] = [];
  for (const child of childrenOf(constraint, "resource_set")) {
    const referred = attributeOf(child, "id-ref");
    const set = referred === undefined ? child : model.caches.lookup(referred);
    if (set !== undefined) sets.push(set);
  }
  return sets;
}
