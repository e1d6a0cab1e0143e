import { attributeOf, childrenOf, type Element, element, withChildren } from "../cib/index.ts";
import type { AgentCatalog } from "./agents.ts";
import type { Draft } from "./drafts.ts";

/** When the agent advises nothing: often enough to notice, seldom enough not to be noticed. */
const INTERVAL = "10s";
const TIMEOUT = "20s";

/** A recurring monitor as the agent advises it (docs/decisions/0302). */
export function advisedMonitor(primitive: Element, agents: AgentCatalog): Element {
  const agent = {
    class: attributeOf(primitive, "class") ?? "",
    provider: attributeOf(primitive, "provider") ?? null,
    type: attributeOf(primitive, "type") ?? "",
  };
  const answer = agents.describe(agent);
  const advice = answer.kind === "found" ? answer.metadata.operations.find((operation) => operation.name === "monitor") : undefined;
  const interval = advice?.interval ?? INTERVAL;
  return element("op", {
    name: "monitor",
    interval: /^0\D*$/.test(interval) ? INTERVAL : withUnit(interval),
    timeout: withUnit(advice?.timeout ?? TIMEOUT),
  });
}

function withUnit(time: string): string {
  return /^\d+$/.test(time) ? `${time}s` : time;
}

/** Adds the monitor where the line says nothing about operations. Users of a template have the template's. */
export function withMonitor(draft: Draft, monitor: Element): Draft {
  if (childrenOf(draft.element, "operations").length > 0 || attributeOf(draft.element, "template") !== undefined) return draft;
  return { ...draft, element: withChildren(draft.element, [...draft.element.children, element("operations", {}, [monitor])]) };
}
