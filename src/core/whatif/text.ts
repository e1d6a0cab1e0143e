import { formatScore, sortedEntries } from "../base/index.ts";
import {
  type Model,
  type Plan,
  type PolicyNode,
  primitivesOf,
  printedName,
  type Resource,
  ROLE,
  roleName,
  type SummaryLine,
  topOf,
} from "../policy/index.ts";
import type { GraphAction } from "../transition/index.ts";
import { describeClusterAction, type Execution } from "./execute.ts";
import { nodeState } from "./report.ts";

/** Parts of the text report. */
export type TextOptions = {
  readonly scores: boolean;
  /** What nodes offer, what resources take, what is left. */
  readonly utilization?: boolean;
};

/** The whole simulation for people: state before, decision with reasons, actions in order, state after. */
export function simulationText(plan: Plan, execution: Execution, after: Model, options: TextOptions): string {
  const lines: string[] = ["Current cluster status:", ...statusLines(plan.model), ""];
  if (options.scores) lines.push("Assignment Scores:", ...scoreText(plan.model), "");
  if (options.utilization === true) lines.push("Utilization Information:", ...utilizationText(plan.model), "");
  lines.push("Transition Summary:", ...summaryText(plan.summary), "");
  lines.push("Executing Cluster Transition:");
  for (const { action, failed } of execution.steps) lines.push(`  * ${describeAction(action)}${failed ? " (failed)" : ""}`);
  if (!execution.complete) lines.push("Transition failed");
  lines.push("", "Revised Cluster Status:", ...statusLines(after));
  return `${lines.join("\n")}\n`;
}

/** Nodes and resources of a state. */
export function statusLines(model: Model): string[] {
  const lines: string[] = [];
  if (model.options.maintenanceMode) {
    lines.push(
      "",
      "              *** Resource management is DISABLED ***",
      "  The cluster will not attempt to start, stop or recover services",
      "",
    );
  }
  const { disabled, blocked, primitives } = model.counts;
  if (disabled > 0 || blocked > 0) {
    lines.push(`${disabled} of ${primitives} resource instances DISABLED and ${blocked} BLOCKED from further action due to failure`, "");
  }
  lines.push("  * Node List:", ...nodeLines(model), "", "  * Full List of Resources:");
  const resources = resourceLines(model);
  lines.push(...(resources.length === 0 ? ["    * No resources"] : resources));
  return lines;
}

const NODE_WORD = { cluster: "Node", remote: "RemoteNode", guest: "GuestNode" } as const;
const LIST_WORD = {
  cluster: ["Online", "OFFLINE"],
  remote: ["RemoteOnline", "RemoteOFFLINE"],
  guest: ["GuestOnline", "GuestOFFLINE"],
} as const;

const STATE_TEXT: Readonly<Record<string, string>> = {
  "unclean-online": "UNCLEAN (online)",
  "unclean-pending": "UNCLEAN (pending)",
  "unclean-offline": "UNCLEAN (offline)",
  pending: "pending",
  "standby-on-fail": "standby (on-fail)",
  standby: "standby",
  "offline-standby": "OFFLINE (standby)",
  maintenance: "maintenance",
  "offline-maintenance": "OFFLINE (maintenance)",
};

function nodeLines(model: Model): string[] {
  const single: string[] = [];
  const lists = new Map<string, string[]>();
  for (const node of model.nodeList) {
    const state = nodeState(node);
    if (state !== "online" && state !== "offline") {
      const active = state === "standby" && node.active.length > 0 ? "standby (with active resources)" : (STATE_TEXT[state] ?? state);
      single.push(`    * ${NODE_WORD[node.kind]} ${node.name}: ${active}`);
      continue;
    }
    if (node.isGuest && state === "offline") continue;
    const word = LIST_WORD[node.kind][state === "online" ? 0 : 1];
    const list = lists.get(word);
    if (list === undefined) lists.set(word, [node.name]);
    else list.push(node.name);
  }
  for (const word of ["Online", "OFFLINE", "RemoteOnline", "RemoteOFFLINE", "GuestOnline"]) {
    const names = lists.get(word);
    if (names !== undefined) single.push(`    * ${word}: [ ${names.join(" ")} ]`);
  }
  return single;
}

function resourceLines(model: Model): string[] {
  const lines: string[] = [];
  for (const resource of model.resources) {
    if (resource.internal || (resource.removed && resource.activeNodes.length === 0)) continue;
    pushResource(resource, "    ", lines);
  }
  return lines;
}

function pushResource(resource: Resource, indent: string, lines: string[]): void {
  switch (resource.kind) {
    case "primitive":
      lines.push(`${indent}* ${primitiveText(resource, printedName(resource), null)}`);
      return;
    case "group": {
      lines.push(`${indent}* Resource Group: ${resource.id}${collectiveFlags(resource)}:`);
      for (const member of resource.children) pushResource(member, `${indent}  `, lines);
      return;
    }
    case "clone":
      pushClone(resource, indent, lines);
      return;
    case "bundle":
      pushBundle(resource, indent, lines);
      return;
  }
}

function collectiveFlags(resource: Resource): string {
  const flags: string[] = [];
  if (resource.kind === "clone" && resource.promotable) flags.push("promotable");
  if (resource.kind === "clone" && resource.globallyUnique) flags.push("unique");
  if (resource.targetRole === ROLE.stopped) flags.push("disabled");
  if (resource.maintenance) flags.push("maintenance");
  else if (!resource.managed) flags.push("unmanaged");
  return flags.length === 0 ? "" : ` (${flags.join(", ")})`;
}

/** status.md 28.6. */
function primitiveText(resource: Resource, name: string, at: PolicyNode | null): string {
  const agent = [resource.agentClass, resource.provider, resource.type].filter((part) => part !== null && part !== "").join(":");
  const nodes = at === null ? resource.activeNodes : [at];
  const words = [stateWord(resource)];
  if (resource.removed) words.unshift("ORPHANED");
  const only = nodes.length === 1 ? nodes[0]! : nodes.length === 0 ? resource.lockNode : null;
  if (only !== null) words.push(only.name);
  const flags = primitiveFlags(resource, only);
  if (flags.length > 0) words.push(`(${flags.join(", ")})`);
  if (nodes.length > 1) words.push(`[ ${nodes.map((node) => node.name).join(" ")} ]`);
  return `${name}\t(${agent}):\t ${words.join(" ")}`;
}

function stateWord(resource: Resource): string {
  if (resource.failed) return resource.role === ROLE.promoted ? "FAILED Promoted" : "FAILED";
  if (resource.activeNodes.length === 0) return "Stopped";
  const role = resource.role === ROLE.started && topOf(resource).promotable ? ROLE.unpromoted : resource.role;
  return role === ROLE.unknown ? "Stopped" : roleName(role);
}

function primitiveFlags(resource: Resource, node: PolicyNode | null): string[] {
  const flags: string[] = [];
  if (node !== null && !node.online && node.unclean) flags.push("UNCLEAN");
  if (node !== null && node === resource.lockNode) flags.push("LOCKED");
  if (resource.targetRole === ROLE.stopped) flags.push("disabled");
  if (resource.targetRole === ROLE.unpromoted && topOf(resource).promotable) flags.push("target-role:Unpromoted");
  if (resource.blocked) flags.push("blocked");
  else if (resource.maintenance) flags.push("maintenance");
  else if (!resource.managed) flags.push("unmanaged");
  if (resource.failureIgnored) flags.push("failure ignored");
  return flags;
}

/** Instances in an ordinary state are summed up by role, the others get a line each (status.md 28.11). */
function pushClone(clone: Resource, indent: string, lines: string[]): void {
  const child = clone.children[0]?.configId ?? "";
  lines.push(`${indent}* Clone Set: ${clone.id} [${child}]${collectiveFlags(clone)}:`);
  const byRole = new Map<string, string[]>();
  const inner = `${indent}  `;
  const running = new Set<PolicyNode>();
  for (const instance of clone.children) {
    const nodes = instance.activeNodes;
    for (const node of nodes) running.add(node);
    if (clone.globallyUnique || !isPlain(instance)) {
      if (nodes.length > 0 || clone.globallyUnique) pushResource(instance, inner, lines);
      continue;
    }
    const first = nodes[0];
    if (first === undefined) continue;
    const role = instance.kind === "primitive" ? stateWord(instance) : "Started";
    const list = byRole.get(role);
    if (list === undefined) byRole.set(role, [first.name]);
    else list.push(first.name);
  }
  for (const role of ["Promoted", "Unpromoted", "Started"]) {
    const nodes = byRole.get(role);
    if (nodes !== undefined) lines.push(`${inner}* ${role}: [ ${nodes.sort().join(" ")} ]`);
  }
  if (clone.globallyUnique) return;
  const stopped = running.size < clone.cloneMax ? stoppedNodes(clone, running) : [];
  const word = clone.targetRole === ROLE.stopped ? "Stopped (disabled)" : "Stopped";
  if (stopped.length > 0) lines.push(`${inner}* ${word}: [ ${stopped.join(" ")} ]`);
}

function stoppedNodes(clone: Resource, running: ReadonlySet<PolicyNode>): string[] {
  const names: string[] = [];
  for (const node of clone.knownOn) if (!running.has(node)) names.push(node.name);
  return names.sort();
}

function isPlain(instance: Resource): boolean {
  if (instance.kind !== "primitive") return instance.children.every(isPlain);
  return !instance.failed && instance.managed && !instance.removed && instance.activeNodes.length <= 1;
}

function pushBundle(bundle: Resource, indent: string, lines: string[]): void {
  const data = bundle.bundle;
  if (data === null) return;
  lines.push(
    `${indent}* Container bundle${data.replicas.length > 1 ? " set" : ""}: ${bundle.id} [${data.image}]${collectiveFlags(bundle)}:`,
  );
  for (const replica of data.replicas) {
    const shown = replica.child ?? replica.container;
    const name = replica.connection?.id ?? replica.container.id;
    const address = replica.address === null ? "" : ` (${replica.address})`;
    lines.push(`${indent}  * ${primitiveText(shown, `${name}${address}`, replica.container.activeNodes[0] ?? null)}`);
  }
}

/** Score reports in byte order. */
/** Every score on which the assignment rested. */
export function scoreText(model: Model): string[] {
  const lines: string[] = [];
  for (const report of model.reports) {
    for (const { node, score } of report.scores) {
      lines.push(`  * ${report.label}: ${report.resource.id} allocation score on ${node.name}: ${formatScore(score)}`);
    }
  }
  for (const { instance, node, score } of model.promotions) {
    lines.push(`  * ${instance.id} promotion score ${node === null ? "(inactive)" : `on ${node.name}`}: ${formatScore(score)}`);
  }
  return lines.sort();
}

/** Capacity of every node before and after what was assigned, and what each resource takes. Sorted by name within each part. */
export function utilizationText(model: Model): string[] {
  const values = (of: ReadonlyMap<string, number>): string =>
    sortedEntries(of)
      .map(([name, value]) => ` ${name}=${value}`)
      .join("");
  const capacity = (word: string, of: (node: PolicyNode) => ReadonlyMap<string, number>): string[] =>
    model.nodeList.map((node) => `  * ${word}: ${node.name} capacity:${values(of(node))}`);
  const taken = model.resources
    .flatMap((resource) => [...primitivesOf(resource)])
    .flatMap(({ id, node, utilization }) =>
      node === null || utilization.size === 0 ? [] : [`  * ${id} utilization on ${node.name}:${values(utilization)}`],
    );
  return [...capacity("Original", (node) => node.capacity), ...taken.sort(), ...capacity("Remaining", (node) => node.remaining)];
}

/** Why follows what, in the operator's words. */
export function summaryText(summary: readonly SummaryLine[]): string[] {
  return summary.map((line) => {
    const subject = line.resource ?? line.node ?? "";
    const due = line.reason !== null ? ` due to ${line.reason}${line.blocked ? " (blocked)" : ""}` : line.blocked ? " blocked" : "";
    if (line.verb === "Fence") return `  * Fence (${line.detail}) ${subject}${line.reason === null ? "" : ` '${line.reason}'`}`;
    if (line.resource === null) return `  * ${line.verb} ${subject}${due}`;
    return `  * ${line.verb.padEnd(10)} ${subject.padEnd(16)} ( ${line.detail} )${due}`;
  });
}

/** One executed action as a line. */
export function describeAction(action: GraphAction): string {
  switch (action.kind) {
    case "pseudo":
      return `Pseudo action:   ${action.key}${action.node === null ? "" : ` on ${action.node}`}`;
    case "fence":
      return `Fencing ${action.node} (${action.task})`;
    case "cluster":
      return `Cluster action:  ${describeClusterAction(action)}`;
    case "resource": {
      const task = action.intervalMs > 0 ? `${action.task}=${action.intervalMs}` : action.task;
      return `Resource action: ${action.resource.padEnd(15)} ${task} on ${action.node}`;
    }
  }
}
