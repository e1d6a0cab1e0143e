import { type MemberId, memberId } from "../base/index.ts";
import { type Command, type CommandResult, type ConfigurationEdit, type NodeStatus, type ProposalOrigin, replyTo } from "../cib/index.ts";
import type { Answer, ConfigChange, ReadOutcome } from "../raft/index.ts";
import type { Host } from "./host.ts";
import { RequestError } from "./params.ts";
import type { FromPlanner } from "./planner.ts";
import { conflictFacts, isMade, refusedByRaft, tooLate } from "./request-parts.ts";
import { type ProposeOutcome, REQUEST_TIMEOUT_MS, REQUESTS_MAX, RETRY_MS } from "./types.ts";

/** Without a leader a request waits this long for one before it is refused, milliseconds. */
export const PATIENCE_MS = 5_000;
/** A read that nobody has answered is asked for again after this long, milliseconds. */
const READ_AGAIN_MS = 1_000;
/** A change of the membership may take this long (catching up a new voter), milliseconds. */
const CHANGE_TIMEOUT_MS = 60_000;
/** The policy worker ends a computation itself before this, milliseconds. */
const PLANNER_TIMEOUT_MS = 35_000;
/** Refusals that pass when a leader is elected or has room again. */
const PASSING: ReadonlySet<string> = new Set(["not-leader", "no-leader", "not-ready", "transferring", "busy"]);

/** A request under way. `origin`: its place in the session of its client; `repeated`: it was sent before and not answered. */
export type Ask = { readonly id: number; readonly origin: ProposalOrigin | null; readonly repeated: boolean };

type Waiter = {
  readonly id: number;
  readonly deadlineMs: number;
  /** The result once it is there. Throws `RequestError` for a refusal. */
  readonly check: () => { readonly result: unknown } | null;
  readonly timeout: () => RequestError;
};

type FromRehearsal = Extract<FromPlanner, { kind: "rehearsed" | "explained" }>;
type Accepted = Extract<CommandResult, { ok: true }>;

/** What all requests have in common: they wait, propose, read, change the membership, and are answered exactly once. */
export class Desk {
  readonly host: Host;
  plannerUp = false;
  readonly #waiters = new Map<number, Waiter>();
  readonly #open = new Set<number>();
  #nextContext = 1;
  readonly #changes = new Map<number, (answer: Answer) => void>();
  readonly #reads = new Map<number, (outcome: ReadOutcome) => void>();
  readonly #planner = new Map<number, (message: FromRehearsal) => void>();

  constructor(host: Host) {
    this.host = host;
  }

  /** Somebody waits for an answer, so deadlines and conditions are looked at often. */
  get waits(): boolean {
    return this.#open.size > 0 || this.#waiters.size > 0;
  }

  /** Somebody waits for more than the outcome of a proposal: for a state, or for a time. */
  get watches(): boolean {
    return this.#waiters.size > 0;
  }

  /** Takes a request on; false when there are too many, and it has been answered so. */
  open(id: number): boolean {
    if (this.#open.size >= REQUESTS_MAX) {
      this.#emitError(id, new RequestError("BUSY", `at most ${REQUESTS_MAX} requests at once`, { retryable: true }));
      return false;
    }
    this.#open.add(id);
    return true;
  }

  gone(id: number): void {
    this.#open.delete(id);
    this.#waiters.delete(id);
  }

  onAnswer(answer: Answer): void {
    const then = this.#changes.get(answer.context);
    if (then === undefined || answer.kind === "proposal") return;
    this.#changes.delete(answer.context);
    then(answer);
  }

  onRead(outcome: ReadOutcome): void {
    const then = this.#reads.get(outcome.context);
    this.#reads.delete(outcome.context);
    then?.(outcome);
  }

  onPlanner(message: FromRehearsal): void {
    const then = this.#planner.get(message.id);
    this.#planner.delete(message.id);
    then?.(message);
  }

  /** Looks at everybody who waits. Called after every change and on every tick. */
  duties(): void {
    for (const waiter of [...this.#waiters.values()]) {
      this.guarded(waiter.id, () => {
        const done = waiter.check();
        if (done !== null) this.finish(waiter.id, done.result);
        else if (this.host.nowMs >= waiter.deadlineMs) throw waiter.timeout();
      });
    }
  }

  /** Goes on once this node has applied all that was committed anywhere when it was asked. */
  upToDate(id: number, then: () => void, late?: () => RequestError): void {
    const unconfirmed = (): RequestError => new RequestError("NO_QUORUM", "no leader confirmed this read in time", { retryable: true });
    this.confirmed(id, PATIENCE_MS, late ?? unconfirmed, (index) =>
      this.wait(id, REQUEST_TIMEOUT_MS, () => {
        if (this.host.state.index < index) return null;
        this.#waiters.delete(id);
        then();
        return null;
      }),
    );
  }

  /**
   * Asks the leader for an index that a read now must have seen, again and again: while a leader is being elected the
   * question is refused or lost, and asking costs nothing.
   */
  confirmed(id: number, timeoutMs: number, late: () => RequestError, then: (index: number) => void): void {
    let askedMs = Number.NEGATIVE_INFINITY;
    let context = 0;
    const ask = (): void => {
      this.#reads.delete(context);
      context = this.#context();
      askedMs = this.host.nowMs;
      this.#reads.set(context, (outcome) => {
        if (outcome.kind === "ready") then(outcome.index);
        else askedMs = this.host.nowMs + RETRY_MS - READ_AGAIN_MS;
      });
      this.host.raft.step({ kind: "readIndex", context });
    };
    ask();
    const again = (): null => {
      if (this.host.nowMs - askedMs >= READ_AGAIN_MS) ask();
      return null;
    };
    this.wait(id, timeoutMs, again, late);
  }

  /** Asks the policy worker; `then` hears its answer, within `PLANNER_TIMEOUT_MS`. */
  askPlanner(id: number, then: (message: FromRehearsal) => void): number {
    const context = this.#context();
    this.#planner.set(context, (message) => this.guarded(id, () => then(message)));
    this.wait(id, PLANNER_TIMEOUT_MS, () => null);
    return context;
  }

  /** What became of this very request when it was sent before, as far as this node has applied the log. */
  recall(ask: Ask): CommandResult | null {
    return ask.origin === null ? null : replyTo(this.host.state, ask.origin);
  }

  /** Proposes, and answers with where it was applied. */
  write(ask: Ask, commands: readonly Command[], edits: readonly ConfigurationEdit[] = []): void {
    this.propose(ask, commands, (results) => this.finishWith(ask.id, results[results.length - 1]), edits);
  }

  finishWith(id: number, result: Accepted | undefined): void {
    this.finish(id, result === undefined ? this.position() : { index: result.index, epoch: result.epoch, value: result.value });
  }

  /**
   * Proposes until the outcome is known. Refused means: nowhere appended, so while a leader is being elected the same
   * command is simply offered again. A lost answer is the end (`TIMEOUT`) unless the request has a place in a session:
   * then it is offered again as well, because `apply` runs it at most once.
   */
  propose(
    ask: Ask,
    commands: readonly Command[],
    then: (results: readonly Accepted[]) => void,
    edits: readonly ConfigurationEdit[] = [],
    untilMs: { readonly passing: number; readonly lost: number } | null = null,
  ): void {
    const { id } = ask;
    const { nowMs } = this.host;
    this.#waiters.delete(id);
    const until = untilMs ?? { passing: nowMs + PATIENCE_MS, lost: nowMs + REQUEST_TIMEOUT_MS };
    const repeated = ask.repeated || (untilMs !== null && untilMs.passing === untilMs.lost);
    const origin = commands.length === 1 ? ask.origin : null;
    this.host.propose(
      commands,
      REQUEST_TIMEOUT_MS,
      (outcomes) => {
        if (!this.#open.has(id)) return;
        const now = this.host.nowMs;
        const isPassing = outcomes.every((outcome) => outcome.kind === "refused" && PASSING.has(outcome.reason));
        const isLost = origin !== null && outcomes.every((outcome) => outcome.kind === "unknown");
        if (isPassing && now < until.passing) return this.#again(ask, RETRY_MS, commands, then, edits, until);
        // From here on the command may have been appended somewhere, so only an answer from the log ends it early.
        if (isLost && now < until.lost) return this.#again(ask, 0, commands, then, edits, { passing: until.lost, lost: until.lost });
        this.guarded(id, () => then(outcomes.map((outcome) => this.#accepted(outcome, edits, repeated))));
      },
      origin,
    );
  }

  #again(
    ask: Ask,
    pauseMs: number,
    commands: readonly Command[],
    then: (results: readonly Accepted[]) => void,
    edits: readonly ConfigurationEdit[],
    until: { readonly passing: number; readonly lost: number },
  ): void {
    const againMs = this.host.nowMs + pauseMs;
    this.wait(ask.id, REQUEST_TIMEOUT_MS, () => {
      if (this.host.nowMs >= againMs) this.propose(ask, commands, then, edits, until);
      return null;
    });
  }

  #accepted(outcome: ProposeOutcome, edits: readonly ConfigurationEdit[], repeated: boolean): Accepted {
    // A refusal of a repetition says nothing about what was sent before.
    if (outcome.kind === "unknown" || (outcome.kind === "refused" && repeated)) throw unknownOutcome();
    if (outcome.kind === "refused") throw refusedByRaft(outcome.reason);
    const { result } = outcome;
    if (result.ok) return result;
    if (result.code === "SESSION_EXPIRED" && repeated) throw unknownOutcome();
    throw new RequestError(result.code, result.message, { facts: conflictFacts(result.code, edits, this.host.state.epoch) });
  }

  /** Waits for the answer or for the configuration itself: the leader that was asked may be the member that leaves. */
  change(id: number, changes: readonly ConfigChange[], then: () => void): unknown {
    const made = (): boolean => {
      const { configuration, configIndex, commit } = this.host.raftStatus;
      return configuration.outgoing.size === 0 && commit >= configIndex && changes.every((change) => isMade(configuration, change));
    };
    if (made()) return this.guarded(id, then);
    const context = this.#context();
    const give = (): void => {
      this.#changes.delete(context);
      this.#waiters.delete(id);
      this.guarded(id, then);
    };
    this.#changes.set(context, (answer) => {
      if (answer.kind !== "change" || !this.#waiters.has(id)) return;
      const outcome = answer.outcome;
      if (outcome.kind === "done") give();
      else this.fail(id, refusedByRaft(outcome.reason, outcome.detail));
    });
    this.host.raft.step({ kind: "proposeChange", context, request: { kind: "change", mode: "joint", changes } });
    this.wait(id, CHANGE_TIMEOUT_MS, () => {
      if (made()) give();
      return null;
    });
  }

  /** A step of the core whose answer nobody waits for with `change`; `then` hears it. */
  step(input: (context: number) => Parameters<Host["raft"]["step"]>[0], then: (answer: Answer) => void): void {
    const context = this.#context();
    this.#changes.set(context, then);
    this.host.raft.step(input(context));
  }

  wait(id: number, timeoutMs: number, check: Waiter["check"], timeout?: Waiter["timeout"]): void {
    if (!this.#open.has(id)) return;
    const late = timeout ?? tooLate;
    this.#waiters.set(id, { id, deadlineMs: this.host.nowMs + timeoutMs, check, timeout: late });
  }

  guarded(id: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.fail(id, error);
    }
  }

  finish(id: number, result: unknown): void {
    this.#waiters.delete(id);
    if (this.#open.delete(id)) this.host.emit({ kind: "answer", id, answer: { result } });
  }

  fail(id: number, error: RequestError): void {
    this.#waiters.delete(id);
    if (this.#open.delete(id)) this.#emitError(id, error);
  }

  position(): { readonly index: number; readonly epoch: number } {
    return { index: this.host.state.index, epoch: this.host.state.epoch };
  }

  memberOf(node: NodeStatus): MemberId {
    if (node.memberId === null) throw new RequestError("NODE_UNKNOWN", `${node.name} is no member of the cluster`);
    return memberId(node.memberId);
  }

  #emitError(id: number, error: RequestError): void {
    const { code, message, retryable } = error;
    const answer = error.facts === undefined ? { code, message, retryable } : { code, message, retryable, detail: error.facts };
    this.host.emit({ kind: "answer", id, answer: { error: answer } });
  }

  #context(): number {
    // Proposals count from 1 on their own; contexts of other kinds live in another range.
    this.#nextContext += 1;
    return 1_000_000_000 + this.#nextContext;
  }
}

function unknownOutcome(): RequestError {
  return new RequestError("TIMEOUT", "the outcome is unknown: the change may or may not have happened", { retryable: true });
}
