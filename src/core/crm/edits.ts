import {
  attributeOf,
  COMMENT,
  type ConfigurationEdit,
  canonicalText,
  childOf,
  type Element,
  idOf,
  SECTIONS,
  type Section,
} from "../cib/index.ts";
import { SECRET_NAMES } from "./secrets.ts";
import { showText } from "./select.ts";
import { listObjects } from "./tree.ts";

type Placed = { readonly section: Section; readonly id: string; readonly element: Element };

function topObjects(configuration: Element): Map<string, Placed> {
  const result = new Map<string, Placed>();
  for (const section of SECTIONS) {
    for (const child of childOf(configuration, section)?.children ?? []) {
      const id = idOf(child);
      if (child.name !== COMMENT && id !== undefined) result.set(`${section} ${id}`, { section, id, element: child });
    }
  }
  return result;
}

/**
 * What changed from one configuration to another, object by object. Each edit carries the object as its author read it,
 * so that edits of other people to other objects pass and those to the same object are refused (`core/cib`).
 */
export function diffConfigurations(before: Element, after: Element): ConfigurationEdit[] {
  const old = topObjects(before);
  const now = topObjects(after);
  const edits: ConfigurationEdit[] = [];
  for (const [key, { section, id, element: was }] of old) {
    if (!now.has(key)) edits.push({ section, id, before: canonicalText(was), after: null });
  }
  for (const [key, { section, id, element: is }] of now) {
    const was = old.get(key)?.element;
    if (was === undefined) edits.push({ section, id, before: null, after: is });
    else if (was !== is && canonicalText(was) !== canonicalText(is)) edits.push({ section, id, before: canonicalText(was), after: is });
  }
  return edits;
}

/** Objects both sides changed, each differently: what a commit would overwrite. */
export type Conflict = {
  readonly section: Section;
  readonly id: string;
  /** The object in the language: as it was read, as somebody else left it, as it would be written. Empty: not there. */
  readonly base: string;
  readonly theirs: string;
  readonly ours: string;
};

/** Compares edits with the configuration as it is now. */
export function findConflicts(base: Element, current: Element, edits: readonly ConfigurationEdit[]): Conflict[] {
  const now = topObjects(current);
  const then = topObjects(base);
  return edits.flatMap((edit) => {
    const key = `${edit.section} ${edit.id}`;
    const theirs = now.get(key)?.element;
    const is = theirs === undefined ? null : canonicalText(theirs);
    if (is === edit.before) return [];
    const text = (from: Element, found: Element | undefined | null): string =>
      found === undefined || found === null ? "" : objectText(from, edit.section, found);
    const was = then.get(key)?.element;
    return [{ section: edit.section, id: edit.id, base: text(base, was), theirs: text(current, theirs), ours: text(current, edit.after) }];
  });
}

function objectText(configuration: Element, section: Section, found: Element): string {
  const alone: Element = { name: "configuration", attributes: {}, children: [{ name: section, attributes: {}, children: [found] }] };
  return showText(configuration, listObjects(alone), { wrap: false, obscure: SECRET_NAMES });
}

/** The edits applied to a configuration without asking what was there: for plain files and for previews. */
export function applyEdits(configuration: Element, edits: readonly ConfigurationEdit[]): Element {
  let result = configuration;
  for (const edit of edits) {
    const section = childOf(result, edit.section);
    const children = section?.children ?? [];
    const at = children.findIndex((child) => child.name !== COMMENT && attributeOf(child, "id") === edit.id);
    const added = edit.after === null ? [] : [edit.after];
    const next = at < 0 ? [...children, ...added] : [...children.slice(0, at), ...added, ...children.slice(at + 1)];
    result = replaceSection(result, edit.section, next);
  }
  return result;
}

function replaceSection(configuration: Element, name: Section, children: readonly Element[]): Element {
  const index = configuration.children.findIndex((child) => child.name === name);
  if (index >= 0) {
    const all = configuration.children.map((child, at) => (at === index ? { ...child, children } : child));
    return { ...configuration, children: all };
  }
  const rank = SECTIONS.indexOf(name);
  const place = configuration.children.filter(
    (child) => SECTIONS.indexOf(child.name as Section) <= rank && (SECTIONS as readonly string[]).includes(child.name),
  ).length;
  const all = [...configuration.children];
  all.splice(place, 0, { name, attributes: {}, children });
  return { ...configuration, children: all };
}
