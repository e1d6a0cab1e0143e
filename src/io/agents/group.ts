import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { ProcessEnd } from "./codes.ts";
import { groupMembers, readProcess, signal } from "./processes.ts";

/** Bytes kept of each of an agent's output streams; the rest is read and dropped. */
export const OUTPUT_MAX_BYTES = 64 * 1024;
/** From SIGTERM to SIGKILL, milliseconds. */
export const TERM_GRACE_MS = 1_000;
/** Longest wait for the kernel to end killed processes (an I/O wait can hold them), milliseconds. */
const REAP_MAX_MS = 2_000;
const REAP_POLL_MS = 10;

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
  const killer = new GroupKiller(pid);
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
  const stdout = new Capture(child.stdout);
  const stderr = new Capture(child.stderr);
  // Exit, never the end of the pipes: a service that the agent started may hold them open for ever.
  const [code, signalName] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on("exit", (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
    child.on("error", () => {});
  });
  await killer.leaderGone();
  await drained([stdout, stderr]);
  return { code, signal: signalName, stdout: stdout.close(), stderr: stderr.close() };
}

/** Lets the loop turn until two turns brought nothing: all that the agent wrote before its exit is then read. */
async function drained(captures: readonly Capture[]): Promise<void> {
  let quietTurns = 0;
  let seen = -1;
  while (quietTurns < 2 && captures.some((capture) => capture.open)) {
    await new Promise((resolve) => setImmediate(resolve));
    const total = captures.reduce((sum, capture) => sum + capture.totalBytes, 0);
    quietTurns = total === seen ? quietTurns + 1 : 0;
    seen = total;
  }
}

/** The first `OUTPUT_MAX_BYTES` of a stream. It is read to its end all the same, or the agent would block. */
class Capture {
  readonly #stream: Readable | null;
  readonly #chunks: Buffer[] = [];
  totalBytes = 0;
  open = true;

  constructor(stream: Readable | null) {
    this.#stream = stream;
    stream?.on("data", (chunk: Buffer) => {
      const room = OUTPUT_MAX_BYTES - this.totalBytes;
      if (room > 0) this.#chunks.push(chunk.subarray(0, room));
      this.totalBytes += chunk.length;
    });
    stream?.on("error", () => {});
    stream?.on("close", () => {
      this.open = false;
    });
    if (stream === null) this.open = false;
  }

  close(): string {
    this.#stream?.destroy();
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

class GroupKiller {
  readonly #pgid: number;
  #asked = false;
  #timer: NodeJS.Timeout | null = null;
  #leaderGone = false;

  constructor(pgid: number) {
    this.#pgid = pgid;
  }

  kill(how: "term" | "kill"): void {
    // Once the leader is gone and nobody asked before, the group number may belong to the service that the agent started.
    if (this.#leaderGone && !this.#asked) return;
    this.#asked = true;
    if (how === "kill") {
      this.#disarm();
      signal(-this.#pgid, "SIGKILL");
      return;
    }
    signal(-this.#pgid, "SIGTERM");
    // A stopped process gets its SIGTERM only when it runs again.
    signal(-this.#pgid, "SIGCONT");
    this.#timer ??= setTimeout(() => signal(-this.#pgid, "SIGKILL"), TERM_GRACE_MS);
  }

  /** After a kill, waits until the group is empty; members that ignore SIGTERM fall to the armed SIGKILL. */
  async leaderGone(): Promise<void> {
    this.#leaderGone = true;
    if (!this.#asked) return;
    const until = performance.now() + TERM_GRACE_MS + REAP_MAX_MS;
    while (groupMembers(this.#pgid).length > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, REAP_POLL_MS));
    }
    this.#disarm();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
