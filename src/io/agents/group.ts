import { type ChildProcess, spawn } from "node:child_process";
import { uptime } from "node:os";
import type { Readable } from "node:stream";
import type { ProcessEnd } from "./codes.ts";
import { groupMembers, type ProcessInfo, readProcess, signal } from "./processes.ts";

/** Bytes kept of each of an agent's output streams; the rest is read and dropped. */
export const OUTPUT_MAX_BYTES = 64 * 1024;
/** From SIGTERM to SIGKILL, milliseconds. */
export const TERM_GRACE_MS = 1_000;
/** Longest wait for the kernel to end killed processes (an I/O wait can hold them), milliseconds. */
const REAP_MAX_MS = 2_000;
const REAP_POLL_MS = 10;
/** Of /proc/PID/stat; the same on every Linux that Node runs on. */
const TICKS_PER_S = 100;

export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | null;
  /** `cgroup.procs` of the group that the process enters before it becomes the agent. */
  readonly cgroupFile: string | null;
};

/** A process group of ours. `end` resolves when the leader has exited and, if it was killed, the whole group is gone. */
export type ProcessGroup = {
  readonly pid: number;
  readonly startTicks: number;
  readonly end: Promise<ProcessEnd>;
  /** `term`: SIGTERM, then SIGKILL after `TERM_GRACE_MS`; `kill`: SIGKILL. To the whole group, also when stopped. */
  readonly kill: (how: "term" | "kill") => void;
};

/** Starts a command as leader of its own session and process group; the error text if the system refuses. */
export function spawnGroup(command: Command): ProcessGroup | { readonly error: string } {
  const { file, args } = inGroup(command);
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      detached: true,
      cwd: "/",
      env: command.env,
      stdio: [command.stdin === null ? "ignore" : "pipe", "pipe", "pipe"],
    });
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
  const pid = child.pid;
  if (pid === undefined) {
    // The reason arrives as an event; without a listener it would end this process.
    child.on("error", () => {});
    return { error: `cannot run ${command.file}` };
  }
  const killer = new GroupKiller(pid, null);
  if (command.stdin !== null && child.stdin !== null) {
    // An agent that does not read its input closes it early; that is its right.
    child.stdin.on("error", () => {});
    child.stdin.end(command.stdin);
  }
  return { pid, startTicks: readProcess(pid)?.startTicks ?? 0, end: collect(child, killer), kill: (how) => killer.kill(how) };
}

/** The shell moves itself into the group and then becomes the agent: no process of the agent is ever outside. */
function inGroup(command: Command): { file: string; args: string[] } {
  if (command.cgroupFile === null) return { file: command.file, args: [...command.args] };
  const script = 'echo 0 2>/dev/null >"$0"; exec "$@"';
  return { file: "/bin/sh", args: ["-c", script, command.cgroupFile, command.file, ...command.args] };
}

async function collect(child: ChildProcess, killer: GroupKiller): Promise<ProcessEnd> {
  const stdout = captured(child.stdout);
  const stderr = captured(child.stderr);
  // Exit, never the end of the pipes: a service that the agent started may hold them open for ever.
  const [code, signalName] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on("exit", (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
    child.on("error", () => {});
  });
  await killer.leaderGone();
  await drained([stdout, stderr]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return { code, signal: signalName, stdout: stdout.text, stderr: stderr.text };
}

/** Lets the loop turn until two turns brought nothing: all that the agent wrote before its exit is then read. */
export async function drained(captures: readonly Capture[]): Promise<void> {
  let quietTurns = 0;
  let seen = -1;
  while (quietTurns < 2 && captures.some((capture) => capture.open)) {
    await new Promise((resolve) => setImmediate(resolve));
    const total = captures.reduce((sum, capture) => sum + capture.totalBytes, 0);
    quietTurns = total === seen ? quietTurns + 1 : 0;
    seen = total;
  }
}

/** The first `OUTPUT_MAX_BYTES` of a stream. */
export class Capture {
  readonly #chunks: Buffer[] = [];
  totalBytes = 0;
  open = true;

  add(chunk: Buffer): void {
    const room = OUTPUT_MAX_BYTES - this.totalBytes;
    if (room > 0) this.#chunks.push(chunk.subarray(0, room));
    this.totalBytes += chunk.length;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

/** A stream is read to its end whatever is kept of it, or the agent would block. */
function captured(stream: Readable | null): Capture {
  const capture = new Capture();
  stream?.on("data", (chunk: Buffer) => capture.add(chunk));
  stream?.on("error", () => {});
  stream?.on("close", () => {
    capture.open = false;
  });
  if (stream === null) capture.open = false;
  return capture;
}

/** Ends a process group. */
export class GroupKiller {
  readonly #pgid: number;
  /** `performance.now()` when the action began, of a group that is older than its action. */
  readonly #begunMs: number | null;
  /** What earlier actions left in such a group: not ours to end. */
  #spared: ReadonlySet<number> = new Set();
  #asked = false;
  #timer: NodeJS.Timeout | null = null;
  #leaderGone = false;

  constructor(pgid: number, begunMs: number | null) {
    this.#pgid = pgid;
    this.#begunMs = begunMs;
  }

  kill(how: "term" | "kill"): void {
    // Once the leader is gone and nobody asked before, the group number may belong to the service that the agent started.
    if (this.#leaderGone && !this.#asked) return;
    if (!this.#asked && this.#begunMs !== null) this.#spared = olderThan(this.#begunMs, this.#pgid);
    this.#asked = true;
    if (how === "kill") {
      this.#disarm();
      this.#signal("SIGKILL");
      return;
    }
    this.#signal("SIGTERM");
    // A stopped process gets its SIGTERM only when it runs again.
    this.#signal("SIGCONT");
    this.#timer ??= setTimeout(() => this.#signal("SIGKILL"), TERM_GRACE_MS);
  }

  /** After a kill, waits until the group is empty; members that ignore SIGTERM fall to the armed SIGKILL. */
  async leaderGone(): Promise<void> {
    this.#leaderGone = true;
    if (!this.#asked) return;
    const until = performance.now() + TERM_GRACE_MS + REAP_MAX_MS;
    while (this.#members().length > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, REAP_POLL_MS));
    }
    this.#disarm();
  }

  #members(): ProcessInfo[] {
    return groupMembers(this.#pgid).filter(({ pid }) => !this.#spared.has(pid));
  }

  #signal(name: "SIGTERM" | "SIGKILL" | "SIGCONT"): void {
    if (this.#spared.size === 0) signal(-this.#pgid, name);
    else for (const { pid } of this.#members()) signal(pid, name);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** Members of a group that were there before, except its leader. */
function olderThan(begunMs: number, pgid: number): ReadonlySet<number> {
  const begunTicks = (uptime() - (performance.now() - begunMs) / 1000) * TICKS_PER_S;
  const older = groupMembers(pgid).filter(({ pid, startTicks }) => pid !== pgid && startTicks + 1 < begunTicks);
  return new Set(older.map(({ pid }) => pid));
}
