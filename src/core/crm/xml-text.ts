import { COMMENT, type Element } from "../cib/index.ts";

/** How elements are written as XML. `pretty` breaks lines; `line` gives the pieces of one `xml` line of the language. */

function escapeAttribute(text: string, ascii: boolean): string {
  const escaped = text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(/[\n\r\t]/g, (character) => `&#${character.charCodeAt(0)};`);
  return ascii ? escaped.replaceAll(/[^ -~]/gu, (character) => `&#${character.codePointAt(0)};`) : escaped;
}

function openingTag(of: Element, ascii: boolean): string {
  const attributes = Object.entries(of.attributes).map(([name, value]) => ` ${name}="${escapeAttribute(value, ascii)}"`);
  return `<${of.name}${attributes.join("")}`;
}

function commentText(of: Element): string {
  return `<!--${(of.text ?? "").replaceAll("--", "- -")}-->`;
}

/** The tags of an element, one a piece, in ASCII: non-ASCII letters as character references. */
export function xmlPieces(of: Element, depth = 0): string[] {
  const indent = "  ".repeat(depth);
  if (of.name === COMMENT) return [indent + commentText(of)];
  const content = of.text === undefined || of.text.trim() === "" ? "" : escapeAttribute(of.text.trim(), true);
  if (of.children.length === 0 && content === "") return [`${indent}${openingTag(of, true)}/>`];
  const inner = of.children.flatMap((child) => xmlPieces(child, depth + 1));
  return [`${indent}${openingTag(of, true)}>${content}`, ...inner, `${indent}</${of.name}>`];
}

/** The element as an XML document fragment of several lines, two blanks of indentation a level. */
export function prettyXml(of: Element, depth = 0): string {
  const indent = "  ".repeat(depth);
  if (of.name === COMMENT) return `${indent}${commentText(of)}\n`;
  const content = of.text === undefined || of.text.trim() === "" ? "" : escapeAttribute(of.text.trim(), false);
  const opening = indent + openingTag(of, false);
  if (of.children.length === 0) return content === "" ? `${opening}/>\n` : `${opening}>${content}</${of.name}>\n`;
  return `${opening}>${content}\n${of.children.map((child) => prettyXml(child, depth + 1)).join("")}${indent}</${of.name}>\n`;
}
