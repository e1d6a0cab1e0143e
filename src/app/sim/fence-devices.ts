import type { AgentAction, AgentOutcome } from "../../core/ports/index.ts";
import { exited } from "./agents.ts";
import type { VirtualHost } from "./host.ts";
import type { World } from "./world.ts";

/** How fence devices behave, for one action. */
export type FenceWeather = { readonly fails: number; readonly hangs: number; readonly silent: number; readonly takesMs: number };

/** A fence action as the devices of this world carry it out: how long it takes, and its answer. */
export function beginFencing(
  world: World,
  by: VirtualHost,
  action: AgentAction,
): { readonly takesMs: number; readonly end: () => AgentOutcome } {
  const { fails, hangs, silent, takesMs } = world.fenceWeather;
  const target = world.hosts.find(({ name }) => name === action.target);
  if (action.operation === "monitor" || target === undefined) return { takesMs: 10, end: () => exited(0) };
  const draw = world.random.fraction();
  world.trace.add(world.time.nowMs, by.name, `fences ${target.name}`);
  if (draw < hangs) return { takesMs: 600_000, end: () => exited(0) };
  if (draw < hangs + fails) return { takesMs, end: () => exited(1) };
  const act = (): void => world.powerCycle(target, 1_000 + world.random.below(4_000));
  // A device may act and then not say so.
  if (draw < hangs + fails + silent) {
    world.time.after(takesMs, "fence", act);
    return { takesMs: 600_000, end: () => exited(0) };
  }
  return {
    takesMs,
    end: () => {
      act();
      return exited(0);
    },
  };
}
