import { expectWords, integerOf, lifetimeEnd, parseArguments } from "./arguments.ts";
import { editsBetween, requireResource } from "./edits.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { completeBy, completeNodes, completeResources, nodeNames } from "./names.ts";
import { banNode, clearConstraints, cliConstraints, type Lifetime, preferNode } from "./resource-edits.ts";
import { asRecord, openStore } from "./store.ts";
import { findView } from "./view.ts";
import { readView } from "./view-read.ts";

type Wish = { readonly resource: string; readonly node: string | null; readonly lifetime: Lifetime; readonly force: boolean };

/** `R [NODE] [LIFETIME] [force]`: each word after the resource is told by its form. */
function wishOf(args: readonly string[], nodes: readonly string[], usage: string, context: CliContext): Wish {
  const [resource, ...rest] = args;
  if (resource === undefined) throw new CommandError(`usage: ${usage}`);
  let node: string | null = null;
  let lifetime: Lifetime = null;
  let force = context.options.force;
  for (const word of rest) {
    const end = lifetimeEnd(word, Date.now());
    if (nodes.includes(word) && node === null) node = word;
    else if (word === "force") force = true;
    else if (end !== undefined && lifetime === null) lifetime = end;
    else throw new CommandError(`neither a node nor a lifetime (PT5M, P1D, a date): ${word}`);
  }
  return { resource, node, lifetime, force };
}

/** The one node where the resource is active; a `CommandError` when it is none or several. */
async function presentNode(context: CliContext, resource: string): Promise<string> {
  const nodes = findView(await readView(context), resource)?.nodes ?? [];
  if (nodes.length === 1) return nodes[0]!;
  throw new CommandError(
    nodes.length === 0 ? `${resource} runs nowhere: name the node` : `${resource} runs on ${nodes.join(", ")}: name the node`,
  );
}

async function place(context: CliContext, wish: Wish, kind: "move" | "ban"): Promise<boolean> {
  const store = openStore(context);
  const { configuration } = await store.read();
  requireResource(configuration, wish.resource);
  if (wish.node === null && !wish.force && kind === "move") {
    throw new CommandError(`without a node ${kind} bans ${wish.resource} from where it runs now: name a node, or add force`);
  }
  const away = kind === "ban" || wish.node === null;
  const node = wish.node ?? (await presentNode(context, wish.resource));
  const after = away
    ? banNode(configuration, wish.resource, node, wish.lifetime)
    : preferNode(configuration, wish.resource, node, wish.lifetime);
  await store.commit(editsBetween(configuration, after), wish.force);
  if (away && wish.lifetime === null)
    context.terminal.info(`${wish.resource} may not run on ${node} until \`resource clear ${wish.resource}\``);
  await context.afterChange();
  return true;
}

function placeCommand(kind: "move" | "ban", aliases: readonly string[]): Command {
  return {
    name: kind,
    aliases,
    usage: "RESOURCE [NODE] [LIFETIME] [force]",
    help: kind === "move" ? "run it on that node; without one, not where it runs now" : "do not run it on that node",
    run: async (args, context) =>
      place(context, wishOf(args, await nodeNames(context), `${kind} RESOURCE [NODE] [LIFETIME] [force]`, context), kind),
    complete: completeBy(completeResources, completeNodes, ["PT5M", "PT1H", "P1D", "force"], ["force"]),
  };
}

const clear: Command = {
  name: "clear",
  aliases: ["unmove", "unmigrate", "unban"],
  usage: "RESOURCE [NODE]",
  help: "drop what move and ban have left",
  run: async (args, context) => {
    expectWords(args, 1, 2, "clear RESOURCE [NODE]");
    const store = openStore(context);
    const { configuration } = await store.read();
    requireResource(configuration, args[0]!);
    if (cliConstraints(configuration, args[0]!, args[1] ?? null).length === 0) {
      context.terminal.info(`${args[0]} has no constraint from move or ban`);
      return true;
    }
    await store.commit(editsBetween(configuration, clearConstraints(configuration, args[0]!, args[1] ?? null)), context.options.force);
    await context.afterChange();
    return true;
  },
  complete: completeBy(completeResources, completeNodes, []),
};

/** `cleanup` forgets failures, `refresh` all history. */
function forgetCommand(name: "cleanup" | "refresh", help: string): Command {
  return {
    name,
    usage: "[RESOURCE] [NODE] [force]",
    help,
    run: async (args, context) => {
      const nodes = await nodeNames(context);
      const words = args.filter((word) => word !== "force");
      expectWords(words, 0, 2, `${name} [RESOURCE] [NODE] [force]`);
      const node = words.find((word) => nodes.includes(word));
      const resource = words.find((word) => word !== node);
      if (resource !== undefined) requireResource((await openStore(context).read()).configuration, resource);
      const api = await context.api();
      const force = args.includes("force") || context.options.force;
      await api.request(`resource.${name}`, {
        ...(resource === undefined ? {} : { resource }),
        ...(node === undefined ? {} : { node }),
        force,
      });
      await context.afterChange();
      return true;
    },
    complete: completeBy(completeResources, completeNodes, ["force"]),
  };
}

const failcount: Command = {
  name: "failcount",
  usage: "RESOURCE set NODE VALUE [OPERATION [INTERVAL]] | delete NODE [OPERATION [INTERVAL]] | show NODE",
  help: "how often it failed on a node",
  run: async (args, context) => {
    const usage = "failcount RESOURCE set NODE VALUE | delete NODE | show NODE";
    const { words } = parseArguments(args, {}, usage);
    const [resource, action, node] = words;
    if (resource === undefined || node === undefined || (action !== "set" && action !== "delete" && action !== "show"))
      throw new CommandError(`usage: ${usage}`);
    requireResource((await openStore(context).read()).configuration, resource);
    const rest = words.slice(action === "set" ? 4 : 3);
    const value = action === "set" ? failValue(words[3] ?? "") : undefined;
    const params = {
      resource,
      node,
      action,
      ...(value === undefined ? {} : { value }),
      ...(rest[0] === undefined ? {} : { operation: rest[0] }),
      ...(rest[1] === undefined ? {} : { intervalMs: integerOf(rest[1].replace(/ms$/, ""), "INTERVAL", 0) }),
    };
    const answer = asRecord(await (await context.api()).request("resource.failcount", params));
    if (action === "show") context.terminal.out(`scope=status  name=fail-count-${resource} value=${shownCount(answer["value"])}`);
    else await context.afterChange();
    return true;
  },
  complete: completeBy(completeResources, ["set", "delete", "show"], completeNodes, []),
};

/** A fail count as typed: a number, or INFINITY. */
function failValue(word: string): number {
  return /^\+?inf(inity)?$/i.test(word) ? 1_000_000 : integerOf(word, "VALUE", 0);
}

function shownCount(value: unknown): string {
  return typeof value === "number" && value >= 1_000_000 ? "INFINITY" : String(value ?? 0);
}

/** Commands that say where a resource runs and what is remembered about it. */
export const placementCommands: readonly Command[] = [
  placeCommand("move", ["migrate"]),
  placeCommand("ban", []),
  clear,
  forgetCommand("cleanup", "forget failures, so that they are judged anew"),
  forgetCommand("refresh", "forget all history, so that everything is probed again"),
  failcount,
];
