import { attributeOf, type Element, element } from "../cib/index.ts";
import { expandShortcut, SHORTCUT_WORDS } from "./acl-shortcuts.ts";
import type { Draft, GrammarOptions } from "./drafts.ts";
import { readSet } from "./grammar-sets.ts";
import { requireId } from "./names.ts";
import type { TokenReader } from "./reader.ts";
import type { Token } from "./tokens.ts";
import { hint } from "./words.ts";

/** `normal` is the older word for member; it is read where it was written, but not typed anew. */
const NODE_TYPES = ["member", "remote", "ping"];
const NODE_STOP: ReadonlySet<string> = new Set(["attributes", "utilization"]);

/** `node [$id=ID|ID:] UNAME[:TYPE] [description=D] [attributes SET] [utilization SET]`. */
export function readNode(reader: TokenReader, options: GrammarOptions): Draft {
  const first = reader.next("the name of a node");
  const before = /^(.+):$/.exec(first.text)?.[1] ?? null;
  // `NAME:` with nothing but attributes behind it is a name, as in crmsh (measured).
  const isId = before !== null && !reader.done && !reader.isPair() && !NODE_STOP.has(reader.keyword() ?? "");
  const explicit = /^\$id=(.+)$/.exec(first.text)?.[1] ?? (isId ? before : null);
  const token = explicit === null ? first : reader.next("the name of a node");
  const [uname = "", type, ...rest] = (before !== null && !isId ? before : token.text).split(":");
  if (uname === "" || rest.length > 0 || /[=\s]/.test(uname)) reader.fail("expected NAME or NAME:TYPE", token);
  if (type !== undefined && !NODE_TYPES.includes(type) && !(type === "normal" && options.spelling === "verbatim")) {
    reader.fail(`'${type}' is no type of node; expected member or remote${hint(type, NODE_TYPES)}`, token);
  }
  reader.subject = `node ${uname}`;
  const attributes: Record<string, string> = { id: explicit ?? uname, uname };
  if (type !== undefined) attributes["type"] = type;
  const children: Element[] = [];
  while (!reader.done) {
    const description = reader.takePair("description");
    const word = reader.keyword();
    if (description !== null) attributes["description"] = description;
    else if (word === "attributes" || word === "utilization") {
      reader.skip();
      children.push(readSet(reader, word === "attributes" ? "instance_attributes" : "utilization", { stop: NODE_STOP, options }));
    } else if (reader.isPair() && children.length === 0)
      children.push(readSet(reader, "instance_attributes", { stop: NODE_STOP, options }));
    else reader.expectEnd(["description=", "attributes", "utilization"]);
  }
  return { type: "node", id: attributes["id"] ?? uname, element: element("node", attributes, children), members: [] };
}

/** Ids of the one set that a line without an id edits. */
export const DEFAULT_SET_IDS = { property: "cib-bootstrap-options", rsc_defaults: "rsc-options", op_defaults: "op-options" } as const;

/** `property [$id=ID|ID:] [SCORE:] [RULE] NAME=VALUE…`, and the same for `rsc_defaults` and `op_defaults`. */
export function readProperties(reader: TokenReader, type: "property" | "rsc_defaults" | "op_defaults", options: GrammarOptions): Draft {
  const first = reader.peek();
  if (first === undefined) reader.fail("expected name=value");
  if (first?.text.startsWith("id=")) reader.fail("expected $id=ID or ID: for the id of the set", first);
  const named =
    first === undefined || first.quoted ? null : (/^\$id=(.+)$/.exec(first.text)?.[1] ?? /^([^=:]+):$/.exec(first.text)?.[1] ?? null);
  if (named !== null) reader.skip();
  const id = named === null ? DEFAULT_SET_IDS[type] : requireId(named, first?.column ?? 1);
  reader.subject = named === null ? type : `${type} ${id}`;
  const set = readSet(reader, type === "property" ? "cluster_property_set" : "meta_attributes", {
    stop: new Set(),
    options,
    valueRequired: true,
  });
  if (named === null && set.children.length === 0) reader.fail("expected name=value");
  const children = options.spelling === "modern" ? lastValues(set.children) : set.children;
  return { type, id, element: { ...set, attributes: { id, ...set.attributes }, children }, members: [] };
}

/** Of a name that is typed twice the last value counts, in the place of the first. */
function lastValues(pairs: readonly Element[]): Element[] {
  const places = new Map<string, number>();
  const result: Element[] = [];
  for (const pair of pairs) {
    const name = pair.name === "nvpair" ? attributeOf(pair, "name") : undefined;
    const place = name === undefined ? undefined : places.get(name);
    if (place !== undefined) result[place] = pair;
    else {
      if (name !== undefined) places.set(name, result.length);
      result.push(pair);
    }
  }
  return result;
}

/** `fencing_topology [TARGET] DEV[,DEV] …`; TARGET is `NODE:`, `attr:NAME=VALUE` or `pattern:REGEX`. */
export function readTopology(reader: TokenReader, options: GrammarOptions): Draft {
  const levels: Element[] = [];
  let target: Readonly<Record<string, string>> | null = null;
  const everywhere: string[] = [];
  const indexes = new Map<string, number>();
  const add = (place: Readonly<Record<string, string>>, devices: string): void => {
    const key = JSON.stringify(place);
    const index = (indexes.get(key) ?? 0) + 1;
    indexes.set(key, index);
    levels.push(element("fencing-level", { ...place, index: String(index), devices }));
  };
  if (reader.done) reader.fail("expected a fencing device, or a target and its devices");
  while (!reader.done) {
    const token = reader.next("a fencing device");
    const found = readTarget(reader, token);
    if (found !== null) target = found;
    else {
      readDevices(reader, token);
      if (target === null) everywhere.push(token.text);
      else add(target, token.text);
    }
  }
  const nodes = everywhere.length === 0 ? [] : options.nodes();
  if (everywhere.length > 0 && nodes.length === 0) reader.fail("there are no nodes; name a target, such as NODE: or pattern:REGEX");
  for (const node of nodes) for (const devices of everywhere) add({ target: node }, devices);
  if (levels.length === 0) reader.fail("expected a fencing device after the target");
  return { type: "fencing_topology", id: "fencing_topology", element: element("fencing-topology", {}, levels), members: [] };
}

function readTarget(reader: TokenReader, token: Token): Readonly<Record<string, string>> | null {
  const attribute = /^attr:([^=]+)=(.+)$/s.exec(token.text);
  if (attribute !== null) return { "target-attribute": attribute[1] ?? "", "target-value": attribute[2] ?? "" };
  const pattern = /^pattern:(.+)$/s.exec(token.text);
  if (pattern !== null) return { "target-pattern": pattern[1] ?? "" };
  const node = /^(.+):$/s.exec(token.text);
  if (node !== null) return { target: node[1] ?? "" };
  return /^(attr|pattern):/.test(token.text) ? reader.fail("expected attr:NAME=VALUE or pattern:REGEX", token) : null;
}

function readDevices(reader: TokenReader, token: Token): void {
  for (const device of token.text.split(",")) {
    if (device === "") reader.fail("expected DEVICE or DEVICE,DEVICE without blanks", token);
    requireId(device, token.column);
  }
}

const PERMISSION_KINDS = ["read", "write", "deny"];

/** `role ID [description=D] {read|write|deny} [description=D] {xpath:X|ref:ID|type:TAG|SHORTCUT} [attribute:A] …`. */
export function readAclRole(reader: TokenReader): Draft {
  const id = reader.id("the id of the role");
  reader.subject = `role ${id}`;
  const attributes: Record<string, string> = { id };
  if (reader.done) reader.fail("expected read, write or deny");
  const description = reader.takePair("description");
  if (description !== null) attributes["description"] = description;
  const permissions: Element[] = [];
  while (!reader.done) {
    const token = reader.next("read, write or deny");
    const kind = token.text.toLowerCase();
    if (!PERMISSION_KINDS.includes(kind)) reader.fail(`expected read, write or deny${hint(kind, PERMISSION_KINDS)}`, token);
    permissions.push(...readPermission(reader, kind));
  }
  return { type: "role", id, element: element("acl_role", attributes, permissions), members: [] };
}

/** One permission; a reference and a type together make two, the reference first (the older syntax allowed that). */
function readPermission(reader: TokenReader, kind: string): Element[] {
  const base: Record<string, string> = { kind };
  const found: Record<string, string> = {};
  while (!reader.done && !PERMISSION_KINDS.includes(reader.keyword() ?? "")) {
    const description = reader.takePair("description");
    if (description !== null) {
      base["description"] = description;
      continue;
    }
    const token = reader.next("what the rule is about");
    const [name, value] = readSelector(reader, token);
    if (found[name] !== undefined) reader.fail("this is said twice in one rule", token);
    found[name] = value;
  }
  const { xpath, reference, attribute } = found;
  const type = found["object-type"];
  if (attribute !== undefined && type === undefined) reader.fail("attribute: goes with type: only; expected type:TAG");
  const permissions: Element[] = [];
  if (xpath !== undefined) permissions.push(element("acl_permission", { ...base, xpath }));
  if (reference !== undefined) permissions.push(element("acl_permission", { ...base, reference }));
  if (type !== undefined) {
    permissions.push(element("acl_permission", { ...base, "object-type": type, ...(attribute === undefined ? {} : { attribute }) }));
  }
  if (permissions.length === 0) reader.fail("expected xpath:X, ref:ID, type:TAG or a shortcut such as meta:RSC");
  return permissions;
}

function readSelector(reader: TokenReader, token: Token): readonly [string, string] {
  const match = /^(xpath|ref|type|tag|attr|attribute):(.+)$/s.exec(token.text);
  const value = match?.[2] ?? "";
  switch (match?.[1]) {
    case "xpath":
      return ["xpath", value];
    case "ref":
      return ["reference", requireId(value, token.column)];
    case "type":
    case "tag":
      return ["object-type", value];
    case "attr":
    case "attribute":
      return ["attribute", value];
    default: {
      const xpath = token.quoted ? null : expandShortcut(token.text);
      const words = ["xpath", "ref", "type", "attribute", ...SHORTCUT_WORDS];
      return xpath === null
        ? reader.fail(`expected xpath:X, ref:ID, type:TAG or a shortcut${hint(token.text.split(":", 1)[0] ?? "", words)}`, token)
        : ["xpath", xpath];
    }
  }
}

/** `acl_target USER ROLE…`, `acl_group GROUP ROLE…`. */
export function readAclTarget(reader: TokenReader, type: "acl_target" | "acl_group"): Draft {
  const id = reader.id(type === "acl_target" ? "the name of a user" : "the name of a group");
  reader.subject = `${type} ${id}`;
  const roles: Element[] = [];
  while (!reader.done) {
    const token = reader.next("a role");
    roles.push(element("role", { id: requireId(token.text.replace(/^role:/, ""), token.column) }));
  }
  if (roles.length === 0) reader.fail("expected at least one role");
  return { type, id, element: element(type, { id }, roles), members: [] };
}

/** `tag ID[:] OBJ…`. */
export function readTag(reader: TokenReader): Draft {
  const token = reader.next("the id of the tag");
  const id = requireId(token.text.replace(/^id=/, "").replace(/:$/, ""), token.column);
  reader.subject = `tag ${id}`;
  const references: Element[] = [];
  while (!reader.done) {
    const member = reader.next("an object");
    references.push(element("obj_ref", { id: requireId(member.text, member.column) }));
  }
  if (references.length === 0) reader.fail("expected at least one object");
  return { type: "tag", id, element: element("tag", { id }, references), members: [] };
}
