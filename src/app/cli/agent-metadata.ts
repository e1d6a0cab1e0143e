import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isAgentName } from "../../core/base/index.ts";
import { attributeOf, childOf, childrenOf, type Element } from "../../core/cib/index.ts";
import {
  type AgentAnswer,
  type AgentCatalog,
  type AgentMetadata,
  type AgentName,
  type AgentOperation,
  type AgentParameter,
  formatAgent,
  NO_AGENTS,
} from "../../core/crm/index.ts";
import { parseXml, XmlError } from "../../io/xml/index.ts";

/** An agent that does not describe itself within this time is treated as unknown (milliseconds). */
const DESCRIBE_TIMEOUT_MS = 10_000;
/** Descriptions are some ten kilobytes; more than this is not read. */
const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;

export const AGENT_CLASSES: readonly string[] = ["lsb", "ocf", "service", "stonith", "systemd"];
/** Where systemd looks for units (systemd.unit(5)). */
const UNIT_DIRECTORIES = ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];

/** Where agents are looked for. */
export type AgentDirectories = {
  readonly ocfRoot: string;
  /** Directories of providers that come with us, before those of `ocfRoot`. */
  readonly providers: ReadonlyMap<string, string>;
  readonly fence: readonly string[];
};

export function agentDirectories(environment: NodeJS.ProcessEnv = process.env): AgentDirectories {
  const own = ownAgents();
  return {
    ocfRoot: environment["OCF_ROOT"] ?? "/usr/lib/ocf",
    providers: own === null ? new Map() : new Map([["quorate", join(own, "ocf")]]),
    fence: [...(own === null ? [] : [join(own, "fence")]), "/usr/sbin", "/usr/local/sbin"],
  };
}

/** The agents of this package; built and unbuilt files lie at different depths. */
function ownAgents(): string | null {
  for (const up of ["../../../../agents", "../../../agents"]) {
    const path = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(path)) return path;
  }
  return null;
}

function listDirectory(path: string): string[] {
  return existsSync(path) && statSync(path).isDirectory() ? readdirSync(path).sort() : [];
}

/**
 * Agents as they describe themselves on this machine: `meta-data` of OCF agents, `-o metadata` of fence agents. Each is
 * asked once. `QUORATE_AGENT_CHECKS=off` turns all checks off.
 */
export function openAgentCatalog(environment: NodeJS.ProcessEnv = process.env): AgentCatalog {
  if (environment["QUORATE_AGENT_CHECKS"] === "off") return NO_AGENTS;
  const directories = agentDirectories(environment);
  const answers = new Map<string, AgentAnswer>();
  return {
    describe: (agent) => {
      const name = formatAgent(agent);
      const known = answers.get(name);
      if (known !== undefined) return known;
      const answer = describeAgent(agent, directories, environment);
      answers.set(name, answer);
      return answer;
    },
  };
}

function describeAgent(agent: AgentName, directories: AgentDirectories, environment: NodeJS.ProcessEnv): AgentAnswer {
  if (!isAgentName(agent.type)) return { kind: "unknown" };
  if (agent.class === "ocf") return describeOcf(agent.provider ?? "heartbeat", agent.type, directories, environment);
  if (agent.class === "stonith") return describeFence(agent.type, directories);
  return { kind: "unknown" };
}

function describeOcf(provider: string, type: string, directories: AgentDirectories, environment: NodeJS.ProcessEnv): AgentAnswer {
  if (!isAgentName(provider)) return { kind: "unknown" };
  const places = [directories.providers.get(provider), join(directories.ocfRoot, "resource.d", provider)];
  const installed = places.filter((place) => place !== undefined && listDirectory(place).length > 0);
  // A provider without any agent here says nothing: its agents may be installed on the other nodes.
  if (installed.length === 0) return { kind: "unknown" };
  const path = installed.map((place) => join(place ?? "", type)).find((candidate) => existsSync(candidate));
  if (path === undefined) return { kind: "missing" };
  const variables = {
    ...environment,
    OCF_ROOT: directories.ocfRoot,
    OCF_RESOURCE_TYPE: type,
    OCF_RESOURCE_PROVIDER: provider,
    OCF_RA_VERSION_MAJOR: "1",
    OCF_RA_VERSION_MINOR: "1",
  };
  return read(type, path, ["meta-data"], variables);
}

function describeFence(type: string, directories: AgentDirectories): AgentAnswer {
  if (!type.startsWith("fence_")) return { kind: "unknown" };
  const path = directories.fence.map((directory) => join(directory, type)).find((candidate) => existsSync(candidate));
  return path === undefined ? { kind: "unknown" } : read(type, path, ["-o", "metadata"], process.env);
}

function read(name: string, path: string, args: readonly string[], environment: NodeJS.ProcessEnv): AgentAnswer {
  const done = spawnSync(path, [...args], {
    env: environment,
    timeout: DESCRIBE_TIMEOUT_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (done.error !== undefined || done.status !== 0) return { kind: "unknown" };
  const metadata = parseAgentMetadata(name, done.stdout.toString("utf8"));
  return metadata === null ? { kind: "unknown" } : { kind: "found", metadata };
}

/** Reads an agent's description; null when it is none. The document type that agents write is skipped, nothing is fetched. */
export function parseAgentMetadata(name: string, text: string): AgentMetadata | null {
  let root: Element;
  try {
    root = parseXml(text.replace(/<!DOCTYPE[^>]*>/i, "").trim());
  } catch (error) {
    if (error instanceof XmlError) return null;
    throw error;
  }
  if (root.name !== "resource-agent") return null;
  const parameters = childOf(root, "parameters");
  const actions = childOf(root, "actions");
  return {
    name: attributeOf(root, "name") ?? name,
    version: attributeOf(root, "version") ?? childOf(root, "version")?.text ?? "",
    shortDescription: (attributeOf(root, "shortdesc") ?? textOf(root, "shortdesc")).trim(),
    longDescription: textOf(root, "longdesc"),
    parameters: parameters === undefined ? [] : childrenOf(parameters, "parameter").map(readParameter),
    operations: actions === undefined ? [] : childrenOf(actions, "action").map(readOperation),
  };
}

function textOf(of: Element, name: string): string {
  return (childOf(of, name)?.text ?? "").trim();
}

function readParameter(of: Element): AgentParameter {
  const content = childOf(of, "content");
  const options = content === undefined ? [] : childrenOf(content, "option");
  return {
    name: attributeOf(of, "name") ?? "",
    uniqueGroup:
      attributeOf(of, "unique-group") ??
      (["1", "true"].includes(attributeOf(of, "unique") ?? "") ? (attributeOf(of, "name") ?? null) : null),
    required: attributeOf(of, "required") === "1" && attributeOf(of, "deprecated") !== "1",
    type: content === undefined ? "string" : (attributeOf(content, "type") ?? "string"),
    default: content === undefined ? null : (attributeOf(content, "default") ?? null),
    values: options.flatMap((option) => attributeOf(option, "value") ?? []),
    description: textOf(of, "shortdesc"),
  };
}

function readOperation(of: Element): AgentOperation {
  return {
    name: attributeOf(of, "name") ?? "",
    interval: attributeOf(of, "interval") ?? null,
    timeout: attributeOf(of, "timeout") ?? null,
    role: attributeOf(of, "role") ?? null,
  };
}

/** Providers of OCF agents installed here. */
export function agentProviders(directories: AgentDirectories = agentDirectories()): string[] {
  const found = listDirectory(join(directories.ocfRoot, "resource.d")).filter(isAgentName);
  return [...new Set([...directories.providers.keys(), ...found])].sort();
}

/** Agents of a class (and provider) installed here. */
export function agentTypes(agentClass: string, provider: string, directories: AgentDirectories = agentDirectories()): string[] {
  if (agentClass === "ocf") {
    const places = [directories.providers.get(provider), join(directories.ocfRoot, "resource.d", provider)];
    return [...new Set(places.flatMap((place) => (place === undefined ? [] : listDirectory(place))))].filter(isAgentName).sort();
  }
  if (agentClass === "stonith") {
    return [...new Set(directories.fence.flatMap(listDirectory))].filter((name) => name.startsWith("fence_")).sort();
  }
  const scripts = agentClass === "lsb" || agentClass === "service" ? listDirectory("/etc/init.d") : [];
  const units = agentClass === "systemd" || agentClass === "service" ? UNIT_DIRECTORIES.flatMap(listDirectory) : [];
  const services = units.filter((name) => name.endsWith(".service")).map((name) => name.slice(0, -".service".length));
  return [...new Set([...scripts, ...services])].filter(isAgentName).sort();
}
