import { QuorateError } from "../../core/base/index.ts";
import { type ConfigurationEdit, canonicalText, type Element, idOf } from "../../core/cib/index.ts";
import { commitEdits } from "../../io/api/index.ts";
import type { CliContext } from "./level.ts";

/** What a store read: the configuration, and the status where there is one (live, or a shadow made with it). */
export type StoredCib = { readonly configuration: Element; readonly status: Element | null };

/** Where configuration is read from and written to: the cluster, a shadow of it, or a plain file. */
export interface ConfigurationStore {
  /** `live`, the name of the shadow, or the path of the file. */
  readonly name: string;
  /** True when a commit changes a running cluster. */
  readonly live: boolean;
  read(): Promise<StoredCib>;
  /**
   * Applies all edits or none. Throws `CIB_CONFLICT` when an object changed since it was read; `force` overrides. With
   * `epoch` only while the cluster's configuration is of that epoch (`PLAN_STALE`); files have none and do not look at it.
   */
  commit(edits: readonly ConfigurationEdit[], force: boolean, epoch?: number): Promise<void>;
}

/** The configuration of the cluster, through the daemon. */
export function liveStore(context: CliContext): ConfigurationStore {
  return {
    name: "live",
    live: true,
    read: async () => {
      const api = await context.api();
      const answer = asRecord(await api.request("cib.get", { section: "all" }));
      const cib = answer["cib"] as Element;
      const configuration = cib.children.find((child) => child.name === "configuration") ?? {
        name: "configuration",
        attributes: {},
        children: [],
      };
      return { configuration, status: cib.children.find((child) => child.name === "status") ?? null };
    },
    commit: async (edits, force, epoch) => {
      if (edits.length === 0) return;
      const api = await context.api();
      // A plan is of one epoch: nobody has changed anything since, or it is refused whatever is forced.
      if (force && epoch === undefined) return forceEdits(context, edits);
      await commitEdits(api, edits, { force, ...(epoch === undefined ? {} : { epoch }) });
    },
  };
}

/** A forced commit overwrites what is there now; somebody may change it once more in between, yet not for ever. */
const FORCE_TRIES_MAX = 5;

/**
 * The cluster compares every object with what the author read, forced or not. So force reads again and says: over that.
 * What was done meanwhile to other objects stays.
 */
async function forceEdits(context: CliContext, edits: readonly ConfigurationEdit[]): Promise<void> {
  const api = await context.api();
  for (let tries = 1; ; tries += 1) {
    const { configuration } = await liveStore(context).read();
    const rebased = edits.flatMap((edit) => {
      const section = configuration.children.find((child) => child.name === edit.section);
      const found = section?.children.find((child) => idOf(child) === edit.id);
      const before = found === undefined ? null : canonicalText(found);
      return before === null && edit.after === null ? [] : [{ ...edit, before }];
    });
    if (rebased.length === 0) return;
    try {
      await commitEdits(api, rebased, { force: true });
      return;
    } catch (error) {
      const isConflict = error instanceof QuorateError && error.detail.code === "CIB_CONFLICT";
      if (!isConflict || tries === FORCE_TRIES_MAX) throw error;
    }
  }
}

/** An answer of the API as a record; answers are our own daemon's, so their fields are trusted after this. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * The store that the options name: a shadow, else a plain file, else the cluster. The XML reader is loaded only for the
 * first two.
 */
export function openStore(context: CliContext): ConfigurationStore {
  const { shadow, cibFile } = context.options;
  if (shadow !== null) return lazyStore(shadow, async () => (await import("./shadow.ts")).shadowStore(shadow));
  if (cibFile !== null) return lazyStore(cibFile, async () => (await import("./store-file.ts")).fileStore(cibFile, cibFile));
  return liveStore(context);
}

function lazyStore(name: string, load: () => Promise<ConfigurationStore>): ConfigurationStore {
  return {
    name,
    live: false,
    read: async () => (await load()).read(),
    commit: async (edits, force, epoch) => (await load()).commit(edits, force, epoch),
  };
}
