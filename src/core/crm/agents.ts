/** What the language wants to know of agents. The app reads it from the agents themselves; without them nothing is checked. */
export type AgentParameter = {
  readonly name: string;
  readonly required: boolean;
  /** Parameters of one group have together other values in every resource of the agent (OCF: `unique`, `unique-group`); null: no such rule. */
  readonly uniqueGroup: string | null;
  readonly type: string;
  readonly default: string | null;
  /** Allowed values, where the agent lists them. */
  readonly values: readonly string[];
  readonly description: string;
};

/** An operation the agent offers, with the times it advises. */
export type AgentOperation = {
  readonly name: string;
  readonly interval: string | null;
  readonly timeout: string | null;
  readonly role: string | null;
};

export type AgentMetadata = {
  readonly name: string;
  readonly version: string;
  readonly shortDescription: string;
  readonly longDescription: string;
  readonly parameters: readonly AgentParameter[];
  readonly operations: readonly AgentOperation[];
};

export type AgentName = { readonly class: string; readonly provider: string | null; readonly type: string };

export type AgentAnswer =
  | { readonly kind: "found"; readonly metadata: AgentMetadata }
  /** Agents of this provider are installed here, and this one is not among them. */
  | { readonly kind: "missing" }
  /** Nothing can be said: such agents are not installed on this machine, or they describe nothing. */
  | { readonly kind: "unknown" };

/** Looks agents up; asked again and again, so an implementation remembers its answers. */
export interface AgentCatalog {
  describe(agent: AgentName): AgentAnswer;
}

export const NO_AGENTS: AgentCatalog = { describe: () => ({ kind: "unknown" }) };

export function formatAgent(agent: AgentName): string {
  return [agent.class, agent.provider, agent.type].filter((part) => part !== null).join(":");
}
