import type { CibState, FencingAttempt, FencingRequest, NodeStatus } from "../cib/index.ts";
import { deviceAction, type FencingDevice, levelsFor, triesOf } from "./devices.ts";

/** A round that failed is repeated after this long by the cluster clock, milliseconds. */
export const FENCING_RETRY_MS = 5_000;

/** What to do next about a node that is to be fenced. */
export type FencingStep =
  | { readonly kind: "attempt"; readonly attempt: FencingAttempt }
  /** A device of the present round is at work. */
  | { readonly kind: "wait" }
  /** The node that ran the device is gone: its answer will not come. */
  | { readonly kind: "abandon"; readonly reason: string }
  /** Every device of one level succeeded. */
  | { readonly kind: "fenced"; readonly by: string }
  | { readonly kind: "exhausted"; readonly reason: string };

/**
 * The next step of a request, from the replicated state alone, so that a new leader goes on where the old one was
 * (Pacemaker Explained: fencing topologies). Devices run on live nodes other than the target.
 */
export function nextFencingStep(state: CibState, request: FencingRequest): FencingStep {
  if (request.current !== null) {
    const by = state.nodes.get(request.current.by);
    const alive = by !== undefined && by.membership === "online" && by.incarnation === request.current.byIncarnation;
    return alive ? { kind: "wait" } : { kind: "abandon", reason: `node ${request.current.by} went away while it ran the device` };
  }
  const levels = levelsFor(state, request.target);
  if (levels.length === 0) return { kind: "exhausted", reason: `no device can fence ${request.target}` };
  let noRunner = false;
  for (const level of levels) {
    const missing = level.devices.filter((device) => !request.succeeded.includes(`${level.level}/${device.id}`));
    if (missing.length === 0) {
      const names = level.devices.map((device) => device.id).join(", ");
      return { kind: "fenced", by: level.devices.length === 1 ? `device ${names}` : `devices ${names}` };
    }
    const usable = missing.every((device) => triesUsed(request, level.level, device) < triesOf(device, request.action));
    const device = missing[0];
    if (!usable || device === undefined) continue;
    const by = runnerFor(state, request.target, device, triesUsed(request, level.level, device));
    if (by === null) {
      noRunner = true;
      continue;
    }
    const action = deviceAction(state, device, { target: request.target, action: request.action, by: by.name });
    return { kind: "attempt", attempt: { device: device.id, by: by.name, byIncarnation: by.incarnation, level: level.level, action } };
  }
  return { kind: "exhausted", reason: noRunner ? "no live node can run a device" : (request.lastFailure ?? "every device failed") };
}

function triesUsed(request: FencingRequest, level: number, device: FencingDevice): number {
  return request.failed.filter((tried) => tried === `${level}/${device.id}`).length;
}

type Runner = Pick<NodeStatus, "name"> & { readonly incarnation: NonNullable<NodeStatus["incarnation"]> };

/** The node where the device runs first; after a failure another one, because the way to the device may differ. */
function runnerFor(state: CibState, target: string, device: FencingDevice, failures: number): Runner | null {
  const runners: Runner[] = [];
  for (const node of state.nodes.values()) {
    if (
      node.name === target ||
      node.witness === true ||
      node.membership !== "online" ||
      node.incarnation === null ||
      device.banned.has(node.name)
    )
      continue;
    const runner = { name: node.name, incarnation: node.incarnation };
    if (node.history.get(device.id)?.active === true) runners.unshift(runner);
    else runners.push(runner);
  }
  return runners[failures % Math.max(1, runners.length)] ?? null;
}
