import { attributeOf, type Element, element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { blockedWithin, primitivesOf, topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { MINUS_INFINITY } from "../model-values.ts";
import { addNode, nodeByName } from "./nodes.ts";
import { ALONE, addInstance, clonedElement, markRemoved, unpackPrimitive } from "./resources.ts";
import { addScoreEverywhere } from "./scores.ts";

/** Finds or makes the resource that a history belongs to (status.md 12). null: the history is unusable. */
export function matchHistory(model: Model, node: PolicyNode, history: Element, byHistoryName: Map<string, Resource>): Resource | null {
  const name = attributeOf(history, "id");
  if (name === undefined) return null;
  const found = findResource(model, node, name, byHistoryName) ?? removedResource(model, node, name, history);
  if (found !== null && found.id !== name) {
    found.historyName = name;
    if (!byHistoryName.has(name)) byHistoryName.set(name, found);
  }
  return found;
}

function findResource(model: Model, node: PolicyNode, name: string, byHistoryName: Map<string, Resource>): Resource | null {
  const base = name.replace(/:\d+$/, "");
  let found = model.resourcesById.get(name) ?? byHistoryName.get(name);
  if (found === undefined) {
    const first = model.resourcesById.get(`${base}:0`);
    if (first !== undefined && !anonymousOrNotUnique(first)) return null;
    found = first;
  }
  if (found === undefined || found.kind !== "primitive") return null;
  const clone = topOf(found);
  if (clone.kind !== "clone" || clone.globallyUnique) return found;
  if (clone.parent !== null && clone.parent.kind === "bundle") return bundleInstance(clone.parent, node);
  return anonymousInstance(model, clone, found, node, name);
}

function anonymousOrNotUnique(resource: Resource): boolean {
  const top = topOf(resource);
  return top.kind === "clone" && !top.globallyUnique;
}

function bundleInstance(bundle: Resource, node: PolicyNode): Resource | null {
  return bundle.bundle?.replicas.find((replica) => replica.node === node)?.child ?? null;
}

/** The member of an instance that corresponds to a given primitive. */
function memberOf(instance: Resource, like: Resource): Resource {
  if (instance.kind === "primitive") return instance;
  return instance.children.find((child) => child.configId === like.configId) ?? instance;
}

/** Chooses an instance of an anonymous clone (status.md 12.3). */
function anonymousInstance(model: Model, clone: Resource, like: Resource, node: PolicyNode, _name: string): Resource {
  let chosen: Resource | null = null;
  for (const instance of clone.children) {
    const member = memberOf(instance, like);
    const places = placesOf(instance);
    if (places.includes(node)) {
      if (member.activeNodes.length > 0) return removedInstance(model, clone, like);
      chosen = member;
      break;
    }
    if (chosen === null && places.length === 0 && !blockedWithin(instance)) {
      const pendingElsewhere = member.pending !== null && member.pending.node !== node;
      if (!pendingElsewhere) chosen = member;
    }
  }
  if (chosen !== null) {
    const dead = (!node.online || node.unclean) && !node.isGuest;
    if (!chosen.requiresFencing && dead && clone.cloneMax !== model.nodes.length) chosen = null;
  }
  return chosen ?? removedInstance(model, clone, like);
}

/** Where an instance already is, or has something pending. */
function placesOf(instance: Resource): readonly PolicyNode[] {
  const places: PolicyNode[] = [];
  for (const primitive of primitivesOf(instance)) {
    for (const node of primitive.activeNodes) if (!places.includes(node)) places.push(node);
    if (primitive.pending !== null && !places.includes(primitive.pending.node)) places.push(primitive.pending.node);
  }
  return places;
}

/** An instance beyond `clone-max` (status.md 12.4). */
function removedInstance(model: Model, clone: Resource, like: Resource): Resource {
  const xml = clonedElement(clone);
  const instance = xml === undefined ? null : addInstance(model, clone, xml, clone.children.length);
  if (instance === null) return like;
  markRemoved(instance);
  return memberOf(instance, like);
}

/** A primitive known only from history (status.md 12.6, 12.7). */
function removedResource(model: Model, node: PolicyNode, name: string, history: Element): Resource | null {
  const agentClass = attributeOf(history, "class");
  const type = attributeOf(history, "type");
  if (agentClass === undefined || type === undefined) return null;
  const existing = model.resourcesById.get(name);
  const attributes: Record<string, string> = { id: name, class: agentClass, type };
  const provider = attributeOf(history, "provider");
  if (provider !== undefined) attributes["provider"] = provider;
  const isConnection = agentClass === "ocf" && provider === "pacemaker" && type === "remote";
  if (isConnection) addRemovedRemote(model, name);
  const resource = unpackPrimitive(model, element("primitive", attributes), ALONE);
  if (resource === null) return null;
  // A collective keeps its name in the index; the removed primitive is found by node and history only.
  if (existing !== undefined) model.resourcesById.set(name, existing);
  resource.removed = true;
  // A device that only history knows still counts as one (status.md 7.14; seen with crm_simulate).
  if (resource.isFenceDevice) model.fencingDevicesExist = true;
  if (isConnection && resource.remoteNode !== null) resource.remoteNode.shuttingDown = true;
  if (model.options.stopRemovedResources) {
    addScoreEverywhere(model, resource, MINUS_INFINITY, { kind: "removed" });
  } else {
    resource.managed = false;
  }
  model.resources.push(resource);
  const container = attributeOf(history, "container");
  if (container !== undefined) resource.containerName = container;
  void node;
  return resource;
}

function addRemovedRemote(model: Model, name: string): void {
  const existing = nodeByName(model, name);
  if (existing !== undefined) return;
  const node = addNode(model, name, name, "remote");
  node.attributes.set("#kind", "remote");
  node.shuttingDown = true;
}

/** Forgets a history name with an instance number when nothing is active under it (status.md 18.4). */
export function forgetInstanceName(resource: Resource, byHistoryName: Map<string, Resource>): boolean {
  if (resource.historyName === null || !/:\d+$/.test(resource.historyName)) return false;
  if (byHistoryName.get(resource.historyName) === resource) byHistoryName.delete(resource.historyName);
  resource.historyName = null;
  return true;
}

/** Whether something is inside a bundle (any part of it). */
export function inBundle(resource: Resource): boolean {
  return resource.inBundle !== null;
}
