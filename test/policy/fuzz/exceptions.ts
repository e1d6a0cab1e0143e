import { attributeOf, type Element, walk } from "../../../src/core/cib/index.ts";

/** A known difference between crm_simulate 2.1.5 and the specified (3.x) behaviour. */
type Exception = { readonly reason: string; readonly applies: (cib: Element) => boolean };

/** At most 15. Asked only about CIBs that differ. */
const EXCEPTIONS: readonly Exception[] = [
  {
    reason: "2.1.5 does not count resources on a node in maintenance as in maintenance: it schedules their Stopped-role monitors",
    applies: (cib) => hasPair(cib, "maintenance", "true") && hasAttribute(cib, "op", "role", "Stopped"),
  },
  {
    reason: "2.1.5 takes a recorded cancellation for a sign of life: a resource stopped after it is shown as started",
    applies: (cib) => hasAttribute(cib, "op", "enabled", "false"),
  },
  {
    reason: "2.1.5 has no reservations when a clone instance prefers another node (assignment.md 10.11)",
    applies: (cib) => has(cib, "clone") && has(cib, "rsc_location"),
  },
  {
    reason: "2.1.5 merges dependents of clones and groups differently (assignment.md 8d, 10.2)",
    applies: (cib) => has(cib, "rsc_colocation") && (has(cib, "clone") || has(cib, "group")),
  },
  {
    reason: "2.1.5 rates a cloned group with an unplaced member as stopped (assignment.md 11.6)",
    applies: (cib) => [...walk(cib)].some((found) => found.name === "clone" && found.children.some((child) => child.name === "group")),
  },
];

function has(cib: Element, name: string): boolean {
  for (const found of walk(cib)) if (found.name === name) return true;
  return false;
}

function hasAttribute(cib: Element, name: string, attribute: string, value: string): boolean {
  for (const found of walk(cib)) if (found.name === name && attributeOf(found, attribute) === value) return true;
  return false;
}

function hasPair(cib: Element, name: string, value: string): boolean {
  for (const found of walk(cib)) {
    if (found.name === "nvpair" && attributeOf(found, "name") === name && attributeOf(found, "value") === value) return true;
  }
  return false;
}

/** The reason why a CIB is expected to differ, or null. */
export function excused(cib: Element): string | null {
  return EXCEPTIONS.find((exception) => exception.applies(cib))?.reason ?? null;
}
