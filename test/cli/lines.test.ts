import assert from "node:assert/strict";
import { test } from "node:test";
import { type TextLine, textLines } from "../../src/app/cli/lines.ts";

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function read(bytes: Uint8Array, size: number, limit = 20): Promise<TextLine[]> {
  const lines: TextLine[] = [];
  for await (const line of textLines(chunksOf(bytes, size), limit)) lines.push(line);
  return lines;
}

const line = (number: number, text: string): TextLine => ({ kind: "line", number, text });
const bad = (number: number, reason: string): TextLine => ({ kind: "bad", number, reason });

test("lines are the same however the bytes arrive", async () => {
  const text = Buffer.from("eins\r\n\nz\u00fcrich\u2028\u{1f40b}\nlast");
  const expected = [line(1, "eins"), line(2, ""), line(3, "z\u00fcrich\u2028\u{1f40b}"), line(4, "last")];
  for (const size of [1, 2, 3, 5, 100]) assert.deepEqual(await read(text, size), expected, `chunks of ${size}`);
  assert.deepEqual(await read(Buffer.from("a\n"), 1), [line(1, "a")]);
  assert.deepEqual(await read(Buffer.from(""), 1), []);
});

test("a line that is no UTF-8, or too long, is told with its number, and those after it are read", async () => {
  const text = Buffer.concat([Buffer.from("one\nd\u00e9j"), Buffer.from([0xe0, 0x20]), Buffer.from(`\nthree\n${"x".repeat(21)}\nfive\n`)]);
  for (const size of [1, 4, 100]) {
    assert.deepEqual(await read(text, size), [
      line(1, "one"),
      bad(2, "column 4 is not valid UTF-8"),
      line(3, "three"),
      bad(4, "a line is longer than 20 bytes"),
      line(5, "five"),
    ]);
  }
  assert.deepEqual(await read(Buffer.from([0xff]), 1), [bad(1, "column 1 is not valid UTF-8")]);
});
