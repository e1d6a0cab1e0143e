import { attributeOf, canonicalText, type Element, withAttributes, withChildren } from "../cib/index.ts";

/** Elements whose children of different kinds may stand in any order; the order within a kind counts. */
const UNORDERED: ReadonlySet<string> = new Set([
  "primitive",
  "template",
  "group",
  "clone",
  "master",
  "bundle",
  "node",
  "op",
  "alert",
  "recipient",
]);
const SETS: ReadonlySet<string> = new Set(["instance_attributes", "meta_attributes", "utilization"]);

/** The old element when the new one means the same, so that text which says what is there already changes nothing. */
export function keepIfSame(old: Element, now: Element): Element {
  return old === now || canonicalText(ordered(old)) === canonicalText(ordered(now)) ? old : now;
}

/** The element with children in an order that says nothing but what the order means. */
export function ordered(of: Element): Element {
  const children = of.children.map(ordered);
  if (UNORDERED.has(of.name))
    return withChildren(
      of,
      sortedBy(children, (child) => child.name),
    );
  if (of.name === "fencing-topology")
    return withChildren(
      of,
      sortedBy(children, (level) => canonicalText(withAttributes(level, { id: null }))),
    );
  if (SETS.has(of.name))
    return withChildren(
      of,
      sortedBy(children, (child) => (child.name === "rule" ? "0" : "1")),
    );
  const silent = of.name === "expression" && attributeOf(of, "type") === "string" && !(attributeOf(of, "attribute") ?? "").startsWith("#");
  return withChildren(silent ? withAttributes(of, { type: null }) : of, children);
}

/** A stable sort by a key. */
function sortedBy(children: readonly Element[], key: (child: Element) => string): Element[] {
  const keyed = children.map((child, index) => ({ child, index, key: key(child) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.index - b.index)).map((each) => each.child);
}
