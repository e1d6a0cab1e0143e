import type { AgentAction } from "../../core/ports/index.ts";
import { EXIT_REASON_PREFIX } from "./codes.ts";

/** What is the same for every action of one guardian. */
export type EnvironmentSettings = {
  readonly ocfRoot: string;
  /** `HA_RSCTMP`: where agents keep state and pid files; gone after a power cut. */
  readonly temporaryDirectory: string;
  /** Inherited environment, of which only the names in `INHERITED` pass. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
  /** Extra variables of the operator (for example HA_SBIN_DIR); they win over the inherited. */
  readonly extra: Readonly<Record<string, string>>;
  /** Variables by which a process is found again: QUORATE_GUARDIAN, QUORATE_NODE_DIR. */
  readonly markers: Readonly<Record<string, string>>;
};

/** Feature set named to agents: from 3.10.0 on they set promotion scores by `crm_attribute --promotion`. */
const FEATURE_SET = "3.20.0";
// Agents get a known environment: an operator's shell at the guardian's start must not change what they do.
const INHERITED = ["HOME", "LANG", "LC_ALL", "LOGNAME", "SHELL", "TZ", "USER"];
const PATH_DIRECTORIES = ["/sbin", "/bin", "/usr/sbin", "/usr/bin"];

/** Variables for any class: what passes from outside, a complete PATH and the markers. */
export function baseEnvironment(action: AgentAction, settings: EnvironmentSettings): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = settings.inherited[name];
    if (value !== undefined) environment[name] = value;
  }
  const path = (settings.inherited["PATH"] ?? "").split(":").filter((part) => part.startsWith("/"));
  for (const directory of PATH_DIRECTORIES) if (!path.includes(directory)) path.push(directory);
  environment["PATH"] = path.join(":");
  Object.assign(environment, settings.extra, settings.markers);
  environment["QUORATE_RSC"] = action.resource;
  environment["QUORATE_NODE"] = action.node;
  return environment;
}

/**
 * The environment of OCF 1.1 ("Parameter passing") with the names that Pacemaker adds and agents in the field read
 * (Pacemaker Explained: OCF Resource Agents). Intervals and timeouts are milliseconds, as there.
 */
export function ocfEnvironment(action: AgentAction, settings: EnvironmentSettings): Record<string, string> {
  const environment = baseEnvironment(action, settings);
  environment["OCF_ROOT"] = settings.ocfRoot;
  environment["OCF_RA_VERSION_MAJOR"] = "1";
  environment["OCF_RA_VERSION_MINOR"] = "1";
  environment["OCF_RESOURCE_INSTANCE"] = action.resource;
  environment["OCF_RESOURCE_CLASS"] = "ocf";
  environment["OCF_RESOURCE_PROVIDER"] = action.provider ?? "heartbeat";
  environment["OCF_RESOURCE_TYPE"] = action.type;
  environment["OCF_EXIT_REASON_PREFIX"] = EXIT_REASON_PREFIX;
  environment["HA_LOGFACILITY"] ??= "none";
  environment["HA_LOGD"] ??= "no";
  environment["HA_RSCTMP"] ??= settings.temporaryDirectory;
  environment["OCF_RESKEY_crm_feature_set"] = FEATURE_SET;
  for (const [name, value] of Object.entries(action.params)) environment[`OCF_RESKEY_${name}`] = value;
  // The level of a deep check is the one parameter that agents read without a prefix.
  const level = action.params["OCF_CHECK_LEVEL"];
  if (level !== undefined) environment["OCF_CHECK_LEVEL"] = level;
  for (const [name, value] of Object.entries(metaVariables(action))) environment[`OCF_RESKEY_CRM_meta_${name}`] = value;
  return environment;
}

function metaVariables(action: AgentAction): Record<string, string> {
  const meta: Record<string, string> = {
    name: action.operation,
    timeout: String(action.timeoutMs),
    on_node: action.node,
    on_node_uuid: action.node,
  };
  if (action.intervalMs > 0) meta["interval"] = String(action.intervalMs);
  for (const [name, value] of Object.entries(action.meta)) meta[name.replaceAll("-", "_")] = value;
  return meta;
}

/** The first name or value that no environment can carry, or null. */
export function unfitVariable(environment: Readonly<Record<string, string>>): string | null {
  for (const [name, value] of Object.entries(environment)) {
    if (name === "" || name.includes("=") || name.includes("\0") || value.includes("\0")) return name;
  }
  return null;
}
