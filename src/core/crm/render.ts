import { attributeOf, COMMENT, canonicalText, type Element, element, withAttributes, withChildren } from "../cib/index.ts";
import type { GrammarOptions } from "./drafts.ts";
import { CrmError } from "./errors.ts";
import { objectTypeOf, readObject } from "./grammar.ts";
import {
  renderAclRole,
  renderAlert,
  renderColocation,
  renderLocation,
  renderNode,
  renderOrder,
  renderProperties,
  renderReferences,
  renderTicket,
  renderTopology,
} from "./render-others.ts";
import { type Pieces, renderBundle, renderContainer, renderPrimitive } from "./render-resources.ts";
import { NotSayable, type RenderOptions } from "./render-sets.ts";
import { withoutSecrets } from "./secrets.ts";
import { type CrmObject, membersOf, withoutMembers } from "./tree.ts";
import { RESOURCE_ELEMENTS } from "./words.ts";
import { xmlPieces } from "./xml-text.ts";

export type ShowOptions = RenderOptions & {
  /** Long lines are broken at their sections. */
  readonly wrap: boolean;
  readonly nodes: readonly string[];
};

/** The text of one object: comments, then its logical line. `form` says whether the language had words for it. */
export type Rendered = { readonly text: string; readonly form: "crm" | "xml" };

/** An object in the language where the language can say all of it, else as an `xml` line. */
export function renderObject(object: CrmObject, options: ShowOptions): Rendered {
  const comments = object.element.children.filter((child) => child.name === COMMENT);
  const pieces = comments.every((comment) => isLineComment(comment)) ? sayObject(object, options) : null;
  if (pieces === null) return { text: xmlLine(object, options), form: "xml" };
  const lines = comments.map((comment) => (comment.text ?? "").trim());
  return { text: [...lines, joinPieces(pieces, options.wrap)].join("\n"), form: "crm" };
}

/** Sets of defaults look alike in both sections, so their line carries the section. */
function xmlLine(object: CrmObject, options: ShowOptions): string {
  const of = withoutSecrets(withoutDefaults(object.element), options.obscured);
  const whole = object.section === "rsc_defaults" || object.section === "op_defaults" ? element(object.section, {}, [of]) : of;
  return `xml ${xmlPieces(whole).join(" \\\n  ")}`;
}

function isLineComment(comment: Element): boolean {
  const text = (comment.text ?? "").trim();
  return text.startsWith("#") && !/[\r\n]/.test(text);
}

function joinPieces(pieces: Pieces, wrap: boolean): string {
  return pieces.join(wrap ? " \\\n\t" : " ");
}

/** Where operators are mixed, crmsh leaves out the `boolean-op="and"` around the other one; it is the default. */
function withoutDefaults(of: Element): Element {
  const nested = of.name === "rule" && of.children.some((child) => child.name === "rule" && attributeOf(child, "boolean-op") === "or");
  const children = of.children.map(withoutDefaults);
  const own = nested && attributeOf(of, "boolean-op") === "and" ? withAttributes(of, { "boolean-op": null }) : of;
  return withChildren(own, children);
}

/** The pieces of the object's line if reading them again gives the same object, else null. */
function sayObject(object: CrmObject, options: ShowOptions): Pieces | null {
  try {
    const plain = { ...options, obscured: () => false };
    const line = joinPieces(sayTyped(object, plain), false);
    if (!isPlainText(line) || !saysTheSame(object, line, options.nodes)) return null;
    return sayTyped(object, options);
  } catch (error) {
    if (error instanceof NotSayable || error instanceof CrmError) return null;
    throw error;
  }
}

/** Only printable ASCII goes into the language; crmsh does the same, so that texts survive any terminal. */
function isPlainText(line: string): boolean {
  return /^[\x20-\x7E]*$/.test(line);
}

function sayTyped(object: CrmObject, options: ShowOptions): Pieces {
  const of = withoutComments(object.element);
  switch (object.type) {
    case "node":
      return renderNode(of, options);
    case "primitive":
    case "rsc_template":
      return renderPrimitive(of, object.type, options);
    case "group":
    case "clone":
    case "ms":
      return renderContainer(of, object.type, options);
    case "bundle":
      return renderBundle(of, options);
    case "location":
      return renderLocation(of, options);
    case "colocation":
      return renderColocation(of);
    case "order":
      return renderOrder(of);
    case "rsc_ticket":
      return renderTicket(of);
    case "fencing_topology":
      return renderTopology(of, options.nodes);
    case "property":
    case "rsc_defaults":
    case "op_defaults":
      return renderProperties(of, object.type, options);
    case "role":
      return renderAclRole(of);
    case "acl_target":
    case "acl_group":
    case "tag":
      return renderReferences(of, object.type);
    case "alert":
      return renderAlert(of, options);
    default:
      throw new NotSayable(object.element.name);
  }
}

function withoutComments(of: Element): Element {
  return withChildren(
    of,
    of.children.filter((child) => child.name !== COMMENT),
  );
}

function saysTheSame(object: CrmObject, line: string, nodes: readonly string[]): boolean {
  const options: GrammarOptions = { spelling: "verbatim", nodes: () => nodes, warn: () => {} };
  const type = objectTypeOf(/^\S+/.exec(line)?.[0] ?? "");
  if (type === null) return false;
  const draft = readObject(type, line, options);
  const of = withoutComments(object.element);
  const members = membersOf(of).map((member) => attributeOf(member, "id"));
  if (draft.members.join(" ") !== members.join(" ")) return false;
  return canonicalText(meaningOf(draft.element, true)) === canonicalText(meaningOf(withoutMembers(of), true));
}

const NAMED_BY_ID: ReadonlySet<string> = new Set(["operations", "resource_ref", "obj_ref", "role"]);

/**
 * What is compared: nested ids are generated, so they do not count (but for those the language shows); the order of rules
 * before pairs in a resource and of fencing levels says nothing; neither does an expression's `type="string"` that
 * `show` leaves out.
 */
function meaningOf(of: Element, top: boolean): Element {
  let children = of.children.filter((child) => !RESOURCE_ELEMENTS.has(child.name)).map((child) => meaningOf(child, false));
  if (!top && children.some((child) => child.name === "rule") && children.some((child) => child.name === "nvpair")) {
    children = [...children.filter((child) => child.name === "rule"), ...children.filter((child) => child.name !== "rule")];
  }
  if (of.name === "fencing-topology") children = sortedLevels(children);
  const keepId = top || NAMED_BY_ID.has(of.name);
  const silentType =
    of.name === "expression" && attributeOf(of, "type") === "string" && !(attributeOf(of, "attribute") ?? "").startsWith("#");
  return withChildren(withAttributes(of, { ...(keepId ? {} : { id: null }), ...(silentType ? { type: null } : {}) }), children);
}

function sortedLevels(levels: readonly Element[]): Element[] {
  const keyed = levels.map((level) => ({ level, key: canonicalText(level) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map((each) => each.level);
}
