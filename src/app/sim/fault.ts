import type { Random } from "../../core/base/index.ts";
import type { VirtualHost } from "./host.ts";
import type { World } from "./world.ts";

/** One class of faults. `apply` may say what it did; `draw` is the fault's own chance. */
export type Fault = {
  readonly name: string;
  readonly weight: number;
  readonly apply: (world: World, host: VirtualHost, draw: Random) => unknown;
};

/** A whole number in [low, high). */
export const span = (draw: Random, low: number, high: number): number => low + draw.below(high - low);
