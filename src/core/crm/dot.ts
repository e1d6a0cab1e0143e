import { attributeOf, childrenOf, type Element, idOf } from "../cib/index.ts";
import { displayScore } from "./names.ts";
import { type CrmObject, listObjects, membersOf } from "./tree.ts";
import { CONTAINER_ELEMENTS } from "./words.ts";

/** Text in double quotes as the dot language wants it. */
function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** An arrow from what comes first to what comes after. */
type Arrow = { readonly from: string; readonly to: string; readonly style: string };

/**
 * The configuration as a directed graph in the dot language: containers around their members, an arrow for every order
 * ("first" to "then"), a dashed one for every colocation (dependent to primary), a dotted one from a resource to the node of a location.
 */
export function configurationDot(configuration: Element): string {
  const objects = listObjects(configuration);
  const resources = objects.filter((object) => object.section === "resources" && object.parent === null && object.type !== "rsc_template");
  const lines = ["digraph configuration {", "\tcompound=true;", "\tnode [shape=box];"];
  for (const { element } of resources) lines.push(...resourceLines(element, "\t"));
  for (const object of objects) {
    if (object.type === "node") lines.push(`\t${quoted(`node ${attributeOf(object.element, "uname") ?? object.id}`)} [shape=ellipse];`);
    if (object.type === "tag") lines.push(`\t${quoted(object.id)} [shape=note];`);
  }
  for (const object of objects) if (object.type === "group" || object.element.name === "group") lines.push(...groupLines(object.element));
  for (const object of objects)
    for (const arrow of arrowsOf(object)) lines.push(`\t${quoted(arrow.from)} -> ${quoted(arrow.to)} [${arrow.style}];`);
  return `${lines.join("\n")}\n}\n`;
}

function resourceLines(resource: Element, indent: string): string[] {
  const id = idOf(resource) ?? "";
  if (!CONTAINER_ELEMENTS.has(resource.name)) return resource.name === "template" ? [] : [`${indent}${quoted(id)};`];
  const inner = membersOf(resource).flatMap((member) => resourceLines(member, `${indent}\t`));
  return [
    `${indent}subgraph ${quoted(`cluster_${id}`)} {`,
    `${indent}\tlabel=${quoted(`${resource.name} ${id}`)};`,
    `${indent}\t${quoted(id)} [shape=point];`,
    ...inner,
    `${indent}}`,
  ];
}

/** Members of a group follow one another. */
function groupLines(group: Element): string[] {
  const ids = membersOf(group).map((member) => idOf(member) ?? "");
  return ids.slice(1).map((id, index) => `\t${quoted(ids[index] ?? "")} -> ${quoted(id)};`);
}

function arrowsOf(object: CrmObject): Arrow[] {
  const { element, id } = object;
  const label = (text: string): string => `label=${quoted(`${id}${text === "" ? "" : ` ${text}`}`)}`;
  switch (object.type) {
    case "order":
      return between(element, "first", "then").map(([from, to]) => ({ from, to, style: label(attributeOf(element, "kind") ?? "") }));
    case "colocation": {
      const style = `style=dashed, ${label(displayScore(attributeOf(element, "score") ?? ""))}`;
      return between(element, "rsc", "with-rsc").map(([from, to]) => ({ from, to, style }));
    }
    case "location": {
      const [from, to] = [attributeOf(element, "rsc"), attributeOf(element, "node")];
      if (from === undefined || to === undefined) return [];
      return [{ from, to: `node ${to}`, style: `style=dotted, ${label(displayScore(attributeOf(element, "score") ?? ""))}` }];
    }
    default:
      return [];
  }
}

/** The pairs a constraint speaks of: two resources, each with its neighbour in a set, or the ends of neighbouring sets. */
function between(constraint: Element, first: string, then: string): (readonly [string, string])[] {
  const [one, two] = [attributeOf(constraint, first), attributeOf(constraint, then)];
  if (one !== undefined && two !== undefined) return [[one, two]];
  const pairs: (readonly [string, string])[] = [];
  let earlier: readonly string[] = [];
  for (const set of childrenOf(constraint, "resource_set")) {
    const members = childrenOf(set, "resource_ref").map((each) => idOf(each) ?? "");
    const inRow = attributeOf(set, "sequential") !== "false";
    if (inRow) pairs.push(...members.slice(1).map((id, index) => [members[index] ?? "", id] as const));
    const entry = inRow ? members.slice(0, 1) : members;
    for (const from of earlier) for (const to of entry) pairs.push([from, to]);
    earlier = inRow ? members.slice(-1) : members;
  }
  return pairs;
}
