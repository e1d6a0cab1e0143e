/**
 * The transition graph: what one run of the policy engine wants done, and before what. It is plain data, so that it can
 * be logged, sent, walked by the live leader and executed on paper by `whatif` alike (Pacemaker Administration:
 * "Interpreting the graph"; rules G1-G10 of the policy description).
 */

/** Tasks that an agent (or the executor on its behalf) carries out. */
export type ResourceTask =
  | "start"
  | "stop"
  | "monitor"
  | "promote"
  | "demote"
  | "notify"
  | "migrate_to"
  | "migrate_from"
  | "reload-agent"
  /** Stop repeating a recurring operation; no agent runs. */
  | "cancel"
  /** Forget the history of the resource on the node; no agent runs. */
  | "delete";

/** What every action of a graph carries. */
type ActionBase = {
  /** 1-based and unique in its graph; means nothing outside of it. */
  readonly id: number;
  /** `<resource>_<task>_<interval>`, e.g. `vip_start_0`; for anonymous clone instances with the name that history uses. */
  readonly key: string;
  /** Ids of the actions that must be complete before this one begins, ascending. */
  readonly inputs: readonly number[];
  /** >= 0. After an abort only actions of a priority at least that of the abort still begin (`INFINITY_SCORE` is the highest). */
  readonly priority: number;
  /** Why, in the words of the summary ("due to ..."); null: no special cause. */
  readonly reason: string | null;
};

/** The agent of a resource. */
export type GraphAgent = {
  readonly agentClass: string;
  readonly provider: string | null;
  readonly type: string;
};

/** Digests that the history entry of an action records (`op-digest`, ...), so that a later change is noticed. */
export type GraphDigests = {
  /** Digest of all parameters. Restart and secure digests need agent metadata: see `parametersDigestText`. */
  readonly all: string;
};

/** An operation of a resource on a node. */
export type ResourceAction = ActionBase & {
  readonly kind: "resource";
  readonly task: ResourceTask;
  /** The id in the configuration; instances of unique clones carry their number; removed resources their history name. */
  readonly resource: string;
  /** The instance inside the engine, e.g. `web:1`; equal to `resource` where there is only one. */
  readonly instance: string;
  /** Id of the `lrm_resource` under which the result is recorded. */
  readonly historyName: string;
  readonly agent: GraphAgent;
  /** Node on which the operation takes effect, and its id. */
  readonly node: string;
  readonly nodeId: string;
  /** Cluster node that carries it out for a remote or guest node; null: `node` itself. */
  readonly router: string | null;
  /** 0: once. For `cancel` the interval of the operation to be cancelled. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startDelayMs: number;
  /** Expected exit code; anything else is a failure. */
  readonly targetRc: number;
  /** Instance attributes for the agent, after rules; they may be secret. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * Meta environment without the prefix `CRM_meta_`, dashes as underscores (rules G8, G9). What the fields say already
   * is not repeated: the executor adds `on_node`, `on_node_uuid` and `op_target_rc` from `node`, `nodeId`, `targetRc`.
   */
  readonly meta: Readonly<Record<string, string>>;
  readonly digests: GraphDigests;
  /** A failure is recorded but does not abort the transition (`on-fail=ignore`). */
  readonly canFail: boolean;
  readonly migration: { readonly source: string; readonly target: string } | null;
  readonly notification: { readonly type: "pre" | "post"; readonly operation: string } | null;
  readonly cancels: { readonly task: string; readonly callId: string | null } | null;
  /** Epoch seconds of the shutdown lock to record with the history, or null. */
  readonly shutdownLock: number | null;
  /** Ids of the nodes that cease to be online when this succeeds (stop of a remote connection). */
  readonly downs: readonly string[];
};

/** Fencing (`off`, `reboot`) or unfencing (`on`) of a node. */
export type FenceAction = ActionBase & {
  readonly kind: "fence";
  readonly task: "off" | "reboot" | "on";
  readonly node: string;
  readonly nodeId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  /** Ids of the nodes that are down once this succeeded; empty for `on`. */
  readonly downs: readonly string[];
  readonly timeoutMs: number;
  /** Delay in seconds that overrides those of the devices (`priority-fencing-delay`), or null. */
  readonly priorityDelayS: number | null;
};

/** Something the cluster manager does itself. */
export type ClusterAction = ActionBase & {
  readonly kind: "cluster";
  readonly task: "do_shutdown" | "clear_failcount" | "lrm_delete";
  readonly node: string;
  readonly nodeId: string;
  readonly router: string | null;
  /** The resource concerned: `historyName` for the attributes to clear; null for `do_shutdown`. */
  readonly resource: string | null;
  readonly historyName: string | null;
  readonly timeoutMs: number;
  /** Counts as complete as soon as it is sent. */
  readonly noWait: boolean;
  readonly meta: Readonly<Record<string, string>>;
  readonly downs: readonly string[];
};

/** A point in time, or an action that another one implies: nothing is executed, it is complete when its inputs are. */
export type PseudoAction = ActionBase & {
  readonly kind: "pseudo";
  readonly task: string;
  /** The resource or collective it belongs to, if any. */
  readonly resource: string | null;
  /** The node it is about, if any (a stop implied by fencing, a start that ends a live migration). */
  readonly node: string | null;
  /** Maintenance states to tell remote nodes: node id to `0` or `1` (key `maintenance_nodes` only, otherwise empty). */
  readonly maintenance: Readonly<Record<string, string>>;
};

export type GraphAction = ResourceAction | FenceAction | ClusterAction | PseudoAction;

/** All of it. `actions[i].id` is `i + 1`. The inputs contain no loop. */
export type TransitionGraph = {
  readonly actions: readonly GraphAction[];
  /** Added to every timeout to allow for the way to the node and back. */
  readonly clusterDelayMs: number;
  readonly fencingTimeoutMs: number;
  /** Actions in flight at once in the whole cluster; 0: the walker decides by load. */
  readonly batchLimit: number;
  /** Live migrations at once on one node; null: no limit. */
  readonly migrationLimit: number | null;
  /** What the fail count becomes after a failed start: +1 or INFINITY. A failed stop always gives INFINITY. */
  readonly startFailureIsFatal: boolean;
  /** Epoch seconds by which the decision must be taken anew even if nothing happens; null: never. */
  readonly recheckBy: number | null;
};

/** A graph that asks for nothing. */
export function emptyGraph(): TransitionGraph {
  return {
    actions: [],
    clusterDelayMs: 60_000,
    fencingTimeoutMs: 60_000,
    batchLimit: 0,
    migrationLimit: null,
    startFailureIsFatal: true,
    recheckBy: null,
  };
}

/** For each action (index = id - 1) the ids of those that wait for it. */
export function successorsOf(graph: TransitionGraph): readonly (readonly number[])[] {
  const successors: number[][] = graph.actions.map(() => []);
  for (const action of graph.actions) for (const input of action.inputs) successors[input - 1]?.push(action.id);
  return successors;
}

/** The ids that could never start because their inputs wait for each other; empty in every sound graph (rule F15). */
export function actionsInLoops(graph: TransitionGraph): readonly number[] {
  const waiting = graph.actions.map((action) => action.inputs.length);
  const successors = successorsOf(graph);
  const ready = graph.actions.filter((action) => action.inputs.length === 0).map((action) => action.id);
  const done = new Set<number>();
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    done.add(id);
    for (const next of successors[id - 1] ?? []) {
      const left = (waiting[next - 1] ?? 0) - 1;
      waiting[next - 1] = left;
      if (left === 0) ready.push(next);
    }
  }
  return graph.actions.filter((action) => !done.has(action.id)).map((action) => action.id);
}
