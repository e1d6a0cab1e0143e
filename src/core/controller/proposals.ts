import { type LogIndex, logIndex, type Term } from "../base/index.ts";
import type { CommandResult } from "../cib/index.ts";
import type { Answer, EntryId } from "../raft/index.ts";
import type { ProposeOutcome } from "./types.ts";

type Waiting = {
  readonly count: number;
  deadlineMs: number;
  /** The term in which it was handed to the core. */
  readonly inTerm: Term;
  readonly then: (outcomes: readonly ProposeOutcome[]) => void;
  first: EntryId | null;
  readonly outcomes: ProposeOutcome[];
};

/** Proposals under way: from the context given to the core, over the position it was appended at, to the applied result. */
export class Proposals {
  #nextContext = 1;
  readonly #byContext = new Map<number, Waiting>();
  /** Contexts by the positions of their entries; more than one stand at a position when a new leader overwrote the first. */
  readonly #byIndex = new Map<LogIndex, readonly number[]>();
  /** No deadline lies before this, so most calls of `expire` need not look at anybody. */
  #lookAtMs = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#byContext.size;
  }

  open(count: number, deadlineMs: number, inTerm: Term, then: Waiting["then"]): number {
    const context = this.#nextContext;
    this.#nextContext += 1;
    this.#byContext.set(context, { count, deadlineMs, inTerm, then, first: null, outcomes: [] });
    this.#lookAtMs = Math.min(this.#lookAtMs, deadlineMs);
    return context;
  }

  /** The core's answer: appended somewhere, or refused. */
  answered(answer: Extract<Answer, { kind: "proposal" }>): void {
    const waiting = this.#byContext.get(answer.context);
    // The answer to a copy of a forwarded proposal says nothing of the entry that the first one became.
    if (waiting === undefined || waiting.first !== null) return;
    if (answer.outcome.kind === "appended") {
      waiting.first = answer.outcome.first;
      for (const index of positions(waiting)) {
        const others = this.#byIndex.get(index);
        this.#byIndex.set(index, others === undefined ? [answer.context] : [...others, answer.context]);
      }
      return;
    }
    this.#byContext.delete(answer.context);
    const reason = answer.outcome.reason;
    waiting.then(Array.from({ length: waiting.count }, () => ({ kind: "refused", reason })));
  }

  /**
   * An entry was applied. Entries of one proposal lie side by side, so an entry of another term in its place means that
   * a new leader overwrote it.
   */
  applied(index: LogIndex, term: Term, result: CommandResult | null): void {
    const contexts = this.#byIndex.get(index);
    if (contexts === undefined) return;
    this.#byIndex.delete(index);
    for (const context of contexts) {
      const waiting = this.#byContext.get(context);
      const first = waiting?.first ?? null;
      if (waiting === undefined || first === null) continue;
      const overwritten = term !== first.term || result === null;
      waiting.outcomes[index - first.index] = overwritten ? { kind: "unknown", why: "overwritten" } : { kind: "applied", result };
      if (index < first.index + waiting.count - 1) continue;
      this.#byContext.delete(context);
      waiting.then(this.#complete(waiting));
    }
  }

  /**
   * There is a leader of `term`: what was forwarded in an earlier one and never answered may have been lost with the
   * leader of then. Its outcome is unknown, and waiting longer than `untilMs` would not make it known.
   */
  leaderChanged(term: Term, untilMs: number): void {
    for (const waiting of this.#byContext.values()) {
      if (waiting.first === null && waiting.inTerm < term) waiting.deadlineMs = Math.min(waiting.deadlineMs, untilMs);
    }
    this.#lookAtMs = Math.min(this.#lookAtMs, untilMs);
  }

  /** A snapshot has jumped over entries: whoever waits for one of them is told at the next look. */
  jumped(): void {
    this.#lookAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Times out what took too long, and what a snapshot has jumped over. */
  expire(nowMs: number, applied: LogIndex): void {
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = Number.POSITIVE_INFINITY;
    for (const [context, waiting] of this.#byContext) {
      const skipped = waiting.first !== null && waiting.first.index + waiting.count - 1 < applied;
      if (nowMs < waiting.deadlineMs && !skipped) {
        this.#lookAtMs = Math.min(this.#lookAtMs, waiting.deadlineMs);
        continue;
      }
      this.#byContext.delete(context);
      for (const index of positions(waiting)) this.#forget(index, context);
      waiting.then(this.#complete(waiting));
    }
  }

  #forget(index: LogIndex, context: number): void {
    const left = (this.#byIndex.get(index) ?? []).filter((other) => other !== context);
    if (left.length === 0) this.#byIndex.delete(index);
    else this.#byIndex.set(index, left);
  }

  #complete(waiting: Waiting): readonly ProposeOutcome[] {
    return Array.from({ length: waiting.count }, (_, at) => waiting.outcomes[at] ?? { kind: "unknown", why: "timeout" });
  }
}

function positions(waiting: Waiting): readonly LogIndex[] {
  const { first } = waiting;
  return first === null ? [] : Array.from({ length: waiting.count }, (_, at) => logIndex(first.index + at));
}
