import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { parseXml } from "../../src/io/xml/index.ts";
import { corpusRoot, readCases } from "./conformance/corpus.ts";
import type { Result } from "./fuzz/exceptions.ts";
import { FEATURES, featuresOf } from "./fuzz/features.ts";

/** What the fuzzer counts as a feature is what the corpus means by the tag of that name. */

const root = corpusRoot();
const skip = existsSync(path.join(root, "cases")) ? false : "no shared corpus";

test("the features of the fuzzer are the tags of the corpus", { skip }, () => {
  const tags = new Set([...readCases(root)].flatMap((one) => one.tags));
  assert.deepEqual(FEATURES, [...tags].sort());
});

test("features told by the CIB and the outcome agree with the corpus' tags", { skip }, () => {
  const wrong = new Map<string, number>();
  const cases = [...readCases(root)];
  for (const one of cases) {
    const found = new Set(featuresOf(parseXml(readFileSync(path.join(root, one.input), "utf8")), one.expected as Result));
    for (const feature of FEATURES)
      if (found.has(feature) !== one.tags.includes(feature)) wrong.set(feature, (wrong.get(feature) ?? 0) + 1);
  }
  // Some tags look at more than can be told here: reasons, pseudo actions, or attributes of other tools.
  const often = [...wrong].filter(([, times]) => times > cases.length * 0.04);
  assert.deepEqual(often, []);
});
