import { type ConfigurationEdit, SECTIONS, type Section } from "./edit.ts";
import { attributeOf, canonicalText, childrenOf, type Element, element } from "./element.ts";
import type { CibState, ConfigurationObject, SectionState } from "./state.ts";

/** Edits in one command. */
export const EDITS_MAX = 10_000;
/** Edits in one change that was uploaded in parts. */
export const EDITS_STAGED_MAX = 200_000;

/** What an edit run into; the whole command is then refused. */
export type EditRefusal = { readonly code: "CIB_CONFLICT" | "CIB_INVALID"; readonly message: string };

/** Applies all edits or none. Compare-and-set per touched object: `before` must be the object as it is now. */
export function applyEdits(
  sections: Readonly<Record<Section, SectionState>>,
  edits: readonly ConfigurationEdit[],
  editsMax = EDITS_MAX,
): { readonly sections: Readonly<Record<Section, SectionState>> } | { readonly refusal: EditRefusal } {
  if (edits.length > editsMax) return { refusal: { code: "CIB_INVALID", message: `more than ${editsMax} edits in one command` } };
  const next: Record<Section, SectionState> = { ...sections };
  for (const edit of edits) {
    const refusal = checkEdit(sections, edit);
    if (refusal !== null) return { refusal };
    next[edit.section] = editSection(next[edit.section], edit);
  }
  return { sections: next };
}

function checkEdit(sections: Readonly<Record<Section, SectionState>>, edit: ConfigurationEdit): EditRefusal | null {
  const section = Object.hasOwn(sections, edit.section) ? sections[edit.section] : undefined;
  if (section === undefined) return { code: "CIB_INVALID", message: `there is no section ${String(edit.section)}` };
  if (edit.id === "") return { code: "CIB_INVALID", message: `an object of section ${edit.section} has no id` };
  if (edit.after !== null && attributeOf(edit.after, "id") !== edit.id) {
    return { code: "CIB_INVALID", message: `the object ${edit.id} of section ${edit.section} carries another id` };
  }
  const present = section.objects.get(edit.id);
  const now = present === undefined ? null : canonicalOf(present);
  if (now === edit.before) return null;
  // The same change twice (a message that came again, two operators of one mind) is no conflict: the wish is fulfilled.
  if (now === (edit.after === null ? null : canonicalText(edit.after))) return null;
  return { code: "CIB_CONFLICT", message: `${edit.section}/${edit.id} has changed since it was read` };
}

function editSection(section: SectionState, edit: ConfigurationEdit): SectionState {
  if (edit.after === null) return { ...section, objects: section.objects.delete(edit.id) };
  const present = section.objects.get(edit.id);
  if (present !== undefined) return { ...section, objects: section.objects.set(edit.id, { ...present, element: edit.after }) };
  const objects = section.objects.set(edit.id, { ordinal: section.nextOrdinal, element: edit.after });
  return { objects, nextOrdinal: section.nextOrdinal + 1 };
}

const canonicalCache = new WeakMap<ConfigurationObject, string>();

function canonicalOf(object: ConfigurationObject): string {
  let text = canonicalCache.get(object);
  if (text === undefined) {
    text = canonicalText(object.element);
    canonicalCache.set(object, text);
  }
  return text;
}

const sectionCache = new WeakMap<SectionState, Map<Section, Element>>();

/** The section as an element, its objects in the order in which they were made. Equal states give the same object. */
export function renderSection(name: Section, section: SectionState): Element {
  let byName = sectionCache.get(section);
  if (byName === undefined) {
    byName = new Map();
    sectionCache.set(section, byName);
  }
  let rendered = byName.get(name);
  if (rendered === undefined) {
    const objects = [...section.objects.values()].sort((a, b) => a.ordinal - b.ordinal);
    rendered = element(
      name,
      {},
      objects.map((object) => object.element),
    );
    byName.set(name, rendered);
  }
  return rendered;
}

const configurationCache = new WeakMap<object, Element>();

/** `<configuration>` with all sections that hold something, and always the four that the schema asks for. */
export function renderConfiguration(state: Pick<CibState, "sections">): Element {
  let rendered = configurationCache.get(state.sections);
  if (rendered === undefined) {
    const always = new Set<Section>(["crm_config", "nodes", "resources", "constraints"]);
    const children = SECTIONS.filter((name) => always.has(name) || state.sections[name].objects.size > 0).map((name) =>
      renderSection(name, state.sections[name]),
    );
    rendered = element("configuration", {}, children);
    configurationCache.set(state.sections, rendered);
  }
  return rendered;
}

/** Properties are asked for on every tick of every node, and change seldom. */
const propertyCache = new WeakMap<SectionState, ReadonlyMap<string, string | undefined>>();

function propertiesOf(section: SectionState): ReadonlyMap<string, string | undefined> {
  const known = propertyCache.get(section);
  if (known !== undefined) return known;
  const values = new Map<string, string | undefined>();
  for (const set of childrenOf(renderSection("crm_config", section), "cluster_property_set")) {
    for (const pair of childrenOf(set, "nvpair")) {
      const name = attributeOf(pair, "name");
      if (name !== undefined && !values.has(name)) values.set(name, attributeOf(pair, "value"));
    }
  }
  propertyCache.set(section, values);
  return values;
}

/** A cluster property by its current name, then by its old ones; sets in document order, the first value wins. */
export function propertyOf(state: Pick<CibState, "sections">, ...names: readonly string[]): string | undefined {
  const values = propertiesOf(state.sections.crm_config);
  const name = names.find((one) => values.has(one));
  return name === undefined ? undefined : values.get(name);
}
