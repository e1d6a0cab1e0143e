import { attributeOf, type Element, walk } from "../../core/cib/index.ts";

const ACTIVE = new Set(["0", "8"]);
const STARTING = new Set(["start", "promote", "demote", "monitor", "migrate_from"]);

/**
 * Ids of the primitives that history says are active somewhere. Good enough to ask before deleting one; the policy engine
 * knows better and is not needed for that.
 */
export function runningResources(status: Element | null): ReadonlySet<string> {
  const running = new Set<string>();
  if (status === null) return running;
  for (const resource of walk(status)) {
    if (resource.name !== "lrm_resource") continue;
    const last = [...resource.children]
      .filter((op) => op.name === "lrm_rsc_op")
      .sort((a, b) => callId(a) - callId(b))
      .at(-1);
    const isActive =
      last !== undefined && STARTING.has(attributeOf(last, "operation") ?? "") && ACTIVE.has(attributeOf(last, "rc-code") ?? "");
    const id = attributeOf(resource, "id");
    if (isActive && id !== undefined) running.add(id.replace(/:\d+$/, ""));
  }
  return running;
}

function callId(op: Element): number {
  return Number(attributeOf(op, "call-id") ?? "0");
}
