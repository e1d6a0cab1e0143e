import { QuorateError, unreachable } from "../base/index.ts";
import { attributeOf, childOf, childrenOf, type Element, element, idOf, withAttributes, withChildren } from "../cib/index.ts";
import type { ResourceAction } from "../transition/index.ts";
import { executeTransition } from "./execute.ts";

/** A supposed event: what if this had happened? */
export type Injection =
  | { readonly kind: "node-up"; readonly node: string }
  | { readonly kind: "node-down"; readonly node: string }
  | { readonly kind: "node-fail"; readonly node: string }
  | { readonly kind: "quorum"; readonly quorate: boolean }
  | { readonly kind: "watchdog"; readonly present: boolean }
  | { readonly kind: "ticket"; readonly ticket: string; readonly state: "grant" | "revoke" | "standby" | "activate" }
  | {
      readonly kind: "result";
      readonly resource: string;
      readonly task: string;
      readonly intervalMs: number;
      readonly node: string;
      readonly rc: number;
    }
  | { readonly kind: "fail-count"; readonly resource: string; readonly node: string; readonly count: string }
  | { readonly kind: "utilization"; readonly of: string; readonly name: string; readonly value: number };

/** Applies supposed events in order. Throws `QuorateError` WHATIF_UNKNOWN when one names something that does not exist. */
export function inject(cib: Element, injections: readonly Injection[], wallSec: number): Element {
  let changed = cib;
  for (const injection of injections) changed = injectOne(changed, injection, wallSec);
  return changed;
}

/** An injection in words, for the report. */
export function describeInjection(injection: Injection): string {
  switch (injection.kind) {
    case "node-up":
      return `Bringing node ${injection.node} online`;
    case "node-down":
      return `Taking node ${injection.node} offline`;
    case "node-fail":
      return `Failing node ${injection.node}`;
    case "quorum":
      return `Setting quorum: ${injection.quorate}`;
    case "watchdog":
      return `Setting watchdog: ${injection.present}`;
    case "ticket":
      return TICKET_WORDS[injection.state](injection.ticket);
    case "result":
      return `Injecting ${injection.resource}_${injection.task}_${injection.intervalMs}@${injection.node}=${injection.rc} into the configuration`;
    case "fail-count":
      return `Setting the fail count of ${injection.resource} on ${injection.node} to ${injection.count}`;
    case "utilization":
      return `Setting ${injection.name} of ${injection.of} to ${injection.value}`;
    default:
      return unreachable(injection);
  }
}

const TICKET_WORDS = {
  grant: (ticket: string) => `Granting ticket ${ticket}`,
  revoke: (ticket: string) => `Revoking ticket ${ticket}`,
  standby: (ticket: string) => `Making ticket ${ticket} standby`,
  activate: (ticket: string) => `Activating ticket ${ticket}`,
} as const;

function injectOne(cib: Element, injection: Injection, wallSec: number): Element {
  switch (injection.kind) {
    case "node-up":
      return setNode(cib, injection.node, { in_ccm: "true", crmd: "online", join: "member", expected: "member" });
    case "node-down":
      return leaveCleanly(
        setNode(cib, injection.node, { in_ccm: "false", crmd: "offline", join: "down", expected: "down" }),
        injection.node,
      );
    case "node-fail":
      return setNode(cib, injection.node, { in_ccm: "false", crmd: "offline", join: "member", expected: "member" });
    case "quorum":
      return withAttributes(cib, { "have-quorum": injection.quorate ? "1" : "0" });
    case "watchdog":
      return setProperty(cib, "have-watchdog", String(injection.present));
    case "ticket":
      return setTicket(cib, injection.ticket, injection.state, wallSec);
    case "result":
      return injectResult(cib, injection, wallSec);
    case "fail-count":
      return setFailCount(cib, injection, wallSec);
    case "utilization":
      return setUtilization(cib, injection);
  }
}

function unknown(what: string): QuorateError {
  return new QuorateError(`${what} does not exist in the configuration`, { code: "WHATIF_UNKNOWN" });
}

function replaceChild(of: Element, name: string, change: (child: Element) => Element): Element {
  const child = childOf(of, name);
  if (child === undefined) return withChildren(of, [...of.children, change(element(name))]);
  return withChildren(
    of,
    of.children.map((one) => (one === child ? change(child) : one)),
  );
}

/** Id and name of a configured or remote node. */
function nodeIdentity(cib: Element, name: string): { readonly id: string; readonly name: string; readonly remote: boolean } {
  const configuration = childOf(cib, "configuration");
  const nodes = configuration === undefined ? undefined : childOf(configuration, "nodes");
  for (const node of nodes === undefined ? [] : childrenOf(nodes, "node")) {
    if (attributeOf(node, "uname") === name || idOf(node) === name) {
      return { id: idOf(node) ?? name, name: attributeOf(node, "uname") ?? name, remote: attributeOf(node, "type") === "remote" };
    }
  }
  const status = childOf(cib, "status");
  for (const state of status === undefined ? [] : childrenOf(status, "node_state")) {
    if (attributeOf(state, "uname") === name || idOf(state) === name) return { id: idOf(state) ?? name, name, remote: true };
  }
  throw unknown(`node ${name}`);
}

function setNode(cib: Element, name: string, attributes: Readonly<Record<string, string>>): Element {
  const identity = nodeIdentity(cib, name);
  return replaceChild(cib, "status", (status) => {
    const state = status.children.find(
      (one) => one.name === "node_state" && (idOf(one) === identity.id || attributeOf(one, "uname") === identity.name),
    );
    if (state === undefined) {
      return withChildren(status, [...status.children, element("node_state", { id: identity.id, uname: identity.name, ...attributes })]);
    }
    return withChildren(
      status,
      status.children.map((one) => (one === state ? withAttributes(one, attributes) : one)),
    );
  });
}

/** A node that went down in good order has stopped its resources: neither history nor transient attributes are left. */
function leaveCleanly(cib: Element, name: string): Element {
  const { id } = nodeIdentity(cib, name);
  const left = (state: Element): Element =>
    withChildren(
      state,
      state.children.filter((child) => child.name !== "lrm" && child.name !== "transient_attributes"),
    );
  return replaceChild(cib, "status", (status) =>
    withChildren(
      status,
      status.children.map((state) => (state.name === "node_state" && idOf(state) === id ? left(state) : state)),
    ),
  );
}

function setProperty(cib: Element, name: string, value: string): Element {
  return replaceChild(cib, "configuration", (configuration) =>
    replaceChild(configuration, "crm_config", (options) => {
      const set = childOf(options, "cluster_property_set") ?? element("cluster_property_set", { id: "cib-bootstrap-options" });
      const pairs = set.children.filter((one) => attributeOf(one, "name") !== name);
      const next = withChildren(set, [...pairs, element("nvpair", { id: `${idOf(set) ?? "cib-bootstrap-options"}-${name}`, name, value })]);
      const others = options.children.filter((one) => one !== childOf(options, "cluster_property_set"));
      return withChildren(options, [next, ...others]);
    }),
  );
}

function setTicket(cib: Element, ticket: string, state: "grant" | "revoke" | "standby" | "activate", wallSec: number): Element {
  const attributes: Record<string, string> =
    state === "grant"
      ? { granted: "true", "last-granted": String(wallSec) }
      : state === "revoke"
        ? { granted: "false" }
        : { standby: state === "standby" ? "true" : "false" };
  return replaceChild(cib, "status", (status) =>
    replaceChild(status, "tickets", (tickets) => {
      const known = tickets.children.find((one) => one.name === "ticket_state" && idOf(one) === ticket);
      if (known === undefined)
        return withChildren(tickets, [...tickets.children, element("ticket_state", { id: ticket, granted: "false", ...attributes })]);
      return withChildren(
        tickets,
        tickets.children.map((one) => (one === known ? withAttributes(one, attributes) : one)),
      );
    }),
  );
}

/** The primitive of an id, with or without instance number. */
function primitiveElement(cib: Element, id: string): Element | undefined {
  const bare = id.replace(/:\d+$/, "");
  const search = (of: Element): Element | undefined => {
    for (const child of of.children) {
      if (child.name === "primitive" && idOf(child) === bare) return child;
      const found = search(child);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const configuration = childOf(cib, "configuration");
  const resources = configuration === undefined ? undefined : childOf(configuration, "resources");
  return resources === undefined ? undefined : search(resources);
}

/** A result is recorded the way execution on paper records it, as the one entry of a made-up transition. */
function injectResult(cib: Element, injection: Injection & { readonly kind: "result" }, wallSec: number): Element {
  const primitive = primitiveElement(cib, injection.resource);
  if (primitive === undefined) throw unknown(`resource ${injection.resource}`);
  const node = nodeIdentity(cib, injection.node);
  const { resource, task, intervalMs, rc } = injection;
  const action: ResourceAction = {
    kind: "resource",
    id: 1,
    key: `${resource}_${task}_${intervalMs}`,
    task: task as ResourceAction["task"],
    resource,
    instance: resource,
    historyName: resource,
    agent: {
      agentClass: attributeOf(primitive, "class") ?? "ocf",
      provider: attributeOf(primitive, "provider") ?? null,
      type: attributeOf(primitive, "type") ?? "",
    },
    node: node.name,
    nodeId: node.id,
    router: null,
    intervalMs,
    timeoutMs: 20_000,
    startDelayMs: 0,
    targetRc: 0,
    params: {},
    meta: {},
    digests: { all: "" },
    canFail: false,
    migration: null,
    notification: null,
    cancels: null,
    shutdownLock: null,
    downs: [],
    inputs: [],
    priority: 0,
    reason: null,
  };
  const graph = {
    actions: [action],
    clusterDelayMs: 0,
    fencingTimeoutMs: 0,
    batchLimit: 0,
    migrationLimit: null,
    startFailureIsFatal: true,
    recheckBy: null,
  };
  const probeNotRunning = task === "monitor" && intervalMs === 0 && rc === 7;
  const failures = rc === 0 || probeNotRunning ? [] : [{ resource, task, intervalMs, node: node.name, rc }];
  const expected = probeNotRunning ? { ...graph, actions: [{ ...action, targetRc: 7 }] } : graph;
  return executeTransition(cib, expected, { wallSec, failures }).cib;
}

function setFailCount(cib: Element, injection: Injection & { readonly kind: "fail-count" }, wallSec: number): Element {
  if (primitiveElement(cib, injection.resource) === undefined) throw unknown(`resource ${injection.resource}`);
  const node = nodeIdentity(cib, injection.node);
  const suffix = `${injection.resource}#monitor_0`;
  const withState = setNode(cib, node.name, {});
  return replaceChild(withState, "status", (status) =>
    withChildren(
      status,
      status.children.map((state) => {
        if (state.name !== "node_state" || idOf(state) !== node.id) return state;
        return replaceChild(state, "transient_attributes", (transient) =>
          replaceChild(transient, "instance_attributes", (block) => {
            const kept = block.children.filter((pair) => {
              const name = attributeOf(pair, "name") ?? "";
              return !name.startsWith(`fail-count-${injection.resource}#`) && !name.startsWith(`last-failure-${injection.resource}#`);
            });
            const pair = (name: string, value: string): Element => element("nvpair", { id: `status-${node.id}-${name}`, name, value });
            return withChildren(block, [
              ...kept,
              pair(`fail-count-${suffix}`, injection.count),
              pair(`last-failure-${suffix}`, String(wallSec)),
            ]);
          }),
        );
      }),
    ),
  );
}

/** Capacity of a node or requirement of a resource. */
function setUtilization(cib: Element, injection: Injection & { readonly kind: "utilization" }): Element {
  const { of, name, value } = injection;
  let found = false;
  const visit = (at: Element): Element => {
    const owner =
      (at.name === "primitive" && idOf(at) === of) || (at.name === "node" && (attributeOf(at, "uname") === of || idOf(at) === of));
    if (!owner) return at.children.length === 0 ? at : withChildren(at, at.children.map(visit));
    found = true;
    return replaceChild(at, "utilization", (block) => {
      const named = idOf(block) === undefined ? withAttributes(block, { id: `${of}-utilization` }) : block;
      const kept = named.children.filter((pair) => attributeOf(pair, "name") !== name);
      return withChildren(named, [...kept, element("nvpair", { id: `${of}-utilization-${name}`, name, value: String(value) })]);
    });
  };
  const changed = replaceChild(cib, "configuration", visit);
  if (!found) throw unknown(of);
  return changed;
}
