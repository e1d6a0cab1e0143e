import { topOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { ROLE } from "../model-values.ts";
import { completionOf, EFFECT, type Planner } from "../plan/index.ts";
import { firstKeyOf } from "./user.ts";

const { seq, push, gate, pull, pullPromoted, bounce, cancel, sameNode, showFirst, showThen } = EFFECT;

/**
 * Built-in relations of a resource, children before their collective (section 2, step 3): the order matters, because
 * phantoms (A27) of collectives must come after the members' own stop → start.
 */
export function relateBuiltIn(planner: Planner, resource: Resource): void {
  switch (resource.kind) {
    case "primitive":
      relatePrimitive(planner, resource);
      return;
    case "group":
      for (const member of resource.children) relateBuiltIn(planner, member);
      relateGroup(planner, resource);
      return;
    case "clone":
      for (const instance of resource.children) relateBuiltIn(planner, instance);
      relateClone(planner, resource);
      return;
    case "bundle":
      relateBundle(planner, resource);
      return;
  }
}

function isInPromotable(resource: Resource): boolean {
  const top = topOf(resource);
  return top.kind === "clone" && top.promotable;
}

/** O1-O3, O14, O16 and the relations of unfencing (O17) that need no action yet. */
function relatePrimitive(planner: Planner, resource: Resource): void {
  if (!resource.managed) return;
  planner.relate(resource, "stop_0", resource, "start_0", push | bounce);
  if (isInPromotable(resource) || resource.role === ROLE.promoted) {
    planner.relate(resource, "demote_0", resource, "stop_0", pullPromoted);
    planner.relate(resource, "start_0", resource, "promote_0", gate);
    if (isInPromotable(resource)) planner.relate(resource, "demote_0", resource, "promote_0", seq);
  }
  planner.relate(resource, "lrm_delete_0", resource, "monitor_0", cancel | sameNode);
  relateReload(planner, resource);
  planner.relate(resource, "stop_0", resource, "delete_0", seq);
  planner.relate(resource, "delete_0", resource, "start_0", seq);
  relateUnfencing(planner, resource);
  if (planner.model.options.placementStrategy !== "default" && resource.utilization.size > 0) relateLoad(planner, resource);
  relateLauncher(planner, resource);
}

/** A stop or demote that is needed anyway takes the place of a reload (A11). */
function relateReload(planner: Planner, resource: Resource): void {
  planner.relate(resource, "reload-agent_0", resource, "stop_0", seq | cancel | sameNode);
  planner.relate(resource, "reload-agent_0", resource, "demote_0", seq | cancel | sameNode);
}

/** O17: unfencing of the node comes before what needs it there, and after what leaves it: that stops and does not migrate. */
function relateUnfencing(planner: Planner, resource: Resource): void {
  if (!planner.model.unfencingActive || resource.requires !== "unfencing" || resource.isFenceDevice) return;
  for (const node of planner.model.nodeList) {
    if (!resource.table.has(node.index) && !resource.activeNodes.includes(node)) continue;
    const on = planner.unfence(node);
    planner.addRelation({ resource, key: "stop_0" }, on, pull | sameNode);
    planner.addRelation(on, { resource, key: "start_0" }, push | sameNode);
  }
}

/** O16, A26: what leaves a node comes before what arrives there, when capacity counts. */
function relateLoad(planner: Planner, resource: Resource): void {
  for (const node of planner.model.nodeList) {
    const active = resource.activeNodes.includes(node);
    const allowed = resource.table.has(node.index);
    if (!active && !allowed) continue;
    const point = planner.point(`load_stopped_${node.name}`, node, false);
    if (active) planner.addRelation({ resource, key: "stop_0" }, point, EFFECT.load | sameNode);
    if (!allowed) continue;
    planner.addRelation(point, { resource, key: "start_0" }, EFFECT.load | sameNode);
    planner.addRelation(point, { resource, key: "migrate_to_0" }, EFFECT.load);
  }
}

/** O14: the connection of a guest node, or a resource inside a container, with its launcher. */
function relateLauncher(planner: Planner, resource: Resource): void {
  const launcher = resource.launcher;
  if (launcher === null) return;
  if (resource.isRemoteConnection) planner.relate(launcher, "monitor_0", resource, "stop_0", seq);
  if (resource.containerName !== null && !resource.isRemoteConnection && launcher.isRemoteConnection) return;
  planner.relate(launcher, "start_0", resource, "start_0", push | gate);
  planner.relate(resource, "stop_0", launcher, "stop_0", pull);
}

/** O4. */
function relateGroup(planner: Planner, group: Resource): void {
  planner.relate(group, "stop_0", group, "stopped_0", gate);
  planner.relate(group, "stopped_0", group, "start_0", seq);
  planner.relate(group, "start_0", group, "running_0", gate);
  const promotable = isInPromotable(group);
  if (promotable) {
    planner.relate(group, "demote_0", group, "demoted_0", gate);
    planner.relate(group, "demoted_0", group, "promote_0", seq);
    planner.relate(group, "promote_0", group, "promoted_0", gate);
  }
  const members = group.children;
  for (let at = 0; at < members.length; at++) {
    const member = members[at]!;
    const previous = at === 0 ? null : members[at - 1]!;
    relateMember(planner, group, member, previous);
    if (promotable) relatePromotableMember(planner, group, member, previous);
  }
  if (group.ordered) relateGap(planner, members);
}

function relateMember(planner: Planner, group: Resource, member: Resource, previous: Resource | null): void {
  planner.relate(group, "stop_0", member, "stop_0", previous === null ? showFirst | seq : showFirst);
  planner.relate(member, "stop_0", group, "stopped_0", previous === null || !group.ordered ? push : showThen);
  planner.relate(member, "start_0", group, "running_0", push | gate | showThen);
  if (!group.ordered) {
    planner.relate(group, "start_0", member, "start_0", gate | showFirst);
    return;
  }
  planner.relate(group, "start_0", member, "start_0", showFirst);
  if (previous === null) return;
  planner.relate(previous, "start_0", member, "start_0", push | gate);
  planner.relate(member, "stop_0", previous, "stop_0", bounce);
  if (member.managed && member.activeNodes.length > 0 && previous.activeNodes.length === 0) {
    planner.relate(member, "stop_0", previous, "start_0", gate | pull);
  }
}

function relatePromotableMember(planner: Planner, group: Resource, member: Resource, previous: Resource | null): void {
  planner.relate(group, "demote_0", member, "demote_0", previous === null ? showFirst | seq : showFirst);
  planner.relate(member, "demote_0", group, "demoted_0", previous === null ? push : showThen);
  planner.relate(group, "promote_0", member, "promote_0", showFirst);
  planner.relate(member, "promote_0", group, "promoted_0", push | gate | showThen);
  if (previous === null || !group.ordered) return;
  planner.relate(previous, "promote_0", member, "promote_0", push | gate);
  planner.relate(member, "demote_0", previous, "demote_0", seq);
}

/** Last active member before a gap and first one after it: the later stops first. */
function relateGap(planner: Planner, members: readonly Resource[]): void {
  let lastActive: number | null = null;
  for (let at = 0; at < members.length; at++) {
    if (members[at]!.activeNodes.length === 0) continue;
    if (lastActive !== null && lastActive < at - 1) planner.relate(members[at]!, "stop_0", members[lastActive]!, "stop_0", seq);
    lastActive = at;
  }
}

/** The key of an instance that says "done": a group instance's own completion point (O6). */
function doneKey(instance: Resource, task: string): string {
  return instance.kind === "group" ? `${completionOf(task)}_0` : `${task}_0`;
}

/** The cycle demote → demoted → stop → stopped → start → running → promote → promoted of a promotable collective. */
function relateCycle(planner: Planner, collective: Resource): void {
  planner.relate(collective, "demoted_0", collective, "stop_0", seq);
  planner.relate(collective, "running_0", collective, "promote_0", gate | seq);
  planner.relate(collective, "stopped_0", collective, "start_0", seq);
  planner.relate(collective, "stopped_0", collective, "promote_0", seq);
  planner.relate(collective, "demoted_0", collective, "start_0", seq);
  planner.relate(collective, "demoted_0", collective, "promote_0", seq);
  planner.relate(collective, "demote_0", collective, "demoted_0", seq);
}

/** O6. */
function relateClone(planner: Planner, clone: Resource): void {
  planner.relate(clone, "stopped_0", clone, "start_0", seq);
  planner.relate(clone, "start_0", clone, "running_0", gate);
  planner.relate(clone, "stop_0", clone, "stopped_0", gate);
  if (clone.promotable) relateCycle(planner, clone);
  for (const instance of clone.children) {
    planner.relate(clone, "start_0", instance, "start_0", gate | showFirst);
    planner.relate(instance, doneKey(instance, "start"), clone, "running_0", showThen);
    planner.relate(clone, "stop_0", instance, "stop_0", showFirst);
    planner.relate(instance, doneKey(instance, "stop"), clone, "stopped_0", showThen);
    if (!clone.promotable) continue;
    planner.relate(clone, "promote_0", instance, "promote_0", seq);
    planner.relate(instance, doneKey(instance, "promote"), clone, "promoted_0", seq);
    planner.relate(clone, "demote_0", instance, "demote_0", showFirst);
    planner.relate(instance, doneKey(instance, "demote"), clone, "demoted_0", showThen);
  }
  if (clone.ordered) relateInstancesInOrder(planner, clone);
}

function relateInstancesInOrder(planner: Planner, clone: Resource): void {
  const instances = [...clone.children].sort((a, b) => (a.number ?? 0) - (b.number ?? 0));
  for (let at = 1; at < instances.length; at++) {
    const later = instances[at]!;
    for (const earlier of instances.slice(0, at)) {
      planner.relate(earlier, doneKey(earlier, "start"), later, "start_0", seq);
      planner.relate(later, doneKey(later, "stop"), earlier, "stop_0", seq);
    }
    if (!clone.promotable) continue;
    const previous = instances[at - 1]!;
    planner.relate(previous, doneKey(previous, "promote"), later, "promote_0", seq);
    planner.relate(later, doneKey(later, "demote"), previous, "demote_0", seq);
  }
}

/** O14 for bundles. */
function relateBundle(planner: Planner, bundle: Resource): void {
  const data = bundle.bundle;
  if (data === null) return;
  for (const replica of data.replicas) relateReplica(planner, bundle, replica);
  if (data.innerClone === null) return;
  relateBuiltIn(planner, data.innerClone);
  relateInnerClone(planner, bundle, data.innerClone);
  if (data.innerClone.promotable) relateCycle(planner, bundle);
}

function relateReplica(planner: Planner, bundle: Resource, replica: NonNullable<Resource["bundle"]>["replicas"][number]): void {
  const { container, ip, connection } = replica;
  relateBuiltIn(planner, container);
  planner.relate(bundle, "start_0", container, "start_0", gate | showFirst);
  planner.relate(container, "start_0", bundle, "running_0", showThen);
  if (replica.child !== null) planner.relate(bundle, "stop_0", replica.child, "stop_0", showFirst);
  planner.relate(bundle, "stop_0", container, "stop_0", showFirst);
  planner.relate(container, "stop_0", bundle, "stopped_0", showThen);
  if (ip !== null) {
    relateBuiltIn(planner, ip);
    planner.relate(ip, "start_0", container, "start_0", gate);
    planner.relate(container, "stop_0", ip, "stop_0", pull);
  }
  if (connection !== null) relateBuiltIn(planner, connection);
}

/** The inner clone's completion, with notifications their confirmation (U8), completes the bundle's. */
function relateInnerClone(planner: Planner, bundle: Resource, inner: Resource): void {
  planner.relate(bundle, "start_0", inner, "start_0", showFirst);
  planner.relate(inner, firstKeyOf(inner, "start", null), bundle, "running_0", showThen);
  planner.relate(bundle, "stop_0", inner, "stop_0", showFirst);
  planner.relate(inner, firstKeyOf(inner, "stop", null), bundle, "stopped_0", showThen);
  if (!inner.promotable) return;
  planner.relate(bundle, "promote_0", inner, "promote_0", showFirst);
  planner.relate(inner, firstKeyOf(inner, "promote", null), bundle, "promoted_0", showThen);
  planner.relate(bundle, "demote_0", inner, "demote_0", showFirst);
  planner.relate(inner, firstKeyOf(inner, "demote", null), bundle, "demoted_0", showThen);
}
