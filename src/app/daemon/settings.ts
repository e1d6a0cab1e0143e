import { existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { QuorateError } from "../../core/base/index.ts";
import { SNAPSHOT_LOG_BYTES } from "../../core/controller/index.ts";

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

const FILE = z.strictObject({
  node: z.string().min(1).max(64).optional(),
  listen: z.array(z.string()).min(1).max(4).optional(),
  advertise: z.array(z.string()).min(1).max(4).optional(),
  runDir: z.string().optional(),
  apiSocket: z.string().optional(),
  guardianSocket: z.string().optional(),
  fileSystem: z.enum(["strict", "memory", "any"]).optional(),
  logLevel: z.enum(["error", "warn", "info", "debug"]).optional(),
  snapshotLogBytes: z
    .int()
    .min(64 * 1024)
    .max(256 * 1024 * 1024)
    .optional(),
  nodeLossMs: z.int().min(300).max(30_000).optional(),
  selfFenceMs: z.int().min(2_500).max(600_000).optional(),
});

/** Reads `DIR/quorated.json` (absent: defaults); the command line wins. Throws `DAEMON_BAD_SETTINGS` naming what is wrong. */
export function readSettings(line: CommandLine): DaemonSettings {
  mkdirSync(line.directory, { recursive: true, mode: 0o700 });
  const directory = realpathSync(line.directory);
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

function readFile(path: string): z.infer<typeof FILE> {
  if (!existsSync(path)) return {};
  let plain: unknown;
  try {
    plain = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new QuorateError(`${path} is not valid JSON`, { code: "DAEMON_BAD_SETTINGS" }, cause);
  }
  const parsed = FILE.safeParse(plain);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`).join("; ");
    return bad(`${path}: ${issues}`);
  }
  return parsed.data;
}

function readLevel(text: string | null): DaemonSettings["logLevel"] | null {
  if (text === null) return null;
  if (text === "error" || text === "warn" || text === "info" || text === "debug") return text;
  return bad("--log-level must be one of error, warn, info, debug");
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
