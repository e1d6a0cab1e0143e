import { attributeOf, childOf, childrenOf, type Element, element, idOf, withAttributes } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { OperationDefinition } from "../model-resource.ts";
import { Resource, type ResourceKind } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { NodeTable } from "../node-table.ts";
import { unpackBundle } from "./bundles.ts";
import { addImpliedNodes, literalMeta, nodeByName } from "./nodes.ts";
import { applySettings, copySettings, unpackMeta } from "./settings.ts";
import { isTrue, parseDurationMs, parseInteger, parseRole } from "./values.ts";

/** What a new resource takes over from its surroundings. */
export type Birth = {
  readonly parent: Resource | null;
  /** Instance number; null outside clones and bundles. */
  readonly number: number | null;
  /** The same element unpacked before with the same parents: settings are copied instead of evaluated. */
  readonly like: Resource | null;
};

export const ALONE: Birth = { parent: null, number: null, like: null };

/** Templates by id. */
export function templatesOf(resources: Element): ReadonlyMap<string, Element> {
  const templates = new Map<string, Element>();
  for (const child of childrenOf(resources, "template")) {
    const id = idOf(child);
    if (id !== undefined) templates.set(id, child);
  }
  return templates;
}

/** Reads all configured resources (status.md 7) and sorts them by priority (assignment.md 5.1). */
export function unpackResources(model: Model, resources: Element): void {
  addImpliedNodes(model, resources);
  for (const child of resources.children) {
    const resource = unpackTop(model, child);
    if (resource !== null) model.resources.push(resource);
  }
  for (const child of resources.children) {
    if (child.name === "primitive") addGuestConnection(model, child);
    else if (child.name === "group") for (const member of childrenOf(child, "primitive")) addGuestConnection(model, member);
  }
  linkLaunchers(model);
  model.resources.sort((a, b) => b.priority - a.priority);
  model.fencingDevicesExist = model.options.haveWatchdog || model.primitives.some((resource) => resource.isFenceDevice);
}

function unpackTop(model: Model, xml: Element): Resource | null {
  switch (xml.name) {
    case "primitive":
      return unpackPrimitive(model, xml, ALONE);
    case "group":
      return unpackGroup(model, xml, ALONE);
    case "clone":
      return unpackClone(model, xml);
    case "bundle":
      return unpackBundle(model, xml);
    default:
      return null;
  }
}

/** A new table: an entry for every node known now at its base score, in a symmetric cluster (assignment.md 4.1, 4.2). */
export function newTable(model: Model, seeded: boolean): NodeTable {
  const explain = model.want.explain === true;
  if (!seeded) return new NodeTable(model.nodes.length, explain);
  if (model.caches.seed === null) {
    const seed = new NodeTable(model.nodes.length, explain);
    for (const node of model.nodes) if (!node.isBundleNode) seed.set(node.index, node.baseScore, { kind: "base" });
    model.caches.seed = seed;
  }
  return model.caches.seed.snapshot();
}

/** Creates a resource object and registers it; settings come later. */
export function newResource(
  model: Model,
  kind: ResourceKind,
  xml: Element,
  birth: Birth,
  seeded = model.options.symmetric,
): Resource | null {
  const configId = idOf(xml);
  if (configId === undefined) {
    model.warnings.push(`a ${kind} without id is ignored`);
    return null;
  }
  const id = birth.number === null ? configId : `${configId}:${birth.number}`;
  const resource = new Resource(kind, id, configId, xml, newTable(model, seeded));
  resource.parent = birth.parent;
  resource.number = birth.number;
  resource.inBundle = birth.parent === null ? null : birth.parent.kind === "bundle" ? birth.parent : birth.parent.inBundle;
  return resource;
}

/** Registers a resource that passed its checks. */
export function register(model: Model, resource: Resource): void {
  if (model.resourcesById.has(resource.id)) model.warnings.push(`two resources are named ${resource.id}`);
  else model.resourcesById.set(resource.id, resource);
  if (resource.kind === "primitive") model.primitives.push(resource);
}

/** A primitive of the configuration, or one instance of it; null if it is unusable. */
export function unpackPrimitive(model: Model, xml: Element, birth: Birth): Resource | null {
  const merged = birth.like === null ? mergeTemplate(model, xml) : birth.like.xml;
  if (merged === null) return null;
  const agentClass = attributeOf(merged, "class");
  const type = attributeOf(merged, "type");
  if (agentClass === undefined || type === undefined) {
    model.warnings.push(`primitive ${idOf(merged) ?? "without id"} has no class or type and is ignored`);
    return null;
  }
  const isRemote = isRemoteAgent(merged);
  const isGuestConnection = isRemote && literalMeta(merged, "container") !== undefined;
  const resource = newResource(model, "primitive", merged, birth, model.options.symmetric || isGuestConnection);
  if (resource === null) return null;
  resource.agentClass = agentClass;
  resource.provider = attributeOf(merged, "provider") ?? null;
  resource.type = type;
  resource.isFenceDevice = agentClass === "stonith";
  resource.isRemoteConnection = isRemote;
  if (birth.like !== null) copySettings(resource, birth.like);
  else {
    unpackMeta(model, resource);
    resource.operations = readOperations(model, merged);
    applySettings(model, resource);
  }
  resource.nextRole = initialNextRole(resource);
  register(model, resource);
  if (isRemote) linkRemoteNode(model, resource);
  return resource;
}

/** What `target-role` fixes (status.md 7.10). */
export function initialNextRole(resource: Resource) {
  if (resource.targetRole === ROLE.stopped || resource.targetRole === ROLE.unpromoted) return resource.targetRole;
  return ROLE.unknown;
}

function isRemoteAgent(xml: Element): boolean {
  const is = (name: string, word: string): boolean => attributeOf(xml, name)?.toLowerCase() === word;
  return is("class", "ocf") && is("provider", "pacemaker") && is("type", "remote");
}

function linkRemoteNode(model: Model, connection: Resource): void {
  const node = nodeByName(model, connection.id);
  if (node === undefined || node.kind === "cluster") return;
  connection.remoteNode = node;
  node.connection = connection;
}

/** The template's content, then the resource's own (status.md 7.2); null if the template is unknown. */
export function mergeTemplate(model: Model, xml: Element): Element | null {
  const name = attributeOf(xml, "template");
  if (name === undefined) return xml;
  const template = model.caches.lookup(name);
  if (template === undefined || template.name !== "template") {
    model.warnings.push(`resource ${idOf(xml) ?? ""} names the unknown template ${name} and is ignored`);
    return null;
  }
  const own = childOf(xml, "operations");
  const fromTemplate = childOf(template, "operations");
  const children = [
    ...template.children.filter((child) => child.name !== "operations"),
    ...xml.children.filter((child) => child.name !== "operations"),
  ];
  const operations = mergeOperations(own, fromTemplate);
  if (operations !== null) children.push(operations);
  const attributes = { ...template.attributes, ...xml.attributes };
  return withAttributes({ ...xml, attributes, children }, { template: null });
}

function mergeOperations(own: Element | undefined, fromTemplate: Element | undefined): Element | null {
  if (own === undefined || fromTemplate === undefined) return own ?? fromTemplate ?? null;
  const taken = new Set(childrenOf(own, "op").map(operationSlot));
  const added = childrenOf(fromTemplate, "op").filter((op) => !taken.has(operationSlot(op)));
  return { ...own, children: [...own.children, ...added] };
}

/** Name and role class: Promoted, Stopped, everything else (status.md 7.2). */
function operationSlot(op: Element): string {
  const role = parseRole(attributeOf(op, "role"));
  const roleClass = role === ROLE.promoted ? "promoted" : role === ROLE.stopped ? "stopped" : "other";
  return `${attributeOf(op, "name") ?? ""} ${roleClass}`;
}

function readOperations(model: Model, xml: Element): OperationDefinition[] {
  let operations = childOf(xml, "operations");
  const reference = operations === undefined ? undefined : attributeOf(operations, "id-ref");
  if (reference !== undefined) operations = model.caches.lookup(reference);
  const definitions: OperationDefinition[] = [];
  for (const listed of operations === undefined ? [] : childrenOf(operations, "op")) {
    const referred = attributeOf(listed, "id-ref");
    const op = referred === undefined ? listed : model.caches.lookup(referred);
    const name = op === undefined ? undefined : attributeOf(op, "name");
    if (op === undefined || name === undefined) continue;
    definitions.push({
      xml: op,
      id: idOf(op) ?? "",
      name,
      intervalMs: parseDurationMs(attributeOf(op, "interval")) ?? 0,
      role: parseRole(attributeOf(op, "role")),
      enabled: attributeOf(op, "enabled") === undefined || isTrue(attributeOf(op, "enabled")),
    });
  }
  return definitions;
}

/** A group with its usable members; null without any (status.md 7.1). */
export function unpackGroup(model: Model, xml: Element, birth: Birth): Resource | null {
  const group = newResource(model, "group", xml, birth);
  if (group === null) return null;
  if (birth.like !== null) copySettings(group, birth.like);
  else {
    unpackMeta(model, group);
    applySettings(model, group);
  }
  register(model, group);
  let position = 0;
  for (const child of childrenOf(xml, "primitive")) {
    const like = birth.like?.children[position] ?? null;
    const member = unpackPrimitive(model, child, { parent: group, number: birth.number, like });
    if (member === null) continue;
    group.children.push(member);
    position++;
  }
  if (group.children.length > 0) return group;
  model.warnings.push(`group ${group.id} has no usable member and is ignored`);
  unregister(model, group);
  return null;
}

/** Takes an unusable resource and everything below out of the indexes. */
export function unregister(model: Model, resource: Resource): void {
  if (model.resourcesById.get(resource.id) === resource) model.resourcesById.delete(resource.id);
  const at = resource.kind === "primitive" ? model.primitives.indexOf(resource) : -1;
  if (at >= 0) model.primitives.splice(at, 1);
  for (const child of resource.children) unregister(model, child);
}

function unpackClone(model: Model, xml: Element): Resource | null {
  const clone = newResource(model, "clone", xml, ALONE);
  if (clone === null) return null;
  const child = xml.children.find((candidate) => candidate.name === "primitive" || candidate.name === "group");
  if (child === undefined) {
    model.warnings.push(`clone ${clone.id} has nothing to clone and is ignored`);
    return null;
  }
  unpackMeta(model, clone);
  applySettings(model, clone);
  if (!limitByClass(model, clone, child)) return null;
  register(model, clone);
  return fillClone(model, clone, child) ? clone : null;
}

/** Reads the counts of a clone (status.md 7.11) from its meta-attributes, which `applySettings` has completed. */
export function readCloneCounts(model: Model, clone: Resource, meta: Map<string, string>): void {
  const count = (name: string, old: string | null, preset: number): number => {
    const text = meta.get(name) ?? (old === null ? undefined : meta.get(old));
    return text === undefined ? preset : Math.max(0, parseInteger(text) ?? 0);
  };
  clone.cloneNodeMax = count("clone-node-max", null, 1);
  clone.cloneMax = count("clone-max", null, Math.max(1, model.nodes.length));
  clone.cloneMin = count("clone-min", null, 0);
  clone.promotable = isTrue(meta.get("promotable"));
  clone.promotedMax = clone.promotable ? count("promoted-max", "master-max", 1) : 0;
  clone.promotedNodeMax = clone.promotable ? count("promoted-node-max", "master-node-max", 1) : 0;
  const unique = meta.get("globally-unique");
  clone.globallyUnique = unique === undefined ? clone.cloneNodeMax > 1 : isTrue(unique);
  if (!clone.globallyUnique && clone.cloneNodeMax > 1) {
    model.warnings.push(`anonymous clone ${clone.id} cannot have more than one instance on a node`);
    clone.cloneNodeMax = 1;
  }
}

/** Classes other than `ocf` and `stonith` cannot be unique, other than `ocf` not promotable (status.md 7.11). */
function limitByClass(model: Model, clone: Resource, child: Element): boolean {
  if (child.name !== "primitive") return true;
  const agentClass = attributeOf(mergeTemplate(model, child) ?? child, "class");
  if (clone.promotable && agentClass !== "ocf") {
    model.warnings.push(`clone ${clone.id} is ignored: resources of class ${agentClass ?? ""} cannot be promotable`);
    return false;
  }
  if (agentClass === "ocf" || agentClass === "stonith") return true;
  if (clone.globallyUnique || clone.cloneNodeMax > 1) {
    clone.globallyUnique = false;
    clone.cloneNodeMax = 1;
    clone.meta = new Map(clone.meta).set("globally-unique", "false");
    clone.cloneMax = Math.min(clone.cloneMax, Math.max(1, model.nodes.length));
  }
  return true;
}

/** Creates the instances 0 … clone-max − 1; with clone-max 0 one removed instance (status.md 7.11). */
export function fillClone(model: Model, clone: Resource, child: Element): boolean {
  for (let number = 0; number < Math.max(1, clone.cloneMax); number++) {
    const instance = addInstance(model, clone, child, number);
    if (instance === null) {
      model.warnings.push(`clone ${clone.id} is ignored: its content is unusable`);
      unregister(model, clone);
      return false;
    }
    if (clone.cloneMax === 0) markRemoved(instance);
  }
  return true;
}

/** One more instance of a clone. */
export function addInstance(model: Model, clone: Resource, child: Element, number: number): Resource | null {
  const like = clone.children[0] ?? null;
  const birth: Birth = { parent: clone, number, like };
  const instance = child.name === "group" ? unpackGroup(model, child, birth) : unpackPrimitive(model, child, birth);
  if (instance !== null) clone.children.push(instance);
  return instance;
}

/** The element that a clone clones. */
export function clonedElement(clone: Resource): Element | undefined {
  return clone.children[0]?.xml ?? clone.xml.children.find((child) => child.name === "primitive" || child.name === "group");
}

export function markRemoved(resource: Resource): void {
  resource.removed = true;
  for (const child of resource.children) markRemoved(child);
}

/** The connection that a launcher with `remote-node` implies (status.md 7.5). */
function addGuestConnection(model: Model, launcher: Element): void {
  const name = literalMeta(launcher, "remote-node");
  const launcherId = idOf(launcher);
  if (name === undefined || name === "" || launcherId === undefined || model.resourcesById.has(name)) return;
  if (!model.resourcesById.has(launcherId)) return;
  const pair = (pairName: string, value: string): Element => element("nvpair", { id: `${name}-${pairName}`, name: pairName, value });
  const meta = [pair("internal-remote", "true"), pair("container", launcherId)];
  const migrate = literalMeta(launcher, "remote-allow-migrate");
  if (migrate !== undefined) meta.push(pair("allow-migrate", migrate));
  const managed = literalMeta(launcher, "is-managed");
  if (managed !== undefined) meta.push(pair("is-managed", managed));
  const parameters: Element[] = [];
  const address = literalMeta(launcher, "remote-addr");
  if (address !== undefined) parameters.push(pair("addr", address));
  const port = literalMeta(launcher, "remote-port");
  if (port !== undefined) parameters.push(pair("port", port));
  const xml = remoteElement(name, {
    meta,
    parameters,
    monitor: { interval: "30s", timeout: "30s" },
    startTimeout: literalMeta(launcher, "remote-connect-timeout") ?? "60s",
  });
  const connection = unpackPrimitive(model, xml, ALONE);
  if (connection === null) return;
  connection.internal = true;
  model.resources.push(connection);
}

/** The element of an implied connection resource. */
export function remoteElement(
  id: string,
  content: {
    readonly meta: readonly Element[];
    readonly parameters: readonly Element[];
    readonly monitor: { readonly interval: string; readonly timeout: string };
    readonly startTimeout: string | null;
  },
): Element {
  const operations = [element("op", { id: `${id}-monitor`, name: "monitor", ...content.monitor })];
  if (content.startTimeout !== null) {
    operations.push(element("op", { id: `${id}-start`, name: "start", interval: "0", timeout: content.startTimeout }));
  }
  const children = [element("meta_attributes", { id: `${id}-meta` }, content.meta)];
  if (content.parameters.length > 0) children.push(element("instance_attributes", { id: `${id}-attributes` }, content.parameters));
  children.push(element("operations", {}, operations));
  return element("primitive", { id, class: "ocf", provider: "pacemaker", type: "remote" }, children);
}

/** Connects resources with the launcher their `container` names (status.md 7.5, 7.6). */
function linkLaunchers(model: Model): void {
  for (const resource of model.primitives) {
    if (resource.launcher !== null) continue;
    const name = resource.meta.get("container");
    if (name === undefined) continue;
    const launcher = model.resourcesById.get(name);
    if (launcher === undefined || launcher.kind !== "primitive") {
      model.warnings.push(`resource ${resource.id} names the unknown container ${name}`);
      continue;
    }
    setLauncher(model, resource, launcher);
  }
}

export function setLauncher(model: Model, resource: Resource, launcher: Resource): void {
  resource.launcher = launcher;
  launcher.launched.push(resource);
  const node = resource.isRemoteConnection ? resource.remoteNode : null;
  if (node !== null) {
    node.kind = "guest";
    node.unclean = false;
    node.attributes.set("#kind", "container");
    model.hasRemoteNodes = true;
  }
}
