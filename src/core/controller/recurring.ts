import type { NodeStatus, OperationResult, RecurringOperation } from "../cib/index.ts";
import type { ActionResult } from "../ports/index.ts";
import type { Host } from "./host.ts";
import { resultOf } from "./outcomes.ts";

type Repeating = {
  readonly key: string;
  readonly resource: string;
  /** Key of the run under way, or null. */
  running: string | null;
  dueMs: number;
  yielding: boolean;
};

type Wanted = ReadonlyMap<string, { readonly resource: string; readonly operation: RecurringOperation }>;

/**
 * Recurring operations, derived from the state: after a restart of the daemon they resume with one immediate run.
 * Results equal to the recorded one stay off the log.
 */
export class Recurring {
  readonly #host: Host;
  readonly #byKey = new Map<string, Repeating>();
  readonly #changed = new Map<string, OperationResult>();
  readonly #reporting = new Set<string>();
  #wanted: Wanted = new Map();
  #wantedOf: NodeStatus["history"] | null = null;
  #count = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Is this the key of a repeated run? `<intent key>~<boot>.<count>`. */
  owns(runKey: string): boolean {
    return runKey.includes("~");
  }

  /** Does a changed result of this operation wait to be recorded? */
  reports(key: string): boolean {
    return this.#reporting.has(key);
  }

  reconnected(running: readonly string[]): void {
    const alive = new Set(running);
    for (const repeating of this.#byKey.values()) if (repeating.running !== null && !alive.has(repeating.running)) repeating.running = null;
    // Runs of an earlier daemon go on, but nobody here knows since when: they are cancelled and begun anew.
    const own = new Set([...this.#byKey.values()].map((repeating) => repeating.running));
    for (const key of running) if (this.owns(key) && !own.has(key)) this.#host.emit({ kind: "cancel", key });
  }

  refused(runKey: string): void {
    for (const repeating of this.#byKey.values()) if (repeating.running === runKey) repeating.running = null;
  }

  /** Own clock at which the next operation that does not run now is due; Infinity without any. */
  get nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const repeating of this.#byKey.values()) if (repeating.running === null && repeating.dueMs < next) next = repeating.dueMs;
    return next;
  }

  /** What the history asks for; an unchanged history asks for the same. */
  #wantedBy(self: NodeStatus): Wanted {
    if (this.#wantedOf === self.history) return this.#wanted;
    const wanted = new Map<string, { readonly resource: string; readonly operation: RecurringOperation }>();
    for (const history of self.history.values()) {
      for (const operation of history.recurring.values()) wanted.set(operation.key, { resource: history.resource, operation });
    }
    this.#wantedOf = self.history;
    this.#wanted = wanted;
    return wanted;
  }

  /** Begins what is due, ends what is no longer wanted. Resources with an intent in flight wait. */
  duties(self: NodeStatus, busy: ReadonlySet<string>): void {
    const { nowMs } = this.#host;
    const wanted = this.#wantedBy(self);
    for (const [key, repeating] of this.#byKey) {
      if (wanted.has(key)) continue;
      if (repeating.running !== null) this.#host.emit({ kind: "cancel", key: repeating.running });
      this.#byKey.delete(key);
      this.#changed.delete(key);
      this.#reporting.delete(key);
    }
    for (const [key, { resource, operation }] of wanted) {
      const repeating = this.#byKey.get(key) ?? { key, resource, running: null, dueMs: this.#firstDue(self, operation), yielding: false };
      this.#byKey.set(key, repeating);
      if (repeating.running !== null || nowMs < repeating.dueMs || busy.has(resource)) continue;
      this.#count += 1;
      repeating.yielding = false;
      repeating.running = `${key}~${this.#host.options.boot}.${this.#count}`;
      this.#host.emit({ kind: "run", key: repeating.running, origin: null, action: operation.action, planVersion: 0, trips: 0 });
    }
  }

  /** At once after a start of the daemon; else one interval after the run that the intent itself was. */
  #firstDue(self: NodeStatus, operation: RecurringOperation): number {
    const recorded = self.history
      .get(operation.action.resource)
      ?.operations.get(`${operation.action.resource}_${operation.task}_${operation.intervalMs}`);
    const fresh = recorded !== undefined && this.#host.nowMs - this.#host.options.startMs > operation.intervalMs;
    return fresh ? this.#host.nowMs + operation.intervalMs : this.#host.nowMs;
  }

  /** An intent of the resource wants to run: a monitor under way is cancelled. True while it still runs. */
  yield(resource: string): boolean {
    let waits = false;
    for (const repeating of this.#byKey.values()) {
      if (repeating.resource !== resource || repeating.running === null) continue;
      waits = true;
      if (repeating.yielding) continue;
      repeating.yielding = true;
      this.#host.emit({ kind: "cancel", key: repeating.running });
    }
    return waits;
  }

  /** True when the result belongs to a repeated run; it is acknowledged at once, since it will be observed again. */
  onResult(result: ActionResult): boolean {
    if (!this.owns(result.key)) return false;
    this.#host.emit({ kind: "ack", key: result.key });
    for (const repeating of this.#byKey.values()) {
      if (repeating.running !== result.key) continue;
      repeating.running = null;
      repeating.yielding = false;
      repeating.dueMs = this.#host.nowMs + Math.max(1, result.action.intervalMs);
      const outcome = resultOf(repeating.key, result.outcome, true);
      if (outcome !== null && this.#differs(repeating, outcome)) {
        this.#changed.set(repeating.key, { ...outcome, run: numberOf(result.key) });
        this.#reporting.add(repeating.key);
      }
    }
    return true;
  }

  #differs(repeating: Repeating, result: OperationResult): boolean {
    const history = this.#host.self?.history.get(repeating.resource);
    for (const record of history?.operations.values() ?? []) {
      const operation = history?.recurring.get(`${record.operation}_${record.intervalMs}`);
      if (operation?.key !== repeating.key || record.id.endsWith("_last_failure_0")) continue;
      return record.rc !== result.rc || record.status !== result.status || record.exitReason !== result.exitReason;
    }
    // Its record was cleaned up: tell the result anew, but only if it is a failure; a success needs no record.
    return result.rc !== 0 || result.status !== 0;
  }

  takeChanged(): readonly OperationResult[] {
    const changed = [...this.#changed.values()];
    this.#changed.clear();
    return changed;
  }

  recorded(results: readonly OperationResult[]): void {
    for (const result of results) this.#reporting.delete(result.key);
  }
}

/** Counts of one start of the daemon; a year of 100 runs a second. */
const RUNS_PER_BOOT = 2 ** 32;

/** `<intent key>~<boot>.<count>` as one number that rises. */
function numberOf(runKey: string): number {
  const [boot, count] = runKey.slice(runKey.indexOf("~") + 1).split(".");
  return Number(boot) * RUNS_PER_BOOT + Number(count);
}
