import assert from "node:assert/strict";
import { test } from "node:test";
import { CrmError, EditSession, explainError, hideSecrets, highlight, namesSecret, SECRET_NAMES } from "../../src/core/crm/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";
import { defineAll, policyFiles, readConfiguration, sessionOf, threeNodes } from "./support.ts";

const HIDDEN: readonly (readonly [typed: string, shown: string])[] = [
  ["primitive a Dummy params passwd=geheim fake=1", "primitive a Dummy params passwd=****** fake=1"],
  ['primitive a Dummy params password="x y" fake=1', "primitive a Dummy params password=****** fake=1"],
  ["params 'passwd=x y' z", "params 'passwd=******' z"],
  ['params "passwd=x \\" y" z', 'params "passwd=******" z'],
  ['params passwd="not closed', "params passwd=******"],
  ["params passwd=a\\ b c", "params passwd=****** c"],
  ["params $p1:passwd=x y", "params $p1:passwd=****** y"],
  ['<nvpair name="passwd" value="x" id="i"/>', '<nvpair name="passwd" value="******" id="i"/>'],
  ['<nvpair value="x" id="i" name="passwd"/>', '<nvpair value="******" id="i" name="passwd"/>'],
  ["params fake=passwd x=1", "params fake=passwd x=1"],
];

for (const [typed, shown] of HIDDEN) {
  test(`'${typed}' is shown without the secret`, () => assert.equal(hideSecrets(typed, SECRET_NAMES).text, shown));
}

test("an error points at the word and not at the secret before it", () => {
  const session = sessionOf(threeNodes());
  for (const line of [
    "primitive a Dummy params passwd=verysecretindeed ) x",
    'primitive a Dummy params passwd="verysecretindeed',
    "primitive a Dummy params passwd=verysecret\u0000indeed",
  ]) {
    assert.throws(
      () => defineAll([line], session),
      (error: unknown) => {
        assert.ok(error instanceof CrmError);
        const [message = "", source = "", mark = ""] = explainError(error, line);
        assert.ok(!`${message}${source}`.includes("secret") && !source.includes("indeed"), source);
        if (line.includes(")")) assert.equal(source[mark.indexOf("^")], ")");
        return true;
      },
    );
  }
});

test("a mistake in loaded text shows its line with a mark", () => {
  const session = sessionOf(threeNodes());
  assert.throws(
    () => session.load("primitive a Dummy\nprimitive b \\\n  Dummy params passwd=x op\n", "crm", "update"),
    (error: unknown) => {
      assert.ok(error instanceof CrmError);
      const lines = explainError(error, "");
      assert.match(lines[0] ?? "", /^line 2: primitive b: expected the name of an operation.* at the end of the line$/);
      assert.equal(lines.length, 3);
      assert.equal((lines[2] ?? "").indexOf("^"), (lines[1] ?? "").length);
      return true;
    },
  );
});

test("no screen shows a secret, as text, as XML, or as an xml line; what is saved keeps it", () => {
  const session = sessionOf(threeNodes());
  defineAll(["primitive a Dummy params passwd=geheim fake=1"], session);
  // Letters beyond ASCII make an xml line of it.
  session.defineXml(
    'xml <primitive id="b" class="ocf" provider="heartbeat" type="Dummy" description="für alle"><instance_attributes id="b-p"><nvpair id="b-pw" name="passwd" value="geheim"/></instance_attributes></primitive>',
  );
  for (const words of [[], ["xml"], ["a"], ["xml", "a"], ["b"]]) {
    assert.doesNotMatch(session.show(words, { wrap: true, obscure: SECRET_NAMES }), /geheim/, words.join(" "));
    assert.match(session.show(words, { wrap: true, obscure: [] }), /geheim/);
  }
  const before = session.configuration;
  session.replaceSelected([], session.show([], { wrap: true, obscure: SECRET_NAMES }));
  assert.equal(session.show(["xml"], { wrap: true, obscure: [] }).match(/geheim/g)?.length, 2, "what was hidden comes back");
  assert.deepEqual(session.configuration, before);
});

test("a hidden value that comes back where there is none to keep is an error, and nothing is lost unseen", () => {
  const session = new EditSession({ configuration: threeNodes(), parseXml });
  session.load('primitive a Dummy params passwd="******"\n', "crm", "update");
  const [finding] = session.verify();
  assert.deepEqual([finding?.severity, finding?.code, finding?.object], ["error", "BAD_VALUE", "a"]);
});

test("lines that speak of a secret are known", () => {
  for (const line of ["resource param a set passwd x", "set a.passwd x", "primitive a Dummy passwd=x", 'xml <nvpair name="password"/>'])
    assert.ok(namesSecret(line, SECRET_NAMES), line);
  assert.ok(!namesSecret("primitive pass Dummy", SECRET_NAMES));
});

test("highlighting only cuts: the pieces of every shown configuration of the corpus joined are the text", () => {
  for (const path of policyFiles().slice(0, 200)) {
    const text = sessionOf(readConfiguration(path)).show([], { wrap: true, obscure: [] });
    assert.equal(
      highlight(text)
        .map((piece) => piece.text)
        .join(""),
      text,
      path,
    );
  }
});

test("words are coloured by what they are", () => {
  const kinds = (text: string): string[] =>
    highlight(text).flatMap(({ kind, text: piece }) => (kind === "plain" ? [] : [`${piece}:${kind}`]));
  assert.deepEqual(kinds("order o Mandatory: a b:start symmetrical=false"), [
    "order:keyword",
    "o:identifier",
    "Mandatory::score",
    "a:resource_reference",
    "b:start:resource_reference",
    "symmetrical:attr_name",
    "false:attr_value",
  ]);
  assert.deepEqual(kinds('primitive p @t \\\n\tparams x="a b" $id-ref=q'), [
    "primitive:keyword",
    "p:identifier",
    "@t:id_reference",
    "params:keyword",
    "x:attr_name",
    '"a b":attr_value',
    "$id-ref:attr_name",
    "q:id_reference",
  ]);
  assert.deepEqual(kinds("rsc_ticket t ticketA: a\n# primitive x\ngroup g a"), [
    "rsc_ticket:keyword",
    "t:identifier",
    "ticketA::ticket",
    "a:resource_reference",
    "group:keyword",
    "g:identifier",
    "a:resource_reference",
  ]);
  assert.deepEqual(kinds("xml <tag id='t'> \\\n  <obj_ref id='a'/> \\\n</tag>\nnode n"), ["node:keyword", "n:identifier"]);
});
