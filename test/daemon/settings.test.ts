import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readSettings } from "../../src/app/daemon/settings.ts";
import { readSettings as readGuardianSettings } from "../../src/app/guardian/settings.ts";

test("a settings file that cannot be read is told from one that is wrong", () => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-settings-"));
  const programs = [
    { file: "quorated.json", read: () => readSettings({ directory, node: "n1", listen: [], logLevel: null }) },
    { file: "guardian.json", read: () => readGuardianSettings({ directory, node: "n1", selfFence: "kill", logLevel: null }) },
  ];
  for (const { file, read } of programs) {
    writeFileSync(join(directory, file), "{oops");
    assert.throws(read, new RegExp(`${file} is not valid JSON: .`));
    rmSync(join(directory, file));
    mkdirSync(join(directory, file));
    assert.throws(read, new RegExp(`${file} cannot be read: EISDIR`));
  }
  rmSync(directory, { recursive: true });
});
