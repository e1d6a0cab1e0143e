import type { Incarnation, LogIndex, Term } from "../base/index.ts";

/** Classes of agents (Pacemaker Explained: Resource Classes). */
export type AgentClass = "ocf" | "systemd" | "lsb" | "service" | "stonith";

/**
 * One action of one agent, complete: whoever spawns it needs nothing else. `params` are the instance attributes after
 * rules; `meta` become `OCF_RESKEY_CRM_meta_*` (names without that prefix, `_` for `-`). Values may be secret: they
 * never reach logs or process arguments.
 */
export type AgentAction = {
  readonly resource: string;
  readonly agentClass: AgentClass;
  readonly provider: string | null;
  readonly type: string;
  /** `start stop monitor promote demote notify migrate_to migrate_from reload-agent meta-data validate-all`; for stonith `on off reboot status list monitor`. */
  readonly operation: string;
  /** 0: once. A recurring monitor names its interval here, but each run of it is an action of its own. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly params: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  /** Node in whose name the agent runs. */
  readonly node: string;
  /** For stonith actions: the node that the device is to act on, else null. */
  readonly target: string | null;
};

/** What became of an action. Exit codes are OCF's (0..199); systemd and LSB are mapped to them at the edge. */
export type AgentOutcome =
  | { readonly kind: "exited"; readonly code: number; readonly reason: string | null; readonly output: string; readonly elapsedMs: number }
  | { readonly kind: "timed-out"; readonly reason: string | null; readonly elapsedMs: number }
  | {
      readonly kind: "not-started";
      readonly code: "AGENT_NOT_INSTALLED" | "AGENT_NOT_PERMITTED" | "AGENT_BAD_REQUEST";
      readonly reason: string;
    }
  | { readonly kind: "cancelled" };

/**
 * Where an action comes from: the committed intent that asked for it. The feed does not care whether it came from the
 * node's own log or from a member that speaks for a node without one.
 */
export type IntentOrigin = {
  readonly term: Term;
  readonly index: LogIndex;
  readonly incarnation: Incarnation;
};
