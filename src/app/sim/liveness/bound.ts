import type { World } from "../world.ts";

/** One promise of progress after the last fault (RAFT.md §10 L1-L7), asserted with its number. */
export type Bound = {
  readonly id: string;
  readonly rule: string;
  /** Lets the world go on until the promise is kept; throws a `Violation` of this id when its time is over. */
  readonly hold: (world: World) => Promise<void>;
};
