import type { AgentAction } from "../../core/ports/index.ts";

/** Argument by which a fence agent names its victim: `null` when the device has only one. */
export type HostArgument = string | null;

/**
 * Which argument takes the target (Pacemaker Explained: pcmk_host_argument): the configured one, `none` for none, else
 * the first of `port`, `plug` that the agent's meta-data knows.
 */
export function hostArgument(params: Readonly<Record<string, string>>, metadata: string | null): HostArgument {
  const configured = params["pcmk_host_argument"];
  if (configured !== undefined && configured !== "") return configured === "none" ? null : configured;
  // Without meta-data `plug` is the safer guess: current agents know it, older ones only warn about unknown names.
  if (metadata === null) return "plug";
  const names = parameterNames(metadata);
  if (names.has("port")) return "port";
  return names.has("plug") ? "plug" : null;
}

/** Names of the parameters in an agent's meta-data. The text is trusted as far as this: a missing name means "not known". */
export function parameterNames(metadata: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const match of metadata.matchAll(/<parameter\b[^>]*?\bname\s*=\s*["']([^"']+)["']/g)) names.add(match[1] ?? "");
  return names;
}

/** What the device calls a node: its entry in `pcmk_host_map` (`node:port[,port];node:port`), else the node's own name. */
export function hostPort(params: Readonly<Record<string, string>>, target: string): string {
  for (const entry of (params["pcmk_host_map"] ?? "").split(/[;\s]+/)) {
    const at = entry.search(/[:=]/);
    if (at > 0 && entry.slice(0, at) === target) return entry.slice(at + 1);
  }
  return target;
}

/** The agent's own word for an operation: `pcmk_OPERATION_action`, else the operation; `meta-data` is `metadata` there. */
export function fenceOperation(action: AgentAction): string {
  const override = action.params[`pcmk_${action.operation}_action`];
  if (override !== undefined && override !== "") return override;
  return action.operation === "meta-data" ? "metadata" : action.operation;
}

/**
 * The lines for a fence agent's standard input (FenceAgentAPI.md): secrets travel only here, never in arguments. Names
 * that begin with `pcmk_` are the cluster's own. An explicit value of the host argument stays, `dynamic` is replaced.
 * Returns null when a value holds a line break, which would smuggle in another argument.
 */
export function fenceInput(action: AgentAction, argument: HostArgument): string | null {
  const lines = new Map<string, string>();
  for (const [name, value] of Object.entries(action.params)) {
    if (!name.startsWith("pcmk_") && name !== "action") lines.set(name, value);
  }
  lines.set("action", fenceOperation(action));
  if (action.target !== null) {
    lines.set("nodename", action.target);
    const own = argument === null ? undefined : lines.get(argument);
    if (argument !== null && (own === undefined || own === "dynamic")) lines.set(argument, hostPort(action.params, action.target));
  }
  let text = "";
  for (const [name, value] of lines) {
    if (/[\n\r\0=]/.test(name) || /[\n\r\0]/.test(value)) return null;
    text += `${name}=${value}\n`;
  }
  return text;
}
