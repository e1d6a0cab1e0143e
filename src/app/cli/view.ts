import type { Element } from "../../core/cib/index.ts";

/** A resource as people see it: where it is and in what condition. */
export type ResourceView = {
  readonly id: string;
  readonly kind: "primitive" | "group" | "clone" | "bundle";
  /** `ocf:quorate:web`; null for containers. */
  readonly agent: string | null;
  /** `Started`, `Stopped`, `Promoted`, `Unpromoted`; of a container the highest below. */
  readonly role: string;
  /** Names of the nodes where it is active. */
  readonly nodes: readonly string[];
  /** `FAILED`, `blocked`, `disabled`, `unmanaged`, `maintenance`, `orphaned`. */
  readonly flags: readonly string[];
  /** Operation in flight, as `start on n1`. */
  readonly pending: string | null;
  readonly promotable: boolean;
  readonly children: readonly ResourceView[];
};

/** A failed operation that status still holds. */
export type FailureView = {
  readonly resource: string;
  readonly node: string;
  readonly task: string;
  readonly intervalMs: number;
  readonly rc: number;
  /** What the code means: `not running`. */
  readonly meaning: string;
  readonly reason: string | null;
  readonly atSec: number | null;
};

export type PolicyNodeView = {
  readonly name: string;
  readonly online: boolean;
  readonly unclean: boolean;
  readonly standby: boolean;
  readonly maintenance: boolean;
  readonly pending: boolean;
};

/** What the policy engine reads out of configuration and status. */
export type ClusterView = {
  readonly resources: readonly ResourceView[];
  readonly failures: readonly FailureView[];
  readonly nodes: readonly PolicyNodeView[];
  readonly failCounts: readonly FailCountView[];
  /** Options in force that keep the cluster from working as usual, in words. */
  readonly notices: readonly string[];
};

/** How often a resource failed on a node; `INFINITY` counts as 1000000. */
export type FailCountView = { readonly resource: string; readonly node: string; readonly count: number };

/** Everything in the tree, containers before what they contain. */
export function* allResources(views: readonly ResourceView[]): Iterable<ResourceView> {
  for (const view of views) {
    yield view;
    yield* allResources(view.children);
  }
}

/** The view of that id at any depth. For `web` of a clone this is the clone's instances together, if no own one exists. */
export function findView(view: ClusterView, id: string): ResourceView | undefined {
  for (const resource of allResources(view.resources)) if (resource.id === id) return resource;
  return undefined;
}

/** `configuration` or `status` of a `<cib>`. */
export function partOf(cib: Element, name: "configuration" | "status"): Element {
  return cib.children.find((child) => child.name === name) ?? { name, attributes: {}, children: [] };
}
