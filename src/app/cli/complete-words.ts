/** What completion tells of a name: one line, what it takes, and what it is otherwise. */
export type PairHelp = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly fallback?: string;
  readonly values?: readonly string[];
};

const BOOL = ["true", "false"];
const bool = (name: string, help: string, fallback: string): PairHelp => ({ name, help, type: "boolean", fallback, values: BOOL });
const count = (name: string, help: string, fallback: string): PairHelp => ({ name, help, type: "integer", fallback });
const time = (name: string, help: string, fallback: string): PairHelp => ({ name, help, type: "duration", fallback });
const score = (name: string, help: string, fallback: string): PairHelp => ({ name, help, type: "score", fallback });
const text = (name: string, help: string): PairHelp => ({ name, help, type: "text" });
const choice = (name: string, help: string, fallback: string, values: readonly string[]): PairHelp => ({
  name,
  help,
  type: "enum",
  fallback,
  values,
});

/** Meta attributes of resources (Pacemaker Explained: resource meta-attributes). */
export const META_HELP: readonly PairHelp[] = [
  count("priority", "when not all can run, the higher stay", "0"),
  bool("critical", "may its failure move what it is colocated with", "true"),
  choice("target-role", "what the cluster should keep it in", "Started", ["Started", "Stopped", "Promoted", "Unpromoted"]),
  bool("is-managed", "may the cluster start and stop it", "true"),
  bool("maintenance", "leave it alone: no operations at all", "false"),
  score("resource-stickiness", "how much it wants to stay where it is", "0"),
  choice("requires", "what must be given before it may start", "fencing", ["nothing", "quorum", "fencing", "unfencing"]),
  count("migration-threshold", "failures on a node before it may not run there", "INFINITY"),
  time("failure-timeout", "when a failure is forgotten", "0"),
  choice("multiple-active", "what to do when it runs more than once", "stop_start", [
    "stop_start",
    "stop_only",
    "block",
    "stop_unexpected",
  ]),
  bool("allow-migrate", "may it be moved while it runs", "false"),
  bool("allow-unhealthy-nodes", "may it run on nodes that are not well", "false"),
  choice("container-attribute-target", "whose attributes it sees inside a container", "", ["host"]),
  text("remote-node", "the guest node that it makes"),
  count("remote-port", "port of the guest's daemon", "3121"),
  text("remote-addr", "address of the guest"),
  time("remote-connect-timeout", "how long to wait for the guest", "60s"),
];

/** What clones have besides. */
export const CLONE_HELP: readonly PairHelp[] = [
  count("clone-max", "instances in all", "the number of nodes"),
  count("clone-node-max", "instances on one node", "1"),
  count("clone-min", "instances that must run before what is ordered after the clone", "0"),
  bool("globally-unique", "does each instance serve something of its own", "false"),
  bool("notify", "tell instances before and after others change", "false"),
  bool("ordered", "start one instance after the other", "false"),
  bool("interleave", "do dependent clones wait for their own node only", "false"),
  bool("promotable", "do instances have roles", "false"),
  count("promoted-max", "promoted instances in all", "1"),
  count("promoted-node-max", "promoted instances on one node", "1"),
];

/** Attributes of operations (Pacemaker Explained: operations). */
export const OPERATION_HELP: readonly PairHelp[] = [
  time("interval", "how often; 0 for once", "0"),
  time("timeout", "how long it may take", "20s"),
  choice("on-fail", "what to do when it fails", "restart", [
    "restart",
    "ignore",
    "block",
    "stop",
    "demote",
    "fence",
    "standby",
    "restart-container",
  ]),
  choice("role", "in which role it runs", "", ["Started", "Stopped", "Promoted", "Unpromoted"]),
  bool("enabled", "is it done at all", "true"),
  bool("record-pending", "is its beginning recorded", "true"),
  time("start-delay", "how long to wait before the first", "0"),
  text("interval-origin", "a date that intervals are counted from"),
  text("description", "for people"),
];

/** What every fencing device takes besides its agent's parameters (Pacemaker Explained: special fencing options). */
export const DEVICE_HELP: readonly PairHelp[] = [
  text("pcmk_host_list", "nodes that the device can fence"),
  text("pcmk_host_map", "NODE:PORT;NODE:PORT: what the device calls the nodes"),
  choice("pcmk_host_check", "how it is known which nodes it can fence", "dynamic-list", ["dynamic-list", "static-list", "status", "none"]),
  text("pcmk_host_argument", "the parameter that carries the node"),
  time("pcmk_delay_max", "a random delay of at most this before fencing", "0s"),
  time("pcmk_delay_base", "a fixed delay before fencing", "0s"),
  count("pcmk_action_limit", "actions at once on the device", "1"),
  text("pcmk_reboot_action", "another word for reboot"),
  text("pcmk_off_action", "another word for off"),
];

/** One line for each cluster option (Pacemaker Explained: cluster options); defaults and values stand in `CLUSTER_OPTIONS`. */
export const OPTION_HELP: ReadonlyMap<string, string> = new Map([
  ["dc-version", "version of the leader's software; set by the cluster"],
  ["cluster-infrastructure", "what carries messages; set by the cluster"],
  ["cluster-name", "a name for people and rules"],
  ["dc-deadtime", "how long to wait for others when starting"],
  ["cluster-recheck-interval", "how often rules with times are looked at"],
  ["no-quorum-policy", "what happens to resources without quorum"],
  ["shutdown-lock", "do resources of a node that is shut down wait for it"],
  ["shutdown-lock-limit", "how long they wait; 0 for ever"],
  ["symmetric-cluster", "may resources run anywhere unless a constraint says otherwise"],
  ["maintenance-mode", "leave all resources alone"],
  ["start-failure-is-fatal", "does one failed start ban a node"],
  ["enable-startup-probes", "look for resources that run already"],
  ["enable-acl", "are roles and acl_targets in force"],
  ["stonith-enabled", "are failed nodes fenced"],
  ["fencing-enabled", "are failed nodes fenced"],
  ["stonith-action", "what fencing does to a node"],
  ["fencing-action", "what fencing does to a node"],
  ["stonith-timeout", "how long fencing may take"],
  ["fencing-timeout", "how long fencing may take"],
  ["stonith-max-attempts", "failed attempts before fencing of a node waits for news"],
  ["fencing-max-attempts", "failed attempts before fencing of a node waits for news"],
  ["have-watchdog", "is there a watchdog; set by the cluster"],
  ["concurrent-fencing", "may several nodes be fenced at once"],
  ["startup-fencing", "fence nodes that were never seen"],
  ["priority-fencing-delay", "a head start for the node with the more important resources"],
  ["node-pending-timeout", "how long a node may take to join before it is fenced"],
  ["cluster-delay", "how long a message may take between nodes"],
  ["load-threshold", "CPU load above which fewer actions are started"],
  ["node-action-limit", "actions at once on one node"],
  ["batch-limit", "actions at once in the cluster"],
  ["migration-limit", "live migrations at once on one node"],
  ["stop-all-resources", "stop everything"],
  ["stop-orphan-resources", "stop what is not configured any more"],
  ["stop-orphan-actions", "cancel operations that are not configured any more"],
  ["node-health-strategy", "what the health attributes of nodes do"],
  ["placement-strategy", "how utilization decides on placement"],
  ["node-loss-timeout", "silence after which a node counts as lost"],
  ["wait-for-all", "nothing starts until all members have been seen once"],
  ["dead-member-timeout", "when a lost member is taken out of the voters; 0 never"],
  ["cluster-size", "voters that are to be kept; 0 for all"],
]);

/** What `bundle` takes in each of its parts. */
export const BUNDLE_WORDS: Readonly<Record<string, readonly string[]>> = {
  docker: ["image", "replicas", "replicas-per-host", "promoted-max", "network", "run-command", "options"],
  podman: ["image", "replicas", "replicas-per-host", "promoted-max", "network", "run-command", "options"],
  network: ["ip-range-start", "control-port", "host-interface", "host-netmask", "add-host"],
  "port-mapping": ["id", "port", "internal-port", "range"],
  storage: [],
  "storage-mapping": ["id", "source-dir", "source-dir-root", "target-dir", "options"],
};
