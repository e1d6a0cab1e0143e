import type { Element } from "../cib/index.ts";
import type { PolicyNode } from "./model-node.ts";
import type { Resource } from "./model-resource.ts";
import type { Handling } from "./model-values.ts";

/** One recorded operation (`lrm_rsc_op`) as typed values (status.md 13.1). */
export type HistoryEntry = {
  readonly xml: Element;
  readonly id: string;
  readonly task: string;
  readonly intervalMs: number;
  /** `operation_key`, default the id. */
  readonly key: string;
  /** -1: pending; null: not given. */
  readonly callId: number | null;
  readonly rc: number;
  readonly status: number;
  /** From the transition key; null: unknown. */
  readonly expectedRc: number | null;
  readonly transitionKey: string | null;
  readonly transitionMagic: string | null;
  /** Epoch seconds, null: not recorded. */
  readonly lastRcChange: number | null;
  readonly exitReason: string | null;
  readonly digest: string | null;
  readonly restartDigest: string | null;
  /** Names whose change forces a restart, blank separated (`op-force-restart`). */
  readonly restartParameters: string | null;
  readonly secureDigest: string | null;
  readonly secureParameters: string | null;
  readonly featureSet: string | null;
  readonly migrateSource: string | null;
  readonly migrateTarget: string | null;
  readonly onNode: string | null;
  /** Position in the document within its history. */
  readonly position: number;
};

/** All entries of one resource on one node, oldest first (status.md 13.4). */
export type ResourceHistory = {
  /** Name in the history element. */
  readonly name: string;
  readonly node: PolicyNode;
  readonly xml: Element;
  readonly entries: readonly HistoryEntry[];
  /** Agent recorded with the history, for changed definitions (status.md 20.5). */
  readonly agentClass: string | null;
  readonly provider: string | null;
  readonly type: string | null;
  /** Epoch seconds of a shutdown lock carried by the history, 0 = none (status.md 24.2). */
  readonly shutdownLock: number;
};

/** A failed (or degraded, or masked) action reported for people (status.md 16.6). */
export type FailedAction = {
  readonly resource: Resource;
  readonly node: PolicyNode;
  readonly entry: HistoryEntry;
  /** A masked probe failure (status.md 14.3): shown with its reason next to a stopped resource. */
  readonly masked: boolean;
};

/** A recurring operation known to be running (status.md 18.9; actions.md R2). */
export type RunningRecurring = {
  readonly node: PolicyNode;
  readonly task: string;
  readonly intervalMs: number;
};

/** The non-probe operation in flight that is remembered for display (status.md 15.4). */
export type PendingTask = { readonly task: string; readonly intervalMs: number; readonly node: PolicyNode };

/**
 * What reading the status requires of the later phases (actions.md section 2, step 1). In the order found; `plan`
 * makes the actions in this order.
 */
export type StatusNeed =
  /** A needed stop; `optional` becomes true by status.md 18.4. `dangling`: only ends a migration (actions.md M7). */
  | {
      readonly kind: "stop";
      readonly resource: Resource;
      readonly node: PolicyNode;
      optional: boolean;
      readonly dangling: boolean;
      readonly handling: Handling;
    }
  | { readonly kind: "demote"; readonly resource: Resource; readonly node: PolicyNode; readonly handling: Handling }
  | { readonly kind: "clear-fail-count"; readonly resource: Resource; readonly node: PolicyNode; readonly reason: string }
  /** Delete a history that only carries an expired or void shutdown lock (`lrm_delete`). */
  | { readonly kind: "delete-history"; readonly resource: Resource; readonly node: PolicyNode; readonly reason: string }
  /** A recurring operation whose failure expired is scheduled anew (status.md 19.5). */
  | {
      readonly kind: "reschedule";
      readonly resource: Resource;
      readonly node: PolicyNode;
      readonly task: string;
      readonly intervalMs: number;
    };
