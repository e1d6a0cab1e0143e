import type { AgentMetadata, AgentName } from "../../core/crm/index.ts";
import { AGENT_CLASSES, agentProviders, agentTypes, openAgentCatalog } from "./agent-metadata.ts";
import { expectWords } from "./arguments.ts";
import { type Command, CommandError, type Completion, type Level } from "./level.ts";

const classes: Command = {
  name: "classes",
  usage: "",
  help: "classes of agents, and the providers of ocf",
  run: async (args, context) => {
    expectWords(args, 0, 0, "classes");
    for (const name of AGENT_CLASSES) context.terminal.out(name === "ocf" ? `ocf / ${agentProviders().join(" ")}` : name);
    return true;
  },
};

const list: Command = {
  name: "list",
  usage: "CLASS [PROVIDER]",
  help: "agents of a class that are installed here",
  run: async (args, context) => {
    expectWords(args, 1, 2, "list CLASS [PROVIDER]");
    if (!AGENT_CLASSES.includes(args[0]!)) throw new CommandError(`no such class: ${args[0]}; there are ${AGENT_CLASSES.join(", ")}`);
    const providers = args[0] === "ocf" ? (args[1] === undefined ? agentProviders() : [args[1]]) : [""];
    const names = new Set(providers.flatMap((provider) => agentTypes(args[0]!, provider)));
    for (const name of [...names].sort()) context.terminal.out(name);
    return true;
  },
  complete: async (args) => (args.length <= 1 ? AGENT_CLASSES : agentProviders()).map((word) => ({ word })),
};

const providers: Command = {
  name: "providers",
  usage: "TYPE [CLASS]",
  help: "who provides the agent",
  complete: async (args) => (args.length <= 1 ? completeAgentTypes() : []),
  run: async (args, context) => {
    expectWords(args, 1, 2, "providers TYPE [CLASS]");
    for (const provider of agentProviders()) if (agentTypes("ocf", provider).includes(args[0]!)) context.terminal.out(provider);
    return true;
  },
};

/** `[CLASS:[PROVIDER:]]TYPE`; a bare type is `ocf:heartbeat`'s if there is one, else of whoever has it. */
function agentNamed(text: string): AgentName {
  const parts = text.split(":");
  if (parts.length > 3 || parts.some((part) => part === ""))
    throw new CommandError(`not an agent: ${text}; expected [CLASS:[PROVIDER:]]TYPE`);
  if (parts.length === 3) return { class: parts[0]!, provider: parts[1]!, type: parts[2]! };
  if (parts.length === 2 && parts[0] !== "ocf") return { class: parts[0]!, provider: null, type: parts[1]! };
  const type = parts[parts.length - 1]!;
  if (type.startsWith("fence_")) return { class: "stonith", provider: null, type };
  const having = agentProviders().filter((provider) => agentTypes("ocf", provider).includes(type));
  return { class: "ocf", provider: having.includes("heartbeat") ? "heartbeat" : (having[0] ?? "heartbeat"), type };
}

const info: Command = {
  name: "info",
  aliases: ["meta"],
  usage: "[CLASS:[PROVIDER:]]TYPE",
  help: "what the agent says of itself: parameters and operations",
  run: async (args, context) => {
    expectWords(args, 1, 1, "info [CLASS:[PROVIDER:]]TYPE");
    const name = agentNamed(args[0]!);
    const answer = openAgentCatalog({ ...process.env, QUORATE_AGENT_CHECKS: "on" }).describe(name);
    if (answer.kind !== "found")
      throw new CommandError(
        `${args[0]}: ${answer.kind === "missing" ? "no such agent is installed here" : "the agent says nothing of itself"}`,
      );
    for (const line of renderAgent(answer.metadata, name)) context.terminal.out(line);
    return true;
  },
  complete: completeAgents,
};

function completeAgentTypes(): readonly Completion[] {
  return [...new Set(agentProviders().flatMap((provider) => agentTypes("ocf", provider)))].map((word) => ({ word }));
}

async function completeAgents(args: readonly string[]): Promise<readonly Completion[]> {
  const typed = args[args.length - 1] ?? "";
  const ocf = agentProviders().flatMap((provider) => agentTypes("ocf", provider).map((type) => `ocf:${provider}:${type}`));
  const fence = agentTypes("stonith", "").map((type) => `stonith:${type}`);
  return [...ocf, ...fence, ...completeAgentTypes().map(({ word }) => word)]
    .filter((word) => word.startsWith(typed))
    .map((word) => ({ word }));
}

function renderAgent(agent: AgentMetadata, name: AgentName): string[] {
  const lines = [
    `${agent.shortDescription} (${[name.class, name.provider, name.type].filter((part) => part !== null).join(":")})`,
    "",
    agent.longDescription.trim(),
    "",
    "Parameters (*: required):",
  ];
  for (const parameter of agent.parameters) {
    const fallback = parameter.default === null ? "" : `, [${parameter.default}]`;
    const values = parameter.values.length === 0 ? "" : `; one of ${parameter.values.join(", ")}`;
    lines.push("", `${parameter.name}${parameter.required ? "*" : ""} (${parameter.type}${fallback}${values})`);
    for (const text of parameter.description.trim().split("\n")) lines.push(`    ${text.trim()}`);
  }
  lines.push("", "Operations:", "");
  for (const operation of agent.operations) {
    const facts = Object.entries({ timeout: operation.timeout, interval: operation.interval, role: operation.role }).flatMap(
      ([key, value]) => (value === null ? [] : [`${key}=${value}`]),
    );
    lines.push(`    ${operation.name} ${facts.join(" ")}`.trimEnd());
  }
  return lines;
}

/** Agents: what is installed on this machine. */
export const raLevel: Level = {
  name: "ra",
  help: "agents that are installed on this machine",
  commands: [classes, list, providers, info],
  levels: [],
};
