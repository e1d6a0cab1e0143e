import { attributeOf, type Element, element, withAttributes, withChildren } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import { isActive } from "./tame.ts";
import { all, edited, id } from "./tree.ts";

/**
 * Takes back a share of some more shapes on which crm_simulate 2.1.5 goes its own way (exceptions.ts, placements.ts), after
 * everything else has been drawn and with a `draw` of its own. Most stay as they are where people write them.
 */
export function settled(cib: Element, draw: Draw): Element {
  const likely = withoutTies(withoutFavourites(withoutJoining(cib, draw), draw), draw);
  const usual = withoutLongRows(withoutLeftRatings(likely, draw), draw);
  return withoutDisabledRuns(withoutClonedLoads(withoutVoidFencing(usual, draw), draw), draw);
}

/** Fencing switched on before there is a device: nothing is managed then. A moment on the way, seldom a state to be in. */
function withoutVoidFencing(cib: Element, draw: Draw): Element {
  if (all(cib, "primitive", "template").some((one) => attributeOf(one, "class") === "stonith") || draw.chance(8)) return cib;
  return edited(cib, (found) =>
    attributeOf(found, "name") === "stonith-enabled" && attributeOf(found, "value") === "true"
      ? withAttributes(found, { value: "false" })
      : found,
  );
}

/** A node is joining for some seconds of its life: drawn in every twelfth cluster, it is seldom kept so. */
function withoutJoining(cib: Element, draw: Draw): Element {
  return edited(cib, (state) => {
    if (!isJoining(state) || draw.chance(60)) return state;
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
  const copied = copies(cib);
  return edited(cib, (found) => {
    if (found.name !== "rsc_location" || !names(found, copied) || draw.chance(5)) return found;
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

/**
 * What people tie clones and bundles to is another clone that they need. That all instances would rather be where one
 * primitive is, or all must be where only one can, says little; and what depends on a bundle runs where a container does.
 */
function withoutTies(cib: Element, draw: Draw): Element {
  const copied = copies(cib);
  return edited(cib, (found) => {
    if (found.name !== "rsc_colocation") return found;
    if (found.children.length > 0) return isOptional(found) && !draw.chance(10) ? withoutMembers(found, copied) : found;
    return isOddTie(found, copied) && !draw.chance(5) ? null : found;
  });
}

function isOddTie(colocation: Element, copied: ReadonlySet<string>): boolean {
  const isCopied = (end: string): boolean => copied.has(attributeOf(colocation, end) ?? "");
  const attracts = attributeOf(colocation, "score")?.startsWith("-") === false;
  // A promoted instance is one of them: it may well follow a primitive.
  if (isCopied("rsc") && attributeOf(colocation, "rsc-role") === undefined)
    return isOptional(colocation) || attracts !== isCopied("with-rsc");
  return isCopied("with-rsc") && attributeOf(colocation, "with-rsc-role") === undefined && attracts;
}

function isOptional(colocation: Element): boolean {
  return attributeOf(colocation, "score")?.endsWith("INFINITY") === false;
}

/** The sets without references to some resources, where that leaves two to tie. */
function withoutMembers(colocation: Element, left: ReadonlySet<string>): Element {
  const sets = colocation.children.flatMap((set) => {
    const kept = set.children.filter((reference) => !left.has(id(reference)));
    return kept.length === 0 ? [] : [withChildren(set, kept)];
  });
  return sets.flatMap((set) => set.children).length < 2 ? colocation : withChildren(colocation, sets);
}

/**
 * How much a node must have is written for what is large and there once. Of a cloned group whose members do not fit where it
 * is, 2.1.5 brings a second instance to a node.
 */
function withoutClonedLoads(cib: Element, draw: Draw): Element {
  return edited(cib, (clone) => {
    if (clone.name !== "clone" || !clone.children.some((child) => child.name === "group") || draw.chance(15)) return clone;
    return edited(clone, (found) => (found.name === "utilization" ? null : found));
  });
}

/** A recurring operation that is switched off is cancelled at once: only then is there both. */
function withoutDisabledRuns(cib: Element, draw: Draw): Element {
  const off = new Map<string, Element[]>();
  for (const primitive of all(cib, "primitive")) {
    const disabled = all(primitive, "op").filter((op) => attributeOf(op, "enabled") === "false");
    if (disabled.length > 0) off.set(id(primitive), disabled);
  }
  return edited(cib, (history) => {
    const disabled = history.name === "lrm_resource" ? (off.get(id(history).replace(/:\d+$/, "")) ?? []) : [];
    if (disabled.length === 0 || draw.chance(10)) return history;
    const runs = (entry: Element): boolean =>
      disabled.some((op) => attributeOf(op, "interval") === `${Number(attributeOf(entry, "interval")) / 1000}s`);
    return withChildren(
      history,
      history.children.filter((entry) => attributeOf(entry, "interval") === "0" || !runs(entry)),
    );
  });
}

/** Clones, bundles, templates of what is in them, and tags of such. */
function copies(cib: Element): ReadonlySet<string> {
  const tops = all(cib, "clone", "bundle");
  const templates = tops.flatMap((top) => all(top, "primitive").flatMap((one) => attributeOf(one, "template") ?? []));
  const copied = new Set([...tops.map(id), ...templates]);
  for (const tag of all(cib, "tag")) if (tag.children.some((one) => copied.has(id(one)))) copied.add(id(tag));
  return copied;
}

/** An agent takes its promotion score back when it stops: few are left where no instance is. */
function withoutLeftRatings(cib: Element, draw: Draw): Element {
  return edited(cib, (state) => {
    if (state.name !== "node_state") return state;
    const active = new Set(
      all(state, "lrm_resource")
        .filter(isActive)
        .map((history) => id(history).replace(/:\d+$/, "")),
    );
    return edited(state, (found) => {
      const rated = found.name === "nvpair" ? /^master-(.*?)(:\d+)?$/.exec(attributeOf(found, "name") ?? "")?.[1] : undefined;
      return rated === undefined || active.has(rated) || draw.chance(10) ? found : null;
    });
  });
}

/** Between two instances both order alike; that 2.1.5 orders only neighbours among more of them is known (exceptions.ts). */
function withoutLongRows(cib: Element, draw: Draw): Element {
  return edited(cib, (found) => {
    if (found.name !== "clone" || pairOf(found, "ordered")?.attributes["value"] !== "true" || draw.chance(30)) return found;
    const pair = { id: `${id(found)}-row`, name: "clone-max", value: "2" };
    return edited(found, (block) => {
      const max = pairOf(block, "clone-max");
      if (block.name !== "meta_attributes" || pairOf(block, "ordered") === undefined) return block;
      return withChildren(block, [...block.children.filter((one) => one !== max), element("nvpair", pair)]);
    });
  });
}

function pairOf(at: Element, name: string): Element | undefined {
  return all(at, "nvpair").find((pair) => attributeOf(pair, "name") === name);
}

function names(location: Element, ids: ReadonlySet<string>): boolean {
  const pattern = attributeOf(location, "rsc-pattern");
  if (pattern === undefined) return ids.has(attributeOf(location, "rsc") ?? "");
  const inverted = pattern.startsWith("!");
  const expression = new RegExp(inverted ? pattern.slice(1) : pattern);
  return [...ids].some((one) => expression.test(one) !== inverted);
}
