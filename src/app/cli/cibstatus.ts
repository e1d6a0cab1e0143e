import { existsSync } from "node:fs";
import { attributeOf, childOf, childrenOf, type Element, element, idOf, walk, withAttributes, withChildren } from "../../core/cib/index.ts";
import { durationMs } from "../../core/crm/index.ts";
import type { Injection } from "../../core/whatif/index.ts";
import { formatXml } from "../../io/xml/index.ts";
import { booleanOf, expectWords } from "./arguments.ts";
import { readWish, simulationReport } from "./configure-simulate.ts";
import { type CliContext, type Command, CommandError, type Level } from "./level.ts";
import { completeNodes, completeResources } from "./names.ts";
import { runningResources } from "./running.ts";
import { shadowPath } from "./shadow.ts";
import { statusEditor, statusOf } from "./status-editor.ts";
import { readCibFile, writeCibFile } from "./store-file.ts";

const load: Command = {
  name: "load",
  usage: "FILE|shadow:NAME|live",
  help: "take the state from there and drop what was supposed",
  run: async (args, context) => {
    expectWords(args, 1, 1, "load FILE|shadow:NAME|live");
    statusEditor(context).load(args[0]!);
    return true;
  },
};

const save: Command = {
  name: "save",
  usage: "[FILE|shadow:NAME]",
  help: "write the state: into a CIB that is there, or with the configuration into a new file",
  run: async (args, context) => {
    expectWords(args, 0, 1, "save [FILE|shadow:NAME]");
    const editor = statusEditor(context);
    const target = args[0] ?? editor.origin(context);
    if (target === "live") throw new CommandError("save: the state of the cluster cannot be written; name a file or shadow:NAME");
    const name = /^shadow:(.+)$/.exec(target)?.[1];
    const path = name === undefined ? target : shadowPath(name);
    const { cib } = await editor.read(context);
    const into = existsSync(path) ? readCibFile(path) : cib;
    const others = into.children.filter((child) => child.name !== "status");
    writeCibFile(path, withChildren(into, [...others, statusOf(cib)]));
    return true;
  },
};

const NODE_EVENTS = { online: "node-up", offline: "node-down", unclean: "node-fail" } as const;

const node: Command = {
  name: "node",
  usage: "NODE online|offline|unclean",
  help: "suppose that the node is a member, has left, or has vanished",
  run: async (args, context) => {
    expectWords(args, 2, 2, "node NODE online|offline|unclean");
    const [name, state] = [args[0]!, args[1]!];
    if (state !== "online" && state !== "offline" && state !== "unclean")
      throw new CommandError(`node: expected online, offline or unclean, not '${state}'`);
    await statusEditor(context).suppose(`node ${name} ${state}`, { kind: NODE_EVENTS[state], node: name }, context);
    return true;
  },
  complete: async (args, context) => (args.length <= 1 ? completeNodes(args, context) : Object.keys(NODE_EVENTS).map((word) => ({ word }))),
};

/** Names of agents' exit codes, as `op` takes them (OCF 1.1: exit codes). */
const RESULTS: ReadonlyMap<string, number> = new Map([
  ["success", 0],
  ["generic", 1],
  ["args", 2],
  ["unimplemented", 3],
  ["perm", 4],
  ["installed", 5],
  ["configured", 6],
  ["not_running", 7],
  ["master", 8],
  ["promoted", 8],
  ["failed_master", 9],
  ["failed_promoted", 9],
]);

const OPERATIONS = ["probe", "monitor", "start", "stop", "promote", "demote", "notify", "migrate_to", "migrate_from"];
const OP_USAGE = "op OPERATION RESOURCE RESULT [done] [NODE]";

const op: Command = {
  name: "op",
  usage: OP_USAGE.slice("op ".length),
  help: "suppose that an operation gave this result (success, generic, not_running, 0..9, ...); without NODE, where it runs",
  run: async (args, context) => {
    expectWords(args, 3, 5, OP_USAGE);
    const { cib } = await statusEditor(context).read(context);
    await statusEditor(context).suppose(`op ${args.join(" ")}`, readResult(args, cib), context);
    return true;
  },
  complete: async (args, context) => (args.length <= 1 ? OPERATIONS.map((word) => ({ word })) : completeResources(args, context)),
};

/** The words after the resource may come in any order: a node, a result, a status. */
function readResult(args: readonly string[], cib: Element): Injection {
  const [operation = "", resource = "", ...rest] = args;
  const [, word = "", seconds] = /^([a-z_]+)(?::(\w+))?$/.exec(operation) ?? [];
  if (!OPERATIONS.includes(word)) throw new CommandError(`op: no such operation: ${operation}; expected ${OPERATIONS.join(", ")}`);
  let rc: number | null = null;
  let where: string | null = null;
  for (const each of rest) {
    const code = RESULTS.get(each) ?? (/^\d$/.test(each) ? Number(each) : null);
    if (code !== null && rc === null) rc = code;
    else if (["pending", "cancelled", "timeout", "notsupported", "error"].includes(each))
      throw new CommandError(`op: a status '${each}' cannot be supposed; an operation that failed is a result such as generic`);
    else if (each !== "done" && where === null) where = each;
    else if (each !== "done") throw new CommandError(`usage: ${OP_USAGE}`);
  }
  if (rc === null) throw new CommandError(`op: expected a result: ${[...RESULTS.keys()].join(", ")} or 0 to 9`);
  const task = word === "probe" ? "monitor" : word;
  const intervalMs = word === "monitor" ? monitorInterval(cib, resource, seconds) : 0;
  return { kind: "result", resource, task, intervalMs, node: where ?? placeOf(cib, resource), rc };
}

/** The interval that was said in seconds, else that of the first recurring monitor. */
function monitorInterval(cib: Element, resource: string, said: string | undefined): number {
  if (said !== undefined) {
    const ms = durationMs(said);
    if (ms === null) throw new CommandError(`op: '${said}' is no interval`);
    return ms;
  }
  const primitive = [...walk(cib)].find((each) => each.name === "primitive" && idOf(each) === resource.replace(/:\d+$/, ""));
  const operations = primitive === undefined ? [] : childrenOf(primitive, "operations").flatMap((holder) => childrenOf(holder, "op"));
  const recurring = operations
    .filter((each) => attributeOf(each, "name") === "monitor")
    .map((each) => durationMs(attributeOf(each, "interval") ?? "0") ?? 0)
    .find((ms) => ms > 0);
  return recurring ?? 0;
}

/** The only node on which history has the resource running. */
function placeOf(cib: Element, resource: string): string {
  const bare = resource.replace(/:\d+$/, "");
  const having = childrenOf(statusOf(cib), "node_state").filter((state) => runningResources(state).has(bare));
  if (having.length !== 1)
    throw new CommandError(`op: ${resource} runs on ${having.length === 0 ? "no node" : "several nodes"}; name the node`);
  return attributeOf(having[0]!, "uname") ?? "";
}

const quorum: Command = {
  name: "quorum",
  usage: "BOOL",
  help: "suppose that there is quorum, or none",
  run: async (args, context) => {
    expectWords(args, 1, 1, "quorum BOOL");
    const quorate = booleanOf(args[0]!);
    if (quorate === undefined) throw new CommandError(`quorum: expected true or false, not '${args[0]}'`);
    await statusEditor(context).suppose(`quorum ${quorate}`, { kind: "quorum", quorate }, context);
    return true;
  },
};

const TICKET_EVENTS = ["grant", "revoke", "activate", "standby"] as const;

const ticket: Command = {
  name: "ticket",
  usage: "TICKET grant|revoke|activate|standby",
  help: "suppose that the ticket is granted, revoked, active or in standby",
  run: async (args, context) => {
    expectWords(args, 2, 2, "ticket TICKET grant|revoke|activate|standby");
    const state = TICKET_EVENTS.find((each) => each === args[1]);
    if (state === undefined) throw new CommandError(`ticket: expected ${TICKET_EVENTS.join(", ")}, not '${args[1]}'`);
    await statusEditor(context).suppose(`ticket ${args[0]} ${state}`, { kind: "ticket", ticket: args[0]!, state }, context);
    return true;
  },
};

function simulation(name: "run" | "simulate", help: string): Command {
  return {
    name,
    usage: "[nograph] [v...] [scores] [actions] [utilization]",
    help,
    run: async (args, context) => {
      const wish = readWish(name, args, name === "run");
      context.terminal.write(simulationReport(await statusEditor(context).read(context), wish));
      return true;
    },
  };
}

const show: Command = {
  name: "show",
  usage: "[changed]",
  help: "the state as XML, or what was supposed",
  run: async (args, context) => {
    expectWords(args, 0, 1, "show [changed]");
    if (args[0] !== undefined && args[0] !== "changed") throw new CommandError(`show: expected 'changed', not '${args[0]}'`);
    const editor = statusEditor(context);
    if (args[0] === "changed") for (const text of editor.supposed) context.terminal.out(text);
    else context.terminal.write(formatXml(withQuorum((await editor.read(context)).cib)));
    return true;
  },
};

/** Quorum is told beside the status, and is part of the state. */
function withQuorum(cib: Element): Element {
  const quorum = attributeOf(cib, "have-quorum");
  const status = childOf(cib, "status") ?? element("status");
  return quorum === undefined ? status : withAttributes(status, { "have-quorum": quorum });
}

const origin: Command = {
  name: "origin",
  usage: "",
  help: "where the state comes from",
  run: async (args, context: CliContext) => {
    expectWords(args, 0, 0, "origin");
    context.terminal.out(statusEditor(context).origin(context));
    return true;
  },
};

/** The state that simulations start from. */
export const cibStatusLevel: Level = {
  name: "cibstatus",
  help: "the state that simulations start from: load one, suppose events, see what would follow",
  commands: [
    load,
    save,
    node,
    op,
    quorum,
    ticket,
    simulation("run", "what would be decided in that state"),
    simulation("simulate", "what would be decided, and the state after it was done"),
    show,
    origin,
  ],
  levels: [],
};
