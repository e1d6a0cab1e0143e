import { attributeOf, childOf, childrenOf, type Element, element, idOf } from "../../core/cib/index.ts";
import { booleanOf, expectWords, parseArguments } from "./arguments.ts";
import { editsBetween, putObject, sectionOf, setValue, textOf } from "./edits.ts";
import { type CliContext, type Command, CommandError, type Completion, type Level } from "./level.ts";
import { completeBy, completeNodes, localNode, nodeNames } from "./names.ts";
import { asRecord, openStore } from "./store.ts";

/** Milliseconds to wait for a fencing that an operator asked for: devices may need a minute and be tried again. */
const FENCE_TIMEOUT_MS = 600_000;

function isFile(context: CliContext): boolean {
  return context.options.cibFile !== null || context.options.shadow !== null;
}

/** The names that were typed, `--all` of them, or the node whose daemon answers. Unknown names are refused here. */
async function namesOf(words: readonly string[], all: boolean, context: CliContext): Promise<readonly string[]> {
  const known = await nodeNames(context);
  if (all) return known;
  if (words.length === 0) return [await localNode(context)];
  for (const word of words) if (!known.includes(word)) throw new CommandError(`no such node: ${word}`);
  return words;
}

/** Changes a node's element in the configuration. */
async function editNode(context: CliContext, name: string, change: (node: Element) => Element): Promise<void> {
  const store = openStore(context);
  const { configuration } = await store.read();
  const node = childrenOf(sectionOf(configuration, "nodes"), "node").find(
    (item) => attributeOf(item, "uname") === name || idOf(item) === name,
  );
  if (node === undefined) throw new CommandError(`no such node: ${name}`);
  await store.commit(editsBetween(configuration, putObject(configuration, "nodes", change(node))), context.options.force);
}

/** Permanent attributes of a node live in the set `nodes-ID`, as every tool of this kind names it. */
function setNodeValue(node: Element, kind: "instance_attributes" | "utilization", name: string, value: string | null): Element {
  if (value === null || childOf(node, kind) !== undefined) return setValue(node, kind, name, value);
  const id = kind === "utilization" ? `nodes-${idOf(node) ?? ""}-utilization` : `nodes-${idOf(node) ?? ""}`;
  const set = element(kind, { id }, [element("nvpair", { id: `${id}-${name}`.replace(/[^A-Za-z0-9_.-]/g, "_"), name, value })]);
  return { ...node, children: [...node.children, set] };
}

/** Standby of one or more nodes; LIFETIME is `reboot` or `forever`. */
function standbyCommand(name: "standby" | "online"): Command {
  const on = name === "standby";
  const usage = on ? "standby [NODE...] [reboot|forever] [--all]" : "online [NODE...] [--all]";
  return {
    name,
    usage: usage.slice(name.length + 1),
    help: on ? "move all resources away and let nothing run there" : "let resources run there again",
    run: async (args, context) => {
      const { words, flag } = parseArguments(args, { all: "flag" }, usage);
      const last = words[words.length - 1];
      const lifetime = last === "reboot" || last === "forever" ? last : undefined;
      const names = await namesOf(lifetime === undefined ? words : words.slice(0, -1), flag("all"), context);
      for (const node of names) {
        if (isFile(context))
          await editNode(context, node, (item) => setNodeValue(item, "instance_attributes", "standby", on ? "on" : "off"));
        else await (await context.api()).request("node.standby", lifetime === undefined ? { node, on } : { node, on, lifetime });
      }
      await context.afterChange();
      return true;
    },
    complete: completeBy(completeNodes, on ? completeMoreNodes(["reboot", "forever", "--all"]) : completeMoreNodes(["--all"])),
  };
}

function maintenanceCommand(name: "maintenance" | "ready"): Command {
  const on = name === "maintenance";
  return {
    name,
    usage: "[NODE...]",
    help: on ? "leave everything on the node as it is" : "end the maintenance of the node",
    run: async (args, context) => {
      for (const node of await namesOf(args, false, context)) {
        if (isFile(context))
          await editNode(context, node, (item) => setNodeValue(item, "instance_attributes", "maintenance", on ? "true" : null));
        else await (await context.api()).request("node.maintenance", { node, on });
      }
      await context.afterChange();
      return true;
    },
    complete: completeNodes,
  };
}

/** `attribute NODE set A V | delete A | show A`, and its relatives for utilization and transient attributes. */
function valueCommand(name: "attribute" | "utilization" | "status-attr", help: string): Command {
  const usage = `${name} NODE set|delete|show NAME [VALUE]`;
  return {
    name,
    usage: usage.slice(name.length + 1),
    help,
    run: async (args, context) => {
      expectWords(args, 3, 4, usage);
      const [node, action, attribute, value] = [args[0]!, args[1]!, args[2]!, args[3]];
      await namesOf([node], false, context);
      if ((action === "set") !== (value !== undefined)) throw new CommandError(`usage: ${usage}`);
      switch (action) {
        case "set":
        case "delete":
          await writeValue(context, name, node, attribute, value ?? null);
          await context.afterChange();
          return true;
        case "show":
          return showValue(context, name, node, attribute);
        default:
          throw new CommandError(`usage: ${usage}`);
      }
    },
    complete: completeBy(
      completeNodes,
      ["set", "delete", "show"],
      async (args, context) => completeValueNames(args[0] ?? "", name, context),
      [],
    ),
  };
}

/** Names that the node has in such a set. */
async function completeValueNames(node: string, kind: ValueKind, context: CliContext): Promise<readonly Completion[]> {
  const { configuration, status } = await openStore(context).read();
  const nodes = childrenOf(sectionOf(configuration, "nodes"), "node");
  const owner = kind === "status-attr" ? transientOwner(status, node) : nodes.find((item) => attributeOf(item, "uname") === node);
  const pairs = owner === undefined ? [] : pairsOf(owner, kind === "utilization" ? "utilization" : "instance_attributes");
  return pairs.map(([word]) => ({ word }));
}

/** Further nodes, and words that may end the list. */
function completeMoreNodes(words: readonly string[]): NonNullable<Command["complete"]> {
  return async (args, context) => [...(await completeNodes(args, context)), ...words.map((word) => ({ word }))];
}

type ValueKind = "attribute" | "utilization" | "status-attr";

async function writeValue(context: CliContext, kind: ValueKind, node: string, name: string, value: string | null): Promise<void> {
  if (kind === "status-attr") {
    if (isFile(context)) throw new CommandError("transient attributes belong to the running cluster, not to a configuration file");
    await (await context.api()).request("node.attribute", { node, name, value, lifetime: "reboot" });
    return;
  }
  await editNode(context, node, (item) => setNodeValue(item, kind === "attribute" ? "instance_attributes" : "utilization", name, value));
}

async function showValue(context: CliContext, kind: ValueKind, node: string, name: string): Promise<boolean> {
  const { configuration, status } = await openStore(context).read();
  const owner =
    kind === "status-attr"
      ? transientOwner(status, node)
      : childrenOf(sectionOf(configuration, "nodes"), "node").find((item) => attributeOf(item, "uname") === node || idOf(item) === node);
  const value = owner === undefined ? undefined : textOf(owner, kind === "utilization" ? "utilization" : "instance_attributes", name);
  if (value === undefined) throw new CommandError(`${node} has no ${kind} ${name}`);
  context.terminal.out(`scope=${kind === "status-attr" ? "status" : "nodes"}  name=${name} value=${value}`);
  return true;
}

function transientOwner(status: Element | null, node: string): Element | undefined {
  const state = status === null ? undefined : childrenOf(status, "node_state").find((item) => attributeOf(item, "uname") === node);
  return state === undefined ? undefined : childOf(state, "transient_attributes");
}

const show: Command = {
  name: "show",
  aliases: ["list"],
  usage: "[NODE] [--json]",
  help: "nodes with their attributes",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { json: "flag" }, "show [NODE] [--json]");
    expectWords(words, 0, 1, "show [NODE] [--json]");
    const { configuration, status } = await openStore(context).read();
    const nodes = childrenOf(sectionOf(configuration, "nodes"), "node").filter(
      (node) => words.length === 0 || attributeOf(node, "uname") === words[0],
    );
    if (words.length === 1 && nodes.length === 0) throw new CommandError(`no such node: ${words[0]}`);
    const rows = isFile(context) ? [] : await nodeRows(context);
    if (flag("json"))
      context.terminal.out(
        JSON.stringify(
          rows.filter((row) => words.length === 0 || row["name"] === words[0]),
          null,
          2,
        ),
      );
    else for (const node of nodes) for (const line of renderNode(node, status, rows)) context.terminal.out(line);
    return true;
  },
  complete: completeNodes,
};

async function nodeRows(context: CliContext): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const answer = asRecord(await (await context.api()).request("status"));
  return Array.isArray(answer["nodes"]) ? answer["nodes"].map(asRecord) : [];
}

function renderNode(node: Element, status: Element | null, rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const name = attributeOf(node, "uname") ?? idOf(node) ?? "";
  const row = rows.find((item) => item["name"] === name);
  const lines = [
    `${name}(${idOf(node) ?? ""}): ${attributeOf(node, "type") ?? "member"}${row === undefined ? "" : `, ${String(row["state"])}`}`,
  ];
  for (const kind of ["instance_attributes", "utilization"] as const) {
    for (const [key, value] of pairsOf(node, kind)) lines.push(`\t${kind === "utilization" ? "utilization " : ""}${key}=${value}`);
  }
  const transient = transientOwner(status, name);
  for (const [key, value] of transient === undefined ? [] : pairsOf(transient, "instance_attributes"))
    lines.push(`\t(until reboot) ${key}=${value}`);
  return lines;
}

function pairsOf(owner: Element, kind: "instance_attributes" | "utilization"): (readonly [string, string])[] {
  return childrenOf(owner, kind).flatMap((set) =>
    childrenOf(set, "nvpair").map((pair) => [attributeOf(pair, "name") ?? "", attributeOf(pair, "value") ?? ""] as const),
  );
}

const fence: Command = {
  name: "fence",
  usage: "NODE [off|reboot]",
  help: "make sure that the node is down, and wait for the outcome",
  run: async (args, context) => {
    expectWords(args, 1, 2, "fence NODE [off|reboot]");
    const [node, action] = [args[0]!, args[1]];
    if (action !== undefined && action !== "off" && action !== "reboot") throw new CommandError("the action is off or reboot");
    await namesOf([node], false, context);
    const api = await context.api();
    const left = votesLeft(asRecord(await api.request("status")), node);
    const question = `Fence ${node}: everything on it ends${left === null ? "" : `, and with it the quorum (${left}); nothing is recovered until it is back`}. Go ahead`;
    if (!(await context.terminal.confirm(question, context.mode !== "interactive" && left === null))) {
      if (left !== null) context.terminal.error(`${node} was not fenced: it would cost the quorum (${left}); -F fences without a question`);
      return false;
    }
    const done = asRecord(
      await api.request("node.fence", action === undefined ? { node } : { node, action }, { timeoutMs: FENCE_TIMEOUT_MS }),
    );
    context.terminal.info(`${node} is fenced by ${String(done["by"])} after ${String(done["elapsedMs"])} ms`);
    await context.afterChange();
    return true;
  },
  complete: completeBy(completeNodes, ["off", "reboot"], []),
};

/** "V of T votes are left" when the loss of the node, which is up, leaves those that are up without a majority; else null. */
function votesLeft(status: Readonly<Record<string, unknown>>, node: string): string | null {
  let [total, left, isUp] = [0, 0, false];
  for (const row of Array.isArray(status["nodes"]) ? status["nodes"].map(asRecord) : []) {
    const votes = Number(row["votes"] ?? 0);
    const up = row["state"] === "online" || row["state"] === "detached";
    total += votes;
    if (row["name"] === node) isUp = up;
    else if (up) left += votes;
  }
  return isUp && 2 * left <= total ? `${left} of ${total} votes are left` : null;
}

const clearstate: Command = {
  name: "clearstate",
  aliases: ["confirm"],
  usage: "NODE",
  help: "vouch by hand that a lost node is down, so that its resources may start elsewhere",
  run: async (args, context) => {
    expectWords(args, 1, 1, "clearstate NODE");
    await namesOf(args, false, context);
    const question = `Only if ${args[0]} is powered off or its resources are stopped: a wrong answer lets them run twice. Is it down`;
    if (!(await context.terminal.confirm(question, false))) {
      context.terminal.error("not confirmed; -F confirms without a question");
      return false;
    }
    await (await context.api()).request("node.confirm", { node: args[0] });
    await context.afterChange();
    return true;
  },
  complete: completeNodes,
};

const remove: Command = {
  name: "delete",
  usage: "NODE [--force]",
  help: "take a node out of cluster and configuration; an active one only by force",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { force: "flag" }, "delete NODE [--force]");
    expectWords(words, 1, 1, "delete NODE [--force]");
    await (await context.api()).request("cluster.remove", { node: words[0], force: flag("force") || context.options.force });
    await context.afterChange();
    return true;
  },
  complete: completeNodes,
};

const server: Command = {
  name: "server",
  usage: "[NODE]",
  help: "addresses of the members",
  run: async (args, context) => {
    expectWords(args, 0, 1, "server [NODE]");
    const answer = asRecord(await (await context.api()).request("cluster.status"));
    const members = (Array.isArray(answer["members"]) ? answer["members"].map(asRecord) : []).filter(
      (member) => args.length === 0 || member["node"] === args[0],
    );
    if (args.length === 1 && members.length === 0) throw new CommandError(`no such member: ${args[0]}`);
    for (const member of members)
      context.terminal.out(`${String(member["node"])} ${(Array.isArray(member["addresses"]) ? member["addresses"] : []).join(" ")}`);
    return true;
  },
  complete: completeNodes,
};

/** `maintenance on|off [RESOURCE]` at the root: of everything, or of one resource through the resource level. */
export async function setClusterMaintenance(context: CliContext, word: string): Promise<void> {
  const on = booleanOf(word);
  if (on === undefined) throw new CommandError("maintenance takes on or off");
  const store = openStore(context);
  const { configuration } = await store.read();
  const options = childrenOf(sectionOf(configuration, "crm_config"), "cluster_property_set").find(
    (set) => idOf(set) === "cib-bootstrap-options",
  );
  const owner = element("owner", { id: "" }, [{ ...(options ?? element("x", { id: "cib-bootstrap-options" })), name: "meta_attributes" }]);
  const set = childOf(setValue(owner, "meta_attributes", "maintenance-mode", on ? "true" : "false"), "meta_attributes");
  if (set === undefined) return;
  const after = putObject(configuration, "crm_config", { ...set, name: "cluster_property_set" });
  await store.commit(editsBetween(configuration, after), context.options.force);
}

/** Nodes: letting them work, keeping them idle, making sure they are down. */
export const nodeLevel: Level = {
  name: "node",
  help: "nodes of the cluster",
  commands: [
    show,
    standbyCommand("standby"),
    standbyCommand("online"),
    maintenanceCommand("maintenance"),
    maintenanceCommand("ready"),
    fence,
    clearstate,
    remove,
    valueCommand("attribute", "permanent attributes of a node"),
    valueCommand("utilization", "what a node can carry"),
    valueCommand("status-attr", "attributes that end when the node leaves"),
    server,
  ],
  levels: [],
};
