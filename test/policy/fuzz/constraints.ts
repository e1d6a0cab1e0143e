import { type Element, element } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";
import type { MadeResource } from "./resources.ts";

/** Share, in percent, in which a draw that is known to show a difference between the versions is not made. */
const RARELY = 92;

/** Draws constraints between the made resources. */
export function makeConstraints(draw: Draw, resources: readonly MadeResource[], nodes: readonly string[], tags: Set<string>): Element[] {
  const constraints: Element[] = [];
  const many = resources.length;
  for (let at = draw.below(many + 1); at > 0; at--) constraints.push(location(draw, draw.pick(resources), nodes, tags));
  if (many < 2) return constraints;
  for (let at = draw.below(many); at > 0; at--) {
    const pair = two(draw, resources);
    // What depends on a clone shapes its scores differently in 2.1.5: drawn, but not often.
    if (pair[0].kind === "clone" && draw.chance(RARELY)) continue;
    constraints.push(colocation(draw, pair, tags));
  }
  for (let at = draw.below(many); at > 0; at--) {
    const [first, then] = two(draw, resources);
    // What makes a node cannot follow what is looked for on that node, and what follows it should not move there:
    // such orders go round in circles.
    if (then.node === null && (first.node === null || draw.chance(10))) constraints.push(order(draw, [first, then], tags));
  }
  if (draw.chance(14)) constraints.push(sets(draw, resources, "rsc_colocation", tags));
  const ordered = resources.filter((resource) => resource.node === null);
  if (ordered.length > 1 && draw.chance(15)) constraints.push(sets(draw, ordered, "rsc_order", tags));
  if (draw.chance(10)) constraints.push(ticket(draw, draw.pick(resources), tags));
  return constraints;
}

/** Two different ones, the earlier first: cycles of orders make graphs without an end. */
function two(draw: Draw, resources: readonly MadeResource[]): readonly [MadeResource, MadeResource] {
  const a = draw.below(resources.length - 1);
  const b = draw.between(a + 1, resources.length - 1);
  return [resources[a]!, resources[b]!];
}

function location(draw: Draw, resource: MadeResource, nodes: readonly string[], tags: Set<string>): Element {
  tags.add("location");
  const attributes: Record<string, string> = { id: draw.id("loc"), rsc: resource.id };
  if (draw.chance(5)) {
    attributes["resource-discovery"] = draw.pick(["never", "exclusive"]);
    tags.add("resource-discovery");
  }
  // 2.1.5 does not keep a clone's instance that would rather be elsewhere.
  const score = resource.kind === "clone" && draw.chance(RARELY) ? "-INFINITY" : draw.score();
  if (draw.chance(70)) return element("rsc_location", { ...attributes, node: draw.pick(nodes), score });
  tags.add("rules");
  const rule: Record<string, string> = { id: draw.id("rule"), score };
  if (resource.promotable && draw.chance(50)) rule["role"] = "Promoted";
  const expression = draw.chance(60)
    ? element("expression", { id: draw.id("expr"), attribute: "#uname", operation: draw.pick(["eq", "ne"]), value: draw.pick(nodes) })
    : element("expression", { id: draw.id("expr"), attribute: "rack", operation: draw.pick(["eq", "defined", "gt"]), value: "1" });
  const fixed =
    expression.attributes["operation"] === "defined" ? { ...expression, attributes: without(expression.attributes, "value") } : expression;
  return element("rsc_location", attributes, [element("rule", rule, [fixed])]);
}

function without(attributes: Readonly<Record<string, string>>, name: string): Record<string, string> {
  const copy = { ...attributes };
  delete copy[name];
  return copy;
}

function colocation(draw: Draw, [first, second]: readonly [MadeResource, MadeResource], tags: Set<string>): Element {
  tags.add("colocation");
  const promotedOnly = second.promotable && draw.chance(30);
  // Finite scores for one role, and of what keeps groups apart, count differently in 2.1.5.
  const limits = promotedOnly || first.kind === "group" || second.kind === "group";
  const drawn = limits && draw.chance(RARELY) ? draw.pick(["INFINITY", promotedOnly ? "-INFINITY" : "100"]) : draw.score();
  // Nor can what makes a node be kept apart from what may run on it.
  const makesNode = first.node !== null || second.node !== null;
  const score = makesNode && drawn === "-INFINITY" ? "-100" : drawn;
  if (score.startsWith("-")) tags.add("anti-colocation");
  const attributes: Record<string, string> = { id: draw.id("col"), rsc: second.id, "with-rsc": first.id, score };
  if (first.promotable && draw.chance(50)) {
    attributes["with-rsc-role"] = draw.pick(["Promoted", "Unpromoted"]);
    tags.add("colocation-role");
  }
  if (promotedOnly) {
    attributes["rsc-role"] = "Promoted";
    tags.add("colocation-role");
  }
  if (draw.chance(9)) {
    attributes["node-attribute"] = "rack";
    tags.add("coloc-node-attribute");
  }
  if (draw.chance(5)) attributes["influence"] = "false";
  return element("rsc_colocation", attributes);
}

function order(draw: Draw, [first, second]: readonly [MadeResource, MadeResource], tags: Set<string>): Element {
  const kind = draw.pick(["Mandatory", "Mandatory", "Mandatory", "Mandatory", "Mandatory", "Optional", "Optional", "Serialize"]);
  tags.add(kind === "Mandatory" ? "order" : `order-${kind.toLowerCase()}`);
  const attributes: Record<string, string> = { id: draw.id("ord"), first: first.id, then: second.id, kind };
  if (kind !== "Serialize" && draw.chance(6)) {
    attributes["symmetrical"] = "false";
    tags.add("order-asymmetrical");
  }
  if (first.promotable && draw.chance(40)) {
    attributes["first-action"] = "promote";
    attributes["then-action"] = second.promotable && draw.chance(30) ? "promote" : "start";
  }
  return element("rsc_order", attributes);
}

function sets(draw: Draw, resources: readonly MadeResource[], name: string, tags: Set<string>): Element {
  tags.add(name === "rsc_order" ? "order-set" : "colocation-set");
  const at = draw.between(1, resources.length - 1);
  const part = (list: readonly MadeResource[]): Element => {
    const attributes: Record<string, string> = { id: draw.id("set") };
    if (draw.chance(40)) attributes["sequential"] = draw.pick(["true", "false"]);
    if (name === "rsc_order" && draw.chance(35)) {
      attributes["require-all"] = "false";
      attributes["sequential"] = "false";
      tags.add("order-require-all");
    }
    return element(
      "resource_set",
      attributes,
      list.map((resource) => element("resource_ref", { id: resource.id })),
    );
  };
  const children = [part(resources.slice(0, at)), part(resources.slice(at))];
  // Colocations run the other way round: the first set depends on the second, as the second of `two` does on the first.
  if (name === "rsc_colocation") {
    return element(name, { id: draw.id("col"), score: draw.pick(["INFINITY", "100", "-50"]) }, children.reverse());
  }
  return element(name, { id: draw.id("ord"), kind: draw.pick(["Mandatory", "Optional"]) }, children);
}

function ticket(draw: Draw, resource: MadeResource, tags: Set<string>): Element {
  tags.add("ticket");
  const attributes: Record<string, string> = {
    id: draw.id("tic"),
    rsc: resource.id,
    ticket: "ticketA",
    "loss-policy": draw.pick(["stop", "demote", "freeze", "fence"]),
  };
  if (resource.promotable && draw.chance(50)) attributes["rsc-role"] = "Promoted";
  return element("rsc_ticket", attributes);
}
