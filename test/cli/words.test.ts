import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs, integerOf, lifetimeEnd } from "../../src/app/cli/arguments.ts";
import { logicalLines, matchName, quoteWord, splitWords } from "../../src/app/cli/words.ts";

describe("words of a command line (shell quoting rules)", () => {
  const cases: readonly [string, string[]][] = [
    ["a b  c", ["a", "b", "c"]],
    ["  ", []],
    ["a 'b c' d", ["a", "b c", "d"]],
    ['x="a b" y', ["x=a b", "y"]],
    ['"a \\" b"', ['a " b']],
    ["a\\ b", ["a b"]],
    ["''", [""]],
    ["'a\\b'", ["a\\b"]],
  ];
  for (const [line, words] of cases) test(line, () => assert.deepEqual(splitWords(line), words));

  test("an open quote is told", () => assert.throws(() => splitWords("a 'b"), /not closed/));

  test("what quoteWord gives, splitWords reads back", () => {
    for (const word of ["a", "a b", "it's", 'say "x"', "", "$id", "a\\b", "#x"])
      assert.deepEqual(splitWords(quoteWord(word)), [word], word);
  });

  test("continued lines are joined, comments and blank lines dropped, numbers kept", () => {
    assert.deepEqual(logicalLines("# c\na \\\n b\n\nc\n"), [
      { line: "a   b", number: 2 },
      { line: "c", number: 5 },
    ]);
  });
});

describe("abbreviation (CRM-CLI §2)", () => {
  const from = [{ name: "resource", aliases: ["rsc"] }, { name: "restart" }, { name: "configure" }, { name: "status" }, { name: "stop" }];
  const found = (word: string): string => {
    const match = matchName(word, from);
    return match.kind === "one" ? match.value.name : match.kind;
  };
  test("the whole name and the alias", () => assert.deepEqual([found("stop"), found("rsc")], ["stop", "resource"]));
  test("a unique prefix", () => assert.equal(found("conf"), "configure"));
  test("an ambiguous prefix is many", () => assert.equal(found("re"), "many"));
  test("letters in order", () => assert.equal(found("cfg"), "configure"));
  test("nothing", () => assert.equal(found("zzz"), "none"));
  test("letters of another first one are no match", () => assert.equal(found("tatus"), "none"));
});

describe("arguments", () => {
  const now = Date.UTC(2026, 0, 31, 12, 0, 0);
  const ends: readonly [string, string | undefined][] = [
    ["PT5M", "2026-01-31T12:05:00Z"],
    ["P1D", "2026-02-01T12:00:00Z"],
    ["P1W", "2026-02-07T12:00:00Z"],
    ["P1DT2H3M4S", "2026-02-01T14:03:04Z"],
    ["P1Y", "2027-01-31T12:00:00Z"],
    ["2026-05-06T07:08:09Z", "2026-05-06T07:08:09Z"],
    ["P", undefined],
    ["n1", undefined],
    ["5", undefined],
  ];
  for (const [word, end] of ends) test(`lifetime ${word}`, () => assert.equal(lifetimeEnd(word, now), end));
  test("durations", () =>
    assert.deepEqual([durationMs("90", "x"), durationMs("5m", "x"), durationMs("250ms", "x")], [90_000, 300_000, 250]));
  test("a bad duration and a bad integer say what was expected", () => {
    assert.throws(() => durationMs("soon", "--ttl"), /--ttl must be a duration/);
    assert.throws(() => integerOf("1.5", "VOTES", 0), /VOTES must be an integer/);
  });
});
