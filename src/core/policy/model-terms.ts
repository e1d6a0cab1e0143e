import type { Score } from "../base/index.ts";

/**
 * Why a score changed. `id` is a constraint or attribute id where there is one, `through` the resource whose table the
 * value came from (colocation), `detail` further words for people.
 */
export type Cause = {
  readonly kind:
    | "base" // node score (seed)
    | "location"
    | "health"
    | "stickiness"
    | "failure" // a result in history bans
    | "fail-count"
    | "ticket"
    | "lock"
    | "discovery"
    | "unmanaged"
    | "multiple-active"
    | "removed"
    | "structure" // remote/guest/bundle restrictions
    | "colocation" // as dependent
    | "colocated-with" // as primary: preferences of a dependent
    | "promotion"
    | "rating"
    | "target-role"
    | "distribution" // clone or bundle barring
    | "capacity"
    | "bundle";
  readonly id?: string | undefined;
  readonly through?: string | undefined;
  readonly detail?: string | undefined;
};

/** One step in the life of a table entry. `set`: the score became `value`; else `value` was added (saturating). */
export type Term = {
  readonly node: number;
  readonly set: boolean;
  readonly value: Score;
  readonly cause: Cause;
};
