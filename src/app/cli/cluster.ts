import { compareText } from "../../core/base/index.ts";
import { TOKEN_LIFE_MAX_S } from "../../core/ports/index.ts";
import { durationMs, expectWords, integerOf, parseArguments } from "./arguments.ts";
import { recoveryCommands } from "./cluster-recovery.ts";
import { serviceCommands, untilQuorate } from "./cluster-service.ts";
import { readSource } from "./configure-host.ts";
import { waitIdle } from "./context.ts";
import { type CliContext, type Command, CommandError, type Level } from "./level.ts";
import { completeNodes, localNode } from "./names.ts";
import { asRecord } from "./store.ts";
import { alignColumns, formatMs } from "./text.ts";
import { allResources } from "./view.ts";
import { readView } from "./view-read.ts";

/** Milliseconds a change of the membership may take: a new voter catches up first. */
const CHANGE_TIMEOUT_MS = 70_000;
/** Milliseconds `cluster join` may take: the newcomer catches up before it votes. */
const JOIN_TIMEOUT_MS = 120_000;

const init: Command = {
  name: "init",
  usage: "--name NAME [--node NODE]",
  help: "form a cluster: its authority and its first member, on this daemon",
  run: async (args, context) => {
    const { words, text } = parseArguments(args, { name: "text", node: "text" }, "init --name NAME [--node NODE]");
    expectWords(words, 0, 0, "init --name NAME [--node NODE]");
    const name = text("name");
    if (name === undefined) throw new CommandError("init needs --name NAME");
    const api = await context.api();
    const made = asRecord(await api.request("cluster.init", withoutUndefined({ name, node: text("node") })));
    context.terminal.info(`cluster ${name} (${String(made["clusterId"])}) formed; its first member is ${String(made["node"])}`);
    return true;
  },
};

const token: Command = {
  name: "token",
  usage: "[--ttl DURATION]",
  help: "print a token with which one node may join, once",
  run: async (args, context) => {
    const { words, text } = parseArguments(args, { ttl: "text" }, "token [--ttl DURATION]");
    expectWords(words, 0, 0, "token [--ttl DURATION]");
    const ttl = text("ttl");
    const api = await context.api();
    const ttlSeconds = ttl === undefined ? undefined : Math.ceil(durationMs(ttl, "--ttl") / 1000);
    if (ttlSeconds !== undefined && (ttlSeconds < 1 || ttlSeconds > TOKEN_LIFE_MAX_S))
      throw new CommandError(`--ttl must be from 1s to 7d, not ${ttl}`);
    const made = asRecord(await api.request("cluster.token", withoutUndefined({ ttlSeconds })));
    context.terminal.out(String(made["token"]));
    return true;
  },
};

const join: Command = {
  name: "join",
  usage: "ADDRESS --token TOKEN|- [--node NODE] [--witness]",
  help: "make this daemon a member of the cluster at ADDRESS (host:port of any member); --token - reads it from standard input",
  run: async (args, context) => {
    const usage = "join ADDRESS --token TOKEN|- [--node NODE] [--witness]";
    const { words, text, flag } = parseArguments(args, { token: "text", node: "text", witness: "flag" }, usage);
    const witness = flag("witness");
    expectWords(words, 1, 1, usage);
    const given = text("token");
    if (given === undefined) throw new CommandError("join needs --token TOKEN; `quorate cluster token` on a member prints one");
    const api = await context.api();
    const token = given === "-" ? (await readSource("-")).trim() : given;
    const params = withoutUndefined({ address: words[0], token, node: text("node"), witness: witness ? true : undefined });
    const made = asRecord(await api.request("cluster.join", params, { timeoutMs: JOIN_TIMEOUT_MS }));
    context.terminal.info(`${String(made["node"])} is a member and votes${witness ? "; as a witness it never runs a resource" : ""}`);
    return true;
  },
};

const status: Command = {
  name: "status",
  usage: "[--json]",
  help: "term, leader, and what each member holds",
  run: async (args, context) => {
    const { flag } = parseArguments(args, { json: "flag" }, "status [--json]");
    const api = await context.api();
    const answer = asRecord(await api.request("cluster.status"));
    if (flag("json")) context.terminal.out(JSON.stringify(answer, null, 2));
    else for (const line of renderClusterStatus(answer)) context.terminal.out(line);
    return true;
  },
};

/** `cluster status` for people. */
export function renderClusterStatus(answer: Readonly<Record<string, unknown>>): string[] {
  const members = (Array.isArray(answer["members"]) ? answer["members"].map(asRecord) : []).sort((a, b) =>
    compareText(String(a["node"]), String(b["node"])),
  );
  const leader = answer["leader"];
  const leaderName =
    typeof leader === "object" && leader !== null ? String(asRecord(leader)["node"]) : leader === null ? "none" : String(leader);
  const lines = [
    `Cluster ${String(answer["name"])} (${String(answer["clusterId"])})`,
    `Term ${String(answer["term"])}, leader ${leaderName}; ${answer["quorate"] === true ? "quorate" : "NO QUORUM"}: ${String(answer["quorumVotes"])} of ${String(answer["totalVotes"])} votes needed`,
    `Log: committed ${String(answer["commitIndex"])}, applied ${String(answer["appliedIndex"])}, last ${String(answer["lastIndex"])}${answer["joint"] === true ? "; membership is changing" : ""}`,
    "",
  ];
  const shown = (value: unknown, as: (value: number) => string = String): string => (typeof value === "number" ? as(value) : "-");
  const rows = members.map((member) => [
    String(member["node"]),
    `${member["learner"] === true ? "learner" : member["witness"] === true ? "witness" : "voter"}${member["state"] === "recovering" ? ", recovering" : ""}`,
    shown(member["votes"]),
    shown(member["match"]),
    shown(member["lag"]),
    shown(member["storeAgeMs"], formatMs),
    shown(member["contactAgeMs"], formatMs),
    shown(member["clockDifferenceMs"], (value) => `${value > 0 ? "+" : ""}${value}ms`),
    guaranteeOf(member),
    shown(member["tsafeMs"], formatMs),
    Array.isArray(member["addresses"]) ? member["addresses"].join(" ") : "",
  ]);
  const head = ["MEMBER", "ROLE", "VOTES", "MATCH", "LAG", "STORE", "CONTACT", "CLOCK", "GUARANTEE", "TSAFE", "ADDRESS"];
  return [...lines, ...alignColumns([head, ...rows])];
}

/** Two words where killing is all that the guardian can do: kernel state (addresses, mounts) is then not covered. */
function guaranteeOf(member: Readonly<Record<string, unknown>>): string {
  const guarantee = String(member["guarantee"] ?? "-");
  const kernel = member["kernelGuarantee"];
  return guarantee !== "none" && kernel === "none" ? `${guarantee}, kernel state: none` : guarantee;
}

const remove: Command = {
  name: "remove",
  aliases: ["delete"],
  usage: "NODE [--force]",
  help: "take a member out of the cluster; refused while resources run there",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { force: "flag" }, "remove NODE [--force]");
    expectWords(words, 1, 1, "remove NODE [--force]");
    const api = await context.api();
    await api.request("cluster.remove", { node: words[0], force: flag("force") || context.options.force });
    await context.afterChange();
    return true;
  },
  complete: completeNodes,
};

const promote: Command = {
  name: "promote",
  usage: "NODE",
  help: "let a learner vote again (one vote)",
  run: async (args, context) => {
    expectWords(args, 1, 1, "promote NODE");
    await (await context.api()).request("cluster.promote", { node: args[0] }, { timeoutMs: CHANGE_TIMEOUT_MS });
    return true;
  },
  complete: completeNodes,
};

const demote: Command = {
  name: "demote",
  usage: "NODE",
  help: "take a member's votes: it goes on as a learner, which follows and runs resources but is not counted",
  run: async (args, context) => {
    expectWords(args, 1, 1, "demote NODE");
    await (await context.api()).request("cluster.demote", { node: args[0] }, { timeoutMs: CHANGE_TIMEOUT_MS });
    return true;
  },
  complete: completeNodes,
};

const address: Command = {
  name: "address",
  usage: "NODE HOST:PORT... [--force]",
  help: "change where a member is found; one address for each ring. It must answer there, or --force",
  run: async (args, context) => {
    const usage = "address NODE HOST:PORT... [--force]";
    const { words, flag } = parseArguments(args, { force: "flag" }, usage);
    expectWords(words, 2, 5, usage);
    const force = flag("force") || context.options.force;
    const params = { node: words[0], addresses: words.slice(1), force };
    await (await context.api()).request("cluster.address", params, { timeoutMs: CHANGE_TIMEOUT_MS });
    return true;
  },
  complete: completeNodes,
};

const votes: Command = {
  name: "votes",
  usage: "NODE NUMBER",
  help: "give a member so many votes",
  run: async (args, context) => {
    expectWords(args, 2, 2, "votes NODE NUMBER");
    const api = await context.api();
    await api.request("cluster.votes", { node: args[0], votes: integerOf(args[1]!, "NUMBER", 0) });
    return true;
  },
  complete: completeNodes,
};

const transfer: Command = {
  name: "transfer",
  usage: "NODE",
  help: "make that member the leader",
  run: async (args, context) => {
    expectWords(args, 1, 1, "transfer NODE");
    const api = await context.api();
    await api.request("cluster.transfer", { node: args[0] });
    return true;
  },
  complete: completeNodes,
};

const health: Command = {
  name: "health",
  usage: "",
  help: "say what is wrong; fails unless all members are online, quorate and nothing failed",
  run: async (args, context) => {
    expectWords(args, 0, 0, "health");
    const api = await context.api();
    const answer = asRecord(await api.request("status"));
    const problems: string[] = [];
    if (answer["quorate"] !== true) problems.push("no quorum");
    if (answer["policyFailure"] !== null && answer["policyFailure"] !== undefined) problems.push("the policy engine failed");
    for (const node of Array.isArray(answer["nodes"]) ? answer["nodes"].map(asRecord) : []) {
      if (node["state"] === "never")
        problems.push(`${String(node["name"])} has not been seen yet: do quorated and quorate-guardian run there?`);
      else if (node["state"] !== "online") problems.push(`${String(node["name"])} is ${String(node["state"])}`);
    }
    for (const warning of Array.isArray(answer["warnings"]) ? answer["warnings"] : []) problems.push(String(warning));
    for (const problem of problems) context.terminal.out(problem);
    if (problems.length === 0) context.terminal.out("healthy");
    return problems.length === 0;
  },
};

const waitForStartup: Command = {
  name: "wait_for_startup",
  usage: "[SECONDS]",
  help: "wait until this daemon is a member of a quorate cluster",
  run: async (args, context) => {
    expectWords(args, 0, 1, "wait_for_startup [SECONDS]");
    await untilQuorate(context, (args[0] === undefined ? 120 : integerOf(args[0], "SECONDS", 0)) * 1000);
    return true;
  },
};

const waitIdleCommand: Command = {
  name: "wait",
  usage: "",
  help: "wait until the cluster has nothing to do",
  run: async (args, context) => {
    expectWords(args, 0, 0, "wait");
    await waitIdle(context);
    return true;
  },
};

const detach: Command = {
  name: "detach",
  usage: "[NODE] [--for DURATION]",
  help: "announce a restart of the daemon: resources stay, the node is not lost until then (default 60s)",
  run: async (args, context) => {
    const usage = "detach [NODE] [--for DURATION]";
    const { words, text } = parseArguments(args, { for: "text" }, usage);
    expectWords(words, 0, 1, usage);
    const api = await context.api();
    const seconds = Math.ceil(durationMs(text("for") ?? "60s", "--for") / 1000);
    await api.request("node.detach", withoutUndefined({ node: words[0], seconds }));
    return true;
  },
  complete: completeNodes,
};

const stop: Command = {
  name: "stop",
  usage: "[NODE...] [--all]",
  help: "stop or move all resources of the node; then it leaves and its daemon ends",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { all: "flag" }, "stop [NODE...] [--all]");
    const api = await context.api();
    const targets = flag("all") ? await onlineNodes(context) : words.length === 0 ? [await localNode(context)] : words;
    await tellWhatKeeps(targets, context);
    // All at once: one after the other, the last ones would be left without a quorum that sees them off.
    const leave = async (node: string): Promise<boolean> => {
      try {
        await api.request("node.shutdown", { node });
        context.terminal.info(`${node} has left the cluster and its daemon ends; \`cluster start\` there brings it back`);
        return true;
      } catch (error) {
        context.terminal.error(`${node}: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      }
    };
    return (await Promise.all(targets.map(leave))).every((left) => left);
  },
  complete: completeNodes,
};

/** A node waits for all that runs there, and nothing ends what the cluster may not touch: said before, the wait is no riddle. */
async function tellWhatKeeps(targets: readonly string[], context: CliContext): Promise<void> {
  const { resources } = await readView(context);
  const kept = [...allResources(resources)].filter(
    ({ agent, flags }) => agent !== null && (flags.includes("unmanaged") || flags.includes("maintenance")),
  );
  for (const node of targets) {
    const names = kept.filter(({ nodes }) => nodes.includes(node)).map(({ id }) => id);
    if (names.length > 0)
      context.terminal.warn(
        `${names.join(", ")} on ${node} is left as it is (unmanaged or in maintenance): the node leaves when that is over (\`resource manage\`, \`maintenance off\`), or it has ended`,
      );
  }
}

/** Nodes and witnesses that are there to be asked. */
async function onlineNodes(context: CliContext): Promise<string[]> {
  const answer = asRecord(await (await context.api()).request("status"));
  const nodes = Array.isArray(answer["nodes"]) ? answer["nodes"].map(asRecord) : [];
  return nodes.filter((node) => node["state"] === "online").map((node) => String(node["name"]));
}

function withoutUndefined(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}

/** Forming, entering and leaving the cluster. */
export const clusterLevel: Level = {
  name: "cluster",
  help: "form, enter, leave and look after the cluster",
  commands: [
    init,
    token,
    join,
    status,
    health,
    remove,
    votes,
    promote,
    demote,
    address,
    transfer,
    ...recoveryCommands,
    ...serviceCommands,
    detach,
    stop,
    waitForStartup,
    waitIdleCommand,
  ],
  levels: [],
};

/** Quorum in the words of the older `corosync` level. */
export const quorumLevel: Level = {
  name: "quorum",
  help: "votes and members",
  commands: [
    { ...status, help: "term, leader, quorum and members" },
    { ...status, name: "show", help: "the same as status" },
    {
      name: "members",
      usage: "",
      help: "the names of the members",
      run: async (args, context) => {
        expectWords(args, 0, 0, "members");
        for (const name of await memberNames(context)) context.terminal.out(name);
        return true;
      },
    },
    {
      name: "leader",
      usage: "",
      help: "the name of the leader",
      run: async (args, context) => {
        expectWords(args, 0, 0, "leader");
        const answer = asRecord(await (await context.api()).request("status"));
        if (answer["leader"] === null) throw new CommandError("there is no leader at present");
        context.terminal.out(String(asRecord(answer["leader"])["node"]));
        return true;
      },
    },
    votes,
  ],
  levels: [],
};

async function memberNames(context: CliContext): Promise<string[]> {
  const answer = asRecord(await (await context.api()).request("cluster.status"));
  return (Array.isArray(answer["members"]) ? answer["members"] : []).map((member) => String(asRecord(member)["node"]));
}
