import { parseArgs } from "node:util";
import { QuorateError } from "../../core/base/index.ts";
import { Keeper } from "./keeper.ts";
import { createLog } from "./log.ts";
import { readSettings } from "./settings.ts";

const USAGE = `usage: quorate-guardian --dir DIR [--node NAME] [--self-fence reset|kill] [--log-level LEVEL]

Runs every agent action of this node, keeps their results, and stops all resources when the daemon cannot
prove contact with the cluster any more. Settings: DIR/guardian.json (see src/app/guardian/README.md).
`;

/** Exit code of sysexits(3) for a wrong command line. */
const EX_USAGE = 64;

function readArguments() {
  try {
    return parseArgs({
      options: {
        dir: { type: "string" },
        node: { type: "string" },
        "self-fence": { type: "string" },
        "log-level": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`quorate-guardian: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return process.exit(EX_USAGE);
  }
}

async function main(): Promise<void> {
  const values = readArguments();
  if (values.help === true || values.dir === undefined) {
    process.stdout.write(USAGE);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const settings = readSettings({
    directory: values.dir,
    node: values.node ?? null,
    selfFence: values["self-fence"] ?? null,
    logLevel: values["log-level"] ?? null,
  });
  const keeper = await Keeper.start(settings, createLog(settings.node, settings.logLevel));
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      keeper.stop();
      process.exit(0);
    });
  }
  // The terminal that started us may go; the resources must not go with it.
  process.on("SIGHUP", () => {});
}

main().catch((error: unknown) => {
  const code = error instanceof QuorateError ? ` ${error.detail.code}` : "";
  const text = error instanceof Error ? (error instanceof QuorateError ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`quorate-guardian:${code} ${text}\n`);
  process.exit(1);
});
