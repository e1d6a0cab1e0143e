import { readFileSync } from "node:fs";
import { type ConfigurationEdit, canonicalText, childOf, type Element, element, idOf, withChildren } from "../../core/cib/index.ts";
import { formatXml, parseXml } from "../../io/xml/index.ts";
import { dropObjects, putObject, sectionOf } from "./edits.ts";
import { CommandError } from "./level.ts";
import { replaceFile } from "./replace-file.ts";
import type { ConfigurationStore, StoredCib } from "./store.ts";

/** Applies edits as the cluster would. Throws when an object is not as its editor read it, unless forced. */
export function applyEdits(configuration: Element, edits: readonly ConfigurationEdit[], force: boolean): Element {
  let next = configuration;
  for (const edit of edits) {
    const old = sectionOf(next, edit.section).children.find((child) => idOf(child) === edit.id);
    if (!force && (old === undefined ? null : canonicalText(old)) !== edit.before) {
      throw new CommandError(`${edit.id} was changed by somebody else since it was read; -F overwrites`);
    }
    next = edit.after === null ? dropObjects(next, edit.section, new Set([edit.id])) : putObject(next, edit.section, edit.after);
  }
  return next;
}

/** The `<cib>` in a file; a bare `<configuration>` is wrapped. Throws `XmlError`, or `CommandError` when it cannot be read. */
export function readCibFile(path: string): Element {
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const root = parseXml(text);
  if (root.name === "configuration") return element("cib", {}, [root]);
  if (root.name !== "cib") throw new CommandError(`${path} holds <${root.name}>, not <cib> or <configuration>`);
  return root;
}

/** Replaces the file in one step, so that a reader never sees half of it. Throws `CommandError`. */
export function writeCibFile(path: string, cib: Element): void {
  replaceFile(path, formatXml(cib), { mode: 0o666 });
}

/** A configuration in a plain file: `--cib-file`, `CIB_file`, and every shadow. */
export function fileStore(name: string, path: string): ConfigurationStore {
  return {
    name,
    live: false,
    read: async (): Promise<StoredCib> => {
      const cib = readCibFile(path);
      return { configuration: childOf(cib, "configuration") ?? element("configuration"), status: childOf(cib, "status") ?? null };
    },
    commit: async (edits, force) => {
      if (edits.length === 0) return;
      const cib = readCibFile(path);
      const configuration = applyEdits(childOf(cib, "configuration") ?? element("configuration"), edits, force);
      const others = cib.children.filter((child) => child.name !== "configuration");
      writeCibFile(path, withChildren(cib, [configuration, ...others]));
    },
  };
}
