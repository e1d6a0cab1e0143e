import { attributeOf, childOf, childrenOf, type Element, element, withAttributes, withChildren } from "../cib/index.ts";
import type { AgentCatalog, AgentMetadata, AgentName } from "./agents.ts";
import type { Draft } from "./drafts.ts";
import { CrmError } from "./errors.ts";
import { completeIds, definedIds, IdPool } from "./ids.ts";
import { findObject, replaceElement } from "./tree.ts";
import { LEGACY_ROLES } from "./words.ts";

/** When the agent advises nothing: often enough to notice, seldom enough not to be noticed. */
const INTERVAL = "10s";
const TIMEOUT = "20s";

/** A recurring monitor as the agent advises it (docs/decisions/0302). */
export function advisedMonitor(primitive: Element, agents: AgentCatalog): Element {
  const answer = agents.describe(agentOf(primitive));
  const advice = answer.kind === "found" ? answer.metadata.operations.find((operation) => operation.name === "monitor") : undefined;
  const interval = advice?.interval ?? INTERVAL;
  return element("op", {
    name: "monitor",
    interval: /^0\D*$/.test(interval) ? INTERVAL : withUnit(interval),
    timeout: withUnit(advice?.timeout ?? TIMEOUT),
  });
}

function agentOf(of: Element): AgentName {
  return {
    class: attributeOf(of, "class") ?? "",
    provider: attributeOf(of, "provider") ?? null,
    type: attributeOf(of, "type") ?? "",
  };
}

/** The timeout that the agent advises for an operation in this role, or null. */
function advisedTimeout(metadata: AgentMetadata, op: Element): string | null {
  const modern = (role: string | null): string => (role === null ? "" : (LEGACY_ROLES.get(role) ?? role));
  const role = modern(attributeOf(op, "role") ?? null);
  const named = metadata.operations.filter((operation) => operation.name === attributeOf(op, "name"));
  const advice = named.find((operation) => modern(operation.role) === role) ?? named.find((operation) => operation.role === null);
  return advice?.timeout ?? null;
}

function isTrue(of: Element, name: string): boolean {
  const pairs = childrenOf(of, "meta_attributes").flatMap((set) => childrenOf(set, "nvpair"));
  return pairs.some((pair) => attributeOf(pair, "name") === name && attributeOf(pair, "value")?.toLowerCase() === "true");
}

/**
 * Operations of a primitive with the timeouts its agent advises; start, stop and those of a migration are
 * added where they are missing, so that what is in force can be seen (as crmsh does; measured). Throws when the agent says nothing of itself.
 */
export function withAdvisedTimeouts(configuration: Element, id: string, agents: AgentCatalog): Element {
  const object = findObject(configuration, id);
  if (object?.type !== "primitive") throw new CrmError("CRM_UNKNOWN_OBJECT", `default-timeouts: there is no primitive '${id}'`);
  const template = findObject(configuration, attributeOf(object.element, "template") ?? "")?.element;
  const answer = agents.describe(agentOf(template ?? object.element));
  if (answer.kind !== "found") throw new CrmError("CRM_REFUSED", `default-timeouts: nothing is known of the agent of '${id}'`);
  const { metadata } = answer;
  const holder = childOf(object.element, "operations");
  if (holder !== undefined && attributeOf(holder, "id-ref") !== undefined) {
    throw new CrmError("CRM_REFUSED", `default-timeouts: '${id}' uses the operations of another resource`);
  }
  const advised = (op: Element): Element => {
    const timeout = advisedTimeout(metadata, op);
    return timeout === null ? op : withAttributes(op, { timeout: withUnit(timeout) });
  };
  const present = holder?.children ?? [];
  const wanted = ["start", "stop", ...(isTrue(object.element, "allow-migrate") ? ["migrate_to", "migrate_from"] : [])];
  const missing = wanted
    .filter((name) => !present.some((op) => attributeOf(op, "name") === name))
    .map((name) => advised(element("op", { name, timeout: TIMEOUT, interval: "0s" })));
  const operations = withChildren(holder ?? element("operations"), [
    ...present.map((op) => (op.name === "op" ? advised(op) : op)),
    ...missing,
  ]);
  const others = object.element.children;
  const children = holder === undefined ? [...others, operations] : others.map((child) => (child === holder ? operations : child));
  const pool = new IdPool(definedIds(configuration, object.element));
  return replaceElement(configuration, object.element, [completeIds(withChildren(object.element, children), id, pool)]);
}

function withUnit(time: string): string {
  return /^\d+$/.test(time) ? `${time}s` : time;
}

/** Adds the monitor where the line says nothing about operations. Users of a template have the template's. */
export function withMonitor(draft: Draft, monitor: Element): Draft {
  if (childrenOf(draft.element, "operations").length > 0 || attributeOf(draft.element, "template") !== undefined) return draft;
  return { ...draft, element: withChildren(draft.element, [...draft.element.children, element("operations", {}, [monitor])]) };
}
