import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMENT, canonicalText, type Element, sameElement } from "../../src/core/cib/index.ts";
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

test("dashes in a comment are written apart, so that the text can be read again", () => {
  for (const text of ["a -- b", "---", "ends in -", "-", "a--"]) {
    const tree: Element = { name: "a", attributes: {}, children: [{ name: COMMENT, attributes: {}, children: [], text }] };
    const again = parseXml(formatXml(tree));
    assert.equal(again.children[0]?.text?.replaceAll(" ", ""), text.replaceAll(" ", ""));
  }
});

const UNWRITABLE: readonly (readonly [string, Element])[] = [
  ["a control character in a value", { name: "a", attributes: { b: "x\u001by" }, children: [] }],
  ["half a character in a value", { name: "a", attributes: { b: "x\ud83d" }, children: [] }],
  ["a control character in text", { name: "a", attributes: {}, children: [], text: "\u0000" }],
  [
    "a non-character in a comment",
    { name: "a", attributes: {}, children: [{ name: COMMENT, attributes: {}, children: [], text: "\ufffe" }] },
  ],
  ["a name with a blank", { name: "a b", attributes: {}, children: [] }],
  ["a name that begins with a digit", { name: "a", attributes: { "1": "x" }, children: [] }],
  ["a name with a bracket", { name: "a", attributes: { "b>": "x" }, children: [] }],
];
for (const [name, tree] of UNWRITABLE) {
  test(`not written: ${name}`, () => {
    assert.throws(
      () => formatXml(tree),
      (error: unknown) => error instanceof XmlError && error.detail.code === "XML_UNWRITABLE",
    );
  });
}

test("every character that XML can hold survives writing and reading", () => {
  const value = "\t\n\r \u007f\u00e9\u{1f600}\ufffd&<>\"'";
  assert.equal(parseXml(formatXml({ name: "a", attributes: { b: value }, children: [] })).attributes["b"], value);
});
