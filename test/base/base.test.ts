import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addScores,
  compareText,
  formatScore,
  INFINITY_SCORE,
  InvariantError,
  invariant,
  PersistentMap,
  seededRandom,
  unreachable,
} from "../../src/core/base/index.ts";

const SUMS: readonly (readonly [number, number, number])[] = [
  [1, 2, 3],
  [INFINITY_SCORE, -5, INFINITY_SCORE],
  [INFINITY_SCORE, -INFINITY_SCORE, -INFINITY_SCORE],
  [-INFINITY_SCORE, INFINITY_SCORE, -INFINITY_SCORE],
  [999_999, 2, INFINITY_SCORE],
  [-999_999, -2, -INFINITY_SCORE],
];
for (const [a, b, sum] of SUMS) {
  test(`${a} + ${b} = ${sum} (Pacemaker Explained: Infinity Math)`, () => assert.equal(addScores(a, b), sum));
}

test("scores are written as operators write them", () => {
  assert.deepEqual([INFINITY_SCORE, -INFINITY_SCORE, -7].map(formatScore), ["INFINITY", "-INFINITY", "-7"]);
});

test("a broken invariant is a defect", () => {
  assert.throws(() => invariant(false, "why"), InvariantError);
  assert.throws(() => unreachable("x" as never), InvariantError);
});

test("the generator repeats itself for a seed and stays below its bound", () => {
  const a = seededRandom(7);
  const b = seededRandom(7);
  for (let count = 0; count < 1000; count++) {
    const value = a.below(10);
    assert.equal(value, b.below(10));
    assert.ok(value >= 0 && value < 10);
  }
});

type Edit = { readonly key: string; readonly value: number | null };
const edits = fc.array(fc.record<Edit>({ key: fc.string({ maxLength: 3 }), value: fc.option(fc.nat()) }), { maxLength: 200 });

test("a persistent map holds what an ordinary map holds, in key order, and old versions stay as they were", () => {
  fc.assert(
    fc.property(edits, (list) => {
      let map = PersistentMap.empty<number>();
      const model = new Map<string, number>();
      const versions: { map: PersistentMap<number>; content: (readonly [string, number])[] }[] = [];
      for (const { key, value } of list) {
        map = value === null ? map.delete(key) : map.set(key, value);
        if (value === null) model.delete(key);
        else model.set(key, value);
        versions.push({ map, content: [...model].sort((a, b) => compareText(a[0], b[0])) });
      }
      for (const version of versions) {
        assert.deepEqual([...version.map], version.content);
        assert.equal(version.map.size, version.content.length);
        for (const [key, value] of version.content) assert.equal(version.map.get(key), value);
      }
      for (const { key } of list) assert.equal(map.has(key), model.has(key));
    }),
    { numRuns: 200 },
  );
});

test("a persistent map stays shallow: 20,000 sorted inserts and deletes end in time proportional to n log n", () => {
  let map = PersistentMap.from(Array.from({ length: 20_000 }, (_, at) => [String(at).padStart(6, "0"), at] as const));
  assert.equal(map.size, 20_000);
  for (let at = 0; at < 20_000; at += 2) map = map.delete(String(at).padStart(6, "0"));
  assert.equal(map.size, 10_000);
  assert.equal([...map][0]?.[1], 1);
});
