import { rcMeaning } from "../../core/cib/index.ts";
import {
  activeNodesOf,
  blockedWithin,
  currentRole,
  failedWithin,
  type Model,
  type Resource,
  ROLE,
  roleName,
} from "../../core/policy/index.ts";
import type { ClusterView, FailCountView, FailureView, ResourceView } from "./view.ts";

/** What people see of a model that the policy engine has read from configuration and status. */
export function viewFromModel(model: Model): ClusterView {
  return {
    resources: model.resources
      .filter((resource) => !resource.internal && !(resource.removed && activeNodesOf(resource).length === 0))
      .map(resourceView),
    failures: model.failures.filter((failure) => !failure.masked).map((failure) => failureView(failure)),
    nodes: model.nodeList.map((node) => ({
      name: node.name,
      online: node.online,
      unclean: node.unclean,
      standby: node.standby || node.standbyOnFail,
      maintenance: node.maintenance,
      pending: node.pending,
    })),
    failCounts: failCounts(model),
    notices: notices(model),
  };
}

function resourceView(resource: Resource): ResourceView {
  const role = currentRole(resource);
  const pending = resource.pending;
  return {
    id: resource.id,
    kind: resource.kind,
    agent: resource.isPrimitive
      ? [resource.agentClass, resource.provider, resource.type].filter((part) => part !== null && part !== "").join(":")
      : null,
    role: role <= ROLE.stopped ? "Stopped" : roleName(role),
    nodes: nodesOf(resource),
    flags: flagsOf(resource),
    pending: pending === null ? null : `${pending.task} on ${pending.node.name}`,
    promotable: resource.promotable,
    children: childrenOf(resource).map(resourceView),
  };
}

/** Instances of an anonymous clone that run nowhere are left out: their numbers mean nothing to people. */
function childrenOf(resource: Resource): readonly Resource[] {
  if (resource.bundle !== null) return resource.bundle.replicas.map((replica) => replica.child ?? replica.container);
  return resource.children.filter((child) => !child.internal && !(child.removed && activeNodesOf(child).length === 0));
}

function nodesOf(resource: Resource): string[] {
  const names = new Set<string>();
  for (const node of activeNodesOf(resource)) names.add(node.name);
  for (const child of resource.children) for (const name of nodesOf(child)) names.add(name);
  return [...names].sort();
}

function flagsOf(resource: Resource): string[] {
  const flags: string[] = [];
  if (resource.removed) flags.push("orphaned");
  if (resource.isPrimitive ? resource.failed : failedWithin(resource)) flags.push("FAILED");
  if (resource.isPrimitive ? resource.blocked : blockedWithin(resource)) flags.push("blocked");
  if (resource.targetRole === ROLE.stopped) flags.push("disabled");
  if (resource.maintenance) flags.push("maintenance");
  else if (!resource.managed) flags.push("unmanaged");
  return flags;
}

function failureView(failure: Model["failures"][number]): FailureView {
  return {
    resource: failure.resource.configId,
    node: failure.node.name,
    task: failure.entry.task,
    intervalMs: failure.entry.intervalMs,
    rc: failure.entry.rc,
    meaning: rcMeaning(failure.entry.rc),
    reason: failure.entry.exitReason,
    atSec: failure.entry.lastRcChange,
  };
}

/** Fail counts are transient attributes `fail-count-RESOURCE#OPERATION_INTERVAL`; they add up per resource and node. */
function failCounts(model: Model): FailCountView[] {
  const counts = new Map<string, FailCountView>();
  for (const node of model.nodeList) {
    for (const [name, value] of node.attributes) {
      const match = /^fail-count-([^#]+)/.exec(name);
      if (match === null) continue;
      const resource = match[1]!;
      const key = `${resource} ${node.name}`;
      const count = value === "INFINITY" ? 1_000_000 : Number(value);
      if (Number.isNaN(count) || count === 0) continue;
      counts.set(key, { resource, node: node.name, count: Math.min(1_000_000, (counts.get(key)?.count ?? 0) + count) });
    }
  }
  return [...counts.values()];
}

function notices(model: Model): string[] {
  const found: string[] = [];
  if (model.options.maintenanceMode) found.push("maintenance mode: resources are left as they are, whatever happens");
  if (model.options.stopAllResources) found.push("stop-all-resources: nothing is allowed to run");
  return found;
}
