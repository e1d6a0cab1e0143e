import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import pino from "pino";
import { QuorateError } from "../../core/base/index.ts";
import { Daemon } from "./daemon.ts";
import { type DaemonSettings, readSettings } from "./settings.ts";

const USAGE = `quorated: the node daemon of Quorate

  quorated --dir DIR [--node NAME] [--listen HOST:PORT]... [--log-level LEVEL]

DIR keeps identity, store and sockets; DIR/quorated.json holds settings (see src/app/daemon/README.md).
SIGTERM ends the daemon and leaves its resources with the guardian; SIGQUIT stops or moves them first.
`;

/** Exit codes of sysexits(3). */
const EX_USAGE = 64;
const EX_SOFTWARE = 70;
const EX_CONFIG = 78;

function versionOf(): string {
  let place = dirname(fileURLToPath(import.meta.url));
  while (place !== dirname(place)) {
    try {
      const described = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as { name?: string; version?: string };
      if (described.name === "quorate") return described.version ?? "unknown";
    } catch {
      // Not here: go on upwards.
    }
    place = dirname(place);
  }
  return "unknown";
}

function settingsFrom(args: readonly string[]): DaemonSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      dir: { type: "string" },
      node: { type: "string" },
      listen: { type: "string", multiple: true },
      "log-level": { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  return readSettings({
    directory: values.dir ?? "/var/lib/quorate",
    node: values.node ?? null,
    listen: values.listen ?? [],
    logLevel: values["log-level"] ?? null,
  });
}

function main(): void {
  let settings: DaemonSettings;
  try {
    settings = settingsFrom(process.argv.slice(2));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`quorated: ${message}\n`);
    if (!(error instanceof QuorateError)) process.stderr.write(USAGE);
    process.exit(error instanceof QuorateError ? EX_CONFIG : EX_USAGE);
  }
  const log = pino(
    { base: { program: "quorated", self: settings.node }, level: settings.logLevel, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
  const daemon = new Daemon({ settings, log, version: versionOf(), onEnd: (code) => process.exit(code) });
  process.on("SIGTERM", () => daemon.stop("detach"));
  process.on("SIGINT", () => daemon.stop("detach"));
  process.on("SIGQUIT", () => daemon.stop("shutdown"));
  const broken = (error: unknown): void => {
    log.error(
      { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      "a defect ends the daemon; the guardian goes on alone",
    );
    process.exit(EX_SOFTWARE);
  };
  process.on("uncaughtException", broken);
  process.on("unhandledRejection", broken);
  daemon.start().catch((error: unknown) => {
    const code = error instanceof QuorateError ? error.detail.code : null;
    log.error({ code, error: error instanceof Error ? error.message : String(error) }, "the daemon could not start");
    process.exit(EX_CONFIG);
  });
}

main();
