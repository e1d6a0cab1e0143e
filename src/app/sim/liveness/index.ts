import type { Bound } from "./bound.ts";
import { aLeader } from "./l1-a-leader.ts";
import { aCommit } from "./l2-a-commit.ts";
import { theWantedState } from "./l3-the-wanted-state.ts";
import { caughtUp } from "./l4-caught-up.ts";
import { oneCrash } from "./l5-one-crash.ts";
import { oneSickNode } from "./l6-one-sick-node.ts";
import { noStorm } from "./l7-no-storm.ts";

export type { Bound } from "./bound.ts";
export { serves } from "./serves.ts";
export { aLeader };

export const livenessBounds: readonly Bound[] = [aLeader, aCommit, theWantedState, caughtUp, oneCrash, oneSickNode, noStorm];

/** What must hold once the operators have put everything back, in this order. */
export const bounds: readonly Bound[] = [aCommit, theWantedState, caughtUp, noStorm, oneSickNode, oneCrash];
