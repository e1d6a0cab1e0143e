import { attributeOf, COMMENT, childOf, type Element, element, idOf, SECTIONS, type Section, withChildren } from "../cib/index.ts";
import type { Draft, GrammarOptions } from "./drafts.ts";
import { deleteObjects } from "./edit-delete.ts";
import { hasReference, keepHidden, putDraft, resolveReferences } from "./edit-put.ts";
import { atLine, CrmError } from "./errors.ts";
import { objectTypeOf, readObject } from "./grammar.ts";
import { definedIds, IdPool } from "./ids.ts";
import { ordered } from "./same.ts";
import { joinLines, refuseControls, tokenize } from "./tokens.ts";
import { addToSection, findObject, listObjects, nodeNames, replaceElement, sectionOf, TOPOLOGY_ID, withSection } from "./tree.ts";
import { hint, OBJECT_TYPES, type ObjectType } from "./words.ts";

/** Reads XML text; throws `QuorateError` with a place when it is not well formed. Given from outside, so that this room stays pure. */
export type ParseXml = (text: string) => Element;

/** One object of a text, ready to be put: by the language or as XML. */
export type Entry =
  | { readonly kind: "draft"; readonly draft: Draft; readonly line: number }
  | { readonly kind: "element"; readonly element: Element; readonly line: number };

/** Where a top-level element of an `xml` line belongs. */
const SECTION_OF_ELEMENT: ReadonlyMap<string, Section> = new Map<string, Section>([
  ["cluster_property_set", "crm_config"],
  ["node", "nodes"],
  ["primitive", "resources"],
  ["template", "resources"],
  ["group", "resources"],
  ["clone", "resources"],
  ["master", "resources"],
  ["bundle", "resources"],
  ["rsc_location", "constraints"],
  ["rsc_colocation", "constraints"],
  ["rsc_order", "constraints"],
  ["rsc_ticket", "constraints"],
  ["fencing-level", "fencing-topology"],
  ["acl_role", "acls"],
  ["acl_target", "acls"],
  ["acl_group", "acls"],
  ["acl_user", "acls"],
  ["tag", "tags"],
  ["alert", "alerts"],
]);

/** The XML after the word `xml`, bare or in quotes. */
export function xmlOfLine(line: string): string {
  const rest = line.trimStart().slice("xml".length).trim();
  if (rest.startsWith("<")) return rest;
  const words = tokenize(rest);
  const [first] = words;
  if (words.length !== 1 || first === undefined) throw new CrmError("CRM_SYNTAX", "xml: expected one element, such as xml '<tag …/>'");
  return first.text;
}

/** The element of an `xml` line, checked to be an object of the configuration. */
export function readXmlObject(text: string, parseXml: ParseXml): Element {
  const found = parse(text, parseXml);
  const isSection = (SECTIONS as readonly string[]).includes(found.name);
  if (!isSection && !SECTION_OF_ELEMENT.has(found.name))
    throw new CrmError("CRM_XML", `xml: <${found.name}> is no object of the configuration${hint(found.name, SECTION_OF_ELEMENT.keys())}`);
  if (!isSection && idOf(found) === undefined) throw new CrmError("CRM_XML", `xml: <${found.name}> needs an id`);
  return found;
}

function parse(text: string, parseXml: ParseXml): Element {
  try {
    return parseXml(text);
  } catch (error) {
    if (error instanceof CrmError) throw error;
    throw new CrmError("CRM_XML", `the XML cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Reads a whole text of the language. Comments go with the next object. The first mistake stops it, with its line. */
export function readText(text: string, nodes: readonly string[], parseXml: ParseXml, warn: (message: string) => void): Entry[] {
  const entries: Entry[] = [];
  const names = [...nodes];
  const options: GrammarOptions = { spelling: "verbatim", nodes: () => names, warn };
  let comments: string[] = [];
  for (const line of joinLines(text)) {
    const trimmed = line.text.trim();
    if (trimmed === "") continue;
    try {
      if (trimmed.startsWith("#")) {
        refuseControls(trimmed);
        comments.push(commentText(trimmed));
        continue;
      }
      const entry = readEntry(line.text, line.line, options, parseXml, comments);
      if (entry.kind === "draft" && entry.draft.type === "node") names.push(attributeOf(entry.draft.element, "uname") ?? entry.draft.id);
      entries.push(entry);
    } catch (error) {
      throw error instanceof CrmError ? atLine(error, line.line, line.text) : error;
    }
    comments = [];
  }
  return entries;
}

/** XML comments can neither hold two dashes in a row nor end in one. */
function commentText(line: string): string {
  return line.replaceAll(/-(?=-)/g, "- ").replace(/[\s-]+$/, "");
}

function readEntry(text: string, line: number, options: GrammarOptions, parseXml: ParseXml, comments: readonly string[]): Entry {
  const word = /^\s*(\S+)/.exec(text)?.[1] ?? "";
  const remarks = comments.map((comment) => ({ ...element(COMMENT), text: comment }));
  if (word.toLowerCase() === "xml") {
    const found = readXmlObject(xmlOfLine(text), parseXml);
    return { kind: "element", element: withChildren(found, [...remarks, ...found.children]), line };
  }
  const type = objectTypeOf(word);
  if (type === null) {
    const message = `'${word}' begins no object; expected one of ${OBJECT_TYPES.join(", ")}, xml${hint(word, OBJECT_TYPES)}`;
    throw new CrmError("CRM_SYNTAX", message, { column: 1, near: word });
  }
  const draft = readObject(type, text, options);
  const commented = remarks.length === 0 ? draft.element : withChildren(draft.element, [...remarks, ...draft.element.children]);
  return { kind: "draft", draft: { ...draft, element: commented }, line };
}

/** What must be there before what: a container after its resources, a topology after the nodes. */
const ORDER: readonly ObjectType[] = [
  "node",
  "property",
  "rsc_defaults",
  "op_defaults",
  "rsc_template",
  "primitive",
  "bundle",
  "group",
  "ms",
  "clone",
  "tag",
  "location",
  "colocation",
  "order",
  "rsc_ticket",
  "fencing_topology",
  "role",
  "acl_target",
  "acl_group",
  "alert",
];

function positionOf(entry: Entry): number {
  if (entry.kind === "draft") return ORDER.indexOf(entry.draft.type);
  if (isSectionName(entry.element.name) && entry.element.name !== "fencing-topology") return ORDER.length;
  const type = listObjects(element("configuration", {}, [element(sectionFor(entry.element), {}, [entry.element])]))[0]?.type ?? null;
  return type === null ? ORDER.length : ORDER.indexOf(type);
}

function sectionFor(found: Element): Section {
  return SECTION_OF_ELEMENT.get(found.name) ?? "fencing-topology";
}

/** Puts every object of a text, whatever their order. */
export function putEntries(
  configuration: Element,
  entries: readonly Entry[],
  how: { readonly mergeSets: boolean; readonly warn: (message: string) => void },
): Element {
  const sorted = entries
    .map((entry, index) => ({ entry, index }))
    .sort((a, b) => positionOf(a.entry) - positionOf(b.entry) || a.index - b.index);
  const seen = new Set<string>();
  let pool = new IdPool(definedIds(configuration));
  let result = configuration;
  for (const { entry } of sorted) {
    try {
      if (entry.kind === "draft") result = putEntry(result, entry.draft, seen, { ...how, pool });
      else {
        result = putElement(result, entry.element);
        pool = new IdPool(definedIds(result));
      }
    } catch (error) {
      throw error instanceof CrmError ? atLine(error, entry.line) : error;
    }
  }
  return entries.some((entry) => hasReference(entry.kind === "draft" ? entry.draft.element : entry.element))
    ? resolveReferences(result)
    : result;
}

type PutHow = { readonly mergeSets: boolean; readonly warn: (message: string) => void; readonly pool: IdPool };

/** A property set may be written over several lines of one text; every other object once. */
function putEntry(configuration: Element, draft: Draft, seen: Set<string>, how: PutHow): Element {
  const key = `${draft.type === "node" ? "node" : "object"} ${draft.id}`;
  const again = seen.has(key);
  const isSet = draft.type === "property" || draft.type === "rsc_defaults" || draft.type === "op_defaults";
  if (again && !isSet) throw new CrmError("CRM_DUPLICATE_ID", `${draft.type} ${draft.id}: the text defines this id twice`);
  seen.add(key);
  const merge = isSet && (again || (how.mergeSets && draft.element.children.every((child) => child.name === "nvpair")));
  return putDraft(configuration, draft, { mode: merge ? "create" : "replace", improve: false, warn: how.warn, pool: how.pool });
}

/** Puts an element as it is. Ids inside must be free; an object with the same id is replaced. */
export function putElement(configuration: Element, found: Element, section: Section = sectionFor(found)): Element {
  if (isSectionName(found.name)) return putSection(configuration, found, found.name);
  const id = idOf(found) ?? "";
  const existing = listObjects(configuration).find((object) => object.id === id && (object.type === "node") === (found.name === "node"));
  if (found.name === "fencing-level") return putLevel(configuration, found);
  if (existing !== undefined && existing.element.name !== found.name) {
    throw new CrmError("CRM_DUPLICATE_ID", `xml: the id '${id}' belongs to ${existing.type ?? "another object"}`);
  }
  const pool = new IdPool(definedIds(configuration, existing?.element ?? null));
  const clash = definedIds(found).find((each) => pool.has(each) && findObject(configuration, each)?.element.name !== "primitive");
  if (clash !== undefined) throw new CrmError("CRM_DUPLICATE_ID", `xml: the id '${clash}' is already used`);
  if (existing !== undefined) return replaceElement(configuration, existing.element, [keepHidden(found, existing.element)]);
  let result = configuration;
  for (const inner of definedIds(found)) {
    const object = findObject(result, inner);
    if (object?.section === "resources" && inner !== id) result = replaceElement(result, object.element, []);
  }
  return addToSection(result, section, [found]);
}

function isSectionName(name: string): name is Section {
  return (SECTIONS as readonly string[]).includes(name);
}

/** A whole topology replaces the one there is; of other sections the objects are put, and comments that are not there yet. */
function putSection(configuration: Element, found: Element, name: Section): Element {
  const objects = found.children.filter((child) => child.name !== COMMENT);
  const known = sectionOf(configuration, name)?.children ?? [];
  const comments = found.children.filter(
    (child) => child.name === COMMENT && !known.some((each) => each.name === COMMENT && each.text === child.text),
  );
  if (name === "fencing-topology" && objects.length > 0) return withSection(configuration, name, found.children);
  const put = objects.reduce((result, child) => putElement(result, child, name), configuration);
  return comments.length === 0 ? put : addToSection(put, name, comments);
}

function putLevel(configuration: Element, level: Element): Element {
  const levels = (sectionOf(configuration, "fencing-topology")?.children ?? []).filter((each) => idOf(each) !== idOf(level));
  return withSection(configuration, "fencing-topology", [...levels, level]);
}

export type LoadMethod = "replace" | "update" | "push";

/** Applies a text of the language: `replace` starts from the bare nodes, `push` removes what the text does not mention, nodes too. */
export function loadText(
  configuration: Element,
  text: string,
  method: LoadMethod,
  parseXml: ParseXml,
  warn: (message: string) => void,
): Element {
  const base = method === "replace" ? eraseObjects(configuration, false) : configuration;
  const entries = readText(text, nodeNames(base), parseXml, warn);
  const put =
    method === "replace"
      ? adoptFrom(configuration, base, entries, warn)
      : putEntries(base, entries, { mergeSets: method === "update", warn });
  return method === "push" ? removeUnmentioned(put, mentioned(entries)) : put;
}

/** Replaces everything, yet lets objects that are still there keep the generated ids they had. */
function adoptFrom(old: Element, base: Element, entries: readonly Entry[], warn: (message: string) => void): Element {
  const alone = putEntries(base, entries, { mergeSets: false, warn });
  if (listObjects(old).every((object) => object.type === "node")) return alone;
  const nodes = nodeNames(base);
  const updated = removeUnmentioned(tryPut(old, entries) ?? alone, new Set([...mentioned(entries), ...nodes]));
  const sameShape = shapeOf(updated) === shapeOf(alone);
  return sameShape ? updated : alone;
}

function tryPut(old: Element, entries: readonly Entry[]): Element | null {
  try {
    return putEntries(old, entries, { mergeSets: false, warn: () => {} });
  } catch (error) {
    if (error instanceof CrmError) return null;
    throw error;
  }
}

/** The objects by section, sorted, without nested ids: what must be the same whichever way the text was put. */
function shapeOf(configuration: Element): string {
  const bare = (each: Element): unknown => {
    const attributes = Object.entries(each.attributes).filter(
      ([name]) => name !== "id" || each.name.endsWith("_ref") || each.name === "role",
    );
    return [each.name, attributes.sort(), each.children.map(bare)];
  };
  const texts = listObjects(configuration).map(
    (object) => `${object.section} ${object.id} ${JSON.stringify(bare(ordered(object.element)))}`,
  );
  return texts.sort().join("\n");
}

function mentioned(entries: readonly Entry[]): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === "draft") ids.add(entry.draft.id).add(attributeOf(entry.draft.element, "uname") ?? entry.draft.id);
    else for (const id of definedIds(entry.element)) ids.add(id);
    if (entry.kind === "element" && entry.element.name === "fencing-topology") ids.add(TOPOLOGY_ID);
  }
  return ids;
}

function removeUnmentioned(configuration: Element, ids: ReadonlySet<string>): Element {
  const gone = listObjects(configuration).filter(
    (object) => !ids.has(object.id) && !ids.has(attributeOf(object.element, "uname") ?? object.id),
  );
  return gone.length === 0
    ? configuration
    : deleteObjects(
        configuration,
        gone.map((object) => object.id),
      );
}

/** `erase`: everything but nodes; `erase nodes`: the nodes, and nothing else. */
export function eraseObjects(configuration: Element, nodes: boolean): Element {
  let result = configuration;
  for (const section of SECTIONS) {
    const holder = childOf(result, section);
    if (holder === undefined || (section === "nodes") !== nodes) continue;
    result = withSection(result, section, []);
  }
  return result;
}

/** Applies a CIB or `<configuration>` in XML: `update` puts every object of it, `replace` takes it as it is. */
export function loadXml(configuration: Element, text: string, method: LoadMethod, parseXml: ParseXml): Element {
  const given = configurationIn(parse(text, parseXml));
  if (method === "replace") return withKnownNodes(given, configuration);
  // Put one after the other, the second would replace the first and nobody would hear of it.
  const seen = new Set<string>();
  for (const id of definedIds(given)) {
    if (seen.has(id)) throw new CrmError("CRM_DUPLICATE_ID", `xml: the text defines the id '${id}' twice`);
    seen.add(id);
  }
  let result = configuration;
  for (const section of SECTIONS) {
    for (const child of childOf(given, section)?.children ?? []) {
      if (child.name !== COMMENT) result = putElement(result, child, section);
    }
  }
  return method === "push" ? removeUnmentioned(result, new Set(definedIds(given))) : result;
}

/** Nodes are there whether a text knows them or not: those it does not mention stay, as with texts of the language. */
function withKnownNodes(given: Element, before: Element): Element {
  const mentioned = sectionOf(given, "nodes")?.children ?? [];
  const names = new Set(mentioned.flatMap((node) => [idOf(node), attributeOf(node, "uname")]));
  const known = (sectionOf(before, "nodes")?.children ?? []).filter(
    (node) => node.name === "node" && !names.has(idOf(node)) && !names.has(attributeOf(node, "uname")),
  );
  return known.length === 0 ? given : withSection(given, "nodes", [...known, ...mentioned]);
}

/** The `<configuration>` of a document whose root is `<cib>`, `<configuration>` or one section. */
export function configurationIn(root: Element): Element {
  if (root.name === "configuration") return root;
  if (root.name === "cib") {
    const found = childOf(root, "configuration");
    if (found !== undefined) return found;
    throw new CrmError("CRM_XML", "the <cib> holds no <configuration>");
  }
  if ((SECTIONS as readonly string[]).includes(root.name)) return element("configuration", {}, [root]);
  throw new CrmError("CRM_XML", `expected <cib> or <configuration>, not <${root.name}>`);
}
