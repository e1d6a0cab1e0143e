import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { badUtf8 } from "../../io/xml/index.ts";
import { CommandError } from "./level.ts";

/** Text that is loaded may be this large (bytes). */
const TEXT_MAX_BYTES = 64 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** Pause before standard input that has nothing yet is read again (milliseconds). */
const AGAIN_MS = 10;
/** A filter has this long (milliseconds). */
const FILTER_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 30_000;

/** Text of a file, of standard input (`-`) or of a URL. */
export async function readSource(source: string): Promise<string> {
  if (/^https?:\/\//.test(source)) {
    const answer = await fetch(source, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) }).catch((error: unknown) => {
      throw new CommandError(`cannot read ${source}: ${reason(error)}`);
    });
    if (!answer.ok) throw new CommandError(`cannot read ${source}: ${answer.status} ${answer.statusText}`);
    return textOf(Buffer.from(await answer.arrayBuffer()), source);
  }
  try {
    // A device or a pipe may never end, so it is not read to its end.
    const bytes = readAtMost(source === "-" ? 0 : source, TEXT_MAX_BYTES + 1);
    if (bytes.length > TEXT_MAX_BYTES) throw new CommandError(`${source} is larger than ${TEXT_MAX_BYTES} bytes`);
    return textOf(bytes, source);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`cannot read ${source}: ${reason(error)}`);
  }
}

/** Text that is no UTF-8 would be taken for something else than was written. */
function textOf(bytes: Buffer, source: string): string {
  const bad = badUtf8(bytes);
  if (bad !== null) throw new CommandError(`${source}: line ${bad.line}, column ${bad.column}: not valid UTF-8`);
  return bytes.toString("utf8");
}

function readAtMost(source: string | number, limitBytes: number): Buffer {
  const file = typeof source === "number" ? source : openSync(source, "r");
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for (;;) {
      const part = Buffer.alloc(Math.min(READ_BYTES, limitBytes - size));
      const count = part.length === 0 ? 0 : readOnce(file, part);
      if (count === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, count));
      size += count;
    }
  } finally {
    if (typeof source !== "number") closeSync(file);
  }
}

function readOnce(file: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(file, into);
    } catch (error) {
      // Standard input that others have made non-blocking, and a terminal's end, say so by an error.
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
}

export function writeTarget(target: string, text: string): void {
  try {
    writeFileSync(target, text);
  } catch (error) {
    throw new CommandError(`cannot write ${target}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a shell command makes of the text. */
export function runFilter(program: string, text: string): string {
  const done = spawnSync("sh", ["-c", program], { input: text, timeout: FILTER_TIMEOUT_MS, maxBuffer: TEXT_MAX_BYTES });
  if (done.error !== undefined) throw new CommandError(`filter: ${reason(done.error)}`);
  if (done.status !== 0) {
    const said = done.stderr.toString("utf8").trim();
    throw new CommandError(`filter: '${program}' ended with ${done.status ?? done.signal}${said === "" ? "" : `: ${said}`}`);
  }
  return textOf(done.stdout, `filter: what '${program}' wrote`);
}

/** Shows the text through a pager. False when there is none. */
export function runPager(text: string, preferred: string): boolean {
  const pager = [preferred, process.env["PAGER"], "less"].find((each) => each !== undefined && each !== "") ?? "less";
  const environment = { ...process.env, LESS: process.env["LESS"] ?? "-FRX" };
  const done = spawnSync("sh", ["-c", pager], { input: text, stdio: ["pipe", "inherit", "inherit"], env: environment });
  // 126 and 127 are the shell's words for a program that cannot be run, or is not there.
  return done.error === undefined && done.status !== 126 && done.status !== 127;
}

/** Lets a person change the text in an editor, `$EDITOR` unless preferences name one; null when it was left as it was. */
export function runEditor(text: string, preferred: string): string | null {
  const editor = [preferred, process.env["EDITOR"], process.env["VISUAL"], "vi"].find((each) => each !== undefined && each !== "") ?? "vi";
  const directory = mkdtempSync(join(tmpdir(), "quorate-edit-"));
  const path = join(directory, "configuration.crm");
  try {
    writeFileSync(path, text, { mode: 0o600 });
    const done = spawnSync("sh", ["-c", `${editor} "$1"`, "sh", path], { stdio: "inherit" });
    if (done.error !== undefined) throw new CommandError(`edit: ${editor}: ${reason(done.error)}`);
    if (done.status !== 0) throw new CommandError(`edit: ${editor} ended with ${done.status ?? done.signal}`);
    const changed = textOf(readFileSync(path), "edit");
    return changed === text ? null : changed;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
