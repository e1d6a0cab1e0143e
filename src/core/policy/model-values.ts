import { INFINITY_SCORE, type Score } from "../base/index.ts";

/** Roles are ordered by these numbers (assignment.md 3.2): unknown < Stopped < Started < Unpromoted < Promoted. */
export const ROLE = { unknown: 0, stopped: 1, started: 2, unpromoted: 3, promoted: 4 } as const;
export type Role = 0 | 1 | 2 | 3 | 4;

const ROLE_NAMES = ["Unknown", "Stopped", "Started", "Unpromoted", "Promoted"] as const;

/** The role as Pacemaker prints it. */
export function roleName(role: Role): string {
  return ROLE_NAMES[role];
}

/** How a failed action is handled, by rising severity (status.md 16.1). */
export const HANDLING = {
  ignore: 0,
  demote: 1,
  restart: 2,
  resetRemote: 3,
  restartContainer: 4,
  ban: 5,
  block: 6,
  stop: 7,
  standby: 8,
  fence: 9,
} as const;
export type Handling = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** Whether a resource may be probed on a node; the higher value wins when constraints disagree (assignment.md 4.20). */
export const DISCOVERY = { always: 0, never: 1, exclusive: 2 } as const;
export type Discovery = 0 | 1 | 2;

/** What an action needs before it may run: from `requires` (status.md 7.9). */
export type Requires = "nothing" | "quorum" | "fencing" | "unfencing";

export type MultipleActive = "stop_start" | "stop_only" | "block" | "stop_unexpected";
export type NoQuorumPolicy = "ignore" | "freeze" | "stop" | "demote" | "fence";
export type PlacementStrategy = "default" | "utilization" | "minimal" | "balanced";
export type HealthStrategy = "none" | "migrate-on-red" | "only-green" | "progressive" | "custom";

/** Cluster options after checks and defaults (status.md 5.2). Times as the unit in the name says. */
export type ClusterOptions = {
  readonly noQuorumPolicy: NoQuorumPolicy;
  readonly fencingEnabled: boolean;
  readonly fencingAction: "reboot" | "off";
  readonly fencingTimeoutMs: number;
  /** The text as configured (for the graph attribute), else `60s`. */
  readonly startupFencing: boolean;
  /** Whole seconds, 0 = off. */
  readonly priorityFencingDelaySec: number;
  readonly concurrentFencing: boolean;
  readonly haveWatchdog: boolean;
  readonly fenceRemoteWithoutQuorum: boolean;
  readonly nodePendingTimeoutSec: number;
  readonly symmetric: boolean;
  readonly maintenanceMode: boolean;
  readonly stopAllResources: boolean;
  readonly stopRemovedResources: boolean;
  readonly cancelRemovedActions: boolean;
  readonly startFailureIsFatal: boolean;
  readonly enableStartupProbes: boolean;
  readonly shutdownLock: boolean;
  readonly shutdownLockLimitSec: number;
  readonly placementStrategy: PlacementStrategy;
  readonly healthStrategy: HealthStrategy;
  readonly healthBase: Score;
  /** The colour words as scores, by the strategy (assignment.md 4.24). */
  readonly healthRed: Score;
  readonly healthYellow: Score;
  readonly healthGreen: Score;
  readonly clusterDelayMs: number;
  readonly batchLimit: number;
  readonly migrationLimit: number;
  readonly clusterName: string | null;
  /** Every property in force by its configured name, for display and `explain`. */
  readonly raw: ReadonlyMap<string, string>;
};

export const MINUS_INFINITY: Score = -INFINITY_SCORE;
