import { apply, applyEmpty, type CibState, emptyState, type Proposal } from "../../core/cib/index.ts";
import type { Entry } from "../../core/raft/index.ts";
import type { AppliedCommand } from "./invariant.ts";
import { contentOf, isSameContent } from "./same-entry.ts";

/** States of the past that are kept, to hold snapshots against them. */
const STATES_KEPT = 2_048;

/** The world's own replica of the log, made of what members hand out to be applied. */
export class Replica {
  /** Indexes of the commands that changed something. */
  readonly changed = new Set<number>();
  readonly #onApplied: (applied: AppliedCommand) => void;
  readonly #states = new Map<number, CibState>();
  readonly #contents = new Map<number, Uint8Array>();
  readonly #waiting = new Map<number, Proposal | null>();
  #state: CibState = emptyState();

  /** `onApplied` hears of every command when `state` is the state after it. */
  constructor(onApplied: (applied: AppliedCommand) => void) {
    this.#onApplied = onApplied;
  }

  get state(): CibState {
    return this.#state;
  }

  /** The state at an index, while it is kept; undefined: not there yet, or long ago. */
  stateAt(index: number): CibState | undefined {
    return this.#states.get(index);
  }

  /** Holds a member's entries against the first ones seen, and applies what is new; the index of one that differs, or null. */
  observe(entries: readonly Entry<Proposal>[]): number | null {
    for (const entry of entries) {
      const { index } = entry;
      const content = contentOf(entry);
      const known = this.#contents.get(index);
      if (known === undefined) {
        this.#contents.set(index, content);
        this.#waiting.set(index, entry.kind === "data" ? entry.data : null);
      } else if (!isSameContent(known, content)) return index;
    }
    for (;;) {
      const index = this.#state.index + 1;
      const proposal = this.#waiting.get(index);
      if (proposal === undefined) return null;
      this.#waiting.delete(index);
      this.#applyOne(index, proposal);
    }
  }

  #applyOne(index: number, proposal: Proposal | null): void {
    const at = index as CibState["index"];
    if (proposal === null) {
      this.#keep(applyEmpty(this.#state, at));
      return;
    }
    const before = this.#state;
    const { state, result } = apply(before, at, proposal);
    this.#keep(state);
    if (result.ok) this.changed.add(index);
    this.#onApplied({ index, command: proposal.command, ok: result.ok, origin: proposal.origin, result, before });
  }

  #keep(state: CibState): void {
    this.#state = state;
    this.#states.set(state.index, state);
    this.#states.delete(state.index - STATES_KEPT);
  }
}
