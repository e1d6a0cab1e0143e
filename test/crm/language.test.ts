import assert from "node:assert/strict";
import { test } from "node:test";
import { CrmError, explainError, joinLines, quoteValue, resolveCommand, tokenize } from "../../src/core/crm/index.ts";
import { defineAll, objectIn, sessionOf, threeNodes } from "./support.ts";

/** Lines before `----`, then what `show` prints of the objects that were made (CRM-CLI.md §4). */
const STORIES: readonly (readonly [name: string, story: string])[] = [
  ["an agent without class is ocf:heartbeat", "primitive p Dummy\n----\nprimitive p Dummy"],
  ["a provider alone is an ocf provider", "primitive p pacemaker:Dummy\n----\nprimitive p ocf:pacemaker:Dummy"],
  ["keywords in any case", "PRIMITIVE p Dummy PARAMS fake=1 Meta priority=2\n----\nprimitive p Dummy params fake=1 meta priority=2"],
  [
    "bare times are seconds",
    "primitive p Dummy op monitor interval=10 timeout=20\n----\nprimitive p Dummy op monitor interval=10s timeout=20s",
  ],
  [
    "a monitor without an interval is a probe, and kept as typed",
    "primitive p Dummy op monitor timeout=20\n----\nprimitive p Dummy op monitor timeout=20 interval=0",
  ],
  [
    "names that are no attributes of operations are their parameters",
    "primitive p Dummy op monitor interval=10s OCF_CHECK_LEVEL=10\n----\nprimitive p Dummy op monitor interval=10s op_params OCF_CHECK_LEVEL=10",
  ],
  ["a clone of a primitive interleaves", "primitive p Dummy\nclone c p\n----\nclone c p meta interleave=true\nprimitive p Dummy"],
  ["a clone of a group does not", "primitive p Dummy\ngroup g p\nclone c g\n----\nclone c g\ngroup g p\nprimitive p Dummy"],
  [
    "legacy roles get their new names",
    "primitive a Dummy\nprimitive b Dummy\ncolocation x inf: a b:Master\n----\ncolocation x inf: a b:Promoted\nprimitive a Dummy\nprimitive b Dummy",
  ],
  [
    "a set of its own for each role",
    "primitive a Dummy\nprimitive b Dummy\nprimitive c Dummy\ncolocation x inf: a b:Started c\n----\ncolocation x inf: a b:Started c\nprimitive a Dummy\nprimitive b Dummy\nprimitive c Dummy",
  ],
  [
    "old order scores are kinds",
    "primitive a Dummy\nprimitive b Dummy\norder x 0: a b\n----\norder x Optional: a b\nprimitive a Dummy\nprimitive b Dummy",
  ],
  [
    "constraints follow a resource into its group",
    "primitive a Dummy\nprimitive b Dummy\nlocation l a 100: node1\ngroup g a b\n----\ngroup g a b\nlocation l g 100: node1\nprimitive a Dummy\nprimitive b Dummy",
  ],
  [
    "a constraint inside one group says nothing and goes",
    "primitive a Dummy\nprimitive b Dummy\norder o a b\ngroup g a b\n----\ngroup g a b\nprimitive a Dummy\nprimitive b Dummy",
  ],
  [
    "a set of an object that is typed later",
    "primitive a Dummy meta $id-ref=b\nprimitive b Dummy meta priority=3\n----\nprimitive a Dummy meta $id-ref=b-meta_attributes\nprimitive b Dummy meta priority=3",
  ],
  [
    "rules on agents and operations",
    "op_defaults slow: rule rsc type=Dummy and op name=monitor timeout=1m\n----\nop_defaults slow: rule rsc type=Dummy and op name=monitor timeout=1m",
  ],
  [
    "a comparison with a parameter",
    "primitive p Dummy\nlocation l p rule 100: site eq $param=fake\n----\nlocation l p rule 100: site eq $param=fake\nprimitive p Dummy",
  ],
  [
    "a date range with only an end",
    "primitive p Dummy\nlocation l p rule 100: date in end=2030-01-01\n----\nlocation l p rule 100: date in end=2030-01-01\nprimitive p Dummy",
  ],
  [
    "a range with an end and the fields of a duration",
    "primitive p Dummy\nlocation l p rule 100: date in start=2026-01-01 end=2027-01-01 hours=3\n----\nlocation l p rule 100: date in start=2026-01-01 end=2027-01-01 hours=3\nprimitive p Dummy",
  ],
  [
    "a parameter of an operation without a value",
    "primitive p Dummy op monitor interval=10s verbose\n----\nprimitive p Dummy op monitor interval=10s op_params verbose",
  ],
  [
    "the score of a set is kept as it is typed",
    "primitive p Dummy params INFINITY: fake=1\n----\nprimitive p Dummy params INFINITY: fake=1",
  ],
  [
    "the role of a location also with a dollar",
    "primitive p Dummy\nlocation l p $role=Master 100: node1\n----\nlocation l p role=Promoted 100: node1\nprimitive p Dummy",
  ],
  [
    "a setting is about the whole list without brackets, whatever follows",
    "primitive a Dummy\nprimitive b Dummy\nprimitive c Dummy\norder o a b sequential=false c\n----\norder o ( a b c )\nprimitive a Dummy\nprimitive b Dummy\nprimitive c Dummy",
  ],
  ["an alert about all attributes", "alert a /x select nodes attributes { }\n----\nalert a /x select nodes attributes { }"],
  ["a selection of nothing, and attributes of the alert itself", "alert a /x select attributes y=1\n----\nalert a /x attributes y=1"],
  ["a role of access rights may be empty", "role r description=later\n----\nrole r description=later"],
  ["an id after the score of a set is a pair with an id", "primitive p Dummy meta 5: $id=a\n----\nprimitive p Dummy meta 5: id=a"],
  [
    "values with quotes, backslashes and blanks",
    'primitive p Dummy params a="x \\"y\\" z" b=\'c\\d\' c=""\n----\nprimitive p Dummy params a="x \\"y\\" z" b="c\\d" c=""',
  ],
  [
    "letters outside ASCII are shown as XML",
    'primitive p Dummy params a=ž\n----\nxml <primitive id="p" class="ocf" provider="heartbeat" type="Dummy"> <instance_attributes id="p-instance_attributes"> <nvpair name="a" value="&#382;" id="p-instance_attributes-a"/> </instance_attributes> </primitive>',
  ],
];

for (const [name, story] of STORIES) {
  test(name, () => {
    const [typed = "", shown = ""] = story.split("\n----\n");
    const session = defineAll(typed.split("\n"), sessionOf(threeNodes()));
    const text = session.show([], { wrap: false, obscure: [] });
    const lines = text
      .replaceAll(/\s*\\\n\s*/g, " ")
      .trim()
      .split("\n");
    const own = lines.filter((line) => !/^(node \d|property cib-bootstrap)/.test(line));
    assert.deepEqual(own.sort(), shown.split("\n").sort());
  });
}

/** A line, the column that is pointed at, and what is said to be expected. */
const MISTAKES: readonly (readonly [line: string, column: number | null, message: RegExp])[] = [
  ["primitive", 10, /expected the id of the primitive/],
  ["primitive 1p Dummy", 11, /an id begins with a letter/],
  ["primitive p", 12, /expected an agent/],
  ["primitive p ocf:heartbeat:Dummy:x", 13, /expected ocf:PROVIDER:TYPE/],
  ["primitive p Dummy op monitor interval=10s OCF_CHECK_LEVEL=1 timeout=5", 61, /must come before its parameters/],
  ["primitive p Dummy op monitor interval=soon", null, /no duration/],
  ["primitive p Dummy params fake=1 ) x", 33, /expected name=value/],
  ['primitive p Dummy params fake="a', 31, /quotation mark is not closed/],
  ["location l p rule 100: #uname like node1", 31, /expected a comparison/],
  ["location l p rule 100: #uname eq node1 and defined a or defined b", 54, /cannot be mixed/],
  ["location l p rule string:inf: defined x", 19, /expected a score/],
  ["primitive p Dummy params fake =1", 31, /without blanks around the =/],
  ["colocation c inf: (a b) c", 19, /brackets stand apart/],
  ["location l p rule 100: date around 2026", 29, /expected lt, gt, in or spec/],
  ["location l p rule 100: date spec fortnights=1", 34, /at least one of/],
  ["location l // inf: node1", 12, /regular expression is empty/],
  ["colocation c inf: a ( b ( c ) )", 25, /cannot be nested/],
  ["colocation c inf: a ( b", 24, /expected '\)'/],
  ["colocation c inf: a:Bos b", 19, /'Bos' is no role/],
  ["order o Mandatry: a b", 9, /did you mean 'Mandatory'/],
  ["rsc_ticket t A: p loss-policy=shrug", 19, /expected loss-policy=stop\|demote\|fence\|freeze/],
  ["role r raed xpath:/cib", 8, /did you mean 'read'/],
  ["alert a /x to { /y", 19, /expected '}'/],
  ["tag t:", 7, /at least one object/],
  ["property stonith-enabled", 10, /expected name=value/],
  ["fencing_topology", 17, /expected a fencing device/],
  ["primitive p Dummy params fake=a\u0000b", 32, /cannot stand in a configuration/],
  ["primitive p Dummy params fake=\ud800", 31, /cannot stand in a configuration/],
  ["group g", 8, /at least one resource/],
  ["node n:banana", 6, /no type of node/],
  ["role r", 7, /expected read, write or deny/],
  ["primitive p OCF:heartbeat:Dummy", 13, /expected ocf:TYPE/],
  ["primitive p stonith:ssh:x", 13, /expected stonith:TYPE/],
  ["primitive p Dummy params a:b", 26, /expected name=value/],
  ["primitive p Dummy params 5: 6: fake=1", 29, /expected name=value/],
  ["primitive p Dummy meta priority=1 op_params x=1", 35, /belongs to an operation/],
  ["primitive p Dummy op monitor interval=10s timeout", 43, /expected name=value, op_params/],
  ["location l p 100: node1 role=Started", 25, /expected the end of the line/],
  ["location l p rule $role=Promoted $id=x 100: #uname eq node1", 34, /the id comes before the role/],
  ["location l p rule 100: #uname Eq node1", 31, /expected a comparison/],
  ["location l p rule 100: a NUMBER:gt 1", 26, /expected one of string/],
  ["location l p rule 100: Defined a", 32, /expected a comparison/],
  ["primitive p Dummy params rule defined fake=1", 39, /expected the name of a node attribute/],
  ["location l p rule 100: defined a Or defined b", 34, /expected 'or'/],
  ["colocation c inf: a b node-attribute=x node-attribute=y", 40, /said twice/],
  ["property id=x maintenance-mode=true", 10, /expected \$id=ID or ID:/],
];

for (const [line, column, message] of MISTAKES) {
  test(`refuses '${line}'`, () => {
    const session = sessionOf(threeNodes());
    const before = session.configuration;
    assert.throws(
      () => defineAll([line], session),
      (error: unknown) => {
        assert.ok(error instanceof CrmError);
        assert.match(error.message, message);
        assert.equal(error.detail.column, column, explainError(error, line).join("\n"));
        return true;
      },
    );
    assert.equal(session.configuration, before, "a refused line changes nothing");
  });
}

test("an error shows the line with a mark under the word", () => {
  const error = new CrmError("CRM_SYNTAX", "expected x", { column: 5, near: "b" });
  assert.deepEqual(explainError(error, "aaa b"), ["expected x near 'b'", "  aaa b", "      ^"]);
});

test("text that is loaded names the line of the mistake", () => {
  const session = sessionOf(threeNodes());
  assert.throws(
    () => session.load("primitive a Dummy\n\ngroup g\n", "crm", "update"),
    (error: unknown) => error instanceof CrmError && error.detail.line === 3,
  );
  assert.equal(objectIn(session.configuration, "a"), undefined, "nothing of the text was taken");
});

test("words are split as a shell does", () => {
  const words = (line: string): string[] => tokenize(line).map((token) => token.text);
  assert.deepEqual(words('a  \'b c\' "d \\" e" f\\ g h"i"\'j\''), ["a", "b c", 'd " e', "f g", "hij"]);
  for (const value of ["plain", "with blank", 'quo"te', "back\\slash", "end\\", '\\"', "", "a=b", "#x"]) {
    assert.deepEqual(words(`x=${quoteValue(value)}`), [`x=${value}`], value);
  }
});

test("lines are joined by a backslash, and comments inside an xml line may be long", () => {
  const text = "primitive a \\\n\tDummy\n# no \\\nxml <tag id='t'> \\\n  <!-- one\n  two --> \\\n  </tag>\nnode b";
  assert.deepEqual(
    joinLines(text).map(({ text: line, line: number }) => [number, line.replaceAll(/ +/g, " ")]),
    [
      [1, "primitive a Dummy"],
      [3, "# no \\"],
      [4, "xml <tag id='t'> <!-- one\n two --> </tag>"],
      [8, "node b"],
    ],
  );
});

test("commands: exactly, by a unique beginning, by letters in order", () => {
  const commands = ["primitive", "property", "refresh", "rename", "get_property"];
  assert.deepEqual(resolveCommand("x", "PRIMITIVE", commands), { command: "primitive", exact: true });
  assert.deepEqual(resolveCommand("x", "get-property", commands), { command: "get_property", exact: true });
  assert.deepEqual(resolveCommand("x", "ref", commands), { command: "refresh", exact: false });
  assert.deepEqual(resolveCommand("x", "primitve", commands), { command: "primitive", exact: false });
  assert.throws(() => resolveCommand("x", "pr", commands), /ambiguous; it could be primitive, property/);
  assert.throws(() => resolveCommand("x", "frobnicate", commands), /x\.frobnicate: No such command/);
});
