import { attributeOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { Resource } from "../model-resource.ts";
import { HANDLING, type Handling, ROLE, type Role } from "../model-values.ts";
import { operationFor, operationSettings, promotedMonitors } from "./operations.ts";

/** The handling of a failed action (status.md 16.1, 16.2) and the role it leads to. */
export type FailurePlan = { readonly handling: Handling; readonly roleAfter: Role };

export function failurePlan(model: Model, resource: Resource, task: string, intervalMs: number): FailurePlan {
  const handling = handlingOf(model, resource, task, intervalMs);
  return { handling, roleAfter: roleAfterFailure(resource, task, handling) };
}

function roleAfterFailure(resource: Resource, task: string, handling: Handling): Role {
  if (handling === HANDLING.stop) return ROLE.stopped;
  if (handling === HANDLING.resetRemote && resource.reconnectIntervalMs > 0) return ROLE.stopped;
  return task === "promote" ? ROLE.unpromoted : ROLE.started;
}

function handlingOf(model: Model, resource: Resource, task: string, intervalMs: number): Handling {
  const remote = isRemoteNodeConnection(resource) && task !== "start" && !(task === "monitor" && intervalMs === 0);
  if (remote && !resource.managed) return HANDLING.stop;
  const text = configuredOnFail(model, resource, task, intervalMs);
  const explicit = text === undefined ? null : explicitHandling(model, resource, text, task, intervalMs);
  if (explicit !== null) return explicit;
  if (resource.launcher !== null) return HANDLING.restartContainer;
  if (remote) return HANDLING.resetRemote;
  if (task === "stop") return model.options.fencingEnabled ? HANDLING.fence : HANDLING.block;
  return HANDLING.restart;
}

function isRemoteNodeConnection(resource: Resource): boolean {
  return resource.isRemoteConnection && resource.launcher === null && resource.remoteNode !== null && resource.remoteNode.kind === "remote";
}

/** The text of `on-fail`; a demote without one takes that of a Promoted monitor, the last in the document (16.2.2). */
function configuredOnFail(model: Model, resource: Resource, task: string, intervalMs: number): string | undefined {
  const own = operationSettings(model, resource, task, intervalMs).get("on-fail");
  if (own !== undefined || task !== "demote") return own;
  let taken: string | undefined;
  for (const monitor of promotedMonitors(resource)) {
    const text = attributeOf(monitor.xml, "on-fail");
    if (text !== undefined && text.toLowerCase() !== "demote") taken = text;
  }
  return taken;
}

/** null: invalid here, so the default applies. */
function explicitHandling(model: Model, resource: Resource, text: string, task: string, intervalMs: number): Handling | null {
  const word = text.toLowerCase();
  if (task === "stop" && (word === "standby" || word === "demote" || word === "stop")) {
    model.warnings.push(`on-fail=${word} is not allowed for stop of ${resource.id}`);
    return null;
  }
  switch (word) {
    case "ignore":
    case "nothing":
      return HANDLING.ignore;
    case "restart":
      return HANDLING.restart;
    case "restart-container":
      return resource.launcher === null ? null : HANDLING.restartContainer;
    case "migrate":
      return HANDLING.ban;
    case "block":
      return HANDLING.block;
    case "stop":
      return HANDLING.stop;
    case "standby":
      return HANDLING.standby;
    case "fence":
      if (model.options.fencingEnabled) return HANDLING.fence;
      model.warnings.push(`on-fail=fence of ${resource.id} becomes stop: fencing is disabled`);
      return HANDLING.stop;
    case "demote":
      return demoteAllowed(resource, task, intervalMs) ? HANDLING.demote : null;
    default:
      model.warnings.push(`on-fail=${text} of ${resource.id} is unknown`);
      return null;
  }
}

function demoteAllowed(resource: Resource, task: string, intervalMs: number): boolean {
  if (task === "promote") return true;
  return task === "monitor" && intervalMs > 0 && operationFor(resource, task, intervalMs)?.role === ROLE.promoted;
}
