import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { memberId } from "../../src/core/base/index.ts";
import type { Log, LogFields } from "../../src/core/ports/index.ts";
import { checkFileSystem, checkRoom, createStoreDirectory, openStoreDirectory } from "../../src/io/storage/index.ts";
import { hard, IDENTITY, range, textCommands, told, write } from "./harness.ts";

type Line = { readonly level: string; readonly message: string; readonly fields: LogFields };

function collect(): { readonly log: Log; readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, message, fields });
  return { log: { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") }, lines };
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "quorate-store-"));
  try {
    await body(join(home, "store"));
  } finally {
    await rm(home, { recursive: true });
  }
}

const openAt = async (directory: string, log: Log, expected: typeof IDENTITY | null = IDENTITY) => {
  const opened = await openStoreDirectory({
    directory,
    commands: textCommands,
    expected,
    fileSystem: "any",
    now: () => performance.now(),
    log,
  });
  return opened;
};

async function openWell(directory: string, log: Log) {
  const opened = await openAt(directory, log);
  assert.equal(opened.kind, "opened");
  if (opened.kind !== "opened") throw new Error("not opened");
  return opened;
}

test("a new directory is private, becomes a store, is locked while in use, and tells the log what it found", () =>
  inDirectory(async (directory) => {
    const { log, lines } = collect();
    assert.equal((await openAt(directory, log, null)).kind, "new");
    await createStoreDirectory({ directory, identity: IDENTITY, fileSystem: "any" });
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    const { store } = await openWell(directory, log);
    await assert.rejects(openAt(directory, log), (error: { detail: { code: string } }) => error.detail.code === "STORE_LOCKED");
    await store.save(write({ hard: hard(1, 77, 0), entries: range(1, 3, 1) }));
    await store.close();
    const again = await openWell(directory, log);
    assert.deepEqual(told(again.loaded.restored.entries), told(range(1, 3, 1)));
    assert.equal(again.loaded.boot, 2);
    await again.store.close();
    assert.ok(lines.some((line) => line.level === "info" && line.message === "the store is clean" && line.fields["boot"] === 2));
    await assert.rejects(createStoreDirectory({ directory, identity: IDENTITY, fileSystem: "any" }), /a store here already/);
  }));

test("a database that does not open is put aside; what the watermark knows keeps the member's promise", () =>
  inDirectory(async (directory) => {
    const { log, lines } = collect();
    await createStoreDirectory({ directory, identity: IDENTITY, fileSystem: "any" });
    const { store } = await openWell(directory, log);
    await store.save(write({ hard: hard(6, 9, 0), entries: range(1, 3, 6) }));
    await store.close();
    await writeFile(join(directory, "db", "CURRENT"), "MANIFEST-nothing\n");
    const again = await openWell(directory, log);
    assert.equal(again.loaded.finding.kind, "recovering");
    assert.deepEqual([again.loaded.restored.hard.term, again.loaded.restored.hard.vote], [6, memberId(9)]);
    assert.deepEqual(again.loaded.restored.entries, []);
    await again.store.save(write({ entries: range(1, 3, 6), recovered: true }));
    await again.store.close();
    const third = await openWell(directory, log);
    assert.equal(third.loaded.finding.kind, "clean");
    await third.store.close();
    assert.ok((await readdir(directory)).some((name) => name.startsWith("db.damaged-")));
    assert.ok(lines.some((line) => line.level === "error" && /was put aside/.test(line.message)));
    assert.ok(lines.some((line) => line.level === "error" && /does not vote until it has caught up/.test(line.message)));
  }));

test("damage inside a table moves the readable records to a new database, once", () =>
  inDirectory(async (directory) => {
    const { log, lines } = collect();
    await createStoreDirectory({ directory, identity: IDENTITY, fileSystem: "any" });
    const { store } = await openWell(directory, log);
    for (let at = 1; at <= 50; at += 1) await store.save(write({ hard: hard(1, 77, 0), entries: range(at, at, 1) }));
    await store.close();
    const logFile = (await readdir(join(directory, "db"))).find((name) => name.endsWith(".log"));
    const path = join(directory, "db", logFile ?? "");
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
    await writeFile(path, bytes);
    const again = await openWell(directory, log);
    assert.equal(again.loaded.finding.kind, "recovering");
    await again.store.close();
    const third = await openWell(directory, log);
    assert.equal(third.loaded.finding.kind, "recovering", "still not repaired");
    await third.store.close();
    assert.equal((await readdir(directory)).filter((name) => name.startsWith("db.damaged-")).length, 1);
    assert.ok(lines.some((line) => line.level === "warn" && /readable records/.test(line.message)));
  }));

test("a start that died while the copy of a damaged database took its place loses nothing of the copy", () =>
  inDirectory(async (directory) => {
    const { log } = collect();
    await createStoreDirectory({ directory, identity: IDENTITY, fileSystem: "any" });
    const { store } = await openWell(directory, log);
    await store.save(write({ hard: hard(1, 77, 0), entries: range(1, 3, 1) }));
    await store.close();
    await cp(join(directory, "db"), join(directory, "db.new"), { recursive: true });
    await rename(join(directory, "db"), join(directory, "db.damaged-1"));
    const again = await openWell(directory, log);
    assert.equal(again.loaded.finding.kind, "clean");
    assert.deepEqual(told(again.loaded.restored.entries), told(range(1, 3, 1)));
    await again.store.close();
    // Beside a database the copy is what an earlier start left half made.
    await cp(join(directory, "db.damaged-1"), join(directory, "db.new"), { recursive: true });
    const third = await openWell(directory, log);
    assert.equal(third.loaded.finding.kind, "clean");
    await third.store.close();
    assert.equal((await readdir(directory)).includes("db.new"), false);
  }));

test("a wiped directory is amnesia for a member that has a certificate", () =>
  inDirectory(async (directory) => {
    const { log, lines } = collect();
    assert.equal((await openAt(directory, log)).kind, "amnesia");
    assert.ok(lines.some((line) => line.level === "error" && /rejoin under a new member id/.test(line.message)));
  }));

test("file systems without the needed promises are refused by name, unless forced", async () => {
  await assert.rejects(
    checkFileSystem("/proc", "strict"),
    (error: { detail: { code: string } }) => error.detail.code === "STORE_FILE_SYSTEM",
  );
  await assert.rejects(checkFileSystem("/proc", "memory"), /does not trust/);
  await checkFileSystem("/proc", "any");
});

test("a disk that is all but full is refused with what is left and what is needed", async () => {
  await checkRoom("/", 1);
  await assert.rejects(checkRoom("/", Number.MAX_SAFE_INTEGER), (error: { message: string; detail: { code: string } }) => {
    assert.equal(error.detail.code, "STORE_NO_ROOM");
    assert.match(error.message, /^\/ is on a disk with \d+ MiB left; a member needs 8589934591 MiB at least$/);
    return true;
  });
});
