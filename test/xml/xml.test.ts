import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMENT, canonicalText, sameElement } from "../../src/core/cib/index.ts";
import { formatXml, parseXml, XML_DEPTH_MAX, XmlError } from "../../src/io/xml/index.ts";

test("text and tree convert into each other", () => {
  const text = '<cib epoch="1">\n  <!--why-->\n  <primitive id="a&amp;&quot;&#10;b" type="x"/>\n  <v>one &lt; two</v>\n</cib>\n';
  const tree = parseXml(text);
  assert.equal(formatXml(tree), text);
  assert.equal(tree.children[0]?.name, COMMENT);
  assert.equal(tree.children[1]?.line, 3);
  assert.ok(sameElement(tree, parseXml(formatXml(tree))));
});

test("canonical text does not depend on attribute order or lines", () => {
  assert.equal(canonicalText(parseXml('<a b="1" c="2"/>')), canonicalText(parseXml('\n\n<a c="2" b="1"/>')));
  assert.notEqual(canonicalText(parseXml('<a b="1"/>')), canonicalText(parseXml('<a b="2"/>')));
});

test("names of object members are ordinary attribute names", () => {
  const tree = parseXml('<a constructor="1" toString="2"/>');
  assert.equal(tree.attributes["constructor"], "1");
});

const REFUSED: readonly (readonly [string, string | Uint8Array, string, number])[] = [
  ["an unclosed element", "<a>\n<b>\n</a>", "XML_SYNTAX", 3],
  ["no element", "  ", "XML_SYNTAX", 1],
  ["text after the end", "<a/>x", "XML_SYNTAX", 1],
  ["an unknown entity", "<a>&lol;</a>", "XML_SYNTAX", 1],
  ["expanding entities", '<!DOCTYPE a [<!ENTITY l "ll"><!ENTITY m "&l;&l;">]>\n<a>&m;</a>', "XML_DOCTYPE", 1],
  ["deep nesting", "<a>".repeat(XML_DEPTH_MAX + 1), "XML_TOO_DEEP", 1],
  ["a very long attribute", `<a b="${"x".repeat(2_000_000)}"/>`, "XML_TOO_LARGE", 1],
  ["bytes that are not UTF-8", new Uint8Array([0x3c, 0x61, 0xff, 0x2f, 0x3e]), "XML_NOT_UTF8", 1],
  ["a duplicate attribute", '<a b="1" b="2"/>', "XML_SYNTAX", 1],
];
for (const [name, source, code, line] of REFUSED) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => parseXml(source),
      (error: unknown) => error instanceof XmlError && error.detail.code === code && error.detail.line === line,
    );
  });
}
