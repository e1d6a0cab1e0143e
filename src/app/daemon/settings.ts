import { existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { QuorateError } from "../../core/base/index.ts";
import { SNAPSHOT_LOG_BYTES } from "../../core/controller/index.ts";
import { countOf, type Fields, fieldsOf, listOf, Malformed, oneOf, textOf } from "../../io/wire/index.ts";

/** What `quorated.json` and the command line say; see README.md for each name. Times are milliseconds. */
export type DaemonSettings = {
  readonly directory: string;
  readonly node: string;
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  /** `host:port` under which other members reach this node, one per ring. */
  readonly advertise: readonly string[];
  readonly apiSocket: string;
  readonly guardianSocket: string;
  readonly fileSystem: "strict" | "memory" | "any";
  readonly logLevel: "error" | "warn" | "info" | "debug";
  readonly snapshotLogBytes: number;
  readonly timing: { readonly nodeLossMs: number; readonly tselfMs: number; readonly leaseMs: number };
};

export type CommandLine = {
  readonly directory: string;
  readonly node: string | null;
  readonly listen: readonly string[];
  readonly logLevel: string | null;
};

export const DEFAULT_PORT = 7100;

type File = Readonly<Partial<ReturnType<typeof readNames>>>;

const LEVELS = ["error", "warn", "info", "debug"] as const;

/** Every name that the file may hold, each read if it is there. Throws `Malformed` with the name. */
function readNames(file: Fields) {
  const given = <T>(name: string, read: (value: unknown, what: string) => T): T | undefined =>
    file[name] === undefined ? undefined : read(file[name], name);
  const text = (value: unknown, what: string): string => textOf(value, what);
  const texts = (value: unknown, what: string): readonly string[] => {
    const list = listOf(value, what, 4).map((one) => textOf(one, what));
    if (list.length === 0) throw new Malformed(`${what} is empty`);
    return list;
  };
  const between =
    (min: number, max: number) =>
    (value: unknown, what: string): number => {
      const count = countOf(value, what);
      if (count < min || count > max) throw new Malformed(`${what} is ${count}, not between ${min} and ${max}`);
      return count;
    };
  return {
    node: given("node", text),
    listen: given("listen", texts),
    advertise: given("advertise", texts),
    runDir: given("runDir", text),
    apiSocket: given("apiSocket", text),
    guardianSocket: given("guardianSocket", text),
    fileSystem: given("fileSystem", (value, what) => oneOf(value, what, ["strict", "memory", "any"] as const)),
    logLevel: given("logLevel", (value, what) => oneOf(value, what, LEVELS)),
    snapshotLogBytes: given("snapshotLogBytes", between(64 * 1024, 256 * 1024 * 1024)),
    nodeLossMs: given("nodeLossMs", between(300, 30_000)),
    selfFenceMs: given("selfFenceMs", between(2_500, 600_000)),
  };
}

/** Reads `DIR/quorated.json` (absent: defaults); the command line wins. Throws `DAEMON_BAD_SETTINGS` naming what is wrong. */
export function readSettings(line: CommandLine): DaemonSettings {
  const directory = madeDirectory(line.directory);
  const file = readFile(join(directory, "quorated.json"));
  const listen = (line.listen.length > 0 ? line.listen : (file.listen ?? [`0.0.0.0:${DEFAULT_PORT}`])).map(parseAddress);
  const node = line.node ?? file.node ?? hostname().split(".")[0] ?? "node";
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(node)) return bad(`the node name ${JSON.stringify(node)} is not a host name`);
  const runDirectory = file.runDir ?? join(directory, "run");
  const tselfMs = file.selfFenceMs ?? 5_000;
  return {
    directory,
    node,
    listen,
    advertise: file.advertise ?? listen.map(({ host, port }) => `${isAny(host) ? hostname() : host}:${port}`),
    apiSocket: file.apiSocket ?? join(runDirectory, "api.sock"),
    guardianSocket: file.guardianSocket ?? join(runDirectory, "guardian.sock"),
    fileSystem: file.fileSystem ?? "strict",
    logLevel: readLevel(line.logLevel) ?? file.logLevel ?? "info",
    snapshotLogBytes: file.snapshotLogBytes ?? SNAPSHOT_LOG_BYTES,
    timing: { nodeLossMs: file.nodeLossMs ?? 800, tselfMs, leaseMs: 1_000 },
  };
}

function madeDirectory(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return realpathSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError(`${path} is no directory that can be made or used: ${reason}`, { code: "DAEMON_BAD_SETTINGS" }, cause);
  }
}

function readFile(path: string): File {
  if (!existsSync(path)) return {};
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    // A disk that fails is no mistake in the file.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError(`${path} cannot be read: ${reason}`, { code: "DAEMON_BAD_SETTINGS" }, cause);
  }
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError(`${path} is not valid JSON: ${reason}`, { code: "DAEMON_BAD_SETTINGS" }, cause);
  }
  try {
    const fields = fieldsOf(plain, "file");
    const known = readNames(fields);
    const strange = Object.keys(fields).find((name) => !(name in known));
    if (strange !== undefined) throw new Malformed(`${strange} is no name of a setting`);
    return known;
  } catch (cause) {
    if (cause instanceof Malformed) return bad(`${path}: ${cause.message}`);
    throw cause;
  }
}

function readLevel(text: string | null): DaemonSettings["logLevel"] | null {
  if (text === null) return null;
  return LEVELS.find((level) => level === text) ?? bad("--log-level must be one of error, warn, info, debug");
}

function parseAddress(text: string): { host: string; port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3] ?? DEFAULT_PORT);
  if (host === undefined || port < 0 || port > 65_535) return bad(`${JSON.stringify(text)} is no address; write host:port`);
  return { host, port };
}

function isAny(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function bad(message: string): never {
  throw new QuorateError(message, { code: "DAEMON_BAD_SETTINGS" });
}
