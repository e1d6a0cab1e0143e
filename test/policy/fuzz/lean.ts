import { attributeOf, type Element, withAttributes } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import { all, edited, id } from "./tree.ts";

/** Each of these shapes is kept in this share of its draws. */
const KEPT_PERCENT = 12;

/**
 * Takes back most draws of shapes in which small clusters showed no rule that crm_simulate 2.1.5 follows (the order of its hash
 * table, of its lists), and which hardly anyone writes. Comes last, with a `draw` of its own.
 */
export function leaned(cib: Element, draw: Draw): Element {
  return [withRoom, withoutFrozenTickets, withoutVoidDiscovery, withoutMaintainedHosts].reduce(
    (made, step) => (draw.chance(KEPT_PERCENT) ? made : step(made)),
    cib,
  );
}

/** Of equally roomy nodes on none of which all fit, 2.1.5 nominates one by a hash: most fit somewhere. */
function withRoom(cib: Element): Element {
  const followers = new Set(all(cib, "group").flatMap((group) => all(group, "primitive").map(id).slice(1)));
  const lighter = edited(cib, (found) =>
    found.name === "primitive" && followers.has(id(found)) ? edited(found, (one) => (one.name === "utilization" ? null : one)) : found,
  );
  return edited(lighter, (node) =>
    node.name === "node"
      ? edited(node, (found) => {
          if (found.name !== "nvpair" || attributeOf(found, "name") !== "cpu") return found;
          return withAttributes(found, { value: String(Number(attributeOf(found, "value")) * 3 + Number(id(node))) });
        })
      : node,
  );
}

/** A node on which something is frozen or blocked is not unfenced by 2.1.5, whose transition then never ends. */
function withoutFrozenTickets(cib: Element): Element {
  if (!all(cib, "nvpair").some((pair) => attributeOf(pair, "value") === "unfencing")) return cib;
  return edited(cib, (found) =>
    found.name === "rsc_ticket" && attributeOf(found, "loss-policy") === "freeze"
      ? withAttributes(found, { "loss-policy": "stop" })
      : found,
  );
}

/** Who looks for something on certain nodes only, lets it run there. */
function withoutVoidDiscovery(cib: Element): Element {
  return edited(cib, (found) =>
    found.name === "rsc_location" && attributeOf(found, "resource-discovery") === "exclusive" && attributeOf(found, "score") === "-INFINITY"
      ? withAttributes(found, { score: "0" })
      : found,
  );
}

/** 2.1.5 promotes one more of a cloned group whose promoted instance is on a node in maintenance: it goes beyond `promoted-max`. */
function withoutMaintainedHosts(cib: Element): Element {
  const promotable = all(cib, "clone").some(
    (clone) =>
      clone.children.some((child) => child.name === "group") &&
      all(clone, "nvpair").some((pair) => attributeOf(pair, "name") === "promotable"),
  );
  if (!promotable) return cib;
  return edited(cib, (node) => {
    if (node.name !== "node") return node;
    return edited(node, (found) => (found.name === "nvpair" && attributeOf(found, "name") === "maintenance" ? null : found));
  });
}
