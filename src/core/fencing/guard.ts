import { type CibState, type NodeStatus, tsafeCovers, tsafeMs } from "../cib/index.ts";

/** What the leader has observed of a node, on its own monotonic clock. */
export type Silence = {
  readonly nowMs: number;
  /** When the election was won. */
  readonly leaderSinceMs: number;
  /** Last answer of the node to this leader in this term; null: none. */
  readonly lastAnswerMs: number | null;
  readonly tselfMs: number;
};

/**
 * Own clock at which Tsafe of RAFT.md §7 has passed for the node, or null when it proves nothing (no guarantee, a
 * resource outside the stop plan, a policy that keeps resources without quorum).
 */
export function tsafeAtMs(state: CibState, node: NodeStatus, silence: Silence): number | null {
  if (node.membership !== "lost" || !tsafeCovers(state, node)) return null;
  const from = Math.max(silence.leaderSinceMs, silence.lastAnswerMs ?? silence.leaderSinceMs);
  return from + tsafeMs(silence.tselfMs, node);
}
