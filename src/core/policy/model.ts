import type { Hash } from "../base/index.ts";
import type { Element } from "../cib/index.ts";
import type { Colocation, Location, OrderConstraint, Ticket, TicketConstraint } from "./model-constraints.ts";
import type { FailedAction, StatusNeed } from "./model-history.ts";
import type { PolicyNode } from "./model-node.ts";
import type { Resource } from "./model-resource.ts";
import type { ClusterOptions } from "./model-values.ts";
import type { NodeTable } from "./node-table.ts";
import type { Block, HistoryIndex, Lookup } from "./unpack/index.ts";

/** What the caller may ask of a run beyond the plan itself. */
export type ScheduleOptions = {
  /** Keep score reports (every table that was printed) for `scores` (assignment.md 16). */
  readonly scores?: boolean;
  /** Keep the terms of every score, for `explain`. Costs memory and time. */
  readonly explain?: boolean;
};

/** One printed table (assignment.md 16.3). `label` is Pacemaker's word. */
export type ScoreReport = {
  readonly label: "primitive" | "group" | "clone" | "bundle";
  readonly resource: Resource;
  readonly scores: readonly { readonly node: PolicyNode; readonly score: number }[];
};

/** What `unpack` keeps to answer later questions quickly; private to `core/policy/unpack`. */
export type ModelCaches = {
  readonly lookup: Lookup;
  readonly resourceDefaults: readonly Block[];
  readonly operationDefaults: readonly Block[];
  /** Entries of a new table in a symmetric cluster; null after the set of nodes changed. */
  seed: NodeTable | null;
  readonly parameterBlocks: Map<Resource, { readonly blocks: readonly Block[]; readonly constant: ReadonlyMap<string, string> | null }>;
  readonly parameters: Map<Resource, Map<PolicyNode | null, ReadonlyMap<string, string>>>;
  readonly settings: Map<string, ReadonlyMap<string, string>>;
  readonly digests: Map<string, unknown>;
  histories: HistoryIndex | null;
};

export type PromotionReport = { readonly instance: Resource; readonly node: PolicyNode | null; readonly score: number };

/** Everything one run knows. Created by `unpack`, completed by `constrain` and `assign`; read by the later phases. */
export type Model = {
  // --- unpack ---
  readonly cib: Element;
  /** The `status` section. */
  readonly statusElement: Element | undefined;
  readonly nowSec: number;
  readonly hash: Hash;
  readonly want: ScheduleOptions;
  readonly options: ClusterOptions;
  readonly quorate: boolean;
  readonly featureSet: string | null;
  /** By index: order of creation. */
  readonly nodes: PolicyNode[];
  /** By name as assignment.md 2.1 orders them; every loop "over all nodes" uses it. Kept sorted as nodes appear. */
  readonly nodeList: PolicyNode[];
  /** Keys in lower case. */
  readonly nodesByName: Map<string, PolicyNode>;
  readonly nodesById: Map<string, PolicyNode>;
  dc: PolicyNode | null;
  /** Top-level resources, by priority, removed ones at the end; `assign` may sort them again (assignment.md 5.3). */
  resources: Resource[];
  /** By `Resource.id`, all levels. */
  readonly resourcesById: Map<string, Resource>;
  /** Every primitive, all levels, in unpacking order. */
  readonly primitives: Resource[];
  readonly templates: ReadonlyMap<string, readonly string[]>;
  readonly tags: ReadonlyMap<string, readonly string[]>;
  readonly tickets: Map<string, Ticket>;
  /** A fence device is configured, or a watchdog stands in (status.md 7.14). */
  fencingDevicesExist: boolean;
  /** status.md 5.4. */
  readonly unfencingActive: boolean;
  /** Remote, guest or bundle nodes exist. */
  hasRemoteNodes: boolean;
  readonly needs: StatusNeed[];
  readonly failures: FailedAction[];
  /** Earliest time at which the result may change, 0 = none (status.md 27). */
  recheckAtSec: number;
  /** For people; order of discovery. */
  readonly warnings: string[];
  /** status.md 28.3, taken right after status is read. */
  counts: { primitives: number; disabled: number; blocked: number };

  readonly caches: ModelCaches;

  // --- constrain ---
  readonly locations: Location[];
  readonly colocations: Colocation[];
  /** In configuration order. */
  readonly orders: OrderConstraint[];
  readonly ticketConstraints: TicketConstraint[];

  // --- assign ---
  readonly reports: ScoreReport[];
  readonly promotions: PromotionReport[];
};
