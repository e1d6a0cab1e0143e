import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import type { AgentAction } from "../../core/ports/index.ts";
import type { ProcessEnd } from "./codes.ts";
import { Capture, type Command, drained, GroupKiller, type ProcessGroup, spawnGroup } from "./group.ts";
import { readProcess } from "./processes.ts";

/** Shells kept at once; further monitors are spawned one by one. */
const SHELLS_MAX = 64;
/** What comes around less often is spawned: a shell takes 0.2 MB all the time. Milliseconds. */
const INTERVAL_MAX_MS = 60_000;
/** A shell that was not used for this long is ended, milliseconds. */
const UNUSED_MS = 3 * INTERVAL_MAX_MS;

/** A line in, one run, its exit code out; the agent has no part in that. When the guardian is gone the line ends, and the loop. */
const LOOP = 'while read -r _ <&3; do "$@" 3>&-; echo "$?" >&3; done';
/** What a shell says of a process that a signal ended. */
const SIGNALLED = 128;

/**
 * Recurring monitors. A process as large as ours pays dearly for each fork, page tables and all, a shell next to nothing: so each
 * of them has a small shell of its own, with its environment ready, which runs the agent once for every line it gets. The shell
 * leads the session and group that the agent runs in.
 */
export class RepeatShells {
  readonly #shells = new Map<string, Shell>();
  #sweptMs = 0;

  /** Is this an action that comes around often enough? */
  fits(action: AgentAction): boolean {
    return action.operation === "monitor" && action.intervalMs > 0 && action.intervalMs <= INTERVAL_MAX_MS;
  }

  run(action: AgentAction, command: Command): ProcessGroup | { readonly error: string } {
    this.#sweep();
    const key = `${action.resource}\0${action.operation}\0${action.intervalMs}`;
    const signature = JSON.stringify(command);
    let shell = this.#shells.get(key);
    if (shell?.signature !== signature || !shell.isFree) {
      if (shell !== undefined) this.#end(key, shell);
      shell = this.#shells.size < SHELLS_MAX && isForShell(command) ? startShell(command, signature) : undefined;
      if (shell === undefined) return spawnGroup(command);
      this.#shells.set(key, shell);
    }
    return shell.run();
  }

  /** Something else happens to the resource: a stopped one keeps nothing, not even a waiting shell. */
  forget(resource: string): void {
    for (const [key, shell] of this.#shells) if (key.startsWith(`${resource}\0`)) this.#end(key, shell);
  }

  #sweep(): void {
    const nowMs = performance.now();
    if (nowMs - this.#sweptMs < INTERVAL_MAX_MS) return;
    this.#sweptMs = nowMs;
    for (const [key, shell] of this.#shells) if (!shell.isFree || nowMs - shell.usedMs > UNUSED_MS) this.#end(key, shell);
  }

  #end(key: string, shell: Shell): void {
    // A run under way goes on to its end; there is no next one.
    shell.end();
    this.#shells.delete(key);
  }
}

/** Shells drop variables that they could not name. */
function isForShell(command: Command): boolean {
  return command.stdin === null && command.cgroupFile === null && Object.keys(command.env).every((name) => /^[A-Za-z_]\w*$/.test(name));
}

function startShell(command: Command, signature: string): Shell | undefined {
  let child: ChildProcess;
  try {
    child = spawn("/bin/sh", ["-c", LOOP, "sh", command.file, ...command.args], {
      detached: true,
      cwd: "/",
      env: command.env,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
  } catch {
    return undefined;
  }
  child.on("error", () => {});
  return child.pid === undefined ? undefined : new Shell(child, child.pid, signature);
}

type RunEnd = Pick<ProcessEnd, "code" | "signal">;
type Run = {
  readonly stdout: Capture;
  readonly stderr: Capture;
  readonly killer: GroupKiller;
  readonly ended: (end: RunEnd) => void;
};

class Shell {
  readonly signature: string;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #startTicks: number;
  readonly #line: Duplex;
  #run: Run | null = null;
  #answer = "";
  #gone = false;
  usedMs = 0;

  constructor(child: ChildProcess, pid: number, signature: string) {
    this.#child = child;
    this.#pid = pid;
    this.#startTicks = readProcess(pid)?.startTicks ?? 0;
    this.signature = signature;
    this.#line = child.stdio[3] as Duplex;
    this.#line.on("data", (chunk: Buffer) => this.#onAnswer(chunk));
    for (const stream of [this.#line, child.stdout, child.stderr]) stream?.on("error", () => {});
    // What nobody waits for is read all the same, or whoever writes it would block.
    child.stdout?.on("data", (chunk: Buffer) => this.#run?.stdout.add(chunk));
    child.stderr?.on("data", (chunk: Buffer) => this.#run?.stderr.add(chunk));
    child.on("exit", (_code, signalName) => {
      this.#gone = true;
      this.#run?.ended({ code: null, signal: signalName ?? "SIGKILL" });
    });
  }

  get isFree(): boolean {
    return this.#run === null && !this.#gone;
  }

  run(): ProcessGroup {
    this.usedMs = performance.now();
    const killer = new GroupKiller(this.#pid, this.usedMs);
    const end = this.#collect(killer);
    this.#line.write("\n");
    const kill = (how: "term" | "kill"): void => {
      if (this.#run?.killer !== killer) return;
      this.#gone = true;
      killer.kill(how);
    };
    return { pid: this.#pid, startTicks: this.#startTicks, end, kill };
  }

  end(): void {
    this.#gone = true;
    if (this.#run === null) this.#close();
    else this.#line.end();
  }

  async #collect(killer: GroupKiller): Promise<ProcessEnd> {
    const stdout = new Capture();
    const stderr = new Capture();
    const { code, signal } = await new Promise<RunEnd>((ended) => {
      this.#run = { stdout, stderr, killer, ended };
    });
    await killer.leaderGone();
    await drained([stdout, stderr]);
    this.#run = null;
    const end = { code, signal, stdout: stdout.text, stderr: stderr.text };
    if (this.#gone) this.#close();
    return end;
  }

  #onAnswer(chunk: Buffer): void {
    this.#answer += chunk.toString("latin1");
    if (!this.#answer.endsWith("\n")) return;
    const code = Number.parseInt(this.#answer, 10);
    this.#answer = "";
    this.#run?.ended(endOf(code));
  }

  /** The shell's loop ends with its line. Whoever still writes to the pipes gets what writers to a gone reader get. */
  #close(): void {
    this.#line.destroy();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }
}

function endOf(code: number): RunEnd {
  const [signal] = Object.entries(constants.signals).find(([, number]) => number === code - SIGNALLED) ?? [];
  return signal === undefined ? { code, signal: null } : { code: null, signal };
}
