import { attributeOf, childOf, type Element, element, withAttributes, withChildren } from "../../../src/core/cib/index.ts";
import { withBundle } from "./bundles.ts";
import { Draw, NOW_SEC } from "./draw.ts";
import { EXTRA_HISTORY } from "./extra-history.ts";
import { added, addedSection, all, edited, id } from "./tree.ts";

/**
 * Features that are laid over a drawn CIB, each in a few percent of them. They draw from a second sequence, so that what a seed
 * draws otherwise does not change when one is added here.
 */
type Extra = { readonly percent: number; readonly apply: (draw: Draw, cib: Element) => Element };

/** Keeps the second sequence of a seed apart from the first one of another. */
const SECOND_SEQUENCE = 1_000_000_000;

export function withExtras(seed: number, cib: Element): Element {
  const draw = new Draw(SECOND_SEQUENCE + seed, "x");
  let made = cib;
  for (const { percent, apply } of EXTRAS) if (draw.chance(percent)) made = apply(draw, made);
  return made;
}

const EXTRAS: readonly Extra[] = [
  { percent: 7, apply: withBundle },
  { percent: 5, apply: template },
  { percent: 5, apply: tag },
  { percent: 6, apply: dateRule },
  { percent: 4, apply: typeRule },
  { percent: 5, apply: pattern },
  { percent: 6, apply: topology },
  { percent: 16, apply: unfencing },
  { percent: 9, apply: container },
  ...EXTRA_HISTORY,
  { percent: 10, apply: besidePromoted },
];

/** Top-level resources, without fence devices. */
function tops(cib: Element): readonly Element[] {
  const section = all(cib, "resources")[0]!;
  return section.children.filter((one) => one.name !== "template" && attributeOf(one, "class") !== "stonith");
}

function nodeNames(cib: Element): readonly string[] {
  return all(cib, "node").map((node) => attributeOf(node, "uname") ?? "");
}

/** The commonest colocation with a role: something that is alone so far goes where the promoted instance is. */
function besidePromoted(draw: Draw, cib: Element): Element {
  const list = tops(cib);
  const isPromotable = (one: Element): boolean =>
    one.name === "clone" && all(one, "nvpair").some((pair) => attributeOf(pair, "name") === "promotable");
  const tied = new Set(all(cib, "rsc_colocation", "resource_ref", "obj_ref").flatMap(({ attributes }) => Object.values(attributes)));
  const primary = list.findIndex(isPromotable);
  const dependents = list.slice(primary + 1).filter((one) => /^[AG]\d/.test(id(one)) && !tied.has(id(one)));
  if (primary < 0 || dependents.length === 0) return cib;
  const ends = { rsc: id(draw.pick(dependents)), "with-rsc": id(list[primary]!), "with-rsc-role": "Promoted" };
  return addedSection(cib, element("constraints", {}, [element("rsc_colocation", { id: draw.id("col"), ...ends, score: "INFINITY" })]));
}

/** Takes the agent, and some of what else is written, of one or two primitives into a template. */
function template(draw: Draw, cib: Element): Element {
  const dummies = all(cib, "primitive").filter((one) => attributeOf(one, "type") === "Dummy");
  if (dummies.length === 0) return cib;
  const first = draw.pick(dummies);
  const second = draw.chance(50) ? draw.pick(dummies) : first;
  const name = draw.id("template");
  // That a resource is a guest's launcher is read from the resource itself only: nobody writes it in a template.
  const moved = first.children.filter((child) => child.name !== "utilization" && draw.chance(60) && !makesGuest(child));
  // Another one that takes up the template has the first one's settings too: only what is no parameter, since history has a digest of those.
  const shared = second === first ? moved : moved.filter((child) => child.name === "meta_attributes");
  const made = element("template", { id: name, class: "ocf", provider: "pacemaker", type: "Dummy" }, shared);
  const users = new Set([id(first), id(second)]);
  const changed = edited(cib, (found) => {
    if (found.name !== "primitive" || !users.has(id(found))) return found;
    const left = found.children.filter(
      (child) => !shared.some((other) => id(other) === id(child) && other.name === child.name && id(child) !== ""),
    );
    const kept =
      id(found) === id(first) && shared.some((child) => child.name === "operations")
        ? left.filter((child) => child.name !== "operations")
        : left;
    return withChildren(withAttributes(found, { class: null, provider: null, type: null, template: name }), kept);
  });
  const complete = added(changed, "resources", [made], true);
  return draw.chance(40) ? addedSection(complete, element("constraints", {}, [named(draw, cib, name)])) : complete;
}

function makesGuest(block: Element): boolean {
  return block.children.some((pair) => attributeOf(pair, "name") === "remote-node");
}

/** A constraint on something that stands for several resources. */
function named(draw: Draw, cib: Element, name: string): Element {
  return element("rsc_location", { id: draw.id("loc"), rsc: name, node: draw.pick(nodeNames(cib)), score: draw.score() });
}

/** A tag, and a constraint that names it. */
function tag(draw: Draw, cib: Element): Element {
  const list = tops(cib);
  const tagged = [...new Set([draw.pick(list), draw.pick(list)])];
  const name = draw.id("tag");
  const made = element(
    "tag",
    { id: name },
    tagged.map((one) => element("obj_ref", { id: id(one) })),
  );
  // Drawn orders go from earlier to later resources: only before all tagged ones another does not close a circle.
  const other = tagged.includes(list[0]!) ? undefined : list[0];
  const constraint = other === undefined || draw.chance(40) ? named(draw, cib, name) : between(draw, id(other), name);
  return addedSection(addedSection(cib, element("tags", {}, [made])), element("constraints", {}, [constraint]));
}

function between(draw: Draw, first: string, then: string): Element {
  if (draw.chance(50)) return element("rsc_order", { id: draw.id("ord"), first, then, kind: draw.pick(["Mandatory", "Optional"]) });
  return element("rsc_colocation", {
    id: draw.id("col"),
    rsc: then,
    "with-rsc": first,
    score: draw.pick(["INFINITY", "INFINITY", "INFINITY", "100", "-50"]),
  });
}

/** Dates around the time of every drawn CIB, 2023-11-14T22:13:20Z, a Tuesday. */
function dateExpression(draw: Draw): Element {
  const attributes = { id: draw.id("date") };
  switch (draw.below(5)) {
    case 0:
      return element("date_expression", { ...attributes, operation: "gt", start: draw.pick(["2023-11-01", "2023-12-01 10:00:00Z"]) });
    case 1:
      return element("date_expression", { ...attributes, operation: "lt", end: draw.pick(["2023-11-14T22:14:00Z", "2023-01-01"]) });
    case 2:
      return element("date_expression", {
        ...attributes,
        operation: "in_range",
        start: "2023-11-14",
        end: draw.pick(["2023-11-15", "2024-02-01"]),
      });
    case 3:
      return element("date_expression", { ...attributes, operation: "in_range", start: "2023-11-01" }, [
        element("duration", { id: draw.id("duration"), ...draw.pick([{ weeks: "2" }, { hours: "72" }, { months: "1", hours: "2" }]) }),
      ]);
    default: {
      const spec = draw.pick([
        { hours: "22-23" },
        { weekdays: "1-5" },
        { monthdays: "1-7" },
        { years: "2023", months: "11-12" },
        { hours: "8-17" },
      ]);
      return element("date_expression", { ...attributes, operation: "date_spec" }, [
        element("date_spec", { id: draw.id("spec"), ...spec }),
      ]);
    }
  }
}

/** A rule with dates, in a constraint or over a block of defaults. */
function dateRule(draw: Draw, cib: Element): Element {
  const expressions = draw.chance(70) ? [dateExpression(draw)] : [dateExpression(draw), dateExpression(draw)];
  const rule = { id: draw.id("rule"), "boolean-op": draw.pick(["and", "or"]) };
  if (draw.chance(60)) {
    const made = element("rsc_location", { id: draw.id("loc"), rsc: id(draw.pick(tops(cib))) }, [
      element("rule", { ...rule, score: draw.score() }, expressions),
    ]);
    return addedSection(cib, element("constraints", {}, [made]));
  }
  const pairs = { "resource-stickiness": "200", priority: "3" };
  return addedSection(
    cib,
    element("rsc_defaults", {}, [draw.block("meta_attributes", pairs, [element("rule", { ...rule, score: "INFINITY" }, expressions)])]),
  );
}

/** Defaults for one agent or operation only. */
function typeRule(draw: Draw, cib: Element): Element {
  const agent = element("rsc_expression", {
    id: draw.id("agent"),
    class: "ocf",
    provider: "pacemaker",
    type: draw.pick(["Dummy", "Stateful"]),
  });
  const monitors = element("op_expression", {
    id: draw.id("operation"),
    name: "monitor",
    ...draw.pick([{}, { interval: "10s" }, { interval: "30s" }]),
  });
  const forOperations = draw.chance(50);
  const expressions = forOperations ? (draw.chance(50) ? [monitors] : [monitors, agent]) : [agent];
  const rule = element("rule", { id: draw.id("rule"), "boolean-op": "and", score: "INFINITY" }, expressions);
  const pairs: Record<string, string> = forOperations
    ? draw.pick([{ timeout: "51s" }, { "on-fail": "block" }, { enabled: "true" }])
    : draw.pick([{ "resource-stickiness": "7" }, { "migration-threshold": "2" }, { "is-managed": "false" }, { "target-role": "Stopped" }]);
  return addedSection(cib, element(forOperations ? "op_defaults" : "rsc_defaults", {}, [draw.block("meta_attributes", pairs, [rule])]));
}

function pattern(draw: Draw, cib: Element): Element {
  const made = element("rsc_location", {
    id: draw.id("loc"),
    "rsc-pattern": draw.pick(["^A[0-9]$", "!^[CG]", "^C", "1", "^(G0|A1|C2)$", "!A"]),
    node: draw.pick(nodeNames(cib)),
    // In favour of a node only now and then: 2.1.5 does not keep a clone's instance that would rather be elsewhere.
    score: draw.chance(75) ? "-INFINITY" : draw.score(),
  });
  return addedSection(cib, element("constraints", {}, [made]));
}

function topology(draw: Draw, cib: Element): Element {
  const devices = all(cib, "primitive").filter((one) => attributeOf(one, "class") === "stonith");
  if (devices.length === 0) return cib;
  const levels = nodeNames(cib)
    .filter(() => draw.chance(70))
    .map((node) => element("fencing-level", { id: draw.id("level"), target: node, index: "1", devices: id(devices[0]!) }));
  return addedSection(cib, element("fencing-topology", {}, levels));
}

/** The fence device unfences; most nodes have been. A promoted instance that goes down on another node 2.1.5 does not unfence that for. */
function unfencing(draw: Draw, cib: Element): Element {
  const device = all(cib, "primitive").find((one) => attributeOf(one, "class") === "stonith");
  if (device === undefined) return cib;
  const promotable = all(cib, "nvpair").some((pair) => attributeOf(pair, "name") === "promotable");
  const changed = edited(cib, (found) => {
    if (found.name === "primitive" && id(found) === id(device))
      return withChildren(found, [draw.block("meta_attributes", { provides: "unfencing" }), ...found.children]);
    return found.name === "node_state" && draw.chance(promotable ? 95 : 70)
      ? withTransient(draw, found, "#node-unfenced", String(NOW_SEC - 5000))
      : found;
  });
  return changed;
}

/** With one more transient attribute of the node. */
function withTransient(draw: Draw, state: Element, name: string, value: string): Element {
  const block = draw.block("instance_attributes", { [name]: value });
  const transient = childOf(state, "transient_attributes");
  if (transient === undefined) return withChildren(state, [...state.children, element("transient_attributes", { id: id(state) }, [block])]);
  const own = childOf(transient, "instance_attributes")!;
  const longer = withChildren(transient, [withChildren(own, [...own.children, ...block.children])]);
  return withChildren(
    state,
    state.children.map((child) => (child === transient ? longer : child)),
  );
}

/** One primitive lives in another one, and has never been anywhere else. */
function container(draw: Draw, cib: Element): Element {
  const plain = tops(cib).filter((one) => one.name === "primitive" && attributeOf(one, "type") === "Dummy" && /^A/.test(id(one)));
  if (plain.length < 2) return cib;
  const at = draw.between(1, plain.length - 1);
  const inner = plain[at]!;
  const outer = plain[draw.below(at)]!;
  const marked = edited(cib, (found) =>
    found.name === "primitive" && id(found) === id(inner)
      ? withChildren(found, [draw.block("meta_attributes", { container: id(outer) }), ...found.children])
      : found,
  );
  // Where the outer one has not run, neither has the inner one.
  return edited(marked, (found) => {
    if (found.name !== "lrm_resources") return found;
    const histories = found.children;
    const running = histories.some(
      (one) => id(one) === id(outer) && one.children.some((entry) => attributeOf(entry, "operation") === "start"),
    );
    return running
      ? found
      : withChildren(
          found,
          histories.filter((one) => id(one) !== id(inner)),
        );
  });
}
