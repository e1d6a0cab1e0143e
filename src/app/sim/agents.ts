import type { Random } from "../../core/base/index.ts";
import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";

/** Chances of an agent to misbehave, for one run of an action. */
export type AgentWeather = {
  readonly startFails: number;
  readonly monitorFails: number;
  readonly stopFails: number;
  readonly slow: number;
};

export const HEALTHY: AgentWeather = { startFails: 0, monitorFails: 0, stopFails: 0, slow: 0 };

/**
 * The services of one host, as they really are. A resource counts as active from the moment its start is attempted until
 * a stop has succeeded or all its processes were killed (RAFT.md §10 H1).
 */
export class VirtualServices {
  weather: AgentWeather = HEALTHY;
  readonly active = new Set<string>();
  /** Those of the active ones that run in the promoted role. */
  readonly promoted = new Set<string>();
  readonly #random: Random;
  /** Keys of monitors do not count: only what changed something is told. */
  readonly #onChange: (resource: string, active: boolean) => void;

  readonly #onPromoted: (resource: string, promoted: boolean) => void;

  constructor(
    random: Random,
    onChange: (resource: string, active: boolean) => void,
    onPromoted: (resource: string, promoted: boolean) => void = () => {},
  ) {
    this.#random = random;
    this.#onChange = onChange;
    this.#onPromoted = onPromoted;
  }

  /** Begins an action: how long it takes, and what it comes to when it ends. `op_sleep` is as in ocf:quorate:dummy. */
  begin(action: AgentAction): { readonly takesMs: number; readonly end: () => AgentOutcome } {
    const { resource, operation } = action;
    const slow = this.#random.fraction() < this.weather.slow;
    const told = operation === "start" || operation === "stop" ? Number(action.params["op_sleep"] ?? 0) * 1_000 : 0;
    const takesMs = 2 + told + this.#random.below(slow ? 2_000 : 20);
    const fails = (chance: number): boolean => this.#random.fraction() < chance;
    switch (operation) {
      case "start": {
        const failed = fails(this.weather.startFails);
        this.set(resource, true);
        return { takesMs, end: () => exited(failed ? 1 : 0) };
      }
      case "stop": {
        const failed = fails(this.weather.stopFails);
        return {
          takesMs,
          end: () => {
            if (!failed) this.set(resource, false);
            return exited(failed ? 1 : 0);
          },
        };
      }
      case "promote": {
        const failed = fails(this.weather.startFails);
        this.setPromoted(resource, this.active.has(resource));
        return { takesMs, end: () => exited(failed ? 1 : 0) };
      }
      case "demote": {
        const failed = fails(this.weather.stopFails);
        return {
          takesMs,
          end: () => {
            if (!failed) this.setPromoted(resource, false);
            return exited(failed ? 1 : 0);
          },
        };
      }
      case "monitor": {
        const failed = fails(this.weather.monitorFails);
        return { takesMs, end: () => exited(this.active.has(resource) ? (failed ? 1 : this.promoted.has(resource) ? 8 : 0) : 7) };
      }
      default:
        return { takesMs, end: () => exited(0) };
    }
  }

  set(resource: string, active: boolean): void {
    if (this.active.has(resource) === active) return;
    if (active) this.active.add(resource);
    else this.active.delete(resource);
    if (!active) this.promoted.delete(resource);
    this.#onChange(resource, active);
  }

  setPromoted(resource: string, promoted: boolean): void {
    if (this.promoted.has(resource) === promoted) return;
    if (promoted) this.promoted.add(resource);
    else this.promoted.delete(resource);
    this.#onPromoted(resource, promoted);
  }

  clear(): void {
    for (const resource of [...this.active].sort()) this.set(resource, false);
  }
}

export function exited(code: number): AgentOutcome {
  return { kind: "exited", code, reason: [0, 7, 8].includes(code) ? null : "drawn by the simulator", output: "", elapsedMs: 0 };
}
