export { isAgentName } from "./agent-name.ts";
export { didYouMean, hint } from "./did-you-mean.ts";
export { InvariantError, invariant, QuorateError, unreachable } from "./errors.ts";
export { type Incarnation, incarnation, type LogIndex, logIndex, type MemberId, memberId, type Term, term } from "./ids.ts";
export { compareText, sortedEntries } from "./order.ts";
export { PersistentMap } from "./persistent-map.ts";
export { type Random, seededRandom } from "./random.ts";
export { addScores, clampScore, formatScore, INFINITY_SCORE, type Score } from "./score.ts";
export { sha256 } from "./sha256.ts";
/** A hash of bytes or text given as an argument, so that pure rooms need no crypto: returns lower-case hex. */
export type Hash = (text: string) => string;
