import { attributeOf, childOf, childrenOf, type Element, element } from "../../core/cib/index.ts";
import { upgradeCib } from "../../core/policy/index.ts";
import { type Injection, inject } from "../../core/whatif/index.ts";
import { type Asked, cibInQuestion } from "./explain.ts";
import type { CliContext } from "./level.ts";
import { shadowPath } from "./shadow.ts";
import { readCibFile } from "./store-file.ts";

/** An event that was supposed, as the person typed it. */
type Supposed = { readonly text: string; readonly injection: Injection };

/**
 * The state of the cluster that simulations start from: as it is, or loaded from somewhere, with supposed events on top.
 * What is loaded or changed stays as it is although the cluster goes on; `load live` drops it.
 */
export class StatusEditor {
  #origin: string | null = null;
  #base: Asked | null = null;
  #supposed: Supposed[] = [];

  /** Where the state comes from, in the words of `load`. */
  origin(context: CliContext): string {
    if (this.#origin !== null) return this.#origin;
    const { shadow, cibFile } = context.options;
    return shadow === null && cibFile !== null ? cibFile : "live";
  }

  /** True when simulations no longer start from what is. */
  get isImagined(): boolean {
    return this.#origin !== null || this.#supposed.length > 0;
  }

  get supposed(): readonly string[] {
    return this.#supposed.map((each) => each.text);
  }

  /** `load {FILE|shadow:NAME|live}`. Throws when it cannot be read. */
  load(source: string): void {
    const name = /^shadow:(.+)$/.exec(source)?.[1];
    const base =
      source === "live" ? null : { cib: upgradeCib(readCibFile(name === undefined ? source : shadowPath(name))), nowMs: Date.now() };
    this.#base = base;
    this.#origin = source === "live" ? null : source;
    this.#supposed = [];
  }

  /** The CIB with its status, supposed events included. */
  async read(context: CliContext): Promise<Asked> {
    const base = this.#base ?? (await present(context));
    return { ...base, cib: inject(base.cib, this.#injections(), Math.floor(base.nowMs / 1000)) };
  }

  #injections(): Injection[] {
    return this.#supposed.map((each) => each.injection);
  }

  /** Adds an event. Throws `QuorateError` WHATIF_UNKNOWN when it names something that is not there. */
  async suppose(text: string, injection: Injection, context: CliContext): Promise<void> {
    const base = this.#base ?? (await present(context));
    inject(base.cib, [...this.#injections(), injection], Math.floor(base.nowMs / 1000));
    this.#base = base;
    this.#supposed = [...this.#supposed, { text, injection }];
  }
}

/** What is: the cluster, or the plain file with the status in it. */
async function present(context: CliContext): Promise<Asked> {
  const { shadow, cibFile } = context.options;
  if (cibFile === null || shadow !== null) return cibInQuestion(context, undefined);
  const cib = readCibFile(cibFile);
  // A file is about the time it was written for, as with `quorate simulate`.
  const recorded = Number.parseInt(attributeOf(cib, "execution-date") ?? "", 10);
  return { cib: upgradeCib(cib), nowMs: Number.isFinite(recorded) ? recorded * 1000 : Date.now() };
}

/** The `<status>` of a CIB, empty when there is none. */
export function statusOf(cib: Element): Element {
  return childOf(cib, "status") ?? element("status");
}

/** Does the CIB say anything of any node? */
export function knowsNodes(cib: Element): boolean {
  return childrenOf(statusOf(cib), "node_state").length > 0;
}

const editors = new WeakMap<CliContext, StatusEditor>();

/** The one editor of a run of the program: `configure` and `cibstatus` speak of the same state. */
export function statusEditor(context: CliContext): StatusEditor {
  const known = editors.get(context) ?? new StatusEditor();
  editors.set(context, known);
  return known;
}
