import type { CibState, Command, CommandResult, NodeStatus, Proposal, ProposalOrigin } from "../cib/index.ts";
import type { RaftCore, Status } from "../raft/index.ts";
import type { Effect, NodeOptions, NodeTiming, ProposeOutcome } from "./types.ts";

/** What the parts of a node (member, leader, requests) share. Only valid during a step. */
export interface Host {
  readonly options: NodeOptions;
  readonly timing: NodeTiming;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly state: CibState;
  /** How long the applied cluster clock has stood where it is, by this node's monotonic clock, milliseconds. */
  readonly clockAgeMs: number;
  readonly raft: RaftCore<Proposal>;
  /** Taken anew after each change. */
  readonly raftStatus: Status;
  /** This node in the replicated state; undefined until its join is applied. */
  readonly self: NodeStatus | undefined;
  /**
   * Proposes commands; `then` hears what became of them, at the latest after `timeoutMs`. With an `origin` there is one
   * command, and `apply` runs it once however often it is proposed.
   */
  propose(
    commands: readonly Command[],
    timeoutMs: number,
    then: (outcomes: readonly ProposeOutcome[]) => void,
    origin?: ProposalOrigin | null,
  ): void;
  emit(effect: Effect): void;
  log(level: "error" | "warn" | "info" | "debug", facts: Readonly<Record<string, unknown>>, text: string): void;
}

/** A leader whose wall clock is behind the cluster's lets the cluster's time run this much slower until it has caught up. */
const CLOCK_SLEW = 0.5;

/**
 * The cluster's time as this node would stamp it: its wall clock, never below what was applied. A clock that is behind
 * does not stop the cluster's time, which timers of all kinds wait for; it slows it (RAFT.md §7, slewed).
 */
export function stampMs(host: Pick<Host, "state" | "wallMs" | "clockAgeMs">): number {
  return Math.max(host.state.clockMs + Math.floor(host.clockAgeMs * CLOCK_SLEW), Math.floor(host.wallMs));
}

/** The refusal of `apply` in an outcome, or null when the command was applied (or nothing is known). */
export function refusalOf(outcome: ProposeOutcome | undefined): Extract<CommandResult, { ok: false }> | null {
  return outcome?.kind === "applied" && !outcome.result.ok ? outcome.result : null;
}
