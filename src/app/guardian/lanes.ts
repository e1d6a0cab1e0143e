import type { AgentAction } from "../../core/ports/index.ts";
import type { RunOrder } from "./types.ts";

/** An action that waits for its turn or runs. */
export type Job = RunOrder & {
  /** Asked for by a stop walk, not by the daemon. */
  readonly internal: boolean;
  state: "queued" | "running";
  cancelled: boolean;
  startedMs: number;
};

const FENCING = new Set(["on", "off", "reboot"]);

/** Does this action make another node's power change? */
export function isFencing(action: AgentAction): boolean {
  return action.agentClass === "stonith" && FENCING.has(action.operation);
}

const ACTIVATING = new Set(["start", "promote", "migrate_from", "migrate_to"]);

/** Does this action make a resource active here, or more so? Only these need a covering plan and an open deadline. */
export function isActivating(action: AgentAction): boolean {
  return action.agentClass !== "stonith" && ACTIVATING.has(action.operation);
}

/**
 * Queues, one per resource: actions of one lane run one after the other. A fence action must never wait behind a slow monitor
 * of its own device, so those have a lane of their own.
 */
export class Lanes {
  readonly #jobs = new Map<string, Job>();
  readonly #lanes = new Map<string, Job[]>();

  get size(): number {
    return this.#jobs.size;
  }

  get(key: string): Job | undefined {
    return this.#jobs.get(key);
  }

  all(): Job[] {
    return [...this.#jobs.values()];
  }

  ofResource(resource: string): Job[] {
    return this.all().filter((job) => job.action.resource === resource);
  }

  add(order: RunOrder, internal: boolean): Job {
    // Not a spread that grows: V8 gives such an object a shape of its own each time.
    const job: Job = Object.assign({}, order, { internal, state: "queued" as const, cancelled: false, startedMs: 0 });
    this.#jobs.set(job.key, job);
    const name = laneOf(job.action);
    const lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, [job]);
    else lane.push(job);
    return job;
  }

  remove(job: Job): void {
    this.#jobs.delete(job.key);
    const name = laneOf(job.action);
    const lane = (this.#lanes.get(name) ?? []).filter((other) => other !== job);
    if (lane.length === 0) this.#lanes.delete(name);
    else this.#lanes.set(name, lane);
  }

  /** The job whose turn it is in the lane of this action, if it does not run yet. */
  turn(action: AgentAction): Job | null {
    const head = this.#lanes.get(laneOf(action))?.[0];
    return head !== undefined && head.state === "queued" ? head : null;
  }
}

function laneOf(action: AgentAction): string {
  return `${isFencing(action) ? "fence" : action.agentClass === "stonith" ? "device" : "resource"}:${action.resource}`;
}
