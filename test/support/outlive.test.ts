import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

test("what a killed process has asked for is done after its death", { timeout: 30_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-outlive-"));
  const mark = join(directory, "done");
  const watcher = watch(directory);
  const changed = once(watcher, "change");
  const program = `
    const { afterDeath } = await import(${JSON.stringify(new URL("./outlive.js", import.meta.url).href)});
    afterDeath("touch", [${JSON.stringify(mark)}]);
    console.log("asked");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  assert.ok(!existsSync(mark));
  child.kill("SIGKILL");
  await changed;
  watcher.close();
  assert.ok(existsSync(mark));
  rmSync(directory, { recursive: true });
});
