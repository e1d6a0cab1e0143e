import { type Model, type PolicyNode, printedName, type Resource, ROLE, roleName, topOf } from "../policy/index.ts";
import { nodeState } from "./report.ts";

/** Whether actions in flight are told (`Starting`): of a state before a decision they are, of one on paper there are none. */
export type StatusOptions = { readonly pending: boolean };

type Shown = StatusOptions & { readonly model: Model };

/** What must be known before anything else: nothing is managed, or some things are not. Each part ends with an empty line. */
export function headingLines(model: Model): string[] {
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
  return lines;
}

/** Nodes and resources of a state. */
export function statusLines(model: Model, options: StatusOptions = { pending: false }): string[] {
  const resources = resourceLines({ ...options, model });
  return [
    "  * Node List:",
    ...nodeLines(model),
    "",
    "  * Full List of Resources:",
    ...(resources.length === 0 ? ["    * No resources"] : resources),
  ];
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

function resourceLines(options: Shown): string[] {
  const lines: string[] = [];
  for (const resource of options.model.resources) {
    if (resource.internal || (resource.removed && resource.activeNodes.length === 0)) continue;
    pushResource(resource, "    ", lines, options);
  }
  return lines;
}

function pushResource(resource: Resource, indent: string, lines: string[], options: Shown): void {
  switch (resource.kind) {
    case "primitive":
      lines.push(`${indent}* ${primitiveText(resource, printedName(resource), null, options)}`);
      return;
    case "group": {
      lines.push(`${indent}* Resource Group: ${resource.id}${collectiveFlags(resource)}:`);
      for (const member of resource.children) pushResource(member, `${indent}  `, lines, options);
      return;
    }
    case "clone":
      pushClone(resource, indent, lines, options);
      return;
    case "bundle":
      pushBundle(resource, indent, lines, options);
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
function primitiveText(resource: Resource, name: string, at: PolicyNode | null, options: StatusOptions): string {
  const agent = [resource.agentClass, resource.provider, resource.type].filter((part) => part !== null && part !== "").join(":");
  const nodes = at === null ? resource.activeNodes : [at];
  const pending = options.pending && !resource.failed ? (PENDING_WORD[resource.pending?.task ?? ""] ?? null) : null;
  const words = [pending ?? stateWord(resource)];
  if (resource.removed) words.unshift("ORPHANED");
  const only =
    nodes.length === 1 ? nodes[0]! : nodes.length > 1 ? null : pending !== null ? (resource.pending?.node ?? null) : resource.lockNode;
  if (only !== null) words.push(only.name);
  const flags = primitiveFlags(resource, only, options);
  if (flags.length > 0) words.push(`(${flags.join(", ")})`);
  if (nodes.length > 1) words.push(`[ ${nodes.map((node) => node.name).join(" ")} ]`);
  return `${name}\t(${agent}):\t ${words.join(" ")}`;
}

/** Names of actions in flight (28.9); probes are never shown. */
const PENDING_WORD: Readonly<Record<string, string>> = {
  start: "Starting",
  stop: "Stopping",
  migrate_to: "Migrating",
  migrate_from: "Migrating",
  promote: "Promoting",
  demote: "Demoting",
};

function stateWord(resource: Resource): string {
  if (resource.failed) return resource.role === ROLE.promoted ? "FAILED Promoted" : "FAILED";
  if (resource.activeNodes.length === 0) return "Stopped";
  const role = resource.role === ROLE.started && topOf(resource).promotable ? ROLE.unpromoted : resource.role;
  return role === ROLE.unknown ? "Stopped" : roleName(role);
}

function primitiveFlags(resource: Resource, node: PolicyNode | null, options: StatusOptions): string[] {
  const flags: string[] = [];
  if (node !== null && !node.online && node.unclean) flags.push("UNCLEAN");
  if (node !== null && node === resource.lockNode) flags.push("LOCKED");
  if (options.pending && resource.pending?.task === "monitor" && resource.pending.intervalMs > 0) flags.push("Monitoring");
  if (resource.targetRole === ROLE.stopped) flags.push("disabled");
  if (resource.targetRole === ROLE.unpromoted && topOf(resource).promotable) flags.push("target-role:Unpromoted");
  if (resource.blocked) flags.push("blocked");
  else if (resource.maintenance) flags.push("maintenance");
  else if (!resource.managed) flags.push("unmanaged");
  if (resource.failureIgnored) flags.push("failure ignored");
  return flags;
}

/** Instances in an ordinary state are summed up by role, the others get a line each (status.md 28.11). */
function pushClone(clone: Resource, indent: string, lines: string[], options: Shown): void {
  const child = clone.children[0]?.configId ?? "";
  lines.push(`${indent}* Clone Set: ${clone.id} [${child}]${collectiveFlags(clone)}:`);
  const byRole = new Map<string, PolicyNode[]>();
  const inner = `${indent}  `;
  const running = new Set<PolicyNode>();
  let summedUp = 0;
  for (const instance of clone.children) {
    const nodes = instance.activeNodes;
    for (const node of nodes) if (node.online || node.unclean) running.add(node);
    if (clone.globallyUnique || !isPlain(instance) || (options.pending && isPending(instance))) {
      if (nodes.length > 0 || clone.globallyUnique || (options.pending && isPending(instance)))
        pushResource(instance, inner, lines, options);
      continue;
    }
    const first = nodes[0];
    if (first === undefined) continue;
    const role = instance.kind === "primitive" ? stateWord(instance) : "Started";
    const list = byRole.get(role);
    if (list === undefined) byRole.set(role, [first]);
    else list.push(first);
    summedUp++;
  }
  for (const role of ["Promoted", "Unpromoted", "Started"]) {
    const nodes = byRole.get(role);
    // In the order of the node list, which sorts numbers within names.
    const names = nodes === undefined ? [] : options.model.nodeList.filter((node) => nodes.includes(node)).map((node) => node.name);
    if (names.length > 0) lines.push(`${inner}* ${role}: [ ${names.join(" ")} ]`);
  }
  if (clone.globallyUnique) return;
  const stopped = summedUp < clone.cloneMax ? stoppedNodes(options.model, clone, running) : [];
  const word = clone.targetRole === ROLE.stopped ? "Stopped (disabled)" : "Stopped";
  if (stopped.length > 0) lines.push(`${inner}* ${word}: [ ${stopped.join(" ")} ]`);
}

/** Nodes of the clone's table, or where that is empty those where it is known, without an active instance. */
function stoppedNodes(model: Model, clone: Resource, running: ReadonlySet<PolicyNode>): string[] {
  const allowed = model.nodeList.filter((node) => clone.table.has(node.index));
  const nodes = allowed.length > 0 ? allowed : model.nodeList.filter((node) => clone.knownOn.has(node));
  return nodes.filter((node) => !running.has(node)).map((node) => node.name);
}

/** May it be summed up with others? Not if anything about it is out of the ordinary. */
function isPlain(instance: Resource): boolean {
  if (instance.kind !== "primitive") {
    const active = instance.children.filter((child) => child.activeNodes.length > 0).length;
    return (active === 0 || active === instance.children.length) && instance.children.every(isPlain);
  }
  const lost = instance.activeNodes.some((node) => !node.online && node.unclean);
  return !lost && !instance.failed && instance.managed && !instance.removed && instance.activeNodes.length <= 1;
}

function isPending(instance: Resource): boolean {
  if (instance.kind !== "primitive") return instance.children.some(isPending);
  return instance.pending !== null && PENDING_WORD[instance.pending.task] !== undefined;
}

function pushBundle(bundle: Resource, indent: string, lines: string[], options: Shown): void {
  const data = bundle.bundle;
  if (data === null) return;
  lines.push(
    `${indent}* Container bundle${data.replicas.length > 1 ? " set" : ""}: ${bundle.id} [${data.image}]${collectiveFlags(bundle)}:`,
  );
  for (const replica of data.replicas) {
    const shown = replica.child ?? replica.container;
    const name = replica.connection?.id ?? replica.container.id;
    const address = replica.address === null ? "" : ` (${replica.address})`;
    lines.push(`${indent}  * ${primitiveText(shown, `${name}${address}`, replica.container.activeNodes[0] ?? null, options)}`);
  }
}
