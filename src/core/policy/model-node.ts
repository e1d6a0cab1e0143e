import type { Score } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import type { Resource } from "./model-resource.ts";

export type NodeKind = "cluster" | "remote" | "guest";

/**
 * A need to fence recorded for a node (status.md 21.4). One per node, the first reason stays. `plan` decides whether an
 * action results (21.7). Written by unpack, constrain (tickets) and plan (`fenceNode`).
 */
export type FencingNeed = {
  reason: string | null;
  /** Only status.md 9.5.9 carries `priority-fencing-delay`. */
  priorityDelay: boolean;
};

/** One node of the cluster as the engine sees it. Mutable inside `core/policy`; the comment on a field names its writer. */
export class PolicyNode {
  /** Position in every `NodeTable`; order of creation. For loops use `Model.nodeList`. */
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** Set when the node is created; a listed `remote` node becomes `guest` when its connection turns out to have a launcher. */
  kind: NodeKind;
  /** A guest node that belongs to a bundle replica (unpack). */
  isBundleNode = false;
  /** Has a `node` entry in the configuration (unpack). */
  configured = false;
  /** Configured and transient attributes together (status.md 26) (unpack). */
  readonly attributes = new Map<string, string>();
  /** Configured capacity (unpack). */
  readonly capacity = new Map<string, number>();
  /** Capacity not yet taken by assigned resources (assign). */
  remaining = new Map<string, number>();
  /** Base score (assignment.md 2.7) (unpack). */
  baseScore: Score = 0;

  // Condition: unpack; `assign` revises online/unclean/shuttingDown of remote nodes (assignment.md 6.9).
  online = false;
  unclean = false;
  pending = false;
  standby = false;
  standbyOnFail = false;
  maintenance = false;
  shuttingDown = false;
  /** `shutdown` attribute asked for it (cluster nodes: leads to `do_shutdown`). */
  shutdownRequested = false;
  expectedUp = false;
  /** Its state was seen in status (status.md 9.3, 10.3). */
  seen = false;
  /** Guest and bundle nodes: must be recovered through the launcher (status.md 10.2 "reset", 21.4). */
  reset = false;
  /** Remote node fenced according to `node_fenced` (status.md 10.1). */
  wasFenced = false;
  /** `node_in_maintenance` as last told to a remote or guest node; null: never told (status.md 10.3). */
  toldMaintenance: boolean | null = null;
  /** `resource-discovery-enabled=false` on a remote or guest node (status.md 10.3, 23.2). */
  noProbes = false;
  /** A node of the old type `ping`: nothing runs there. */
  isPing = false;
  isDc = false;
  /** Member since (epoch seconds), 0: not a member, -1: unknown. */
  memberSince = -1;
  fencing: FencingNeed | null = null;
  /** Node priority (status.md 21.10). */
  priority = 0;
  /** Connection resource of a remote, guest or bundle node. */
  connection: Resource | null = null;
  /** A former guest whose launcher is gone (status.md 12.6, 21.4). */
  formerGuest = false;
  /** Primitives recorded as active here (unpack). */
  readonly active: Resource[] = [];
  /** Sum of health attributes (assignment.md 4.22) (unpack). */
  health: Score = 0;
  /** The `node_state` element, if any (unpack). */
  status: Element | null = null;
  /** Primitives assigned here in this run (assign). */
  assignedCount = 0;

  constructor(index: number, id: string, name: string, kind: NodeKind) {
    this.index = index;
    this.id = id;
    this.name = name;
    this.kind = kind;
  }

  /** Available in the sense of assignment.md 2.2. */
  get available(): boolean {
    return this.online && !this.shuttingDown && !this.unclean && !this.standby && !this.maintenance;
  }

  /** Guest and bundle nodes. */
  get isGuest(): boolean {
    return this.kind === "guest";
  }

  /** The resource that creates this guest or bundle node, if it is one. */
  get launcher(): Resource | null {
    return this.kind === "guest" ? (this.connection?.launcher ?? null) : null;
  }
}
