import { attributeOf, COMMENT, type Element } from "../../core/cib/index.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\r": "&#13;",
  "\t": "&#9;",
};

/** Writes an element tree as XML text, two blanks a level, one element a line, ending in a newline. */
export function formatXml(root: Element): string {
  const lines: string[] = [];
  write(root, 0, lines);
  return `${lines.join("\n")}\n`;
}

function write(of: Element, depth: number, lines: string[]): void {
  const indent = "  ".repeat(depth);
  if (of.name === COMMENT) {
    lines.push(`${indent}<!--${of.text ?? ""}-->`);
    return;
  }
  const attributes = Object.keys(of.attributes)
    .map((name) => ` ${name}="${escapeAttribute(attributeOf(of, name) ?? "")}"`)
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

function escapeAttribute(value: string): string {
  return value.replace(/[&<>"\n\r\t]/gu, (char) => ESCAPES[char] ?? char);
}

function escapeText(value: string): string {
  return value.replace(/[&<>]/gu, (char) => ESCAPES[char] ?? char);
}
