import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { childOf, type Element, element, withChildren } from "../../core/cib/index.ts";
import { formatXml } from "../../io/xml/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { editsBetween } from "./edits.ts";
import { type CliContext, type Command, CommandError, type Completion, type Level } from "./level.ts";
import { liveStore, type StoredCib } from "./store.ts";
import { fileStore, readCibFile, writeCibFile } from "./store-file.ts";

/** Directory of the shadow configurations of this person. */
function shadowDirectory(): string {
  return process.env["CIB_shadow_dir"] ?? join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "quorate", "shadow");
}

/** Path of a shadow. Names are file names: a slash or a leading dot is refused. */
export function shadowPath(name: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name)) throw new CommandError(`not a name for a shadow: ${name}`);
  return join(shadowDirectory(), `shadow.${name}.xml`);
}

function existing(name: string): string {
  const path = shadowPath(name);
  if (!existsSync(path)) throw new CommandError(`no such shadow: ${name}`);
  return path;
}

function cibOf(stored: StoredCib, withStatus: boolean): Element {
  return element("cib", {}, [stored.configuration, withStatus && stored.status !== null ? stored.status : element("status")]);
}

const EMPTY: StoredCib = {
  configuration: element(
    "configuration",
    {},
    ["crm_config", "nodes", "resources", "constraints"].map((name) => element(name)),
  ),
  status: null,
};

async function completeShadows(): Promise<readonly Completion[]> {
  return shadowNames().map((word) => ({ word }));
}

const create: Command = {
  name: "new",
  usage: "[NAME] [empty] [withstatus] [force]",
  help: "make a shadow of the cluster's configuration and use it",
  run: async (args, context) => {
    const words = new Set(["empty", "withstatus", "force", "--force"]);
    const names = args.filter((word) => !words.has(word));
    expectWords(names, 0, 1, "new [NAME] [empty] [withstatus] [force]");
    const name = names[0] ?? `shadow-${process.pid}`;
    const path = shadowPath(name);
    const force = args.includes("force") || args.includes("--force") || context.options.force;
    if (existsSync(path) && !force) throw new CommandError(`there is a shadow ${name} already; force replaces it`);
    const stored = args.includes("empty") ? EMPTY : await liveStore(context).read();
    mkdirSync(shadowDirectory(), { recursive: true, mode: 0o700 });
    writeCibFile(path, cibOf(stored, args.includes("withstatus")));
    context.options = { ...context.options, shadow: name };
    context.terminal.info(`shadow ${name} made; it is in use now`);
    return true;
  },
  complete: async (args) => (args.length <= 1 ? [] : ["empty", "withstatus", "force"].map((word) => ({ word }))),
};

const use: Command = {
  name: "use",
  usage: "[NAME|live]",
  help: "work on that shadow from now on; without a name, on the cluster",
  run: async (args, context) => {
    expectWords(args, 0, 1, "use [NAME|live]");
    const name = args[0] === undefined || args[0] === "live" ? null : args[0];
    if (name !== null) existing(name);
    context.options = { ...context.options, shadow: name };
    return true;
  },
  complete: completeShadows,
};

function shadowNames(): string[] {
  if (!existsSync(shadowDirectory())) return [];
  return readdirSync(shadowDirectory())
    .flatMap((file) => /^shadow\.(.+)\.xml$/.exec(file)?.[1] ?? [])
    .sort();
}

const list: Command = {
  name: "list",
  usage: "",
  help: "names of the shadows",
  run: async (args, context) => {
    expectWords(args, 0, 0, "list");
    for (const name of shadowNames()) context.terminal.out(name);
    return true;
  },
};

/** The name typed, or the shadow in use. */
function chosen(args: readonly string[], context: CliContext, usage: string): string {
  expectWords(args, 0, 1, usage);
  const name = args[0] ?? context.options.shadow;
  if (name === null || name === undefined) throw new CommandError("no shadow is in use: name one");
  return name;
}

const diff: Command = {
  name: "diff",
  usage: "[NAME]",
  help: "what a commit of the shadow would change",
  run: async (args, context) => {
    const path = existing(chosen(args, context, "diff [NAME]"));
    const shadow = childOf(readCibFile(path), "configuration") ?? element("configuration");
    for (const edit of editsBetween((await liveStore(context).read()).configuration, shadow)) {
      const word = edit.after === null ? "-" : edit.before === null ? "+" : "~";
      context.terminal.out(`${word} ${edit.section} ${edit.id}`);
      if (edit.after !== null) context.terminal.write(formatXml(edit.after).replace(/^/gm, "    ").trimEnd().concat("\n"));
    }
    return true;
  },
  complete: completeShadows,
};

const commit: Command = {
  name: "commit",
  usage: "[NAME] [--plan ID]",
  help: "make the cluster's configuration equal to the shadow; with --plan only if it does what `plan` showed",
  run: async (args, context) => {
    const { words, text } = parseArguments(args, { plan: "text" }, "commit [NAME] [--plan ID]");
    const name = chosen(words, context, "commit [NAME] [--plan ID]");
    const path = existing(name);
    const wanted = text("plan");
    const plans = wanted === undefined ? null : await import("./plan.ts");
    const planned = { ...context, options: { ...context.options, shadow: name } };
    const epoch = plans === null ? undefined : plans.requirePlan(await plans.planOf(planned), wanted!);
    const shadow = childOf(readCibFile(path), "configuration") ?? element("configuration");
    const live = liveStore(context);
    await live.commit(editsBetween((await live.read()).configuration, shadow), context.options.force, epoch);
    await context.afterChange();
    return true;
  },
  complete: completeShadows,
};

const reset: Command = {
  name: "reset",
  usage: "[NAME]",
  help: "copy the cluster's configuration into the shadow again",
  run: async (args, context) => {
    const path = existing(chosen(args, context, "reset [NAME]"));
    writeCibFile(path, cibOf(await liveStore(context).read(), true));
    return true;
  },
  complete: completeShadows,
};

const remove: Command = {
  name: "delete",
  usage: "NAME",
  help: "delete the shadow",
  run: async (args, context) => {
    expectWords(args, 1, 1, "delete NAME");
    if (context.options.shadow === args[0]) throw new CommandError(`${args[0]} is in use: \`cib use live\` first`);
    rmSync(existing(args[0]!));
    return true;
  },
  complete: completeShadows,
};

const bring: Command = {
  name: "import",
  usage: "FILE [NAME]",
  help: "make a shadow from a CIB file and use it",
  run: async (args, context) => {
    expectWords(args, 1, 2, "import FILE [NAME]");
    const name = args[1] ?? args[0]!.replace(/^.*\//, "").replace(/\.[^.]*$/, "");
    const path = shadowPath(name);
    if (existsSync(path) && !context.options.force) throw new CommandError(`there is a shadow ${name} already; -F replaces it`);
    const cib = readCibFile(args[0]!);
    mkdirSync(shadowDirectory(), { recursive: true, mode: 0o700 });
    writeCibFile(path, withChildren(cib, cib.children));
    context.options = { ...context.options, shadow: name };
    return true;
  },
};

/** A store over the shadow of that name. */
export function shadowStore(name: string): ReturnType<typeof fileStore> {
  return fileStore(name, existing(name));
}

/** Shadow configurations: try a change without touching the cluster. */
export const cibLevel: Level = {
  name: "cib",
  help: "shadow configurations: try changes without touching the cluster",
  commands: [create, use, list, diff, commit, reset, remove, bring],
  levels: [],
};
