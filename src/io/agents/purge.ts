import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { AgentAction } from "../../core/ports/index.ts";
import type { CgroupTree } from "./cgroup.ts";
import { hasMarkers, listProcesses, type ProcessInfo, signal } from "./processes.ts";
import { unitName } from "./runner.ts";

export type PurgeSettings = {
  /** Value of QUORATE_GUARDIAN of the processes that are ours. */
  readonly guardianId: string;
  readonly cgroups: CgroupTree | null;
  readonly systemdDirectory: string;
};

/**
 * Live processes of a resource: members of its control group, processes started with our markers, their descendants and
 * everything in a session or group that one of them leads. Only a daemon that left its session, was orphaned and overwrote its
 * environment escapes this where no control groups are.
 */
export function processesOf(resource: string, settings: PurgeSettings): ProcessInfo[] {
  const all = listProcesses();
  const markers = [`QUORATE_GUARDIAN=${settings.guardianId}`, `QUORATE_RSC=${resource}`];
  const found = new Set<number>(settings.cgroups?.members(resource) ?? []);
  for (const info of all) if (info.pid !== process.pid && hasMarkers(info.pid, markers)) found.add(info.pid);
  for (let grown = -1; grown !== found.size; ) {
    grown = found.size;
    for (const info of all) {
      if (found.has(info.ppid) || found.has(info.pgid) || found.has(info.sid)) found.add(info.pid);
    }
  }
  found.delete(process.pid);
  return all.filter((info) => found.has(info.pid));
}

const POLL_MS = 10;

/**
 * Kills every process of a resource (SIGKILL, so frozen ones too) until none is left or `timeoutMs` has passed; resolves
 * with the number of those that are left.
 */
export async function purgeResource(action: AgentAction, settings: PurgeSettings, timeoutMs: number): Promise<number> {
  const until = performance.now() + timeoutMs;
  killUnit(action, settings);
  for (;;) {
    settings.cgroups?.kill(action.resource);
    const left = processesOf(action.resource, settings);
    if (left.length === 0) return 0;
    for (const info of left) signal(info.pid, "SIGKILL");
    if (performance.now() >= until) return processesOf(action.resource, settings).length;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A systemd unit's processes are in its own group; systemd is asked to kill them all. */
function killUnit(action: AgentAction, settings: PurgeSettings): void {
  if (action.agentClass !== "systemd" && action.agentClass !== "service") return;
  if (!existsSync(settings.systemdDirectory)) return;
  spawnSync("systemctl", ["kill", "--signal=KILL", unitName(action.type)], { stdio: "ignore", timeout: 300 });
}
