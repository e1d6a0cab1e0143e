import { isUtf8 } from "node:buffer";

const LINE_END = 0x0a;

/** Line and column, from 1. A column counts UTF-16 units, as editors mostly do. */
export type TextPlace = { readonly line: number; readonly column: number };

/** Where the first byte is that cannot stand there in UTF-8; null for good text. */
export function badUtf8(bytes: Uint8Array): TextPlace | null {
  if (isUtf8(bytes)) return null;
  // No character contains the byte of a line end, so lines can be tried one by one.
  for (let from = 0, line = 1; from <= bytes.length; line++) {
    const end = bytes.indexOf(LINE_END, from);
    const part = bytes.subarray(from, end < 0 ? bytes.length : end);
    if (!isUtf8(part)) return { line, column: new TextDecoder().decode(part).indexOf("\ufffd") + 1 };
    from += part.length + 1;
  }
  return { line: 1, column: 1 };
}
