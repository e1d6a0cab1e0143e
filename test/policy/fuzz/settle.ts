import { attributeOf, type Element, withAttributes } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import { all, edited, id } from "./tree.ts";

/**
 * Takes back a share of three more shapes on which crm_simulate 2.1.5 goes its own way (exceptions.ts, placements.ts), after
 * everything else has been drawn and with a `draw` of its own. Most stay as they are where people write them.
 */
export function settled(cib: Element, draw: Draw): Element {
  return withoutSoftTies(withoutFavourites(withoutJoining(cib, draw), draw), draw);
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
    if (found.name !== "rsc_location" || !names(found, copied) || draw.chance(25)) return found;
    // What rules say of the promoted role is how people choose it.
    return isFavour(found)
      ? withAttributes(found, { score: "-INFINITY" })
      : edited(found, (rule) =>
          isFavour(rule) && attributeOf(rule, "role") === undefined ? withAttributes(rule, { score: "-INFINITY" }) : rule,
        );
  });
}

function isFavour(found: Element): boolean {
  return attributeOf(found, "score")?.startsWith("-") === false;
}

/** That all instances would rather be where one primitive is says little: a clone that depends on something needs it. */
function withoutSoftTies(cib: Element, draw: Draw): Element {
  const clones = new Set(all(cib, "clone").map(id));
  return edited(cib, (found) => {
    const soft = found.name === "rsc_colocation" && clones.has(attributeOf(found, "rsc") ?? "") && isOptional(found);
    return soft && !draw.chance(25) ? null : found;
  });
}

function isOptional(colocation: Element): boolean {
  return attributeOf(colocation, "score")?.endsWith("INFINITY") === false;
}

function names(location: Element, ids: ReadonlySet<string>): boolean {
  const pattern = attributeOf(location, "rsc-pattern");
  if (pattern === undefined) return ids.has(attributeOf(location, "rsc") ?? "");
  const inverted = pattern.startsWith("!");
  const expression = new RegExp(inverted ? pattern.slice(1) : pattern);
  return [...ids].some((one) => expression.test(one) !== inverted);
}
