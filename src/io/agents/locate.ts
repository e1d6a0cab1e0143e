import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isAgentName } from "../../core/base/index.ts";
import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";

/** Where agents are. */
export type AgentPlaces = {
  readonly ocfRoot: string;
  /** Directories of OCF agents by provider, looked at before OCF_ROOT/resource.d. */
  readonly providers: Readonly<Record<string, string>>;
  /** Directories of fence agents, first found wins. */
  readonly fenceDirectories: readonly string[];
  readonly initDirectory: string;
};

export type Refusal = Extract<AgentOutcome, { readonly kind: "not-started" }>;

/** Paths at which an agent may be, in order; empty for a name that no agent can have. */
export function agentPaths(action: AgentAction, places: AgentPlaces): string[] {
  if (!isAgentName(action.type)) return [];
  switch (action.agentClass) {
    case "ocf": {
      const provider = action.provider ?? "heartbeat";
      if (!isAgentName(provider)) return [];
      const own = Object.hasOwn(places.providers, provider) ? places.providers[provider] : undefined;
      const standard = join(places.ocfRoot, "resource.d", provider, action.type);
      return own === undefined ? [standard] : [join(own, action.type), standard];
    }
    case "stonith":
      return places.fenceDirectories.map((directory) => join(directory, action.type));
    case "lsb":
    case "service":
      return [join(places.initDirectory, action.type)];
    case "systemd":
      return [];
  }
}

/** The agent's program, or why it cannot be run. */
export function findAgent(action: AgentAction, places: AgentPlaces): string | Refusal {
  const paths = agentPaths(action, places);
  const name = [action.agentClass, action.provider, action.type].filter((part) => part !== null).join(":");
  if (paths.length === 0) return refusal("AGENT_BAD_REQUEST", `${name} is not a possible agent name`);
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) return refusal("AGENT_NOT_INSTALLED", `${name} is not installed (looked for ${paths.join(", ")})`);
  if (!statSync(path).isFile()) return refusal("AGENT_NOT_INSTALLED", `${path} is not a program`);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return refusal("AGENT_NOT_PERMITTED", `${path} is not executable`);
  }
  return path;
}

export function refusal(code: Refusal["code"], reason: string): Refusal {
  return { kind: "not-started", code, reason };
}
