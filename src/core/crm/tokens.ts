import { CrmError } from "./errors.ts";

/** A word of a logical line after shell quoting. `quoted` words are never keywords. */
export type Token = { readonly text: string; readonly column: number; readonly quoted: boolean };

/** A command with the number of its first physical line (1-based); continuations are joined by one blank. */
export type LogicalLine = { readonly text: string; readonly line: number };

/** More than this in one logical line is refused: it is no configuration, it is a mistake (bytes of UTF-16). */
export const LINE_MAX = 1024 * 1024;

/** Joins lines that end in a backslash. A comment line is never continued; a comment inside an `xml` line may be of several lines. */
export function joinLines(text: string): LogicalLine[] {
  const result: LogicalLine[] = [];
  let pending: { text: string; line: number } | null = null;
  const physical = text.split(/\r?\n/);
  physical.forEach((raw, index) => {
    const start: { text: string; line: number } = pending ?? { text: "", line: index + 1 };
    if (isInXmlComment(start.text)) {
      const text = `${start.text}\n${raw}`;
      if (isInXmlComment(text)) {
        pending = { text, line: start.line };
        return;
      }
      pending = endsInContinuation(raw) ? { text: `${text.trimEnd().slice(0, -1).trimEnd()} `, line: start.line } : null;
      if (pending === null) result.push({ text, line: start.line });
      return;
    }
    const isComment = start.text === "" && raw.trimStart().startsWith("#");
    if (!isComment && endsInContinuation(raw)) {
      pending = { text: `${start.text}${raw.trimEnd().slice(0, -1).trimEnd()} `, line: start.line };
      return;
    }
    const text = start.text === "" ? raw : start.text + raw.trimStart();
    pending = isInXmlComment(text) ? { text, line: start.line } : null;
    if (pending === null) result.push({ text, line: start.line });
  });
  const rest = pending as { text: string; line: number } | null;
  if (rest !== null) result.push(rest);
  return result;
}

function isInXmlComment(text: string): boolean {
  return /^\s*xml\s/i.test(text) && text.lastIndexOf("<!--") > text.lastIndexOf("-->");
}

function endsInContinuation(raw: string): boolean {
  const trailing = /\\+$/.exec(raw.trimEnd());
  return trailing !== null && trailing[0].length % 2 === 1;
}

/** Splits by the rules of a shell: blanks separate, '…' is literal, "…" knows \" and \\, a bare backslash takes the next character. */
export function tokenize(line: string): Token[] {
  if (line.length > LINE_MAX) throw new CrmError("CRM_SYNTAX", `the line is longer than ${LINE_MAX} characters`);
  refuseControls(line);
  const tokens: Token[] = [];
  let at = 0;
  while (at < line.length) {
    if (isBlank(line[at])) {
      at += 1;
      continue;
    }
    const word = readWord(line, at);
    tokens.push({ text: word.text, column: at + 1, quoted: word.quoted });
    at = word.end;
  }
  return tokens;
}

/** What XML 1.0 cannot hold must not get into a configuration: it could be written and never read again. */
export function refuseControls(line: string): void {
  for (let at = 0; at < line.length; at += 1) {
    const code = line.charCodeAt(at);
    const isControl = code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d;
    const isLow = code >= 0xdc00 && code <= 0xdfff;
    const isHigh = code >= 0xd800 && code <= 0xdbff;
    const following = isHigh ? line.charCodeAt(at + 1) : 0;
    const isPair = following >= 0xdc00 && following <= 0xdfff;
    if (isControl || code === 0xfffe || code === 0xffff || isLow || (isHigh && !isPair)) {
      throw new CrmError("CRM_SYNTAX", "this character cannot stand in a configuration", {
        column: at + 1,
        near: `U+${code.toString(16).padStart(4, "0")}`,
      });
    }
    if (isPair) at += 1;
  }
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\n" || character === "\r";
}

function readWord(line: string, start: number): { readonly text: string; readonly quoted: boolean; readonly end: number } {
  let text = "";
  let quoted = false;
  let at = start;
  while (at < line.length && !isBlank(line[at])) {
    const character = line[at] ?? "";
    if (character === "'" || character === '"') {
      const inside = readQuoted(line, at);
      text += inside.text;
      at = inside.end;
      quoted = true;
    } else if (character === "\\") {
      if (at + 1 >= line.length) throw new CrmError("CRM_SYNTAX", "a backslash escapes nothing", { column: at + 1, near: "\\" });
      text += line[at + 1];
      at += 2;
    } else {
      text += character;
      at += 1;
    }
  }
  return { text, quoted, end: at };
}

function readQuoted(line: string, start: number): { readonly text: string; readonly end: number } {
  const quote = line[start];
  let text = "";
  let at = start + 1;
  while (at < line.length) {
    const character = line[at] ?? "";
    if (character === quote) return { text, end: at + 1 };
    const next = line[at + 1];
    if (quote === '"' && character === "\\" && (next === '"' || next === "\\")) {
      text += next;
      at += 2;
    } else {
      text += character;
      at += 1;
    }
  }
  throw new CrmError("CRM_SYNTAX", "a quotation mark is not closed", { column: start + 1, near: line.slice(start, start + 20) });
}

/** Values of letters, digits and these are printed bare; the rest goes in double quotes. */
const BARE = /^[A-Za-z0-9_.,:%+@~^-]+$/;

/** A value as `show` prints it, such that `tokenize` gives it back. */
export function quoteValue(value: string): string {
  return BARE.test(value) ? value : `"${escapeQuoted(value)}"`;
}

/** A word that is quoted only where it must be: names, paths, regular expressions. */
export function quoteWord(word: string): string {
  return /^[^\s"'\\]+$/.test(word) && !/^[(){}[\]#]/.test(word) ? word : `"${escapeQuoted(word)}"`;
}

function escapeQuoted(value: string): string {
  return value.replaceAll(/\\(?=[\\"]|$)/g, "\\\\").replaceAll('"', '\\"');
}
