import { INFINITY_SCORE, type Score } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import type { Colocation, Location, TicketConstraint } from "./model-constraints.ts";
import type { PendingTask, ResourceHistory, RunningRecurring } from "./model-history.ts";
import type { PolicyNode } from "./model-node.ts";
import { type MultipleActive, type Requires, ROLE, type Role } from "./model-values.ts";
import type { NodeTable } from "./node-table.ts";

export type ResourceKind = "primitive" | "group" | "clone" | "bundle";

/** An `op` of the configuration (status.md 8). Settings that need rules come from `operationSettings`. */
export type OperationDefinition = {
  readonly xml: Element;
  readonly id: string;
  readonly name: string;
  readonly intervalMs: number;
  /** `unknown`: none given; null: invalid (disables recurrence, actions.md R1). */
  readonly role: Role | null;
  /** XML attribute `enabled` (status.md 8.2). */
  readonly enabled: boolean;
};

/** One replica of a bundle (assignment.md 12.1). */
export type BundleReplica = {
  readonly number: number;
  readonly container: Resource;
  readonly ip: Resource | null;
  readonly address: string | null;
  /** Connection, node and inner instance exist only if the bundle contains a primitive. */
  readonly connection: Resource | null;
  readonly node: PolicyNode | null;
  readonly child: Resource | null;
};

export type BundleData = {
  readonly replicas: BundleReplica[];
  /** The implicit clone around the contained primitive. */
  innerClone: Resource | null;
  readonly replicasPerHost: number;
  readonly promotedMax: number;
  /** Container technology (`docker`, `podman`). */
  readonly technology: string;
  readonly image: string;
};

/**
 * A resource or instance. One mutable object per resource for one run of the engine; each block of fields names the
 * phase that writes it, later phases only read.
 */
export class Resource {
  // --- unpack/resources: identity and structure ---
  readonly kind: ResourceKind;
  /** Unique in this run: `web`, `web:0`, `grp:1`, `http-docker-0`. */
  readonly id: string;
  /** Id in the configuration: without instance number. */
  readonly configId: string;
  /** Its element, with a template's content merged in (status.md 7.2). */
  readonly xml: Element;
  parent: Resource | null = null;
  readonly children: Resource[] = [];
  /** Instance number within the clone or bundle; null outside. */
  number: number | null = null;
  agentClass = "";
  provider: string | null = null;
  type = "";
  /** Found in status but not (or no longer) configured; of clones: beyond `clone-max` (assignment.md 3.6). */
  removed = false;
  /** Made by `remote-node` (status.md 7.5): not displayed. */
  internal = false;
  /** Container, IP or connection of a bundle. */
  implicit = false;
  /** Only for `kind` bundle. */
  bundle: BundleData | null = null;
  /** For a part of a bundle (container, IP, connection, inner clone and instance): the bundle. */
  inBundle: Resource | null = null;

  // --- unpack/resources: settings (status.md 7.7) ---
  /** Meta-attributes in force after 3.4. */
  meta: ReadonlyMap<string, string> = new Map();
  priority: Score = 0;
  critical = true;
  /** As configured, `unknown` if unset or void (status.md 7.10). */
  targetRole: Role = ROLE.unknown;
  managed = true;
  maintenance = false;
  /** What configuration says of the two above, before status and assignment change them. */
  configuredManaged = true;
  configuredMaintenance = false;
  /** Implies unmanaged. Also by status and tickets. */
  blocked = false;
  stickiness: Score = 0;
  migrationThreshold: Score = INFINITY_SCORE;
  failureTimeoutSec = 0;
  multipleActive: MultipleActive = "stop_start";
  requires: Requires = "nothing";
  allowMigrate = false;
  notify = false;
  interleave = false;
  ordered = true;
  collocated = true;
  promotable = false;
  globallyUnique = false;
  allowUnhealthyNodes = false;
  /** `container-attribute-target=host`. */
  attributesFromHost = false;
  cloneMax = 0;
  cloneNodeMax = 1;
  cloneMin = 0;
  promotedMax = 0;
  promotedNodeMax = 0;
  operations: readonly OperationDefinition[] = [];
  readonly utilization = new Map<string, number>();

  // --- unpack/resources: remote and guest nodes ---
  isFenceDevice = false;
  /** `ocf:pacemaker:remote`. */
  isRemoteConnection = false;
  /** The node behind a connection. */
  remoteNode: PolicyNode | null = null;
  /** What creates the guest or bundle node behind this connection, or holds this resource (`container`). */
  launcher: Resource | null = null;
  /** Resources that name this one as launcher. */
  readonly launched: Resource[] = [];
  /** The meta-attribute `container` names a remote connection or guest creator (assignment.md 4.30). */
  containerName: string | null = null;
  reconnectIntervalMs = 0;

  // --- unpack/status ---
  role: Role = ROLE.unknown;
  /** Next role as status and target-role fixed it; `assign` completes it. */
  nextRole: Role = ROLE.unknown;
  readonly activeNodes: PolicyNode[] = [];
  readonly knownOn = new Set<PolicyNode>();
  failed = false;
  /** The failure asks for a stop. */
  failedStop = false;
  failureIgnored = false;
  startPending = false;
  pending: PendingTask | null = null;
  /** Name in history when it differs from the id (status.md 12.2). */
  historyName: string | null = null;
  readonly histories = new Map<PolicyNode, ResourceHistory>();
  readonly running: RunningRecurring[] = [];
  partialSource: PolicyNode | null = null;
  partialTarget: PolicyNode | null = null;
  /** Sources of dangling migrations (status.md 17.3). */
  readonly danglingSources: PolicyNode[] = [];
  /** An interrupted migration forbids a live one in this run (status.md 17.3). */
  noLiveMigration = false;
  lockNode: PolicyNode | null = null;
  lockTimeSec = 0;
  /** Nodes whose fail counts are already being cleared (status.md 19.6). */
  readonly clearedOn = new Set<PolicyNode>();
  /** Operations marked for rescheduling (`task_interval@node`), by unpack (19.5) and the digest checks of plan. */
  readonly rescheduled = new Set<string>();

  // --- constrain ---
  table: NodeTable;
  readonly locations: Location[] = [];
  /** Promoted-role locations that act on ratings (assignment.md 11.7). */
  readonly promotedLocations: Location[] = [];
  exclusiveDiscovery = false;
  readonly dependsOn: Colocation[] = [];
  readonly dependedOnBy: Colocation[] = [];
  readonly tickets: TicketConstraint[] = [];

  // --- assign ---
  assigning = false;
  /** Assignment is settled; `node` is final. */
  assigned = false;
  node: PolicyNode | null = null;
  /** Was to go nowhere for want of a partner, before anything else was decided (assignment.md 8.22.3); unmanaged, it stays all the same. */
  partnerless = false;
  /** Nodes of all primitives below (collectives), in order of assignment. */
  assignedNodes: PolicyNode[] = [];
  merging = false;
  promotionPriority: Score = 0;
  rating: Score = 0;
  finalRating: Score = 0;
  /** Next role was decided by promotion (`Promoted`/`Unpromoted`). */
  willPromote = false;
  /** The table as it stood when the node was chosen: the score report. */
  report: NodeTable | null = null;

  constructor(kind: ResourceKind, id: string, configId: string, xml: Element, table: NodeTable) {
    this.kind = kind;
    this.id = id;
    this.configId = configId;
    this.xml = xml;
    this.table = table;
  }

  get isPrimitive(): boolean {
    return this.kind === "primitive";
  }

  /** Clone instances (directly): the parent is a clone. */
  get isInstance(): boolean {
    return this.parent !== null && this.parent.kind === "clone";
  }

  get isAnonymousClone(): boolean {
    return this.kind === "clone" && !this.globallyUnique;
  }

  /** Requires fencing of unclean nodes before start or promotion (status.md 7.9). */
  get requiresFencing(): boolean {
    return this.requires === "fencing" || this.requires === "unfencing";
  }
}
