import type { AgentClass, AgentOutcome } from "../../core/ports/index.ts";

/** Exit codes of OCF resource agents (OCF 1.1: exit codes; 190 and 191 are Pacemaker's degraded states). */
export const OCF = {
  ok: 0,
  generic: 1,
  args: 2,
  unimplemented: 3,
  permission: 4,
  installed: 5,
  configured: 6,
  notRunning: 7,
  runningPromoted: 8,
  failedPromoted: 9,
  degraded: 190,
  degradedPromoted: 191,
} as const;

const OCF_MAX = 199;
export const EXIT_REASON_PREFIX = "ocf-exit-reason:";
/** Longest reason kept, characters; it travels through the replicated log. */
export const REASON_MAX = 512;

/** How a process ended, as the kernel told. */
export type ProcessEnd = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** OCF code and, where the code itself is not the agent's own word, why. */
export type Mapped = { readonly code: number; readonly note: string | null };

/** Translates the end of an agent process into OCF's codes, by class and operation. */
export function mapExit(agentClass: AgentClass, operation: string, end: ProcessEnd): Mapped {
  if (end.code === null) return { code: OCF.generic, note: `the agent was killed by ${end.signal ?? "a signal"}` };
  switch (agentClass) {
    case "ocf":
      return mapOcf(end.code);
    case "lsb":
    case "service":
      return { code: mapLsb(operation, end.code), note: null };
    case "stonith":
      return { code: mapFence(operation, end.code), note: null };
    case "systemd":
      return { code: mapSystemctl(end.code), note: null };
  }
}

/** OCF agents speak OCF; what lies outside its range is a generic error (a shell's 255, for example). */
export function mapOcf(code: number): Mapped {
  if (code >= 0 && code <= OCF_MAX) return { code, note: null };
  return { code: OCF.generic, note: `the agent ended with ${code}, which OCF does not know` };
}

/**
 * LSB 5.0 "Init Script Actions". `status` 1 and 2 (dead, with a pid file or a lock) are "not running" as for Pacemaker;
 * 4 (unknown) is an error. For other operations 7 means "not running", which is success for a stop.
 */
export function mapLsb(operation: string, code: number): number {
  if (operation === "monitor" || operation === "status") {
    if (code === 0) return OCF.ok;
    return code >= 1 && code <= 3 ? OCF.notRunning : OCF.generic;
  }
  if (code === 7) return operation === "stop" ? OCF.ok : OCF.notRunning;
  return code >= 0 && code <= 6 ? code : OCF.generic;
}

/** Fence agents: 0 done (status: on), 2 status: off, anything else an error (FenceAgentAPI.md). */
export function mapFence(operation: string, code: number): number {
  if (code === 0) return OCF.ok;
  return code === 2 && operation === "status" ? OCF.notRunning : OCF.generic;
}

/** Exit codes of `systemctl start|stop` (systemctl(1): 4 and 5 say that the unit does not exist). */
export function mapSystemctl(code: number): number {
  if (code === 0) return OCF.ok;
  if (code === 4 || code === 5) return OCF.installed;
  return OCF.generic;
}

/** What a unit's state says about the resource; `wait`: it is on its way, ask again. */
export function mapUnitState(properties: Readonly<Record<string, string>>): Mapped | "wait" {
  if (properties["LoadState"] === "not-found") return { code: OCF.installed, note: "the unit does not exist" };
  if (properties["LoadState"] === "masked") return { code: OCF.installed, note: "the unit is masked" };
  switch (properties["ActiveState"]) {
    case "active":
    case "reloading":
    case "refreshing":
      return { code: OCF.ok, note: null };
    case "activating":
    case "deactivating":
    case "maintenance":
      return "wait";
    case "failed":
      return { code: OCF.notRunning, note: `the unit failed (${properties["Result"] ?? "unknown"})` };
    default:
      return { code: OCF.notRunning, note: null };
  }
}

/** Reads the `NAME=value` lines of `systemctl show`. */
export function readProperties(text: string): Record<string, string> {
  const properties: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) properties[line.slice(0, at)] = line.slice(at + 1);
  }
  return properties;
}

/** The last `ocf-exit-reason:` line, else null (OCF 1.1: the prefix comes from OCF_EXIT_REASON_PREFIX). */
export function exitReason(stderr: string): string | null {
  let reason: string | null = null;
  for (const line of stderr.split("\n")) {
    const at = line.indexOf(EXIT_REASON_PREFIX);
    if (at >= 0 && line.length > at + EXIT_REASON_PREFIX.length) reason = line.slice(at + EXIT_REASON_PREFIX.length).trim();
  }
  return reason === null || reason === "" ? null : printable(reason.slice(0, REASON_MAX));
}

/** Reasons become part of the status, which must stay writable as XML: control characters become blanks, half characters U+FFFD. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replaceAll(/[\u0000-\u001F\u007F\uFFFE\uFFFF]+/g, " ").replaceAll(/\p{Surrogate}/gu, "\uFFFD");
}

/** The last line that says anything; what a fence agent or an init script has instead of a reason. */
export function lastLine(text: string): string | null {
  const lines = text.split("\n").map((line) => line.trim());
  const last = lines.findLast((line) => line !== "");
  return last === undefined ? null : printable(last.slice(0, REASON_MAX));
}

/** Values that must not leave the agent: parameters named like secrets. Short ones would blot out ordinary words. */
export function secretValues(params: Readonly<Record<string, string>>): string[] {
  return Object.entries(params)
    .filter(([name, value]) => /pass|secret|token|private|credential|key/i.test(name) && value.length >= 4)
    .map(([, value]) => value);
}

/** Replaces each secret by `****`. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "****"), text);
}

/** Operations whose standard output is their result. */
const TALKING = new Set(["meta-data", "metadata", "list", "list-status", "status"]);
/** What is kept of other operations' output, characters: it goes into a replicated log. */
const OUTPUT_KEPT = 2_048;

/** Puts mapped code, reason and output together. */
export function exitedOutcome(
  from: { readonly agentClass: AgentClass; readonly operation: string; readonly params: Readonly<Record<string, string>> },
  end: ProcessEnd,
  elapsedMs: number,
): AgentOutcome {
  const mapped = mapExit(from.agentClass, from.operation, end);
  const secrets = secretValues(from.params);
  const failed = mapped.code !== OCF.ok && mapped.code !== OCF.runningPromoted;
  const spoken = exitReason(end.stderr) ?? (failed && from.agentClass !== "ocf" ? lastLine(end.stderr) : null);
  const reason = spoken ?? mapped.note;
  const talks = TALKING.has(from.operation) || (from.agentClass === "stonith" && from.operation === "monitor");
  const output = talks && !failed ? end.stdout : failed ? tail(`${end.stdout}${end.stderr}`) : "";
  return {
    kind: "exited",
    code: mapped.code,
    reason: reason === null ? null : withoutSecrets(reason, secrets),
    output: withoutSecrets(output, secrets),
    elapsedMs,
  };
}

function tail(text: string): string {
  return text.length <= OUTPUT_KEPT ? text : text.slice(-OUTPUT_KEPT);
}
