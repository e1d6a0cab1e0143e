import { readdirSync, readFileSync } from "node:fs";

/** One process as /proc/PID/stat tells it. `startTicks` (since boot) makes a pid unique within a boot. */
export type ProcessInfo = {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  /** `R S D T t Z X`; Z and X hold no memory, files or addresses: they count as gone. */
  readonly state: string;
  readonly startTicks: number;
};

/** Reads the text of /proc/PID/stat. The command name may hold spaces and parentheses, so fields count from its last `)`. */
export function parseStat(text: string): ProcessInfo | null {
  const nameEnd = text.lastIndexOf(")");
  if (nameEnd < 0) return null;
  const fields = text.slice(nameEnd + 2).split(" ");
  const numberAt = (index: number): number => Number.parseInt(fields[index] ?? "", 10);
  const info = {
    pid: Number.parseInt(text, 10),
    state: fields[0] ?? "",
    ppid: numberAt(1),
    pgid: numberAt(2),
    sid: numberAt(3),
    startTicks: numberAt(19),
  };
  return Number.isNaN(info.pid) || Number.isNaN(info.startTicks) ? null : info;
}

/** The process, or null when there is none (any more). */
export function readProcess(pid: number): ProcessInfo | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(text);
}

/** Is exactly this process (not a later one with its pid) still alive? */
export function isAlive(pid: number, startTicks: number): boolean {
  const info = readProcess(pid);
  return info !== null && info.startTicks === startTicks && !isGone(info);
}

export function isGone(info: ProcessInfo): boolean {
  return info.state === "Z" || info.state === "X";
}

/** All live processes that this process may see. Costs one small read each, so use it only when something is to be killed. */
export function listProcesses(): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const info = readProcess(Number(name));
    if (info !== null && !isGone(info)) found.push(info);
  }
  return found;
}

/** Does the environment that the process was started with hold every `NAME=value`? False for processes that overwrote it. */
export function hasMarkers(pid: number, markers: readonly string[]): boolean {
  const text = readOrNull(`/proc/${pid}/environ`);
  if (text === null) return false;
  const held = new Set(text.split("\0"));
  return markers.every((marker) => held.has(marker));
}

/** Live members of a process group. */
export function groupMembers(pgid: number): ProcessInfo[] {
  return listProcesses().filter((info) => info.pgid === pgid);
}

/** Sends a signal to a process (or, negative, a group); false when nothing was there to get it. */
export function signal(pid: number, name: "SIGTERM" | "SIGKILL" | "SIGCONT"): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")) return false;
    throw error;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process ended between the listing and the read, or belongs to somebody else: either way not ours to count.
    return null;
  }
}
