import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Incarnation, incarnation, QuorateError } from "../../core/base/index.ts";

import { LEVELS, type LogLevel } from "./log.ts";

/** What `guardian.json` and the command line say; see README.md for each name. Times are milliseconds. */
export type GuardianSettings = {
  readonly directory: string;
  readonly runDirectory: string;
  readonly socketPath: string;
  readonly node: string;
  readonly selfFence: "reset" | "kill";
  readonly watchdog: string | null;
  readonly watchdogMs: number;
  readonly stopMs: number;
  readonly killMs: number;
  readonly pauseMs: number;
  readonly ocfRoot: string;
  readonly providers: Readonly<Record<string, string>>;
  readonly fenceDirectories: readonly string[];
  readonly initDirectory: string;
  readonly systemdDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** `auto`, `off`, or the directory of a version 2 control group that is ours. */
  readonly cgroup: string;
  readonly logLevel: LogLevel;
};

/** Longest path that a Unix socket takes, bytes (unix(7)). */
const SOCKET_PATH_MAX = 107;

export type CommandLine = {
  readonly directory: string;
  readonly node: string | null;
  readonly selfFence: string | null;
  readonly logLevel: string | null;
};

/** Reads `DIR/guardian.json` (absent: defaults). Throws `GUARDIAN_BAD_SETTINGS` naming what is wrong and what would be right. */
export function readSettings(line: CommandLine): GuardianSettings {
  mkdirSync(line.directory, { recursive: true, mode: 0o700 });
  const directory = realpathSync(line.directory);
  const file = new SettingsFile(join(directory, "guardian.json"));
  const agents = agentsDirectory();
  const runDirectory = file.text("runDir", join(directory, "run"));
  const selfFence = line.selfFence ?? file.text("selfFence", "");
  if (selfFence !== "reset" && selfFence !== "kill") {
    return bad('selfFence must be chosen: "reset" (this host is reset when resources cannot be stopped) or "kill" (demo and tests)');
  }
  if (selfFence === "reset" && process.getuid?.() !== 0) return bad('selfFence "reset" needs root');
  const settings: GuardianSettings = {
    directory,
    runDirectory,
    socketPath: file.text("socket", join(runDirectory, "guardian.sock")),
    node: line.node ?? file.text("node", hostname()),
    selfFence,
    watchdog: file.text("watchdog", "") || null,
    watchdogMs: file.milliseconds("watchdogMs", 2_000, 60_000),
    stopMs: file.milliseconds("stopMs", 3_000, 3_600_000),
    killMs: file.milliseconds("killMs", 500, 60_000),
    pauseMs: file.milliseconds("pauseMs", 1_000, 60_000),
    ocfRoot: file.text("ocfRoot", "/usr/lib/ocf"),
    providers: { quorate: join(agents, "ocf"), ...file.texts("providers") },
    fenceDirectories: [...file.list("fenceDirectories"), join(agents, "fence"), "/usr/sbin"],
    initDirectory: file.text("initDirectory", "/etc/init.d"),
    systemdDirectory: file.text("systemdDirectory", "/run/systemd/system"),
    environment: { QUORATE_AGENTS: agents, QUORATE_NODE_BINARY: process.execPath, ...file.texts("environment") },
    cgroup: file.text("cgroup", "auto"),
    logLevel: readLevel(line.logLevel ?? file.text("logLevel", "info")),
  };
  file.refuseRest();
  if (Buffer.byteLength(settings.socketPath) > SOCKET_PATH_MAX) {
    return bad(`the socket path ${settings.socketPath} is longer than ${SOCKET_PATH_MAX} bytes: set "runDir" or "socket" to a shorter one`);
  }
  return settings;
}

function readLevel(text: string): LogLevel {
  return LEVELS.find((level) => level === text) ?? bad(`logLevel must be one of ${LEVELS.join(", ")}`);
}

class SettingsFile {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  constructor(path: string) {
    this.#values = existsSync(path) ? readObject(path) : {};
  }

  text(name: string, fallback: string): string {
    const value = this.#take(name) ?? fallback;
    return typeof value === "string" ? value : bad(`${name} must be text`);
  }

  milliseconds(name: string, fallback: number, max: number): number {
    const value = this.#take(name) ?? fallback;
    const fits = typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max;
    return fits ? value : bad(`${name} must be a whole number of milliseconds from 1 to ${max}`);
  }

  texts(name: string): Record<string, string> {
    const value = this.#take(name) ?? {};
    if (typeof value !== "object" || value === null || Array.isArray(value)) return bad(`${name} must be an object of texts`);
    const entries = Object.entries(value).map(([key, item]): [string, string] => [
      key,
      typeof item === "string" ? item : bad(`${name}.${key} must be text`),
    ]);
    return Object.fromEntries(entries);
  }

  list(name: string): string[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value)) return bad(`${name} must be a list of texts`);
    return value.map((item) => (typeof item === "string" ? item : bad(`${name} must be a list of texts`)));
  }

  /** A misspelt name would silently mean its default. */
  refuseRest(): void {
    const unknown = Object.keys(this.#values).filter((name) => !this.#known.has(name));
    if (unknown.length > 0) bad(`unknown names in guardian.json: ${unknown.join(", ")} (known: ${[...this.#known].sort().join(", ")})`);
  }

  #take(name: string): unknown {
    this.#known.add(name);
    return this.#values[name];
  }
}

function readObject(path: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    // A disk that fails is no mistake in the file.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError(`${path} cannot be read: ${reason}`, { code: "GUARDIAN_BAD_SETTINGS" }, cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError(`${path} is not valid JSON: ${reason}`, { code: "GUARDIAN_BAD_SETTINGS" }, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return bad(`${path} must hold one object`);
  return value as Readonly<Record<string, unknown>>;
}

function bad(message: string): never {
  throw new QuorateError(message, { code: "GUARDIAN_BAD_SETTINGS" });
}

/** `agents` of the checkout or installation that this program runs from, whether from `src` or from `dist`. */
function agentsDirectory(): string {
  let place = dirname(fileURLToPath(import.meta.url));
  while (place !== dirname(place)) {
    if (existsSync(join(place, "agents", "ocf"))) return join(place, "agents");
    place = dirname(place);
  }
  return bad("the directory of Quorate's own agents is missing from this installation");
}

/**
 * The host's incarnation: random, new at every boot and whenever the run directory was emptied (a power cut of a node among
 * several on one machine). `fresh`: nothing of an earlier guardian holds any more.
 */
export function readIncarnation(runDirectory: string): { readonly value: Incarnation; readonly fresh: boolean } {
  const path = join(runDirectory, "incarnation");
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  if (existsSync(path)) {
    const [heldBoot, held] = readFileSync(path, "utf8").trim().split(" ");
    if (heldBoot === bootId && held !== undefined && held !== "") return { value: incarnation(held), fresh: false };
  }
  const drawn = randomBytes(12).toString("hex");
  writeFileSync(path, `${bootId} ${drawn}\n`, { mode: 0o600 });
  return { value: incarnation(drawn), fresh: true };
}
