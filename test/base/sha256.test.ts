import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { seededRandom, sha256 } from "../../src/core/base/index.ts";

const expected = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex");

test("the vectors of FIPS 180-4", () => {
  assert.equal(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.equal(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(
    sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  );
});

test("every length around a block, and text of all planes, as the platform's own", () => {
  const random = seededRandom(11);
  const letters = ["a", "~", "\u00e4", "\u20ac", "\u{1f600}", "\ud800", "\udc00", "\0"];
  for (let length = 0; length < 200; length += 1) {
    assert.equal(sha256("x".repeat(length)), expected("x".repeat(length)), `${length} bytes`);
    const text = Array.from({ length }, () => letters[random.below(letters.length)]).join("");
    assert.equal(sha256(text), expected(text), JSON.stringify(text));
  }
  const long = "0123456789abcdef".repeat(40_000);
  assert.equal(sha256(long), expected(long));
});
