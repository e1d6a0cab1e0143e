import { badUtf8 } from "../../io/xml/index.ts";

const LINE_END = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line of a text without its end (`\n` or `\r\n`), or why it is none. Lines are counted from 1. */
export type TextLine =
  | { readonly kind: "line"; readonly number: number; readonly text: string }
  | { readonly kind: "bad"; readonly number: number; readonly reason: string };

/**
 * The lines of a stream of bytes. One that is longer than `limitBytes`, or no UTF-8, is told and skipped: nothing is
 * read as something else than was written, and no line takes more memory than the limit.
 */
export async function* textLines(input: AsyncIterable<Uint8Array | string>, limitBytes: number): AsyncGenerator<TextLine> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let number = 0;
  const take = (part: Uint8Array): void => {
    size += part.length;
    if (size <= limitBytes) parts.push(part);
    else parts = [];
  };
  const finish = (): TextLine => {
    number += 1;
    const line = size > limitBytes ? tooLong(number, limitBytes) : lineOf(number, Buffer.concat(parts));
    parts = [];
    size = 0;
    return line;
  };
  for await (const chunk of input) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    let from = 0;
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, from)) {
      take(bytes.subarray(from, end));
      yield finish();
      from = end + 1;
    }
    if (from < bytes.length) take(bytes.subarray(from));
  }
  if (size > 0) yield finish();
}

function tooLong(number: number, limitBytes: number): TextLine {
  return { kind: "bad", number, reason: `a line is longer than ${limitBytes} bytes` };
}

function lineOf(number: number, bytes: Buffer): TextLine {
  const bad = badUtf8(bytes);
  if (bad !== null) return { kind: "bad", number, reason: `column ${bad.column} is not valid UTF-8` };
  const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  return { kind: "line", number, text: bytes.toString("utf8", 0, end) };
}
