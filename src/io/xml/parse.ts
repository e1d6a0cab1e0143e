import { SaxesParser } from "saxes";
import { QuorateError } from "../../core/base/index.ts";
import { COMMENT, type Element } from "../../core/cib/index.ts";
import { badUtf8, type TextPlace } from "./utf8.ts";

/** Limits of one document. A cluster of 100 nodes and 5,000 resources with full history stays well below them. */
export const XML_SIZE_MAX_BYTES = 256 * 1024 * 1024;
export const XML_DEPTH_MAX = 64;
export const XML_ATTRIBUTE_MAX_CHARS = 1024 * 1024;

export type XmlErrorDetail = {
  readonly code: "XML_SYNTAX" | "XML_TOO_LARGE" | "XML_TOO_DEEP" | "XML_NOT_UTF8" | "XML_DOCTYPE" | "XML_UNWRITABLE";
  /** Both 0 where there is no text yet (XML_UNWRITABLE). */
  readonly line: number;
  readonly column: number;
};

export class XmlError extends QuorateError<XmlErrorDetail> {
  override readonly name = "XmlError";
}

type Open = {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  readonly line: number;
  text: string;
};

/**
 * Reads one XML document into an element tree. Comments are kept (trimmed) inside the root, processing instructions
 * and white space between elements are dropped, the text content of an element is kept when it is not blank. A document
 * type is refused, so no entity can expand ("billion laughs").
 * @throws XmlError naming line and column
 */
export function parseXml(source: string | Uint8Array): Element {
  const text = typeof source === "string" ? source : decodeUtf8(source);
  if (text.length > XML_SIZE_MAX_BYTES) {
    throw new XmlError(`the document is larger than ${XML_SIZE_MAX_BYTES} bytes`, { code: "XML_TOO_LARGE", line: 1, column: 1 });
  }
  const reader = new TreeReader();
  return reader.read(text);
}

class TreeReader {
  readonly #parser = new SaxesParser({ xmlns: false, position: true });
  readonly #stack: Open[] = [];
  #root: Element | null = null;
  #startLine = 1;

  constructor() {
    const parser = this.#parser;
    parser.on("error", (error) => {
      throw this.#fault("XML_SYNTAX", describe(error.message));
    });
    parser.on("doctype", () => {
      throw this.#fault("XML_DOCTYPE", "a document type declaration is not accepted");
    });
    parser.on("opentagstart", () => {
      this.#startLine = parser.line;
    });
    parser.on("opentag", (tag) => this.#open(tag.name, tag.attributes));
    parser.on("closetag", () => this.#close());
    parser.on("text", (part) => this.#text(part));
    parser.on("cdata", (part) => this.#text(part));
    parser.on("comment", (part) => this.#comment(part));
  }

  read(text: string): Element {
    this.#parser.write(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text).close();
    if (this.#root === null) throw this.#fault("XML_SYNTAX", "the document has no element");
    return this.#root;
  }

  #open(name: string, attributes: Record<string, string>): void {
    if (this.#stack.length >= XML_DEPTH_MAX)
      throw this.#fault("XML_TOO_DEEP", `<${name}>: elements are nested deeper than ${XML_DEPTH_MAX}`);
    for (const [key, value] of Object.entries(attributes)) {
      if (value.length > XML_ATTRIBUTE_MAX_CHARS) {
        throw this.#fault("XML_TOO_LARGE", `attribute "${key}" of <${name}> is longer than ${XML_ATTRIBUTE_MAX_CHARS} characters`);
      }
    }
    this.#stack.push({ name, attributes: { ...attributes }, children: [], line: this.#startLine, text: "" });
  }

  #close(): void {
    const open = this.#stack.pop();
    if (open === undefined) return;
    const { name, attributes, children, line } = open;
    const text = open.text.trim();
    const done: Element = text === "" ? { name, attributes, children, line } : { name, attributes, children, line, text };
    const parent = this.#stack.at(-1);
    if (parent === undefined) this.#root = done;
    else parent.children.push(done);
  }

  #text(part: string): void {
    const top = this.#stack.at(-1);
    if (top !== undefined) top.text += part;
  }

  #comment(part: string): void {
    this.#stack.at(-1)?.children.push({ name: COMMENT, attributes: {}, children: [], text: part.trim(), line: this.#parser.line });
  }

  #fault(code: XmlErrorDetail["code"], message: string): XmlError {
    const line = this.#parser.line;
    const column = this.#parser.column + 1;
    return new XmlError(`line ${line}, column ${column}: ${message}`, { code, line, column });
  }
}

/** The parser prefixes its messages with the position, which the error names in our own form. */
function describe(message: string): string {
  return message.replace(/^(?:[^:]*:)?\d+:\d+: /u, "");
}

function decodeUtf8(bytes: Uint8Array): string {
  const bad = badUtf8(bytes);
  if (bad !== null) throw notUtf8(bytes, bad);
  return new TextDecoder().decode(bytes);
}

const LINE_END = 0x0a;
const TAG_BEGIN = 0x3c;

/** Names the element that the bytes are in, too. */
function notUtf8(bytes: Uint8Array, { line, column }: TextPlace): XmlError {
  let from = 0;
  for (let above = 1; above < line; above++) from = bytes.indexOf(LINE_END, from) + 1;
  const tag = bytes.lastIndexOf(TAG_BEGIN, from + column);
  const name = /^<([A-Za-z_][\w.-]*)/.exec(new TextDecoder().decode(bytes.subarray(tag, tag + 100)))?.[1];
  const within = name === undefined ? "" : `<${name}>: `;
  return new XmlError(`line ${line}, column ${column}: ${within}the document is not valid UTF-8`, { code: "XML_NOT_UTF8", line, column });
}
