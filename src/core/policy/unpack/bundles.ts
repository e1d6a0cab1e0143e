import { attributeOf, childOf, childrenOf, type Element, element, idOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import { descendantsOf } from "../model-queries.ts";
import type { BundleReplica, Resource } from "../model-resource.ts";
import { DISCOVERY, MINUS_INFINITY } from "../model-values.ts";
import { addNode, nodeByName } from "./nodes.ts";
import { ALONE, fillClone, newResource, register, remoteElement, setLauncher, unpackPrimitive, unregister } from "./resources.ts";
import { applySettings, unpackMeta } from "./settings.ts";
import { parseInteger } from "./values.ts";

/** What the elements of a bundle say (status.md 7.13). */
type BundlePlan = {
  readonly id: string;
  readonly technology: string;
  readonly container: Element;
  readonly network: Element | undefined;
  readonly primitive: Element | undefined;
  readonly replicas: number;
  readonly replicasPerHost: number;
  readonly promotedMax: number;
  readonly addresses: readonly string[] | null;
  readonly controlPort: string | undefined;
  readonly storage: readonly Element[];
};

const DEFAULT_PORT = "3121";
const DEFAULT_RUN_COMMAND = "/usr/sbin/pacemaker-remoted";
const TECHNOLOGIES = ["docker", "podman"] as const;

/** A bundle with its replicas; null if it is unusable. */
export function unpackBundle(model: Model, xml: Element): Resource | null {
  const bundle = newResource(model, "bundle", xml, ALONE);
  const plan = bundle === null ? null : readBundle(xml);
  if (bundle === null || plan === null) {
    model.warnings.push(`bundle ${idOf(xml) ?? "without id"} is unusable and ignored`);
    return null;
  }
  unpackMeta(model, bundle);
  applySettings(model, bundle);
  bundle.globallyUnique = plan.replicasPerHost > 1;
  register(model, bundle);
  bundle.bundle = {
    replicas: [],
    innerClone: null,
    replicasPerHost: plan.replicasPerHost,
    promotedMax: plan.promotedMax,
    technology: plan.technology,
    image: attributeOf(plan.container, "image") ?? "",
  };
  const innerClone = plan.primitive === undefined ? null : unpackInnerClone(model, bundle, plan, plan.primitive);
  if (plan.primitive !== undefined && innerClone === null) {
    unregister(model, bundle);
    return null;
  }
  for (let number = 0; number < plan.replicas; number++) {
    const replica = unpackReplica(model, bundle, plan, number, innerClone?.children[number] ?? null);
    if (replica !== null) bundle.bundle.replicas.push(replica);
  }
  if (innerClone !== null) {
    bundle.children.push(innerClone);
    bundle.bundle.innerClone = innerClone;
    for (const replica of bundle.bundle.replicas) {
      if (replica.node !== null) innerClone.table.set(replica.node.index, MINUS_INFINITY, { kind: "structure", detail: "bundle node" });
    }
  }
  return bundle;
}

function readBundle(xml: Element): BundlePlan | null {
  const id = idOf(xml);
  const technology = TECHNOLOGIES.find((name) => childOf(xml, name) !== undefined);
  if (id === undefined || technology === undefined) return null;
  const container = childOf(xml, technology)!;
  const network = childOf(xml, "network");
  const primitive = childOf(xml, "primitive");
  const promotedText = attributeOf(container, "promoted-max") ?? attributeOf(container, "masters");
  const promotedMax = Math.max(0, parseInteger(promotedText) ?? 0);
  const replicas = Math.max(1, parseInteger(attributeOf(container, "replicas")) ?? (promotedMax > 0 ? promotedMax : 1));
  const start = network === undefined ? undefined : attributeOf(network, "ip-range-start");
  const controlPort = network === undefined ? undefined : attributeOf(network, "control-port");
  if (primitive !== undefined && start === undefined && controlPort === undefined) return null;
  let replicasPerHost = Math.max(1, parseInteger(attributeOf(container, "replicas-per-host")) ?? 1);
  if (start === undefined && controlPort !== undefined) replicasPerHost = 1;
  const addresses = start === undefined ? null : addressRange(start, replicas);
  const storageXml = childOf(xml, "storage");
  const storage = storageXml === undefined ? [] : childrenOf(storageXml, "storage-mapping");
  return { id, technology, container, network, primitive, replicas, replicasPerHost, promotedMax, addresses, controlPort, storage };
}

/** The first address plus k: last octet 1–254 with carry into the third (status.md 7.13). */
function addressRange(start: string, count: number): readonly string[] {
  const addresses = [start];
  const octets = start.split(".").map(Number);
  while (addresses.length < count) {
    if (octets.length !== 4 || octets.some((octet) => !Number.isInteger(octet))) {
      addresses.push(start);
      continue;
    }
    octets[3]!++;
    if (octets[3]! > 254) {
      octets[3] = 1;
      octets[2]!++;
    }
    addresses.push(octets.join("."));
  }
  return addresses;
}

function pairElement(owner: string, name: string, value: string): Element {
  return element("nvpair", { id: `${owner}-${name}`, name, value });
}

function unpackInnerClone(model: Model, bundle: Resource, plan: BundlePlan, primitive: Element): Resource | null {
  const id = `${plan.id}-${plan.promotedMax > 0 ? "master" : "clone"}`;
  const meta: [string, string][] = [
    ["clone-max", String(plan.replicas)],
    ["clone-node-max", String(plan.replicasPerHost)],
    ["globally-unique", plan.replicasPerHost > 1 ? "true" : "false"],
  ];
  if (plan.promotedMax > 0) meta.push(["promotable", "true"], ["promoted-max", String(plan.promotedMax)]);
  const pairs = meta.map(([name, value]) => pairElement(id, name, value));
  const xml = element("clone", { id }, [element("meta_attributes", { id: `${id}-meta` }, pairs), primitive]);
  const clone = newResource(model, "clone", xml, { parent: bundle, number: null, like: null });
  if (clone === null) return null;
  unpackMeta(model, clone);
  applySettings(model, clone);
  // Instances of a bundle come up one after the other, whatever its meta-attributes say.
  clone.ordered = true;
  register(model, clone);
  return fillClone(model, clone, primitive) ? clone : null;
}

function unpackReplica(model: Model, bundle: Resource, plan: BundlePlan, number: number, child: Resource | null): BundleReplica | null {
  const address = plan.addresses?.[number] ?? null;
  const nodeName = `${plan.id}-${number}`;
  const birth = { parent: bundle, number: null, like: null };
  const container = unpackPrimitive(model, containerElement(plan, number, address), birth);
  if (container === null) return null;
  markPart(bundle, container, number);
  let ip: Resource | null = null;
  if (address !== null) {
    ip = unpackPrimitive(model, ipElement(plan, address), birth);
    if (ip !== null) markPart(bundle, ip, number);
  }
  if (child === null) return { number, container, ip, address, connection: null, node: null, child: null };
  banOnListedNode(model, nodeName);
  const connection = unpackPrimitive(model, connectionElement(plan, nodeName, address, container.id), birth);
  if (connection === null) return null;
  markPart(bundle, connection, number);
  const node = nodeByName(model, nodeName) ?? addNode(model, nodeName, nodeName, "guest", MINUS_INFINITY);
  node.kind = "guest";
  node.isBundleNode = true;
  node.baseScore = MINUS_INFINITY;
  node.attributes.set("#kind", "container");
  model.caches.seed = null;
  connection.remoteNode = node;
  node.connection = connection;
  connection.table.delete(node.index);
  setLauncher(model, connection, container);
  child.table.clear();
  child.table.set(node.index, 500, { kind: "bundle", detail: "its own bundle node" }, DISCOVERY.exclusive);
  for (const [name, value] of child.utilization) container.utilization.set(name, value);
  child.utilization.clear();
  for (const other of model.nodes) {
    if (other.kind !== "cluster" && connection.table.has(other.index)) {
      connection.table.set(other.index, MINUS_INFINITY, { kind: "structure", detail: "connections run on cluster nodes" });
    }
  }
  return { number, container, ip, address, connection, node, child };
}

function markPart(bundle: Resource, part: Resource, number: number): void {
  part.implicit = true;
  part.number = number;
  bundle.children.push(part);
}

/** A bundle node listed in `nodes`: resources read so far are banned there (assignment.md 4.2). */
function banOnListedNode(model: Model, name: string): void {
  const node = nodeByName(model, name);
  if (node === undefined) return;
  for (const top of model.resources) {
    for (const resource of descendantsOf(top)) {
      if (resource.table.has(node.index)) resource.table.set(node.index, MINUS_INFINITY, { kind: "structure", detail: "bundle node" });
    }
  }
}

function primitiveElement(
  id: string,
  agent: { readonly provider: string; readonly type: string },
  parameters: readonly (readonly [string, string])[],
  interval: string,
): Element {
  return element("primitive", { id, class: "ocf", provider: agent.provider, type: agent.type }, [
    element(
      "instance_attributes",
      { id: `${id}-attributes` },
      parameters.map(([name, value]) => pairElement(id, name, value)),
    ),
    element("operations", {}, [element("op", { id: `${id}-monitor-${interval}`, name: "monitor", interval })]),
  ]);
}

function ipElement(plan: BundlePlan, address: string): Element {
  const parameters: [string, string][] = [["ip", address]];
  const netmask = plan.network === undefined ? undefined : attributeOf(plan.network, "host-netmask");
  const nic = plan.network === undefined ? undefined : attributeOf(plan.network, "host-interface");
  if (netmask !== undefined) parameters.push(["cidr_netmask", netmask]);
  if (nic !== undefined) parameters.push(["nic", nic]);
  return primitiveElement(`${plan.id}-ip-${address}`, { provider: "heartbeat", type: "IPaddr2" }, parameters, "60s");
}

function connectionElement(plan: BundlePlan, name: string, address: string | null, container: string): Element {
  return remoteElement(name, {
    meta: [pairElement(name, "internal-remote", "true"), pairElement(name, "container", container)],
    parameters: [pairElement(name, "addr", address ?? "#uname"), pairElement(name, "port", plan.controlPort ?? DEFAULT_PORT)],
    monitor: { interval: "30s", timeout: "30s" },
    startTimeout: null,
  });
}

/** Parameters of the container (status.md 7.13a): a wrong one looks like a changed definition. */
function containerElement(plan: BundlePlan, number: number, address: string | null): Element {
  const { container } = plan;
  const name = `${plan.id}-${number}`;
  const mounts = storageMappings(plan, name);
  const parameters: [string, string][] = [
    ["image", attributeOf(container, "image") ?? ""],
    ["allow_pull", "true"],
    ["force_kill", "false"],
    ["reuse", "false"],
    ["run_opts", runOptions(plan, name, address, mounts)],
  ];
  const created = mounts.filter((mount) => mount.created).map((mount) => mount.source);
  if (plan.primitive !== undefined) created.push(`/var/log/pacemaker/bundles/${name}`);
  parameters.push(["mount_points", created.join(",")], ["monitor_cmd", "/bin/true"]);
  const command = attributeOf(container, "run-command") ?? (plan.primitive === undefined ? undefined : DEFAULT_RUN_COMMAND);
  if (command !== undefined) parameters.push(["run_cmd", command]);
  const id = `${plan.id}-${plan.technology}-${number}`;
  return primitiveElement(id, { provider: "heartbeat", type: plan.technology }, parameters, "60s");
}

type Mount = { readonly source: string; readonly target: string; readonly options: string | undefined; readonly created: boolean };

function storageMappings(plan: BundlePlan, name: string): readonly Mount[] {
  return plan.storage.map((mapping) => {
    const root = attributeOf(mapping, "source-dir-root");
    const source = root === undefined ? (attributeOf(mapping, "source-dir") ?? "") : `${root}/${name}`;
    return {
      source,
      target: attributeOf(mapping, "target-dir") ?? "",
      options: attributeOf(mapping, "options"),
      created: root !== undefined,
    };
  });
}

function runOptions(plan: BundlePlan, name: string, address: string | null, mounts: readonly Mount[]): string {
  const parts: string[] = [];
  const port = plan.controlPort ?? DEFAULT_PORT;
  const network = attributeOf(plan.container, "network");
  if (plan.technology === "docker") parts.push("--restart=no");
  if (address !== null) parts.push(`-h ${name}`);
  parts.push("-e PCMK_stderr=1");
  if (network !== undefined) parts.push(`--net=${network}`);
  parts.push(`-e PCMK_remote_port=${port}`);
  for (const mount of mounts) parts.push(`-v ${mount.source}:${mount.target}${mount.options === undefined ? "" : `:${mount.options}`}`);
  if (plan.primitive !== undefined) {
    parts.push("-v /etc/pacemaker/authkey:/etc/pacemaker/authkey");
    parts.push(`-v /var/log/pacemaker/bundles/${name}:/var/log`);
  }
  for (const [outer, inner] of portMappings(plan, port)) {
    if (address !== null) parts.push(`-p ${address}:${outer}:${inner}`);
    else if (network === undefined) parts.push(`-p ${outer}:${inner}`);
  }
  const options = attributeOf(plan.container, "options");
  if (options !== undefined) parts.push(options);
  const hosts = plan.addresses?.map((host, at) => ` --add-host=${plan.id}-${at}:${host}`).join("") ?? "";
  return ` ${parts.join(" ")} ${hosts}`;
}

function portMappings(plan: BundlePlan, controlPort: string): readonly (readonly [string, string])[] {
  const mappings: [string, string][] = [];
  for (const mapping of plan.network === undefined ? [] : childrenOf(plan.network, "port-mapping")) {
    const port = attributeOf(mapping, "port") ?? attributeOf(mapping, "range");
    if (port !== undefined) mappings.push([port, attributeOf(mapping, "internal-port") ?? port]);
  }
  if (plan.primitive !== undefined) mappings.push([controlPort, controlPort]);
  return mappings;
}
