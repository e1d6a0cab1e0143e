declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A Raft term (integer >= 0). */
export type Term = Branded<number, "Term">;
/** A position in the Raft log (integer >= 0; 0 = before the first entry). */
export type LogIndex = Branded<number, "LogIndex">;
/**
 * A member of the Raft group: 1 .. 2^53-1. Drawn at random when a node joins and never used again after its store was
 * lost (RAFT.md §6, amnesia). 53 bits instead of 64 so that a plain number holds it; a collision is refused at join.
 */
export type MemberId = Branded<number, "MemberId">;
/** A random value drawn anew at every boot of a host; intents, fencing and transient attributes end with it. */
export type Incarnation = Branded<string, "Incarnation">;

export const term = (value: number): Term => value as Term;
export const logIndex = (value: number): LogIndex => value as LogIndex;
export const memberId = (value: number): MemberId => value as MemberId;
export const incarnation = (value: string): Incarnation => value as Incarnation;
