import { compareText } from "../base/index.ts";
import {
  attributeOf,
  COMMENT,
  canonicalText,
  childrenOf,
  type Element,
  element,
  idOf,
  SECTIONS,
  walk,
  withChildren,
} from "../cib/index.ts";
import { CrmError } from "./errors.ts";
import { objectTypeOf } from "./grammar.ts";
import { referencedIds } from "./ids.ts";
import { namedBy } from "./references.ts";
import { renderObject } from "./render.ts";
import { globMatcher, withoutSecrets } from "./secrets.ts";
import { type CrmObject, listObjects, membersOf, nodeNames } from "./tree.ts";
import { hint, OBJECT_TYPES, type ObjectType } from "./words.ts";
import { prettyXml, xmlPieces } from "./xml-text.ts";

/** What `show`, `edit`, `filter` and `save` were asked for. */
export type Selection = {
  readonly xml: boolean;
  readonly changedOnly: boolean;
  readonly terms: readonly string[];
  /** Globs of names whose values are hidden. */
  readonly obscure: readonly string[];
};

/** Splits off `xml`, `changed` and `obscure:GLOB`; the rest are terms with `and`/`or` between them. */
export function readSelection(words: readonly string[]): Selection {
  const terms: string[] = [];
  const obscure: string[] = [];
  let xml = false;
  let changedOnly = false;
  words.forEach((word, index) => {
    if (word.toLowerCase() === "xml" && index === 0) xml = true;
    else if (word === "changed") changedOnly = true;
    else if (word.startsWith("obscure:")) obscure.push(word.slice("obscure:".length));
    else terms.push(word);
  });
  return { xml, changedOnly, terms, obscure };
}

/** The order of `show`: types of one rank are mixed and sorted by id (CRM-CLI.md §3). */
const RANKS: readonly (readonly (ObjectType | null)[])[] = [
  ["node"],
  ["rsc_template"],
  ["primitive"],
  ["bundle"],
  ["group"],
  ["ms"],
  ["clone"],
  ["tag"],
  ["location", "colocation", "order"],
  ["rsc_ticket", "fencing_topology"],
  ["property"],
  ["rsc_defaults"],
  ["op_defaults"],
  ["role"],
  ["acl_target", "acl_group"],
  ["alert"],
  [null],
];

function rankOf(type: ObjectType | null): number {
  return RANKS.findIndex((rank) => rank.includes(type));
}

/** The selected objects in the order of `show`. Throws when a term names nothing there is. */
export function selectObjects(configuration: Element, selection: Selection, original: Element, sorted: boolean): CrmObject[] {
  const all = listObjects(configuration);
  let chosen: ReadonlySet<CrmObject> = selection.terms.length === 0 ? new Set(all) : evaluateTerms(configuration, all, selection.terms);
  if (selection.changedOnly) {
    const before = new Map(listObjects(original).map((object) => [object.id, shallowText(object)]));
    chosen = new Set([...chosen].filter((object) => before.get(object.id) !== shallowText(object)));
  }
  const result = all.filter((object) => chosen.has(object));
  const compare = (a: CrmObject, b: CrmObject): number => rankOf(a.type) - rankOf(b.type) || (sorted ? compareText(a.id, b.id) : 0);
  return result.sort(compare);
}

/** An object without the resources it contains, which are objects of their own; members count by name. */
export function shallowText(object: CrmObject): string {
  const members = membersOf(object.element);
  if (members.length === 0) return canonicalText(object.element);
  const children = object.element.children.map((child) => (members.includes(child) ? element("member", { id: idOf(child) ?? "" }) : child));
  return canonicalText(withChildren(object.element, children));
}

function evaluateTerms(configuration: Element, all: readonly CrmObject[], terms: readonly string[]): ReadonlySet<CrmObject> {
  let result: ReadonlySet<CrmObject> | null = null;
  let operator: "and" | "or" = "or";
  for (const term of terms) {
    if (term === "and" || term === "or") {
      operator = term;
      continue;
    }
    const found = new Set(evaluateTerm(configuration, all, term));
    result = combine(result, found, operator);
    operator = "or";
  }
  return result ?? new Set(all);
}

function combine(before: ReadonlySet<CrmObject> | null, found: ReadonlySet<CrmObject>, operator: "and" | "or"): ReadonlySet<CrmObject> {
  if (before === null) return found;
  return operator === "and" ? new Set([...before].filter((object) => found.has(object))) : new Set([...before, ...found]);
}

function evaluateTerm(configuration: Element, all: readonly CrmObject[], term: string): readonly CrmObject[] {
  const [prefix = "", ...rest] = term.split(":");
  const value = rest.join(":");
  if (rest.length > 0 && prefix === "type") return ofType(all, value);
  if (rest.length > 0 && prefix === "tag") return taggedWith(all, value);
  if (rest.length > 0 && prefix === "related") return relatedTo(configuration, all, value);
  const found = all.filter((object) => object.id === term || (object.type === "node" && attributeOf(object.element, "uname") === term));
  if (found.length > 0) return found;
  const byType = all.filter((object) => object.type === term);
  if (byType.length > 0) return byType;
  if (OBJECT_TYPES.some((type) => type === term)) return [];
  const isLike = /[*?]/.test(term) ? globMatcher([term]) : null;
  const alike = all.filter((object) => isLike?.(object.id) === true);
  if (alike.length > 0) return alike;
  const names = all.map((object) => object.id);
  throw new CrmError("CRM_UNKNOWN_OBJECT", `there is no object '${term}'${hint(term, names)}`);
}

/** A type that there is none of selects nothing, as in crmsh; so does a word that is no type. */
function ofType(all: readonly CrmObject[], word: string): readonly CrmObject[] {
  const type = objectTypeOf(word);
  return all.filter((object) => type !== null && object.type === type);
}

function taggedWith(all: readonly CrmObject[], tag: string): readonly CrmObject[] {
  const members = all.filter((object) => object.type === "tag" && object.id === tag).flatMap((object) => object.element.children.map(idOf));
  return all.filter((object) => members.includes(object.id));
}

/** Objects that touch this one: they name it, hold it, or use an agent of that name. What it holds is not shown, as in crmsh (measured). */
function relatedTo(configuration: Element, all: readonly CrmObject[], word: string): readonly CrmObject[] {
  const names = nodeNames(configuration);
  return all.filter((object) => {
    if (object.id === word || attributeOf(object.element, "template") === word) return true;
    if (object.section === "constraints" && namedBy(object.element).includes(word)) return true;
    if (object.type === "tag" && object.element.children.some((child) => idOf(child) === word)) return true;
    if (membersOf(object.element).some((member) => idOf(member) === word)) return true;
    if (object.type === "fencing_topology") return touchesTopology(object.element, word);
    if (
      names.includes(word) &&
      [...walk(object.element)].some((each) => attributeOf(each, "node") === word || attributeOf(each, "uname") === word)
    )
      return true;
    const agent = [attributeOf(object.element, "class"), attributeOf(object.element, "provider"), attributeOf(object.element, "type")];
    return agent[2] !== undefined && (agent[2] === word || agent.filter((part) => part !== undefined).join(":") === word);
  });
}

function touchesTopology(topology: Element, word: string): boolean {
  return topology.children.some(
    (level) => attributeOf(level, "target") === word || (attributeOf(level, "devices") ?? "").split(",").includes(word),
  );
}

/** Objects as text of the language, one logical line each, broken where `wrap` says so. */
export function showText(
  configuration: Element,
  objects: readonly CrmObject[],
  how: { readonly wrap: boolean; readonly obscure: readonly string[] },
): string {
  const options = {
    wrap: how.wrap,
    referenced: referencedIds(configuration),
    obscured: globMatcher(how.obscure),
    nodes: nodeNames(configuration),
  };
  const asXml = new Set<string>();
  const texts: string[] = [];
  const inner = new Map<CrmObject, string>();
  for (const object of objects) {
    const rendered = renderObject(object, options);
    if (rendered.form === "xml" && membersOf(object.element).length > 0) asXml.add(object.id);
    inner.set(object, rendered.text);
  }
  for (const object of objects) {
    if (isInside(object, asXml)) continue;
    texts.push(`${inner.get(object) ?? ""}\n`);
  }
  return texts.join("");
}

/** Comments between objects, which belong to a section: one `xml` line a section. */
export function showSectionComments(configuration: Element): string {
  const lines = configuration.children.flatMap((section) => {
    const comments = section.children.filter((child) => child.name === COMMENT);
    return comments.length === 0 ? [] : [`xml ${xmlPieces(withChildren(section, comments)).join(" \\\n  ")}\n`];
  });
  return lines.join("");
}

/** A container shown as XML has its resources inside; they must not be shown a second time. */
function isInside(object: CrmObject, ids: ReadonlySet<string>): boolean {
  for (let parent = object.parent; parent !== null; parent = parent.parent) if (ids.has(parent.id)) return true;
  return false;
}

/** The configuration reduced to these objects, as `<cib><configuration>`. */
export function showXml(configuration: Element, objects: readonly CrmObject[], selection: Selection, cib: Element): string {
  const kept = selection.terms.length === 0 && !selection.changedOnly ? configuration : reduceTo(configuration, objects);
  const root = withChildren(cib, [selection.obscure.length === 0 ? kept : withoutSecrets(kept, globMatcher(selection.obscure))]);
  return `<?xml version="1.0" ?>\n${prettyXml(root)}`;
}

function reduceTo(configuration: Element, objects: readonly CrmObject[]): Element {
  const tops = objects.filter((object) => !hasChosenParent(object, new Set(objects.map((each) => each.id))));
  const sections = SECTIONS.flatMap((section) => {
    const children = tops
      .filter((object) => object.section === section)
      .flatMap((object) => (object.type === "fencing_topology" ? childrenOf(object.element, "fencing-level") : [object.element]));
    const always = ["crm_config", "nodes", "resources", "constraints"].includes(section);
    return children.length > 0 || always ? [element(section, {}, children)] : [];
  });
  return withChildren(configuration, sections);
}

function hasChosenParent(object: CrmObject, ids: ReadonlySet<string>): boolean {
  for (let parent = object.parent; parent !== null; parent = parent.parent) if (ids.has(parent.id)) return true;
  return false;
}
