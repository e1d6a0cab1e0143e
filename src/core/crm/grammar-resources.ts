import { childOf, type Element, element, withAttributes, withChildren } from "../cib/index.ts";
import type { Draft, GrammarOptions } from "./drafts.ts";
import { CrmError } from "./errors.ts";
import { modernRole, readSet } from "./grammar-sets.ts";
import { isDuration, requireId } from "./names.ts";
import type { TokenReader } from "./reader.ts";
import type { Token } from "./tokens.ts";
import { AGENT_CLASSES, hint, OPERATION_ATTRIBUTES, OPERATION_TIMES } from "./words.ts";

const PRIMITIVE_SECTIONS = ["params", "meta", "utilization", "operations", "op"];
const OPERATION_STOP: ReadonlySet<string> = new Set([...PRIMITIVE_SECTIONS, "op_params", "op_meta"]);
const PRIMITIVE_STOP: ReadonlySet<string> = OPERATION_STOP;
const SET_OF_WORD: Readonly<Record<string, string>> = {
  params: "instance_attributes",
  meta: "meta_attributes",
  utilization: "utilization",
  op_params: "instance_attributes",
  op_meta: "meta_attributes",
};

const UNIT_CLASSES = ["systemd", "service"];

/** `primitive ID {[CLASS:[PROVIDER:]]TYPE|@TEMPLATE} …` and `rsc_template ID …`. */
export function readPrimitive(reader: TokenReader, type: "primitive" | "rsc_template", options: GrammarOptions): Draft {
  const id = reader.id(`the id of the ${type}`);
  reader.subject = `${type} ${id}`;
  const agent = reader.next(
    type === "primitive" ? "an agent ([CLASS:[PROVIDER:]]TYPE) or @TEMPLATE" : "an agent ([CLASS:[PROVIDER:]]TYPE)",
  );
  const attributes: Record<string, string> = { id, ...readAgent(reader, agent, type) };
  const children: Element[] = [];
  while (!reader.done) readPrimitiveSection(reader, attributes, children, options);
  const name = type === "primitive" ? "primitive" : "template";
  return { type, id, element: finishTimes(element(name, attributes, children), options), members: [] };
}

function readAgent(reader: TokenReader, token: Token, type: string): Record<string, string> {
  if (token.text.startsWith("@")) {
    if (type !== "primitive") reader.fail("a template cannot use another template; expected [CLASS:[PROVIDER:]]TYPE", token);
    return { template: requireId(token.text.slice(1), token.column) };
  }
  const parts = token.text.split(":");
  const [first = "", second = "", ...more] = parts;
  if (parts.some((part) => part === "") || token.text.includes("=")) {
    return reader.fail("expected an agent ([CLASS:[PROVIDER:]]TYPE)", token);
  }
  if (parts.length === 1) return { class: "ocf", provider: "heartbeat", type: first };
  if (first === "ocf") {
    if (parts.length > 3) return reader.fail("expected ocf:PROVIDER:TYPE", token);
    return parts.length === 2
      ? { class: "ocf", provider: "heartbeat", type: second }
      : { class: "ocf", provider: second, type: more[0] ?? "" };
  }
  // Only the names of systemd's units may have a colon in them.
  if (AGENT_CLASSES.includes(first) && (parts.length === 2 || UNIT_CLASSES.includes(first)))
    return { class: first, type: parts.slice(1).join(":") };
  if (AGENT_CLASSES.includes(first.toLowerCase())) return reader.fail(`expected ${first.toLowerCase()}:TYPE`, token);
  if (parts.length === 2) return { class: "ocf", provider: first, type: second };
  return reader.fail(`'${first}' is no class of agents; expected one of ${AGENT_CLASSES.join(", ")}${hint(first, AGENT_CLASSES)}`, token);
}

function readPrimitiveSection(reader: TokenReader, attributes: Record<string, string>, children: Element[], options: GrammarOptions): void {
  const description = reader.takePair("description");
  if (description !== null) {
    attributes["description"] = description;
    return;
  }
  const word = reader.keyword();
  switch (word) {
    case "params":
    case "meta":
    case "utilization":
      reader.skip();
      children.push(finishMeta(readSet(reader, SET_OF_WORD[word] ?? "", { stop: PRIMITIVE_STOP, options }), options));
      return;
    case "operations":
      reader.skip();
      children.push(readOperationsId(reader));
      return;
    case "op":
      reader.skip();
      addOperation(children, readOperation(reader, options));
      return;
    default:
      if (word === "op_params" || word === "op_meta") reader.fail(`'${word}' belongs to an operation; expected op NAME before it`);
      if (children.length > 0 && !reader.isPair()) {
        reader.expectEnd(["description=", ...PRIMITIVE_SECTIONS]);
        return;
      }
      children.push(readSet(reader, "instance_attributes", { stop: PRIMITIVE_STOP, options }));
  }
}

function readOperationsId(reader: TokenReader): Element {
  const token = reader.next("$id=ID or $id-ref=ID after 'operations'");
  const match = /^\$(id|id-ref)=(.+)$/.exec(token.text);
  if (match === null) return reader.fail("expected $id=ID or $id-ref=ID after 'operations'", token);
  return element("operations", { [match[1] ?? ""]: requireId(match[2] ?? "", token.column) });
}

function addOperation(children: Element[], operation: Element): void {
  const at = children.findIndex((child) => child.name === "operations");
  const holder = children[at];
  if (holder === undefined) children.push(element("operations", {}, [operation]));
  else children[at] = withChildren(holder, [...holder.children, operation]);
}

/** `op NAME [ATTR=V…] [[op_params] SET] [op_meta SET]` after the word `op`. */
function readOperation(reader: TokenReader, options: GrammarOptions): Element {
  const name = reader.next("the name of an operation, such as monitor");
  if (name.text.includes("=")) reader.fail("expected the name of an operation, such as monitor", name);
  const attributes: Record<string, string> = { name: name.text };
  const sets: Element[] = [];
  const implicit: Element[] = [];
  while (!reader.done) {
    const word = reader.keyword();
    if (word === "op_params" || word === "op_meta") {
      reader.skip();
      sets.push(readSet(reader, SET_OF_WORD[word] ?? "", { stop: OPERATION_STOP, options }));
      continue;
    }
    if (word !== null && OPERATION_STOP.has(word)) break;
    const pair = reader.pair();
    if (pair.value === null && (OPERATION_ATTRIBUTES.includes(pair.name) || pair.name.includes(":")))
      reader.fail("expected name=value, op_params, op_meta or the next section", pair.token);
    if (pair.name === "$id") attributes["id"] = requireId(pair.value ?? "", pair.token.column);
    else if (OPERATION_ATTRIBUTES.includes(pair.name)) {
      if (implicit.length > 0)
        reader.fail(`'${pair.name}' is an attribute of the operation and must come before its parameters`, pair.token);
      attributes[pair.name] = pair.value ?? "";
    } else implicit.push(element("nvpair", { name: pair.name, ...(pair.value === null ? {} : { value: pair.value }) }));
  }
  if (implicit.length > 0) sets.unshift(element("instance_attributes", {}, implicit));
  if (attributes["role"] !== undefined) attributes["role"] = modernRole(attributes["role"], options);
  return element("op", attributes, sets);
}

/**
 * Gives operations their interval and times their unit. A monitor without an interval is only a probe: then nothing in
 * the object is improved, because the newer of the reference shells refuses such lines and the older keeps them as typed.
 */
function finishTimes(resource: Element, options: GrammarOptions): Element {
  const operations = childOf(resource, "operations");
  if (operations === undefined) return resource;
  const probeOnly = operations.children.some((op) => op.attributes["name"] === "monitor" && op.attributes["interval"] === undefined);
  const modern = options.spelling === "modern" && !probeOnly;
  const children = operations.children.map((op) => finishOperation(op, resource, modern));
  return withChildren(
    resource,
    resource.children.map((child) => (child === operations ? withChildren(operations, children) : child)),
  );
}

function finishOperation(op: Element, resource: Element, modern: boolean): Element {
  const changes: Record<string, string> = {};
  if (op.attributes["interval"] === undefined) changes["interval"] = modern ? "0s" : "0";
  if (modern) {
    for (const name of OPERATION_TIMES) {
      const value = op.attributes[name];
      if (value === undefined) continue;
      requireDuration(value, `${resource.name} ${resource.attributes["id"]}: op ${op.attributes["name"]}: ${name}`);
      if (/^\d+$/.test(value)) changes[name] = `${value}s`;
    }
  }
  return withAttributes(op, changes);
}

/** Refuses what no version of Pacemaker could take as a duration. */
export function requireDuration(value: string, subject: string): void {
  if (isDuration(value)) return;
  throw new CrmError("CRM_BAD_VALUE", `${subject}=${value} is no duration; expected a number with ms, s, min or h, such as 10s`);
}

function finishMeta(set: Element, options: GrammarOptions): Element {
  if (set.name !== "meta_attributes" || options.spelling === "verbatim") return set;
  const children = set.children.map((pair) =>
    pair.attributes["name"] === "target-role" ? withAttributes(pair, { value: modernRole(pair.attributes["value"] ?? "", options) }) : pair,
  );
  return withChildren(set, children);
}

const CONTAINER_STOP: ReadonlySet<string> = new Set(["meta", "params"]);

/** `group ID RSC… [description=D] [meta SET] [params SET]`, and the same for `clone` and `ms`. */
export function readContainer(reader: TokenReader, type: "group" | "clone" | "ms", options: GrammarOptions): Draft {
  const id = reader.id(`the id of the ${type}`);
  reader.subject = `${type} ${id}`;
  const attributes: Record<string, string> = { id };
  const members: string[] = [];
  const children: Element[] = [];
  while (!reader.done && !reader.isPair() && !CONTAINER_STOP.has(reader.keyword() ?? "")) {
    const token = reader.next("a resource");
    if (members.includes(token.text)) reader.fail(`'${token.text}' is named twice`, token);
    members.push(requireId(token.text, token.column));
  }
  if (members.length === 0) reader.fail(type === "group" ? "expected at least one resource" : "expected the resource to clone");
  while (!reader.done) {
    const description = reader.takePair("description");
    const word = reader.keyword();
    if (description !== null) attributes["description"] = description;
    else if (word === "meta" || word === "params") {
      reader.skip();
      children.push(finishMeta(readSet(reader, SET_OF_WORD[word] ?? "", { stop: CONTAINER_STOP, options }), options));
    } else if (reader.isPair() && children.length === 0) {
      children.push(readSet(reader, "instance_attributes", { stop: CONTAINER_STOP, options }));
    } else reader.expectEnd(["description=", "meta", "params"]);
  }
  if (type !== "group" && members.length > 1) {
    options.warn(`${type} ${id}: a ${type} has one resource; '${members.slice(1).join(" ")}' is left out`);
    members.length = 1;
  }
  const name = type === "ms" ? "master" : type;
  return { type, id, element: element(name, attributes, children), members };
}

const BUNDLE_WORDS: ReadonlySet<string> = new Set(["docker", "podman", "rkt", "network", "storage", "primitive", "meta"]);
const BUNDLE_META_STOP: ReadonlySet<string> = new Set(["network", "storage", "primitive"]);

/** `bundle ID {docker|podman|rkt} K=V… [network …] [storage …] [meta SET] [primitive RSC]`. */
export function readBundle(reader: TokenReader, options: GrammarOptions): Draft {
  const id = reader.id("the id of the bundle");
  reader.subject = `bundle ${id}`;
  const attributes: Record<string, string> = { id };
  const children: Element[] = [];
  const members: string[] = [];
  if (reader.done) reader.fail("expected docker or podman");
  while (!reader.done) {
    const description = reader.takePair("description");
    if (description !== null) {
      attributes["description"] = description;
      continue;
    }
    const token = reader.next("a section");
    const word = token.text.toLowerCase();
    if (token.quoted || !BUNDLE_WORDS.has(word)) {
      reader.fail(`expected docker, podman, network, storage, meta or primitive${hint(word, BUNDLE_WORDS)}`, token);
    }
    if (word === "primitive") members.push(reader.id("the id of the primitive"));
    else if (word === "meta") children.push(finishMeta(readSet(reader, "meta_attributes", { stop: BUNDLE_META_STOP, options }), options));
    else addBundlePart(children, readBundlePart(reader, word));
  }
  if (members.length > 1) reader.fail("a bundle has at most one primitive");
  return { type: "bundle", id, element: element("bundle", attributes, children), members };
}

/** `network` and `storage` said twice are one. */
function addBundlePart(children: Element[], part: Element): void {
  const at = children.findIndex((child) => child.name === part.name && (part.name === "network" || part.name === "storage"));
  const earlier = children[at];
  if (earlier === undefined) children.push(part);
  else children[at] = element(part.name, { ...earlier.attributes, ...part.attributes }, [...earlier.children, ...part.children]);
}

function readBundlePart(reader: TokenReader, word: string): Element {
  const mapping = word === "network" ? "port-mapping" : word === "storage" ? "storage-mapping" : null;
  const attributes = readPairs(reader);
  const mappings: Element[] = [];
  while (mapping !== null && reader.take(mapping)) {
    const pairs = readPairs(reader);
    if (Object.keys(pairs).length === 0) reader.fail(`expected name=value after '${mapping}'`);
    mappings.push(element(mapping, pairs));
  }
  return element(word, attributes, mappings);
}

function readPairs(reader: TokenReader): Record<string, string> {
  const pairs: Record<string, string> = {};
  while (reader.isPair()) {
    const pair = reader.pair();
    pairs[pair.name] = pair.value ?? "";
  }
  return pairs;
}
