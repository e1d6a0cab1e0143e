import { unreachable } from "../base/index.ts";
import type { Draft, GrammarOptions } from "./drafts.ts";
import { readAlert } from "./grammar-alert.ts";
import { readColocation, readLocation, readOrder, readTicket } from "./grammar-constraints.ts";
import { readAclRole, readAclTarget, readNode, readProperties, readTag, readTopology } from "./grammar-others.ts";
import { readBundle, readContainer, readPrimitive } from "./grammar-resources.ts";
import { TokenReader } from "./reader.ts";
import { tokenize } from "./tokens.ts";
import { OBJECT_ALIASES, OBJECT_TYPES, type ObjectType } from "./words.ts";

/** The kind of object that a line beginning with this word defines, or null. Keywords are case-insensitive. */
export function objectTypeOf(word: string): ObjectType | null {
  const lower = word.toLowerCase();
  return OBJECT_TYPES.find((type) => type === lower) ?? OBJECT_ALIASES.get(lower) ?? null;
}

/** Reads a line that defines an object, its keyword included. Throws `CrmError` that points at the word which is wrong. */
export function readObject(type: ObjectType, line: string, options: GrammarOptions): Draft {
  const reader = new TokenReader(tokenize(line).slice(1), type, line.trimEnd().length + 1);
  const draft = readTyped(reader, type, options);
  reader.expectEnd([]);
  return draft;
}

function readTyped(reader: TokenReader, type: ObjectType, options: GrammarOptions): Draft {
  switch (type) {
    case "node":
      return readNode(reader, options);
    case "primitive":
    case "rsc_template":
      return readPrimitive(reader, type, options);
    case "group":
    case "clone":
    case "ms":
      return readContainer(reader, type, options);
    case "bundle":
      return readBundle(reader, options);
    case "location":
      return readLocation(reader, options);
    case "colocation":
      return readColocation(reader, options);
    case "order":
      return readOrder(reader, options);
    case "rsc_ticket":
      return readTicket(reader, options);
    case "fencing_topology":
      return readTopology(reader, options);
    case "property":
    case "rsc_defaults":
    case "op_defaults":
      return readProperties(reader, type, options);
    case "role":
      return readAclRole(reader);
    case "acl_target":
    case "acl_group":
      return readAclTarget(reader, type);
    case "alert":
      return readAlert(reader, options);
    case "tag":
      return readTag(reader);
    default:
      return unreachable(type);
  }
}
