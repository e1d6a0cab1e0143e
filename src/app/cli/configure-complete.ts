import { attributeOf, type Element } from "../../core/cib/index.ts";
import {
  type AgentCatalog,
  type AgentMetadata,
  CLUSTER_OPTIONS,
  CONFIGURE_COMMANDS,
  CrmError,
  listObjects,
  metaAttributesOf,
  nodeNames,
  OBJECT_TYPES,
  OPERATION_ATTRIBUTES,
  objectTypeOf,
  ROLES,
  resolveCommand,
  resourceIds,
} from "../../core/crm/index.ts";
import { agentProviders, agentTypes } from "./agent-metadata.ts";
import type { Completion } from "./level.ts";

const plain = (words: Iterable<string>): Completion[] => [...words].map((word) => ({ word }));
const SECTIONS = ["params", "meta", "utilization", "operations", "op", "description="];

/** What may stand at the end of the line typed so far, filtered by what is typed of it. */
export function completeConfigure(line: string, configuration: Element, agents: AgentCatalog): Completion[] {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? "";
  if (words.length <= 1) return startingWith(plain(CONFIGURE_COMMANDS), last);
  return startingWith(candidates(words.slice(0, -1), last, configuration, agents), last);
}

function startingWith(found: readonly Completion[], typed: string): Completion[] {
  return found.filter((each) => each.word.startsWith(typed));
}

function commandOf(word: string): string {
  try {
    return resolveCommand("configure", word, CONFIGURE_COMMANDS).command;
  } catch (error) {
    if (error instanceof CrmError) return "";
    throw error;
  }
}

function candidates(before: readonly string[], last: string, configuration: Element, agents: AgentCatalog): Completion[] {
  const command = commandOf(before[0] ?? "");
  const ids = listObjects(configuration).map((object) => object.id);
  switch (command) {
    case "show":
    case "edit":
      return plain([...ids, "xml", "changed", ...OBJECT_TYPES.map((type) => `type:${type}`), ...ids.map((id) => `related:${id}`)]);
    case "delete":
    case "rename":
    case "filter":
      return plain(ids);
    case "load":
      return plain(["xml", "replace", "update", "push"]);
    case "commit":
      return plain(["force", "--plan"]);
    case "plan":
      return plain(["--json"]);
    case "get_property":
      return options();
    case "property":
      return propertyCandidates(last);
    default:
      return objectCandidates(command, before, last, configuration, agents);
  }
}

function options(): Completion[] {
  return [...CLUSTER_OPTIONS].map(([word, option]) => ({ word, help: `default: ${option.default}` }));
}

function propertyCandidates(last: string): Completion[] {
  const [name = "", value] = last.split("=");
  if (value === undefined) return options().map((option) => ({ ...option, word: `${option.word}=` }));
  return plain((CLUSTER_OPTIONS.get(name)?.values ?? []).map((each) => `${name}=${each}`));
}

function objectCandidates(
  command: string,
  before: readonly string[],
  last: string,
  configuration: Element,
  agents: AgentCatalog,
): Completion[] {
  const type = objectTypeOf(command);
  const resources = resourceIds(configuration);
  if (type === "primitive" || type === "rsc_template") return primitiveCandidates(before, last, configuration, agents);
  if (type === null || before.length === 1) return type === null ? plain(resources) : [];
  if (type === "location" && /:$/.test(before.at(-1) ?? "")) return plain(nodeNames(configuration));
  if (last.includes(":")) return plain([...ROLES.values()].map((role) => `${last.slice(0, last.indexOf(":"))}:${role}`));
  const tail =
    type === "order"
      ? ["Mandatory:", "Optional:", "Serialize:", "symmetrical="]
      : type === "clone" || type === "group"
        ? ["meta", "params"]
        : [];
  if (before.includes("meta")) return plain(metaAttributesOf(type === "clone" ? "clone" : "group").map((name) => `${name}=`));
  if (type === "location" || type === "colocation") return plain([...resources, "inf:", "-inf:", "rule"]);
  if (type === "fencing_topology") return plain([...nodeNames(configuration).map((name) => `${name}:`), ...resources]);
  return plain([...resources, ...tail]);
}

function primitiveCandidates(before: readonly string[], last: string, configuration: Element, agents: AgentCatalog): Completion[] {
  if (before.length === 1) return [];
  if (before.length === 2) return agentCandidates(last, configuration);
  const section = [...before].reverse().find((word) => ["params", "meta", "utilization", "op"].includes(word));
  const metadata = metadataOf(before[2] ?? "", configuration, agents);
  if (section === "meta") return [...plain(metaAttributesOf("primitive").map((name) => `${name}=`)), ...plain(SECTIONS)];
  if (section === "op") {
    if (before.at(-1) === "op")
      return plain(new Set(metadata?.operations.map((operation) => operation.name) ?? ["monitor", "start", "stop"]));
    return [...plain(OPERATION_ATTRIBUTES.map((name) => `${name}=`)), ...plain(SECTIONS)];
  }
  const parameters = (metadata?.parameters ?? []).map((parameter) => ({
    word: `${parameter.name}=`,
    help: `${parameter.description} (${parameter.type}${parameter.required ? ", required" : ""}${parameter.default === null ? "" : `, default ${parameter.default}`})`,
  }));
  return [...(section === "params" ? parameters : []), ...plain(SECTIONS)];
}

function agentCandidates(last: string, configuration: Element): Completion[] {
  const templates = listObjects(configuration).flatMap((object) => (object.type === "rsc_template" ? [`@${object.id}`] : []));
  const parts = last.split(":");
  if (parts[0] === "ocf" && parts.length === 2) return plain(agentProviders().map((provider) => `ocf:${provider}:`));
  if (parts[0] === "ocf" && parts.length === 3) return plain(agentTypes("ocf", parts[1] ?? "").map((name) => `ocf:${parts[1]}:${name}`));
  if (parts[0] === "stonith" && parts.length === 2) return plain(agentTypes("stonith", "").map((name) => `stonith:${name}`));
  return plain([...agentTypes("ocf", "heartbeat"), "ocf:", "stonith:", "systemd:", "lsb:", "service:", ...templates]);
}

function metadataOf(agent: string, configuration: Element, agents: AgentCatalog): AgentMetadata | null {
  const template = agent.startsWith("@") ? listObjects(configuration).find((object) => object.id === agent.slice(1))?.element : undefined;
  const parts = agent.split(":");
  const name =
    template !== undefined
      ? {
          class: attributeOf(template, "class") ?? "",
          provider: attributeOf(template, "provider") ?? null,
          type: attributeOf(template, "type") ?? "",
        }
      : parts.length === 1
        ? { class: "ocf", provider: "heartbeat", type: agent }
        : { class: parts[0] ?? "", provider: parts.length > 2 ? (parts[1] ?? null) : null, type: parts.at(-1) ?? "" };
  const answer = agents.describe(name);
  return answer.kind === "found" ? answer.metadata : null;
}
