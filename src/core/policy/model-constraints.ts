import type { Score } from "../base/index.ts";
import type { PolicyNode } from "./model-node.ts";
import type { Resource } from "./model-resource.ts";
import type { Discovery, Role } from "./model-values.ts";

/** A location constraint after rules: scores of nodes for one resource (assignment.md 4.16). */
export type Location = {
  readonly id: string;
  readonly resource: Resource;
  /** `unknown`: any role. Promoted: acts on ratings only (11.7). Stopped: 4.18. */
  readonly role: Role;
  readonly pairs: readonly { readonly node: PolicyNode; readonly score: Score }[];
  /** null: the constraint says nothing about probes. */
  readonly discovery: Discovery | null;
  /** Made from node health, not configured. */
  readonly health: boolean;
};

/** "`dependent` with `primary`" (assignment.md 8.1). */
export type Colocation = {
  readonly id: string;
  readonly dependent: Resource;
  readonly primary: Resource;
  readonly score: Score;
  readonly dependentRole: Role;
  readonly primaryRole: Role;
  /** Node attribute to compare; null: the node itself. */
  readonly attribute: string | null;
  readonly influence: boolean;
  /** Configured by a user (assignment.md 8.8). */
  readonly explicit: boolean;
};

export type OrderKind = "Optional" | "Mandatory" | "Serialize";

/** One side of an ordering, references resolved. `action` as written or defaulted (actions.md U1). */
export type OrderSet = {
  readonly id: string;
  readonly resources: readonly Resource[];
  readonly action: string;
  /** Within the set: default true. */
  readonly sequential: boolean;
  /** `sequential="true"` is written: only then it counts between sets (actions.md U6). */
  readonly sequentialExplicit: boolean;
  /** The set's own kind and symmetry, else the constraint's. */
  readonly kind: OrderKind;
  readonly symmetrical: boolean;
  readonly requireAll: boolean;
};

/** An ordering constraint as read; `order` makes relations of it (actions.md section 7). */
export type OrderConstraint = {
  readonly id: string;
  readonly kind: OrderKind;
  /** `score`/`kind`/`symmetrical` evaluated by actions.md U1; Serialize is never symmetrical. */
  readonly symmetrical: boolean;
} & (
  | {
      readonly form: "simple";
      readonly first: Resource;
      readonly firstAction: string;
      readonly then: Resource;
      readonly thenAction: string;
      /** Deprecated `require-all=false` on a constraint whose first is a clone. */
      readonly requireAll: boolean;
    }
  | { readonly form: "sets"; readonly sets: readonly OrderSet[] }
);

export type Ticket = {
  readonly id: string;
  granted: boolean;
  standby: boolean;
  lastGranted: number | null;
};

export type LossPolicy = "stop" | "demote" | "fence" | "freeze";

export type TicketConstraint = {
  readonly id: string;
  readonly ticket: Ticket;
  readonly resource: Resource;
  readonly role: Role;
  readonly lossPolicy: LossPolicy;
};
