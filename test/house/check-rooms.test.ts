import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkRooms } from "../../scripts/check-rooms.ts";
import { repository } from "../support/repository.ts";

const FIXTURE = join(repository(), "test/fixtures/rooms");

function planted(): string[] {
  const expected: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(FIXTURE, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (entry.name.endsWith(".ts")) {
        const lines = readFileSync(join(FIXTURE, path), "utf8").split("\n");
        lines.forEach((text, at) => {
          const rule = /\/\/ expect ([a-z-]+)/u.exec(text)?.[1];
          if (rule !== undefined) expected.push(`${path}:${at + 1}: ${rule}`);
        });
      }
    }
  };
  visit("src");
  return [
    ...expected,
    "src/app/daemon:0: no-readme",
    "src/core/base/tsconfig.json:0: core-types",
    "src/core/policy/tsconfig.json:0: core-types",
    "src/core/policy/tsconfig.json:0: references",
    "src/core/stranger:0: unknown-room",
    "src/io/api:0: no-door",
    "src/io/wire/tsconfig.json:0: references",
  ].sort();
}

test("every planted offence is caught, and nothing else", () => {
  const found = checkRooms(FIXTURE).map(({ file, line, rule }) => `${file}:${line}: ${rule}`);
  assert.deepEqual(found.sort(), planted());
});

test("seeing no files is a failure", () => {
  const empty = mkdtempSync(join(tmpdir(), "rooms-"));
  try {
    assert.deepEqual(
      checkRooms(empty).map(({ rule }) => rule),
      ["no-files"],
    );
  } finally {
    rmSync(empty, { recursive: true });
  }
});
