import { attributeOf, childrenOf, type Element, idOf } from "../cib/index.ts";
import { findShortcut } from "./acl-shortcuts.ts";
import { SET_MARK } from "./grammar-constraints.ts";
import { displayScore } from "./names.ts";
import { descriptionOf, type Pieces } from "./render-resources.ts";
import { NotSayable, type RenderOptions, renderRule, renderSet, setWords } from "./render-sets.ts";
import { quoteValue, quoteWord } from "./tokens.ts";

const pair = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [`${name}=${quoteValue(value)}`]);

function withSuffix(id: string | undefined, suffix: string | undefined): string {
  return suffix === undefined ? (id ?? "") : `${id}:${suffix}`;
}

/** Sets of a constraint; the brackets say sequential and require-all. */
function renderSets(of: Element, kind: "role" | "action"): string[] {
  return of.children.flatMap((set) => {
    if (set.name !== "resource_set") throw new NotSayable(set.name);
    const sequential = attributeOf(set, "sequential");
    const requireAll = attributeOf(set, "require-all");
    const members = set.children.map((ref) => withSuffix(idOf(ref), attributeOf(set, kind)));
    if (requireAll === "false") return ["[", ...members, ...(sequential === "false" ? [] : ["sequential=true"]), "]"];
    if (requireAll !== undefined) throw new NotSayable("require-all");
    if (sequential === "false") return ["(", ...members, ")"];
    return [...members, ...pair("sequential", sequential)];
  });
}

/** Sets that would be read as a plain constraint get crmsh's mark in front. */
function markedSets(of: Element, kind: "role" | "action"): string[] {
  const words = renderSets(of, kind);
  const count = of.children.reduce((sum, set) => sum + set.children.length, 0);
  if (count < 2 && of.name !== "rsc_ticket") throw new NotSayable("resource_set");
  const plain = of.name === "rsc_ticket" ? 1 : 2;
  // crmsh marks what ends without a bracket and has no more resources than a plain constraint (measured).
  const isOpen = ![")", "]"].includes(words.at(-1) ?? "") && !words.some((word) => word.includes("="));
  return count === plain && isOpen ? [SET_MARK, ...words] : words;
}

export function renderLocation(of: Element, options: RenderOptions): Pieces {
  const pattern = attributeOf(of, "rsc-pattern");
  const sets = of.children.some((child) => child.name === "resource_set");
  const rules = childrenOf(of, "rule");
  const head = ["location", idOf(of)];
  if (pattern !== undefined) head.push(quoteWord(`/${pattern}/`));
  else if (sets) head.push("{", ...renderSets({ ...of, children: childrenOf(of, "resource_set") }, "role"), "}");
  else head.push(attributeOf(of, "rsc"));
  head.push(...pair("role", attributeOf(of, "role")), ...pair("resource-discovery", attributeOf(of, "resource-discovery")));
  const score = attributeOf(of, "score");
  if (score !== undefined) head.push(`${quoteWord(displayScore(score))}:`, quoteWord(attributeOf(of, "node") ?? ""));
  return [head.join(" "), ...rules.map((rule) => renderRule(rule, options))];
}

export function renderColocation(of: Element): Pieces {
  const score = attributeOf(of, "score");
  if (score === undefined) throw new NotSayable("score");
  const words = ["colocation", idOf(of), `${quoteWord(displayScore(score))}:`];
  if (attributeOf(of, "rsc") === undefined) words.push(...markedSets(of, "role"));
  else {
    words.push(withSuffix(attributeOf(of, "rsc"), attributeOf(of, "rsc-role")));
    words.push(withSuffix(attributeOf(of, "with-rsc"), attributeOf(of, "with-rsc-role")));
  }
  words.push(...pair("node-attribute", attributeOf(of, "node-attribute")), ...pair("influence", attributeOf(of, "influence")));
  return [words.join(" ")];
}

export function renderOrder(of: Element): Pieces {
  const kind = attributeOf(of, "kind");
  const words = ["order", idOf(of), ...(kind === undefined ? [] : [`${kind}:`])];
  if (attributeOf(of, "first") === undefined) words.push(...markedSets(of, "action"));
  else {
    words.push(withSuffix(attributeOf(of, "first"), attributeOf(of, "first-action")));
    words.push(withSuffix(attributeOf(of, "then"), attributeOf(of, "then-action")));
  }
  words.push(...pair("symmetrical", attributeOf(of, "symmetrical")), ...pair("require-all", attributeOf(of, "require-all")));
  return [words.join(" ")];
}

export function renderTicket(of: Element): Pieces {
  const words = ["rsc_ticket", idOf(of), `${quoteWord(attributeOf(of, "ticket") ?? "")}:`];
  if (attributeOf(of, "rsc") === undefined) words.push(...markedSets(of, "role"));
  else words.push(withSuffix(attributeOf(of, "rsc"), attributeOf(of, "rsc-role")));
  words.push(...pair("loss-policy", attributeOf(of, "loss-policy")));
  return [words.join(" ")];
}

export function renderNode(of: Element, options: RenderOptions): Pieces {
  const id = idOf(of);
  const uname = attributeOf(of, "uname");
  const type = attributeOf(of, "type");
  const name = quoteWord(type === undefined ? (uname ?? "") : `${uname}:${type}`);
  const pieces = [id === uname ? `node ${name}` : `node ${quoteWord(`${id}:`)} ${name}`, ...descriptionOf(of)];
  for (const child of of.children) {
    if (child.name === "instance_attributes") pieces.push(renderSet(child, "attributes", options));
    else if (child.name === "utilization") pieces.push(renderSet(child, "utilization", options));
    else throw new NotSayable(child.name);
  }
  return pieces;
}

export function renderProperties(of: Element, word: string, options: RenderOptions): Pieces {
  return [`${word} ${idOf(of)}:`, ...setWords(of, options)];
}

/** Levels by target in document order; one list of devices for all nodes where that says the same. */
export function renderTopology(of: Element, nodes: readonly string[]): Pieces {
  const targets = new Map<string, string[]>();
  for (const level of of.children) {
    if (level.name !== "fencing-level") throw new NotSayable(level.name);
    const target = targetOf(level);
    const devices = targets.get(target) ?? [];
    const index = Number(attributeOf(level, "index"));
    if (!Number.isInteger(index) || index < 1 || devices[index - 1] !== undefined) throw new NotSayable("index");
    devices[index - 1] = attributeOf(level, "devices") ?? "";
    targets.set(target, devices);
  }
  const lists = [...targets].map(([target, devices]) => {
    const words = Array.from(devices, (each) => each ?? "");
    if (words.includes("")) throw new NotSayable("index");
    return { target, devices: words.join(" ") };
  });
  const first = lists[0]?.devices ?? "";
  const everywhere =
    nodes.length > 0 && lists.length === nodes.length && nodes.every((node) => lists.some((each) => each.target === `${node}:`));
  if (everywhere && lists.every((each) => each.devices === first)) return ["fencing_topology", first];
  return ["fencing_topology", ...lists.map((each) => `${quoteWord(each.target)} ${each.devices}`)];
}

function targetOf(level: Element): string {
  const attribute = attributeOf(level, "target-attribute");
  const pattern = attributeOf(level, "target-pattern");
  if (attribute !== undefined) return `attr:${attribute}=${attributeOf(level, "target-value") ?? ""}`;
  return pattern === undefined ? `${attributeOf(level, "target") ?? ""}:` : `pattern:${pattern}`;
}

export function renderAclRole(of: Element): Pieces {
  const pieces = [`role ${idOf(of)}`, ...descriptionOf(of)];
  for (const permission of of.children) {
    if (permission.name !== "acl_permission") throw new NotSayable(permission.name);
    pieces.push([attributeOf(permission, "kind"), ...descriptionOf(permission), ...selectorOf(permission)].join(" "));
  }
  return pieces;
}

function selectorOf(permission: Element): string[] {
  const xpath = attributeOf(permission, "xpath");
  const reference = attributeOf(permission, "reference");
  const type = attributeOf(permission, "object-type");
  const attribute = attributeOf(permission, "attribute");
  if (xpath !== undefined) return [findShortcut(xpath) ?? `xpath:${quoteValue(xpath)}`];
  if (reference !== undefined) return [`ref:${reference}`];
  if (type === undefined) throw new NotSayable("acl_permission");
  return [...(attribute === undefined ? [] : [`attr:${quoteWord(attribute)}`]), `type:${quoteWord(type)}`];
}

export function renderReferences(of: Element, word: string): Pieces {
  return [[word, idOf(of), ...of.children.map(idOf)].join(" ")];
}

export function renderAlert(of: Element, options: RenderOptions): Pieces {
  const pieces = [`alert ${idOf(of)} ${quoteWord(attributeOf(of, "path") ?? "")}`, ...descriptionOf(of)];
  of.children.forEach((child, index) => {
    const next = of.children[index + 1]?.name ?? "";
    if (child.name === "instance_attributes") pieces.push(renderSet(child, "attributes", options));
    else if (child.name === "meta_attributes") pieces.push(renderSet(child, "meta", options));
    else if (child.name === "select") pieces.push(["select", ...child.children.flatMap(renderSelected)].join(" "));
    else if (child.name === "recipient")
      pieces.push(renderRecipient(child, next === "instance_attributes" || next === "meta_attributes", options));
    else throw new NotSayable(child.name);
  });
  return pieces;
}

function renderSelected(selected: Element): string[] {
  const word = selected.name.replace(/^select_/, "");
  const names = selected.children.map((each) => quoteWord(attributeOf(each, "name") ?? ""));
  return selected.name === "select_attributes" ? [word, "{", ...names, "}"] : [word];
}

/** Braces keep what follows from being read as the recipient's. */
function renderRecipient(of: Element, braces: boolean, options: RenderOptions): string {
  const words = [quoteWord(attributeOf(of, "value") ?? ""), ...descriptionOf(of)];
  for (const child of of.children) {
    if (child.name === "instance_attributes") words.push(renderSet(child, "attributes", options));
    else if (child.name === "meta_attributes") words.push(renderSet(child, "meta", options));
    else throw new NotSayable(child.name);
  }
  return braces ? `to { ${words.join(" ")} }` : `to ${words.join(" ")}`;
}
