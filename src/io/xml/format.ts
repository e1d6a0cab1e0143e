import { attributeOf, COMMENT, type Element, isXmlName, unwritableCharacter } from "../../core/cib/index.ts";
import { XmlError } from "./parse.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\r": "&#13;",
  "\t": "&#9;",
};

/**
 * Writes an element tree as XML text, two blanks a level, one element a line, ending in a newline. Two dashes in a comment
 * are written apart, because a comment cannot hold them.
 * @throws XmlError XML_UNWRITABLE for names and characters that XML 1.0 cannot hold: such a text could never be read again
 */
export function formatXml(root: Element): string {
  const lines: string[] = [];
  write(root, 0, lines);
  return `${lines.join("\n")}\n`;
}

function write(of: Element, depth: number, lines: string[]): void {
  const indent = "  ".repeat(depth);
  if (of.name === COMMENT) {
    lines.push(`${indent}<!--${commentText(of.text ?? "")}-->`);
    return;
  }
  requireName(of.name);
  const attributes = Object.keys(of.attributes)
    .map((name) => ` ${requireName(name)}="${escapeAttribute(attributeOf(of, name) ?? "")}"`)
    .join("");
  const text = of.text === undefined ? "" : escapeText(of.text);
  if (of.children.length === 0) {
    lines.push(text === "" ? `${indent}<${of.name}${attributes}/>` : `${indent}<${of.name}${attributes}>${text}</${of.name}>`);
    return;
  }
  lines.push(`${indent}<${of.name}${attributes}>${text}`);
  for (const child of of.children) write(child, depth + 1, lines);
  lines.push(`${indent}</${of.name}>`);
}

function unwritable(message: string): XmlError {
  return new XmlError(message, { code: "XML_UNWRITABLE", line: 0, column: 0 });
}

function requireName(name: string): string {
  if (!isXmlName(name)) throw unwritable(`${JSON.stringify(name)} cannot be a name in XML`);
  return name;
}

function requireCharacters(text: string): string {
  const found = unwritableCharacter(text);
  if (found === null) return text;
  throw unwritable(`the character ${found} cannot stand in XML: ${JSON.stringify(text.slice(0, 80))}`);
}

/** A blank goes between dashes in a row, and after one at the end. */
function commentText(text: string): string {
  return requireCharacters(text)
    .replaceAll(/-(?=-)/g, "- ")
    .replace(/-$/, "- ");
}

function escapeAttribute(value: string): string {
  return requireCharacters(value).replace(/[&<>"\n\r\t]/gu, (char) => ESCAPES[char] ?? char);
}

function escapeText(value: string): string {
  return requireCharacters(value).replace(/[&<>\r]/gu, (char) => ESCAPES[char] ?? char);
}
