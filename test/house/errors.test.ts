import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../support/repository.ts";

const PATTERNS = [/\bcode: "([A-Z][A-Z0-9_]{3,})"/gu, /\bfault\("([A-Z][A-Z0-9_]+)"/gu, /\bRequestError\("([A-Z][A-Z0-9_]+)"/gu];

test("every error code of the source is explained in docs/errors.md", () => {
  const root = repository();
  const explained = readFileSync(join(root, "docs/errors.md"), "utf8");
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const codes = new Set<string>();
  for (const file of files) {
    const source = readFileSync(join(root, "src", file), "utf8");
    for (const pattern of PATTERNS) for (const match of source.matchAll(pattern)) codes.add(match[1] ?? "");
  }
  assert.ok(codes.size > 50, "the patterns find the codes");
  const missing = [...codes].filter((code) => !explained.includes(`\`${code}\``)).sort();
  assert.deepEqual(missing, []);
});
