import type { OperationResult, OperationStatus } from "../cib/index.ts";
import type { ActionResult, AgentOutcome } from "../ports/index.ts";

/** What an agent's end means as an operation result (policy/status.md 13.5). Null: cancelled, nothing is known. */
export function resultOf(key: string, outcome: AgentOutcome, covered: boolean): OperationResult | null {
  switch (outcome.kind) {
    case "exited":
      return { key, rc: outcome.code, status: 0, exitReason: outcome.reason, execTimeMs: Math.round(outcome.elapsedMs), covered };
    case "timed-out":
      return { key, rc: 1, status: 2, exitReason: outcome.reason ?? "timed out", execTimeMs: Math.round(outcome.elapsedMs), covered };
    case "not-started": {
      const [rc, status] = NOT_STARTED[outcome.code];
      return { key, rc, status, exitReason: outcome.reason, execTimeMs: 0, covered };
    }
    case "cancelled":
      return null;
  }
}

const NOT_STARTED: Readonly<Record<Extract<AgentOutcome, { kind: "not-started" }>["code"], readonly [number, OperationStatus]>> = {
  AGENT_NOT_INSTALLED: [5, 7],
  AGENT_NOT_PERMITTED: [4, 4],
  AGENT_BAD_REQUEST: [2, 4],
};

/**
 * The guardian ends actions when its deadline has passed, also some that never ran. That is no failure of the resource (H9):
 * the walk's end ends the intent, or it is carried out anew. What an interrupted migration did is unknown.
 */
export function interrupted({ key, action }: ActionResult, covered: boolean): OperationResult | null {
  if (action.operation !== "migrate_to" && action.operation !== "migrate_from") return null;
  return { key, rc: 1, status: 4, exitReason: "the migration was cancelled", execTimeMs: 0, covered };
}

/** Why a fence action failed, for people. */
export function describeFailure(outcome: ActionResult["outcome"]): string {
  switch (outcome.kind) {
    case "exited":
      return outcome.reason ?? `the device ended with code ${outcome.code}`;
    case "timed-out":
      return "the device timed out";
    case "not-started":
      return outcome.reason;
    case "cancelled":
      return "the action was cancelled";
  }
}
