import type { Element } from "../cib/index.ts";
import type { ObjectType } from "./words.ts";

/**
 * An object as its line says it: the element without generated ids and without the resources it contains, which are
 * named in `members`. `id` is `fencing_topology` for the whole topology.
 */
export type Draft = {
  readonly type: ObjectType;
  readonly id: string;
  readonly element: Element;
  readonly members: readonly string[];
};

/** How lines are read. */
export type GrammarOptions = {
  /**
   * `modern`: bare operation times get `s`, legacy roles their new names, clones of primitives `interleave=true`; what a
   * person types. `verbatim`: nothing is improved; text that was saved or imported says exactly what it means.
   */
  readonly spelling: "modern" | "verbatim";
  /** Names of the nodes, for a fencing topology without targets. */
  readonly nodes: () => readonly string[];
  readonly warn: (message: string) => void;
};
