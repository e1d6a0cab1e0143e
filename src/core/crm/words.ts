/** The vocabulary of the language and of the options it knows. Sources: Pacemaker Explained; CRM-CLI.md §4. */
export { didYouMean, hint } from "../base/index.ts";

/** Kinds of object, by the word that begins their line. */
export const OBJECT_TYPES = [
  "node",
  "primitive",
  "rsc_template",
  "group",
  "clone",
  "ms",
  "bundle",
  "location",
  "colocation",
  "order",
  "rsc_ticket",
  "fencing_topology",
  "property",
  "rsc_defaults",
  "op_defaults",
  "role",
  "acl_target",
  "acl_group",
  "alert",
  "tag",
] as const;
export type ObjectType = (typeof OBJECT_TYPES)[number];

/** Other spellings that begin an object line. */
export const OBJECT_ALIASES: ReadonlyMap<string, ObjectType> = new Map([
  ["master", "ms"],
  ["collocation", "colocation"],
]);

/** The element each kind of object is stored as. */
export const ELEMENT_OF_TYPE: Readonly<Record<ObjectType, string>> = {
  node: "node",
  primitive: "primitive",
  rsc_template: "template",
  group: "group",
  clone: "clone",
  ms: "master",
  bundle: "bundle",
  location: "rsc_location",
  colocation: "rsc_colocation",
  order: "rsc_order",
  rsc_ticket: "rsc_ticket",
  fencing_topology: "fencing-topology",
  property: "cluster_property_set",
  rsc_defaults: "meta_attributes",
  op_defaults: "meta_attributes",
  role: "acl_role",
  acl_target: "acl_target",
  acl_group: "acl_group",
  alert: "alert",
  tag: "tag",
};

export const CONTAINER_ELEMENTS: ReadonlySet<string> = new Set(["group", "clone", "master", "bundle"]);
export const RESOURCE_ELEMENTS: ReadonlySet<string> = new Set(["primitive", "template", "group", "clone", "master", "bundle"]);

export const AGENT_CLASSES: readonly string[] = ["ocf", "lsb", "systemd", "service", "upstart", "stonith", "heartbeat", "nagios"];

/** Roles by their lower-case spelling. */
export const ROLES: ReadonlyMap<string, string> = new Map([
  ["started", "Started"],
  ["stopped", "Stopped"],
  ["promoted", "Promoted"],
  ["unpromoted", "Unpromoted"],
  ["master", "Master"],
  ["slave", "Slave"],
]);

/** The words OCF 1.1 replaced. Typed lines are stored with the new ones, imported ones keep what they had. */
export const LEGACY_ROLES: ReadonlyMap<string, string> = new Map([
  ["Master", "Promoted"],
  ["Slave", "Unpromoted"],
]);

export const ORDER_ACTIONS: readonly string[] = ["start", "stop", "promote", "demote"];
export const ORDER_KINDS: readonly string[] = ["Mandatory", "Optional", "Serialize"];
export const LOSS_POLICIES: readonly string[] = ["stop", "demote", "fence", "freeze"];
export const COMPARISONS: readonly string[] = ["lt", "gt", "lte", "gte", "eq", "ne"];
export const COMPARISON_TYPES: readonly string[] = ["string", "integer", "number", "version"];

/** Attributes of `<op>`; every other name given to an operation becomes one of its instance attributes. */
export const OPERATION_ATTRIBUTES: readonly string[] = [
  "interval",
  "timeout",
  "on-fail",
  "role",
  "enabled",
  "record-pending",
  "start-delay",
  "interval-origin",
  "description",
  "name",
  "id",
];
/** Those of them that are durations; typed bare numbers mean seconds. */
export const OPERATION_TIMES: readonly string[] = ["interval", "timeout", "start-delay"];

export const DATE_SPEC_FIELDS: readonly string[] = [
  "seconds",
  "minutes",
  "hours",
  "monthdays",
  "weekdays",
  "yearsdays",
  "yeardays",
  "months",
  "weeks",
  "years",
  "weekyears",
  "moon",
];
export const DURATION_FIELDS: readonly string[] = [
  "seconds",
  "minutes",
  "hours",
  "days",
  "weeks",
  "months",
  "years",
  "monthdays",
  "weekdays",
  "yearsdays",
  "yeardays",
  "weekyears",
  "moon",
];

const PRIMITIVE_META = [
  "priority",
  "critical",
  "target-role",
  "is-managed",
  "maintenance",
  "resource-stickiness",
  "requires",
  "migration-threshold",
  "failure-timeout",
  "multiple-active",
  "allow-migrate",
  "allow-unhealthy-nodes",
  "container-attribute-target",
  "remote-node",
  "remote-port",
  "remote-addr",
  "remote-connect-timeout",
  "remote-allow-migrate",
  "description",
  "provides",
];
const CLONE_META = [
  "clone-max",
  "clone-min",
  "clone-node-max",
  "globally-unique",
  "notify",
  "ordered",
  "interleave",
  "promotable",
  "promoted-max",
  "promoted-node-max",
  "master-max",
  "master-node-max",
];
/** Meta attributes that mean something, by the element that carries them; containers pass the rest to their members. */
export function metaAttributesOf(elementName: string): readonly string[] {
  return elementName === "clone" || elementName === "master" ? [...CLONE_META, ...PRIMITIVE_META] : PRIMITIVE_META;
}

/** A cluster option: its built-in default, and what values it takes where that is a closed list. */
export type ClusterOption = { readonly default: string; readonly values?: readonly string[] };

const yesNo = ["true", "false", "yes", "no", "on", "off", "y", "n", "1", "0"];
const bool = (value: string): ClusterOption => ({ default: value, values: yesNo });
const free = (value: string): ClusterOption => ({ default: value });

/** Cluster options of Pacemaker 2.x and 3.x with their built-in defaults (Pacemaker Explained: cluster options). */
export const CLUSTER_OPTIONS: ReadonlyMap<string, ClusterOption> = new Map<string, ClusterOption>([
  ["dc-version", free("none")],
  ["cluster-infrastructure", free("corosync")],
  ["cluster-name", free("")],
  ["dc-deadtime", free("20s")],
  ["cluster-recheck-interval", free("15min")],
  ["fence-reaction", { default: "stop", values: ["stop", "panic"] }],
  ["election-timeout", free("2min")],
  ["shutdown-escalation", free("20min")],
  ["join-integration-timeout", free("3min")],
  ["join-finalization-timeout", free("30min")],
  ["transition-delay", free("0s")],
  ["stonith-watchdog-timeout", free("0")],
  ["fencing-watchdog-timeout", free("0")],
  ["stonith-max-attempts", free("10")],
  ["fencing-max-attempts", free("10")],
  ["load-threshold", free("80%")],
  ["node-action-limit", free("0")],
  ["no-quorum-policy", { default: "stop", values: ["stop", "freeze", "ignore", "demote", "suicide", "fence"] }],
  ["shutdown-lock", bool("false")],
  ["shutdown-lock-limit", free("0")],
  ["symmetric-cluster", bool("true")],
  ["maintenance-mode", bool("false")],
  ["start-failure-is-fatal", bool("true")],
  ["enable-startup-probes", bool("true")],
  ["enable-acl", bool("false")],
  ["stonith-enabled", bool("true")],
  ["fencing-enabled", bool("true")],
  ["stonith-action", { default: "reboot", values: ["reboot", "off", "poweroff"] }],
  ["fencing-action", { default: "reboot", values: ["reboot", "off", "poweroff"] }],
  ["stonith-timeout", free("60s")],
  ["fencing-timeout", free("60s")],
  ["have-watchdog", bool("false")],
  ["concurrent-fencing", bool("true")],
  ["startup-fencing", bool("true")],
  ["priority-fencing-delay", free("0")],
  ["node-pending-timeout", free("0")],
  ["cluster-delay", free("60s")],
  ["cluster-ipc-limit", free("500")],
  ["batch-limit", free("0")],
  ["migration-limit", free("-1")],
  ["stop-all-resources", bool("false")],
  ["stop-orphan-resources", bool("true")],
  ["stop-removed-resources", bool("true")],
  ["stop-orphan-actions", bool("true")],
  ["stop-removed-actions", bool("true")],
  ["remove-after-stop", bool("false")],
  ["pe-error-series-max", free("-1")],
  ["pe-warn-series-max", free("5000")],
  ["pe-input-series-max", free("4000")],
  ["node-health-strategy", { default: "none", values: ["none", "migrate-on-red", "only-green", "progressive", "custom"] }],
  ["node-health-base", free("0")],
  ["node-health-green", free("0")],
  ["node-health-yellow", free("0")],
  ["node-health-red", free("-INFINITY")],
  ["placement-strategy", { default: "default", values: ["default", "utilization", "minimal", "balanced"] }],
  ["last-lrm-refresh", free("")],
  ["default-resource-stickiness", free("0")],
  ["is-managed-default", bool("true")],
  ["default-action-timeout", free("20s")],
  // Quorate's own (docs/two-nodes.md; RAFT.md §7, node loss).
  ["node-loss-timeout", free("800ms")],
  ["wait-for-all", bool("false")],
  ["dead-member-timeout", free("0")],
  ["cluster-size", free("0")],
]);
