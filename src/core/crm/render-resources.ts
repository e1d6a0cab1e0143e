import { attributeOf, type Element, idOf } from "../cib/index.ts";
import { NotSayable, type RenderOptions, renderSet } from "./render-sets.ts";
import { quoteValue, quoteWord } from "./tokens.ts";
import { membersOf } from "./tree.ts";
import { RESOURCE_ELEMENTS } from "./words.ts";

/** A logical line in pieces: the head, then what is put on lines of its own when it is wrapped. */
export type Pieces = readonly string[];

const KEYWORD_OF_SET: Readonly<Record<string, string>> = {
  instance_attributes: "params",
  meta_attributes: "meta",
  utilization: "utilization",
};

export function descriptionOf(of: Element): string[] {
  const description = attributeOf(of, "description");
  return description === undefined ? [] : [`description=${quoteValue(description)}`];
}

export function renderPrimitive(of: Element, word: string, options: RenderOptions): Pieces {
  const pieces = [`${word} ${idOf(of)} ${agentOf(of)}`, ...descriptionOf(of)];
  for (const child of of.children) {
    const keyword = KEYWORD_OF_SET[child.name];
    if (keyword !== undefined) pieces.push(renderSet(child, keyword, options));
    else if (child.name === "operations") pieces.push(...renderOperations(child, options));
    else throw new NotSayable(child.name);
  }
  return pieces;
}

/** The agent as `primitive` takes it: `Dummy`, `ocf:pacemaker:Dummy`, `stonith:fence_ipmilan` or `@TEMPLATE`. */
export function agentOf(of: Element): string {
  const template = attributeOf(of, "template");
  if (template !== undefined) return `@${template}`;
  const parts = [attributeOf(of, "class"), attributeOf(of, "provider"), attributeOf(of, "type")];
  const text = parts.filter((part) => part !== undefined).join(":");
  return text.startsWith("ocf:heartbeat:") ? quoteWord(text.slice("ocf:heartbeat:".length)) : quoteWord(text);
}

function renderOperations(of: Element, options: RenderOptions): string[] {
  const id = idOf(of);
  const reference = attributeOf(of, "id-ref");
  const pieces: string[] = [];
  if (reference !== undefined) pieces.push(`operations $id-ref=${quoteWord(reference)}`);
  else if (id !== undefined) pieces.push(`operations $id=${quoteWord(id)}`);
  for (const op of of.children) {
    if (op.name !== "op") throw new NotSayable(op.name);
    pieces.push(renderOperation(op, options));
  }
  return pieces;
}

function renderOperation(op: Element, options: RenderOptions): string {
  const words = ["op", quoteWord(attributeOf(op, "name") ?? "")];
  for (const [name, value] of Object.entries(op.attributes)) {
    if (name !== "id" && name !== "name") words.push(`${name}=${quoteValue(value)}`);
  }
  for (const child of op.children) {
    if (child.name === "instance_attributes") words.push(renderSet(child, "op_params", options));
    else if (child.name === "meta_attributes") words.push(renderSet(child, "op_meta", options));
    else throw new NotSayable(child.name);
  }
  return words.join(" ");
}

export function renderContainer(of: Element, word: string, options: RenderOptions): Pieces {
  const members = membersOf(of).map((member) => idOf(member) ?? "");
  const pieces = [[word, idOf(of), ...members].join(" "), ...descriptionOf(of)];
  for (const child of of.children) {
    if (RESOURCE_ELEMENTS.has(child.name)) continue;
    const keyword = KEYWORD_OF_SET[child.name];
    if (keyword === undefined) throw new NotSayable(child.name);
    pieces.push(renderSet(child, keyword, options));
  }
  return pieces;
}

const BUNDLE_PARTS = ["docker", "podman", "rkt", "network", "storage"];

export function renderBundle(of: Element, options: RenderOptions): Pieces {
  const pieces = [`bundle ${idOf(of)}`, ...descriptionOf(of)];
  for (const part of of.children) {
    if (RESOURCE_ELEMENTS.has(part.name)) continue;
    if (part.name === "meta_attributes") pieces.push(renderSet(part, "meta", options));
    else if (BUNDLE_PARTS.includes(part.name)) {
      const mappings = part.children.flatMap((child) => [child.name, ...attributeWords(child)]);
      pieces.push([part.name, ...attributeWords(part), ...mappings].join(" "));
    } else throw new NotSayable(part.name);
  }
  const members = membersOf(of);
  if (members.length > 0) pieces.push(`primitive ${members.map(idOf).join(" ")}`);
  return pieces;
}

function attributeWords(of: Element): string[] {
  return Object.entries(of.attributes).flatMap(([name, value]) => (name === "id" ? [] : [`${name}=${quoteValue(value)}`]));
}
