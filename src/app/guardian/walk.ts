import type { AgentAction, AgentOutcome, StopPlan, StopStep } from "../../core/ports/index.ts";

/** What the walk asks of its owner. */
export type WalkOrder =
  /** Queue this action behind whatever runs on its resource. */
  | { readonly kind: "run"; readonly key: string; readonly action: AgentAction }
  /** End this action (and whatever else runs on its resource) with SIGKILL. */
  | { readonly kind: "abandon"; readonly key: string; readonly resource: string }
  /** Kill every process of the resource; answer with `purged`. */
  | { readonly kind: "purge"; readonly key: string; readonly action: AgentAction; readonly timeoutMs: number }
  | { readonly kind: "stopped"; readonly resource: string; readonly proven: boolean };

type StepState = "waiting" | "stopping" | "purging" | "verifying" | "proven" | "unproven";
type WalkStep = { readonly key: string; readonly step: StopStep; state: StepState };

const NOT_RUNNING = 7;
const VERIFY = ":verify";
const UNBOUNDED_MS = 3_600_000;

export type WalkBounds = { readonly fromMs: number; readonly stopMs: number; readonly killMs: number };

/**
 * One walk through a stop plan (RAFT.md §8). Until `fromMs + stopMs` the agents' stop actions run, stage by stage. A stop that
 * fails is answered by killing every process of its resource and asking its monitor; so is all that is left at that time.
 * Proof is a stop's success or a monitor's "not running", since addresses and mounts outlive processes. At
 * `fromMs + stopMs + killMs` what is unproven stays unproven. Pure: times come in, orders go out.
 */
export class StopWalk {
  readonly stopAtMs: number;
  readonly endAtMs: number;
  readonly #killMs: number;
  readonly #steps: readonly WalkStep[];
  #forced = false;

  constructor(plan: StopPlan | null, bounds: WalkBounds, name: string) {
    this.stopAtMs = bounds.fromMs + bounds.stopMs;
    this.endAtMs = this.stopAtMs + bounds.killMs;
    this.#killMs = bounds.killMs;
    const steps = [...(plan?.steps ?? [])].sort((a, b) => a.stage - b.stage);
    this.#steps = steps.map((step, index) => ({ key: `${name}:${index}`, step, state: "waiting" }));
  }

  get done(): boolean {
    return this.#steps.every((entry) => resolved(entry));
  }

  get nextWakeMs(): number {
    if (this.done) return Number.POSITIVE_INFINITY;
    return this.#forced ? this.endAtMs : this.stopAtMs;
  }

  /** How each stopped resource ended; a resource is proven when all its stop steps are. */
  get outcome(): readonly { readonly resource: string; readonly proven: boolean; readonly exclusive: boolean }[] {
    const ends = new Map<string, { resource: string; proven: boolean; exclusive: boolean }>();
    for (const { step, state } of this.#steps) {
      if (step.action.operation !== "stop") continue;
      const held = ends.get(step.resource);
      const proven = state === "proven" && (held?.proven ?? true);
      ends.set(step.resource, { resource: step.resource, proven, exclusive: step.exclusive || (held?.exclusive ?? false) });
    }
    return [...ends.values()];
  }

  /** Begins, and goes on when time has passed. */
  tick(nowMs: number): WalkOrder[] {
    const orders: WalkOrder[] = [];
    if (nowMs >= this.endAtMs) {
      for (const entry of this.#steps) if (!resolved(entry)) this.#giveUp(entry, orders);
      return orders;
    }
    if (nowMs >= this.stopAtMs && !this.#forced) {
      this.#forced = true;
      for (const entry of this.#steps) if (entry.state === "waiting" || entry.state === "stopping") this.#purge(entry, orders);
      return orders;
    }
    if (!this.#forced) this.#startStage(nowMs, orders);
    return orders;
  }

  /** An action of the walk has ended. */
  finished(key: string, outcome: AgentOutcome, nowMs: number): WalkOrder[] {
    const orders: WalkOrder[] = [];
    const entry = this.#entry(key);
    // A stop that was abandoned may still report while the monitor already runs: keys tell them apart.
    if (entry?.state === "stopping" && key === entry.key) {
      const succeeded = outcome.kind === "exited" && outcome.code === 0;
      // A demote only prepares the stop of a later stage: whatever it says, that stop decides.
      if (entry.step.action.operation !== "stop") entry.state = succeeded ? "proven" : "unproven";
      else if (succeeded) this.#resolve(entry, "proven", orders);
      else this.#purge(entry, orders);
    } else if (entry?.state === "verifying" && key !== entry.key) {
      this.#resolve(entry, outcome.kind === "exited" && outcome.code === NOT_RUNNING ? "proven" : "unproven", orders);
    }
    return [...orders, ...this.tick(nowMs)];
  }

  /** All processes of a resource were killed, but for `left`. */
  purged(key: string, left: number, nowMs: number): WalkOrder[] {
    const orders: WalkOrder[] = [];
    const entry = this.#entry(key);
    if (entry?.state === "purging") {
      if (left > 0) {
        this.#resolve(entry, "unproven", orders);
      } else {
        entry.state = "verifying";
        const action = { ...entry.step.action, operation: "monitor", intervalMs: 0, timeoutMs: Math.max(1, this.endAtMs - nowMs) };
        orders.push({ kind: "run", key: `${key}${VERIFY}`, action });
      }
    }
    return [...orders, ...this.tick(nowMs)];
  }

  #startStage(nowMs: number, orders: WalkOrder[]): void {
    const open = this.#steps.filter((entry) => !resolved(entry));
    const stage = open[0]?.step.stage;
    for (const entry of open) {
      if (entry.step.stage !== stage || entry.state !== "waiting") continue;
      entry.state = "stopping";
      const timeoutMs = Math.min(entry.step.action.timeoutMs || UNBOUNDED_MS, this.stopAtMs - nowMs);
      orders.push({ kind: "run", key: entry.key, action: { ...entry.step.action, timeoutMs } });
    }
  }

  #purge(entry: WalkStep, orders: WalkOrder[]): void {
    orders.push({ kind: "abandon", key: entry.key, resource: entry.step.resource });
    if (entry.step.action.operation !== "stop") {
      entry.state = "unproven";
      return;
    }
    entry.state = "purging";
    orders.push({ kind: "purge", key: entry.key, action: entry.step.action, timeoutMs: this.#killMs });
  }

  #giveUp(entry: WalkStep, orders: WalkOrder[]): void {
    orders.push({ kind: "abandon", key: entry.key, resource: entry.step.resource });
    if (entry.step.action.operation === "stop") this.#resolve(entry, "unproven", orders);
    else entry.state = "unproven";
  }

  #resolve(entry: WalkStep, state: "proven" | "unproven", orders: WalkOrder[]): void {
    entry.state = state;
    orders.push({ kind: "stopped", resource: entry.step.resource, proven: state === "proven" });
  }

  #entry(key: string): WalkStep | undefined {
    return this.#steps.find((entry) => entry.key === key || `${entry.key}${VERIFY}` === key);
  }
}

function resolved(entry: WalkStep): boolean {
  return entry.state === "proven" || entry.state === "unproven";
}
