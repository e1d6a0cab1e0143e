import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readBackup } from "../../src/app/cli/cluster-recovery.ts";
import { makeBackup } from "../../src/app/daemon/backup.ts";
import { logIndex, memberId } from "../../src/core/base/index.ts";
import { apply, emptyState } from "../../src/core/cib/index.ts";
import { FakeDaemon, sampleConfiguration } from "./fake-daemon.ts";

const BUILT = import.meta.url.endsWith(".js");
const MAIN = fileURLToPath(new URL(BUILT ? "../../src/app/cli/main.js" : "../../src/app/cli/main.ts", import.meta.url));

describe("the file of a backup", () => {
  let daemon: FakeDaemon;
  let directory: string;
  let file: string;
  before(async () => {
    daemon = await FakeDaemon.start(sampleConfiguration());
    directory = mkdtempSync(join(tmpdir(), "quorate-backup-"));
    file = join(directory, "shop.backup");
    daemon.answers.set("cluster.backup", () => backup());
  });
  after(async () => {
    await daemon.stop();
    rmSync(directory, { recursive: true });
  });

  function backup(): ReturnType<typeof makeBackup> {
    const command = { kind: "cluster.create", clusterId: "00112233aabbccdd", name: "shop", node: "n1", memberId: memberId(1) } as const;
    const { state } = apply(emptyState(), logIndex(1), { atMs: 1_000, origin: null, command });
    return makeBackup(state, { version: "0.1.0", wallMs: 1_700_000_000_000 });
  }

  /** The program; `kib`: no file of it may grow beyond that, which ends a write like a full disk: short, then refused. */
  function write(path: string, kib: number | null = null): Promise<{ readonly code: number | null; readonly errors: string }> {
    const words = [...(BUILT ? [] : ["--import", "tsx"]), MAIN, "--socket", daemon.socketPath, "cluster", "backup", path];
    const limit = kib === null ? "" : `ulimit -f ${kib};`;
    const child = spawn("bash", ["-c", `${limit} exec "$0" "$@"`, process.execPath, ...words], { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, errors })));
  }

  test("a disk that fills up leaves the backup of before, and nothing beside it", async () => {
    const first = await write(file);
    assert.equal(first.code, 0, first.errors);
    const text = readFileSync(file, "utf8");
    assert.ok(text.length > 1024, `longer than the limit below: ${text.length}`);
    const full = await write(file, 1);
    assert.equal(full.code, 1);
    assert.match(full.errors, /^ERROR: cannot write .*shop\.backup: EFBIG/);
    assert.equal(readFileSync(file, "utf8"), text);
    assert.deepEqual(readdirSync(directory), ["shop.backup"]);
  });

  test("a pipe is not replaced by a file, a directory keeps no secrets beside it", async () => {
    const pipe = join(directory, "pipe");
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    mkdirSync(join(directory, "folder"));
    for (const name of ["pipe", "folder"]) {
      const { code, errors } = await write(join(directory, name));
      assert.deepEqual([code, errors], [1, `ERROR: cannot write ${join(directory, name)}: there is something else than a file\n`]);
    }
    assert.ok(statSync(pipe).isFIFO());
    assert.deepEqual(readdirSync(directory).sort(), ["folder", "pipe", "shop.backup"]);
  });

  test("a damaged head is said, as damage of the content is", () => {
    const whole = JSON.stringify(backup());
    const damaged = join(directory, "damaged");
    for (const [from, to] of [
      ['"createdAtMs"', '"createdAtMr"'],
      ['"index":1,"epoch"', '"index":3,"epoch"'],
    ] as const) {
      assert.ok(whole.includes(from));
      writeFileSync(damaged, whole.replace(from, to));
      assert.throws(() => readBackup(damaged), /is damaged: its head does not fit its content/);
    }
    writeFileSync(damaged, whole);
    assert.equal(readBackup(damaged).createdAt.getTime(), 1_700_000_000_000);
  });
});
