import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, release, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { attributeOf, type Element, withAttributes, withChildren } from "../../core/cib/index.ts";
import { globMatcher } from "../../core/crm/index.ts";
import { formatXml } from "../../io/xml/index.ts";
import { parseArguments } from "./arguments.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { preference } from "./preferences.ts";
import { renderStatus } from "./status-text.ts";
import { asRecord } from "./store.ts";
import { viewOf } from "./view-read.ts";

/** Values of pairs with such a name never leave the cluster. */
const SECRET_NAME = /passw|secret|token|private|community/i;
type IsSecret = (name: string) => boolean;
const ALWAYS_SECRET: IsSecret = (name) => SECRET_NAME.test(name);
const HIDDEN = "******";
const LOG_BYTES_MAX = 64 * 1024 * 1024;
const USAGE = "report [-f FROM] [-t TO] [DEST]";

/** The tree with the values of secret pairs replaced. */
export function withoutSecretPairs(of: Element, isSecret: IsSecret = ALWAYS_SECRET): Element {
  const name = attributeOf(of, "name");
  const hidden = of.name === "nvpair" && name !== undefined && isSecret(name) && attributeOf(of, "value") !== undefined;
  const element = hidden ? withAttributes(of, { value: HIDDEN }) : of;
  return withChildren(
    element,
    element.children.map((child) => withoutSecretPairs(child, isSecret)),
  );
}

/** The same for data: whatever stands under such a name. */
export function withoutSecretValues(value: unknown, isSecret: IsSecret = ALWAYS_SECRET): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutSecretValues(each, isSecret));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isSecret(name) && typeof inner !== "object" ? HIDDEN : withoutSecretValues(inner, isSecret),
    ]),
  );
}

/** What the daemon answers, or why it does not: a report of a broken cluster must still be made. */
async function asked(context: CliContext, method: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return asRecord(await (await context.api()).request(method, {}, { timeoutMs: 20_000 }));
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** The journal of both services, where there is one. */
function journal(from: string | undefined, to: string | undefined): string {
  const args = ["-o", "short-iso-precise", "--no-pager", "-u", "quorated", "-u", "quorate-guardian"];
  if (from !== undefined) args.push("--since", from);
  if (to !== undefined) args.push("--until", to);
  const done = spawnSync("journalctl", args, { encoding: "utf8", maxBuffer: LOG_BYTES_MAX });
  return done.status === 0 ? done.stdout : `no journal: ${done.error?.message ?? done.stderr}\n`;
}

/** One tarball with what somebody else needs to understand this cluster. */
export const reportCommand: Command = {
  name: "report",
  usage: USAGE.slice("report ".length),
  help: "collect configuration, status, plan, logs and versions of this node in one archive, without secrets",
  run: async (args, context) => {
    const long = args.map((word) => (word === "-f" ? "--from" : word === "-t" ? "--to" : word));
    const { words, text } = parseArguments(long, { from: "text", to: "text" }, USAGE);
    if (words.length > 1) throw new CommandError(`usage: ${USAGE}`);
    const name = basename(words[0] ?? `quorate-report-${hostname()}-${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}`);
    const target = resolve(words[0] === undefined ? name : words[0]);
    const work = mkdtempSync(join(tmpdir(), "quorate-report-"));
    try {
      const directory = join(work, name);
      mkdirSync(directory);
      const from = text("from") ?? (preference(context.preferences, "report.from_time") || undefined);
      await collect(directory, context, { from, to: text("to") });
      const packed = spawnSync("tar", ["-C", work, "-czf", `${target}.tar.gz`, name], { encoding: "utf8" });
      if (packed.status !== 0) throw new CommandError(`tar failed: ${packed.error?.message ?? packed.stderr}`);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
    context.terminal.out(`${target}.tar.gz`);
    return true;
  },
};

async function collect(
  directory: string,
  context: CliContext,
  period: { readonly from: string | undefined; readonly to: string | undefined },
): Promise<void> {
  const matches = globMatcher(preference(context.preferences, "report.sanitize_pattern").split(/[\s,;|]+/));
  const isSecret: IsSecret = (name) => ALWAYS_SECRET(name) || matches(name);
  const write = (file: string, content: string): void => writeFileSync(join(directory, file), content, { mode: 0o600 });
  const status = await asked(context, "status");
  const { cib, ...facts } = status;
  write("status.json", `${JSON.stringify(facts, null, 2)}\n`);
  if (cib !== undefined && cib !== null) {
    write("cib.xml", formatXml(withoutSecretPairs(cib as Element, isSecret)));
    const lines = renderStatus(status, await viewOf(status), { byNode: false, inactive: true, failCounts: true });
    write("status.txt", `${lines.join("\n")}\n`);
  }
  write("policy.json", `${JSON.stringify(withoutSecretValues(await asked(context, "policy"), isSecret), null, 2)}\n`);
  for (const method of ["cluster.status", "transition", "fencing.history", "ping"]) {
    write(`${method}.json`, `${JSON.stringify(await asked(context, method), null, 2)}\n`);
  }
  write("journal.txt", journal(period.from, period.to));
  write("versions.txt", `node ${process.version}\nkernel ${release()}\nhost ${hostname()}\n`);
}
