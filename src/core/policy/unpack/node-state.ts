import { attributeOf, type Element } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { PolicyNode } from "../model-node.ts";
import { MINUS_INFINITY } from "../model-values.ts";
import { fenceNode } from "./fencing.ts";
import { mergeTransientAttributes, nodeFlag } from "./nodes.ts";
import { noteRecheck } from "./rules.ts";
import { parseBoolean, parseInteger } from "./values.ts";

/** What a `node_state` entry of a cluster node says (status.md 9.3). */
type StateFields = {
  /** Epoch seconds, 0 = not a member, -1 = unknown. */
  readonly memberSince: number;
  readonly inGroup: boolean;
  readonly join: string;
  readonly expected: string;
  readonly terminate: boolean;
};

/** Reads one cluster node's state (status.md 9). */
export function readNodeState(model: Model, node: PolicyNode, state: Element): void {
  node.status = state;
  mergeTransientAttributes(model, node, state);
  node.standby = nodeFlag(node, "standby");
  node.maintenance = nodeFlag(node, "maintenance");
  const shutdown = node.attributes.get("shutdown");
  node.shutdownRequested = shutdown !== undefined && shutdown !== "0";
  node.unclean = false;
  node.seen = true;
  const fields = readFields(model, node, state);
  node.memberSince = fields.memberSince;
  node.expectedUp = fields.expected === "member" && !node.shutdownRequested;
  if (model.options.fencingEnabled) decideWithFencing(model, node, fields);
  else decideWithoutFencing(model, node, fields);
  if (!node.online || node.shuttingDown) node.baseScore = MINUS_INFINITY;
  if (!model.quorate && model.options.noQuorumPolicy === "fence" && node.online) fenceNode(model, node, "cluster does not have quorum");
}

function readFields(model: Model, node: PolicyNode, state: Element): StateFields {
  const terminate = node.attributes.get("terminate");
  return {
    memberSince: membership(model, attributeOf(state, "in_ccm")),
    inGroup: processGroup(attributeOf(state, "crmd")),
    join: attributeOf(state, "join") ?? "down",
    expected: attributeOf(state, "expected") ?? "down",
    terminate: parseBoolean(terminate) === true || (parseInteger(terminate) ?? 0) > 0,
  };
}

function membership(model: Model, text: string | undefined): number {
  if (text === undefined) return -1;
  const word = parseBoolean(text);
  if (word !== null) return word ? model.nowSec : 0;
  const since = parseInteger(text);
  return since === null || since < 0 ? -1 : since;
}

function processGroup(text: string | undefined): boolean {
  if (text === undefined || text === "offline") return false;
  return text === "online" || (parseInteger(text) ?? 0) > 0;
}

/** status.md 9.4. */
function decideWithoutFencing(model: Model, node: PolicyNode, fields: StateFields): void {
  node.shuttingDown = node.shutdownRequested;
  node.online = false;
  if (fields.memberSince <= 0) return;
  if (fields.inGroup) node.online = fields.join === "member";
  else if (node.expectedUp) fenceNode(model, node, "peer is unexpectedly down");
}

/** status.md 9.5. */
function decideWithFencing(model: Model, node: PolicyNode, fields: StateFields): void {
  if (node.shutdownRequested) {
    node.shuttingDown = true;
    node.online = fields.inGroup;
    return;
  }
  const member = fields.memberSince > 0;
  // Set first, because a fencing decision looks at it.
  node.online = member;
  if (fields.memberSince === -1) {
    fenceNode(model, node, "peer has not been seen by the cluster");
    node.online = false;
  } else if (fields.join === "banned") fenceNode(model, node, "peer failed Pacemaker membership criteria");
  else if (fields.terminate) {
    if (!member && !fields.inGroup && fields.join === "down") return;
    fenceNode(model, node, "fencing was requested");
  } else if (fields.expected === "down") {
    if (pendingTooLong(model, fields)) fenceNode(model, node, "peer pending timed out on joining the process group");
    else if (member || fields.inGroup) markPending(node);
  } else if (!member) fenceNode(model, node, "peer is no longer part of the cluster", true);
  else if (!fields.inGroup) fenceNode(model, node, "peer process is no longer available");
  else if (fields.join === "pending" || fields.join === "down") markPending(node);
  else if (fields.join !== "member") fenceNode(model, node, "peer was in an unknown state");
}

function markPending(node: PolicyNode): void {
  node.pending = true;
  node.standby = true;
}

/** status.md 9.6. */
function pendingTooLong(model: Model, fields: StateFields): boolean {
  const timeout = model.options.nodePendingTimeoutSec;
  if (timeout <= 0 || fields.memberSince <= 0 || fields.inGroup) return false;
  const until = fields.memberSince + timeout;
  if (model.nowSec >= until) return true;
  noteRecheck(model, until);
  return false;
}
