import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { attributeOf, type Element } from "../../core/cib/index.ts";
import {
  type AgentCatalog,
  type AgentMetadata,
  type AgentName,
  CONFIGURE_COMMANDS,
  CrmError,
  listObjects,
  nodeNames,
  OBJECT_TYPES,
  objectTypeOf,
  resolveCommand,
} from "../../core/crm/index.ts";
import { AGENT_CLASSES, agentProviders, agentTypes } from "./agent-metadata.ts";
import {
  CURRENT_ROLES,
  idsOf,
  membersIn,
  objectCandidates,
  optionPairs,
  pairs,
  plain,
  resourcesOf,
  settable,
  suffixed,
  type Typing,
  typingOf,
} from "./complete-objects.ts";
import { CLONE_HELP, DEVICE_HELP, META_HELP, OPERATION_HELP, type PairHelp } from "./complete-words.ts";
import { CONFIGURE_HELP } from "./configure-help.ts";
import type { Completion } from "./level.ts";

const SECTIONS = ["params", "meta", "utilization", "operations", "op", "description="];

/** What may stand at the end of the line typed so far, filtered by what is typed of it. */
export function completeConfigure(line: string, configuration: Element, agents: AgentCatalog): Completion[] {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? "";
  const found = words.length <= 1 ? commands() : candidates(typingOf(configuration, words.slice(0, -1), last), agents);
  const seen = new Set<string>();
  return found.filter(({ word }) => word.startsWith(last) && !seen.has(word) && seen.add(word) !== undefined);
}

function commands(): Completion[] {
  return CONFIGURE_COMMANDS.map((word) => {
    const help = CONFIGURE_HELP[word]?.[1];
    return help === undefined ? { word } : { word, help };
  });
}

function commandOf(word: string): string {
  try {
    return resolveCommand("configure", word, CONFIGURE_COMMANDS).command;
  } catch (error) {
    if (error instanceof CrmError) return "";
    throw error;
  }
}

function candidates(typing: Typing, agents: AgentCatalog): Completion[] {
  const command = commandOf(typing.before[0] ?? "");
  const type = objectTypeOf(command);
  if (type === "primitive" || type === "rsc_template") return primitiveCandidates(typing, agents);
  return type === null ? commandCandidates(command, typing) : objectCandidates(type, typing);
}

/** Commands that are no objects. */
function commandCandidates(command: string, typing: Typing): Completion[] {
  const { before, last } = typing;
  const position = before.length;
  switch (command) {
    case "show":
    case "edit":
      return selectors(typing);
    case "save":
      return [...selectors(typing), ...files(last)];
    case "filter":
      return position === 1 ? [] : selectors(typing);
    case "load":
      if (["replace", "update", "push"].includes(before.at(-1) ?? "")) return files(last);
      return plain(position === 1 ? ["xml", "replace", "update", "push"] : ["replace", "update", "push"]);
    case "delete":
      return plain([...typing.objects.map((object) => object.id).filter((id) => !before.includes(id)), "--force"]);
    case "rename":
      return position === 1 ? plain(typing.objects.map((object) => object.id)) : [];
    case "modgroup":
      return modgroup(typing);
    case "set":
      return position === 1 ? settable(typing) : [];
    case "monitor":
      return position === 1 ? suffixed(idsOf(typing, "primitive"), last, CURRENT_ROLES) : [];
    case "default-timeouts":
    case "validate-all":
      return plain(idsOf(typing, "primitive"));
    case "rsctest":
      return plain([...resourcesOf(typing), ...nodeNames(typing.configuration)]);
    case "get_property":
      return optionPairs().map(({ name, help }) => ({ word: name, help }));
    default:
      return plain(WORDS_OF[command] ?? []);
  }
}

/** Commands with a fixed choice of words. */
const WORDS_OF: Readonly<Record<string, readonly string[]>> = {
  commit: ["force", "replace", "--plan"],
  plan: ["--json"],
  erase: ["nodes"],
  graph: ["dot"],
  ptest: ["nograph", "scores", "actions", "utilization", "v", "vv"],
  simulate: ["nograph", "scores", "actions", "utilization", "v", "vv"],
};

function selectors(typing: Typing): Completion[] {
  const ids = typing.objects.map((object) => object.id);
  return plain([
    ...ids,
    "xml",
    "changed",
    "and",
    "or",
    "obscure:",
    ...OBJECT_TYPES.map((type) => `type:${type}`),
    ...idsOf(typing, "tag").map((id) => `tag:${id}`),
    ...ids.map((id) => `related:${id}`),
  ]);
}

function modgroup(typing: Typing): Completion[] {
  const { before } = typing;
  const group = before[1] ?? "";
  const members = membersIn(typing, group);
  if (before.length === 1) return plain(idsOf(typing, "group"));
  if (before.length === 2) return plain(["add", "remove"]);
  if (before.length === 3) {
    const outside = idsOf(typing, "primitive").filter((id) => !members.includes(id));
    return plain(before[2] === "remove" ? members : outside);
  }
  if (before.length === 4 && before[2] === "add") return plain(["after", "before"]);
  return before.length === 5 ? plain(members) : [];
}

/** Names of files that begin so; a directory ends in a slash. */
function files(last: string): Completion[] {
  const directory = last.endsWith("/") ? last : dirname(last);
  try {
    return readdirSync(directory === "" ? "." : directory, { withFileTypes: true }).map((entry) => {
      const path = last.includes("/") ? join(directory, entry.name) : entry.name;
      return { word: entry.isDirectory() ? `${path}/` : path };
    });
  } catch {
    // A directory that cannot be read has nothing to offer.
    return [];
  }
}

function primitiveCandidates(typing: Typing, agents: AgentCatalog): Completion[] {
  const { before, last, configuration } = typing;
  if (before.length === 1) return [];
  if (before.length === 2) return agentCandidates(last, configuration);
  const section = [...before].reverse().find((word) => ["params", "meta", "utilization", "op"].includes(word)) ?? "params";
  const metadata = metadataOf(before[2] ?? "", configuration, agents);
  const sections = last.includes("=") ? [] : plain(SECTIONS);
  if (section === "meta") return [...pairs([...META_HELP, ...(before[0] === "primitive" ? [] : CLONE_HELP)], last), ...sections];
  if (section === "utilization") return sections;
  if (section === "op") {
    if (before.at(-1) === "op")
      return plain(new Set(metadata?.operations.map((operation) => operation.name) ?? ["monitor", "start", "stop"]));
    return [...pairs(operationPairs(before, metadata), last), ...sections];
  }
  const special = metadata !== null && isDevice(before[2] ?? "", configuration) ? DEVICE_HELP : [];
  return [...pairs([...(metadata?.parameters ?? []).map(parameterHelp), ...special], last), ...sections];
}

function parameterHelp(parameter: AgentMetadata["parameters"][number]): PairHelp {
  return {
    name: parameter.name,
    help: parameter.description.replaceAll(/\s+/g, " ").trim(),
    type: `${parameter.type}${parameter.required ? ", required" : ""}`,
    ...(parameter.default === null ? {} : { fallback: parameter.default }),
    values: parameter.values.length > 0 ? parameter.values : parameter.type === "boolean" ? ["true", "false"] : [],
  };
}

/** Attributes of the operation that is being typed, with the times its agent advises. */
function operationPairs(before: readonly string[], metadata: AgentMetadata | null): PairHelp[] {
  const name = before[before.lastIndexOf("op") + 1] ?? "";
  const advised = metadata?.operations.filter((operation) => operation.name === name) ?? [];
  return OPERATION_HELP.map((each) => {
    const values = advised.flatMap(
      (operation) => (each.name === "interval" ? operation.interval : each.name === "timeout" ? operation.timeout : null) ?? [],
    );
    return values.length === 0 ? each : { ...each, help: `${each.help}; the agent advises ${values.join(" ")}`, values };
  });
}

function agentCandidates(last: string, configuration: Element): Completion[] {
  const templates = listObjects(configuration).flatMap((object) => (object.type === "rsc_template" ? [`@${object.id}`] : []));
  const parts = last.split(":");
  const [agentClass = "", provider = ""] = parts;
  if (agentClass === "ocf" && parts.length === 2) {
    // `ocf:TYPE` is short for a provider that has the agent; the providers themselves come first.
    return plain(agentProviders().map((each) => `ocf:${each}:`));
  }
  if (agentClass === "ocf" && parts.length === 3) return plain(agentTypes("ocf", provider).map((name) => `ocf:${provider}:${name}`));
  if (parts.length === 2) return plain(agentTypes(agentClass, "").map((name) => `${agentClass}:${name}`));
  return plain([...agentTypes("ocf", "heartbeat"), ...AGENT_CLASSES.map((each) => `${each}:`), ...templates]);
}

/** The agent that a line names, also by its template. */
function agentOf(typed: string, configuration: Element): AgentName {
  const template = typed.startsWith("@") ? listObjects(configuration).find((object) => object.id === typed.slice(1))?.element : undefined;
  if (template !== undefined) {
    return {
      class: attributeOf(template, "class") ?? "",
      provider: attributeOf(template, "provider") ?? null,
      type: attributeOf(template, "type") ?? "",
    };
  }
  const parts = typed.split(":");
  if (parts.length === 1) return { class: "ocf", provider: "heartbeat", type: typed };
  return { class: parts[0] ?? "", provider: parts.length > 2 ? (parts[1] ?? null) : null, type: parts.at(-1) ?? "" };
}

function isDevice(typed: string, configuration: Element): boolean {
  return agentOf(typed, configuration).class === "stonith";
}

function metadataOf(typed: string, configuration: Element, agents: AgentCatalog): AgentMetadata | null {
  const answer = agents.describe(agentOf(typed, configuration));
  return answer.kind === "found" ? answer.metadata : null;
}
