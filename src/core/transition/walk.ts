import { INFINITY_SCORE } from "../base/index.ts";
import { type GraphAction, successorsOf, type TransitionGraph } from "./graph.ts";

/** `ready` has all its inputs; `sent` was handed out; `done` and `failed` are final. */
type Phase = "waiting" | "ready" | "sent" | "done" | "failed";

export type WalkCounts = { readonly waiting: number; readonly sent: number; readonly done: number; readonly failed: number };

/**
 * One graph being executed (rule G10 of the policy description). The caller decides when a ready action may really
 * begin and tells what became of it; pseudo events are complete by themselves. Walks hold no time and no node limits.
 */
export class Walk {
  readonly graph: TransitionGraph;
  readonly #successors: readonly (readonly number[])[];
  readonly #phases: Phase[];
  readonly #missing: number[];
  /** Actions of a lower priority no longer begin. */
  #abortPriority = -INFINITY_SCORE;

  constructor(graph: TransitionGraph) {
    this.graph = graph;
    this.#successors = successorsOf(graph);
    this.#phases = graph.actions.map(() => "waiting");
    this.#missing = graph.actions.map((action) => action.inputs.length);
    for (const action of graph.actions) if (action.inputs.length === 0) this.#becomeReady(action);
  }

  /** What may begin now, in graph order. */
  ready(): readonly GraphAction[] {
    return this.graph.actions.filter((action, at) => this.#phases[at] === "ready" && action.priority >= this.#abortPriority);
  }

  sent(): readonly GraphAction[] {
    return this.graph.actions.filter((_, at) => this.#phases[at] === "sent");
  }

  isDone(id: number): boolean {
    return this.#phases[id - 1] === "done";
  }

  markSent(id: number): void {
    if (this.#phases[id - 1] === "ready") this.#phases[id - 1] = "sent";
  }

  /** Takes back `markSent`: the action was not committed and may be handed out again. */
  markUnsent(id: number): void {
    if (this.#phases[id - 1] === "sent") this.#phases[id - 1] = "ready";
  }

  /**
   * The action has ended. After a failure its successors begin only if their priority is INFINITY, and the rest of the
   * walk only from the priority after the failed one; an action that may fail counts as done.
   */
  complete(id: number, outcome: "done" | "failed"): void {
    const action = this.graph.actions[id - 1];
    if (action === undefined || this.#phases[id - 1] === "done" || this.#phases[id - 1] === "failed") return;
    const mayFail = action.kind === "resource" && action.canFail;
    if (outcome === "failed" && !mayFail) {
      this.#phases[id - 1] = "failed";
      this.abort(action.priority + 1);
      this.#release(id, (next) => next.priority >= INFINITY_SCORE);
      return;
    }
    this.#phases[id - 1] = "done";
    this.#release(id, () => true);
  }

  /** From now on only actions of at least this priority begin. */
  abort(priority: number): void {
    this.#abortPriority = Math.max(this.#abortPriority, Math.min(priority, INFINITY_SCORE));
  }

  counts(): WalkCounts {
    const counts = { waiting: 0, sent: 0, done: 0, failed: 0 };
    for (const phase of this.#phases) counts[phase === "ready" ? "waiting" : phase] += 1;
    return counts;
  }

  /** Nothing is under way and nothing more will begin. */
  finished(): boolean {
    return this.sent().length === 0 && this.ready().length === 0;
  }

  #becomeReady(action: GraphAction): void {
    const stack = [action];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (next.kind !== "pseudo") {
        this.#phases[next.id - 1] = "ready";
        continue;
      }
      this.#phases[next.id - 1] = "done";
      for (const id of this.#successors[next.id - 1] ?? []) if (this.#inputDone(id)) stack.push(this.#at(id));
    }
  }

  #release(id: number, which: (action: GraphAction) => boolean): void {
    for (const next of this.#successors[id - 1] ?? []) {
      const action = this.#at(next);
      if (which(action) && this.#inputDone(next)) this.#becomeReady(action);
    }
  }

  #inputDone(id: number): boolean {
    const left = (this.#missing[id - 1] ?? 0) - 1;
    this.#missing[id - 1] = left;
    return left === 0 && this.#phases[id - 1] === "waiting";
  }

  #at(id: number): GraphAction {
    const action = this.graph.actions[id - 1];
    if (action === undefined) throw new RangeError(`the graph has no action ${id}`);
    return action;
  }
}
