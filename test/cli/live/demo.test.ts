import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** The built demo, whether this test runs built or not. */
function demoProgram(): string {
  let place = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(place, "package.json"))) place = dirname(place);
  return join(place, "dist", "scripts", "demo.js");
}

/** Pids of processes that speak of the directory in arguments or environment. */
function speaking(directory: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory) || readFileSync(`/proc/${pid}/environ`, "utf8").includes(directory)
      );
    } catch {
      // Gone since the listing.
      return false;
    }
  });
}

test("the demo: a frozen node is fenced, the service answers elsewhere, the node returns, nothing is left", {
  timeout: 180_000,
}, async () => {
  const child = spawn(process.execPath, [demoProgram()], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, `${out}\n${errors}`);
  assert.match(out, /^outage: \d+ ms$/m);
  // The order is what matters: nothing is started before the silent node is known to be down.
  const order = ["was noticed", "fencing began", "was confirmed down", "was ordered", "outage:", "is back."].map((part) =>
    out.indexOf(part),
  );
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
    out,
  );
  assert.ok(
    order.every((at) => at >= 0),
    out,
  );
  const directory = /under (\S+)/.exec(out)?.[1];
  assert.ok(directory !== undefined);
  assert.equal(existsSync(directory), false, "the directory is removed");
  assert.deepEqual(speaking(directory), [], "no process is left");
});
