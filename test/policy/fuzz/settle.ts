import { attributeOf, type Element, withAttributes } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import { all, edited, id } from "./tree.ts";

/**
 * Takes back a share of two more shapes on which crm_simulate 2.1.5 goes its own way (exceptions.ts, placements.ts), after
 * everything else has been drawn and with a `draw` of its own. Most stay as they are where people write them.
 */
export function settled(cib: Element, draw: Draw): Element {
  return withoutFavourites(withoutJoining(cib, draw), draw);
}

/** A node is joining for some seconds of its life: drawn in every twelfth cluster, it is seldom kept so. */
function withoutJoining(cib: Element, draw: Draw): Element {
  return edited(cib, (state) => {
    if (!isJoining(state) || draw.chance(40)) return state;
    return withAttributes(state, { join: "member", expected: "member" });
  });
}

/** In the group of nodes, but not a member yet. */
export function isJoining(state: Element): boolean {
  return state.name === "node_state" && attributeOf(state, "crmd") === "online" && attributeOf(state, "join") === "down";
}

/**
 * A clone is for all nodes: people keep it from some. That patterns, tags and drawn scores make it prefer single ones is
 * mostly turned round.
 */
function withoutFavourites(cib: Element, draw: Draw): Element {
  const copied = new Set(all(cib, "clone", "bundle").map(id));
  for (const tag of all(cib, "tag")) if (tag.children.some((one) => copied.has(id(one)))) copied.add(id(tag));
  return edited(cib, (found) => {
    const score = attributeOf(found, "score");
    if (found.name !== "rsc_location" || score === undefined || score.startsWith("-")) return found;
    if (!names(found, copied) || draw.chance(25)) return found;
    return withAttributes(found, { score: "-INFINITY" });
  });
}

function names(location: Element, ids: ReadonlySet<string>): boolean {
  const pattern = attributeOf(location, "rsc-pattern");
  if (pattern === undefined) return ids.has(attributeOf(location, "rsc") ?? "");
  const inverted = pattern.startsWith("!");
  const expression = new RegExp(inverted ? pattern.slice(1) : pattern);
  return [...ids].some((one) => expression.test(one) !== inverted);
}
