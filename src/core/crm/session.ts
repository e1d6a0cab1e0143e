import { attributeOf, type ConfigurationEdit, canonicalText, childrenOf, type Element, element, idOf, withChildren } from "../cib/index.ts";
import { type AgentCatalog, NO_AGENTS } from "./agents.ts";
import type { GrammarOptions } from "./drafts.ts";
import { addMonitor, modifyGroup, renameObject, setAttribute } from "./edit-change.ts";
import { deleteObjects } from "./edit-delete.ts";
import { hasReference, putDraft, resolveReferences } from "./edit-put.ts";
import { diffConfigurations } from "./edits.ts";
import { CrmError } from "./errors.ts";
import { readObject } from "./grammar.ts";
import { completeIds, definedIds, IdPool } from "./ids.ts";
import {
  configurationIn,
  eraseObjects,
  type LoadMethod,
  loadText,
  loadXml,
  type ParseXml,
  putElement,
  putEntries,
  readText,
  readXmlObject,
  xmlOfLine,
} from "./load.ts";
import { advisedMonitor, withAdvisedTimeouts, withMonitor } from "./new-defaults.ts";
import { readSelection, type Selection, selectObjects, showSectionComments, showText, showXml } from "./select.ts";
import { emptyConfiguration, findObject, listObjects, nodeNames } from "./tree.ts";
import { type Finding, optionValue, verifyConfiguration } from "./verify.ts";
import { CLUSTER_OPTIONS, hint, type ObjectType } from "./words.ts";

export type SessionOptions = {
  readonly configuration: Element;
  readonly parseXml: ParseXml;
  readonly agents?: AgentCatalog;
  /** See `VerifyOptions.selfFencing`. */
  readonly selfFencing?: boolean;
  /** A running cluster gets Quorate's defaults for new objects; files are written as crmsh would. */
  readonly newDefaults?: boolean;
  /** Does the object run now? Deleting or renaming such an object needs force. */
  readonly isRunning?: (id: string) => boolean;
  /** `show` sorts by id within a rank; off keeps document order. */
  readonly sorted?: boolean;
};

export type ShowStyle = {
  readonly wrap: boolean;
  /** Globs of parameter names hidden on a screen. */
  readonly obscure: readonly string[];
};

/**
 * One operator's editing: the configuration as it was read and a working copy. Every method either does all of what it
 * says or throws `CrmError` and changes nothing. Nothing reaches a cluster from here; `edits` says what a commit sends.
 */
export class EditSession {
  readonly #options: SessionOptions;
  #original: Element;
  #working: Element;
  #isTakenOver = false;
  /** Was something typed that uses a set, a rule or operations of another object? */
  #refers = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#original = options.configuration;
    this.#working = options.configuration;
  }

  get original(): Element {
    return this.#original;
  }

  get configuration(): Element {
    return this.#working;
  }

  get hasChanges(): boolean {
    return this.#working !== this.#original && canonicalText(this.#working) !== canonicalText(this.#original);
  }

  /**
   * Was the whole configuration replaced by a text? Such a text comes from a cluster that lives with it, so what is merely
   * unwise in it (no fencing device, a value that means nothing) is told and does not stop the commit.
   */
  get isTakenOver(): boolean {
    return this.#isTakenOver;
  }

  /** Begins anew from this configuration: after a commit, or to drop what is pending. */
  restart(configuration: Element): void {
    this.#original = configuration;
    this.#working = configuration;
    this.#isTakenOver = false;
  }

  /** `TYPE …`: one object. Gives warnings. */
  define(type: ObjectType, line: string): string[] {
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const options: GrammarOptions = { spelling: "modern", nodes: () => nodeNames(this.#working), warn };
    const read = readObject(type, line, options);
    const draft = this.#options.newDefaults === true && type === "primitive" ? withMonitor(read, this.#advisedMonitor(read.element)) : read;
    const put = putDraft(this.#working, draft, { mode: "create", improve: true, warn });
    // What refers to an object may have been typed before it.
    this.#refers ||= hasReference(draft.element);
    this.#working = this.#refers ? resolveReferences(put) : put;
    return warnings;
  }

  #advisedMonitor(primitive: Element): Element {
    return advisedMonitor(primitive, this.#options.agents ?? NO_AGENTS);
  }

  /** `xml <…/>`: an object that the language cannot say, or would rather not. */
  defineXml(line: string): void {
    const found = readXmlObject(xmlOfLine(line), this.#options.parseXml);
    const id = idOf(found);
    if (
      id !== undefined &&
      listObjects(this.#working).some((object) => object.id === id && (object.type === "node") === (found.name === "node"))
    ) {
      throw new CrmError("CRM_DUPLICATE_ID", `xml: there is already an object '${id}'`);
    }
    this.#working = resolveReferences(putElement(this.#working, found));
  }

  remove(ids: readonly string[], force: boolean): void {
    if (!force) this.#refuseRunning("delete", ids);
    this.#working = deleteObjects(this.#working, ids);
  }

  rename(from: string, to: string, force: boolean): void {
    if (!force) this.#refuseRunning("rename", [from]);
    this.#working = renameObject(this.#working, from, to);
  }

  #refuseRunning(command: string, ids: readonly string[]): void {
    const running = ids.filter((id) => findObject(this.#working, id)?.section === "resources" && this.#options.isRunning?.(id) === true);
    if (running.length > 0) throw new CrmError("CRM_REFUSED", `${command}: ${running.join(", ")} is running; stop it first or use --force`);
  }

  /** `modgroup …`: gives warnings. */
  modgroup(words: readonly string[]): string[] {
    const warnings: string[] = [];
    this.#working = modifyGroup(this.#working, words, (message) => void warnings.push(message));
    return warnings;
  }

  set(path: string, value: string): void {
    this.#working = setAttribute(this.#working, path, value);
  }

  monitor(words: readonly string[]): void {
    this.#working = addMonitor(this.#working, words);
  }

  /** `default-timeouts ID…`: operations get the timeouts their agents advise, and so do start and stop, written down. */
  defaultTimeouts(ids: readonly string[]): void {
    if (ids.length === 0) throw new CrmError("CRM_SYNTAX", "default-timeouts: expected the id of a primitive");
    this.#working = ids.reduce(
      (configuration, id) => withAdvisedTimeouts(configuration, id, this.#options.agents ?? NO_AGENTS),
      this.#working,
    );
  }

  erase(nodes: boolean): void {
    this.#working = eraseObjects(this.#working, nodes);
  }

  refresh(): void {
    this.restart(this.#original);
  }

  /** `load [xml] METHOD`: gives warnings. */
  load(text: string, form: "crm" | "xml", method: LoadMethod): string[] {
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    this.#working =
      form === "xml"
        ? loadXml(this.#working, text, method, this.#options.parseXml)
        : loadText(this.#working, text, method, this.#options.parseXml, warn);
    if (method === "replace") this.#isTakenOver = true;
    return warnings;
  }

  /** Text of the selected objects for an editor or a filter; lines are not broken for filters. */
  textOf(words: readonly string[], wrap: boolean): string {
    const selection = readSelection(words);
    const objects = this.#select(selection);
    if (selection.xml) return showXml(this.#working, objects, selection, element("cib"));
    return showText(this.#working, objects, { wrap, obscure: selection.obscure });
  }

  /** Puts edited text back: objects whose text is gone are deleted, the others get their new form. */
  replaceSelected(words: readonly string[], text: string): string[] {
    const selection = readSelection(words);
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const before = this.#select(selection);
    if (selection.xml) {
      const given = configurationIn(this.#options.parseXml(text));
      const kept = new Set(definedIds(given));
      const gone = before.filter((object) => !kept.has(object.id)).map((object) => object.id);
      const base = gone.length === 0 ? this.#working : deleteObjects(this.#working, gone);
      const objects = given.children.flatMap((section) => section.children.map((child) => ({ section, child })));
      this.#working = objects.reduce(
        (result, { section, child }) => (idOf(child) === undefined ? result : putElement(result, child, section.name as never)),
        base,
      );
      return warnings;
    }
    const entries = readText(text, nodeNames(this.#working), this.#options.parseXml, warn);
    const kept = new Set(entries.flatMap((entry) => (entry.kind === "draft" ? [entry.draft.id] : definedIds(entry.element))));
    const gone = before.filter((object) => !kept.has(object.id)).map((object) => object.id);
    const base = gone.length === 0 ? this.#working : deleteObjects(this.#working, gone);
    this.#working = putEntries(base, entries, { mergeSets: false, warn });
    return warnings;
  }

  #select(selection: Selection): ReturnType<typeof selectObjects> {
    return selectObjects(this.#working, selection, this.#original, this.#options.sorted !== false);
  }

  /** `show [xml] [SELECTION]`. Throws when a term names nothing. */
  show(words: readonly string[], style: ShowStyle, cib: Element = element("cib")): string {
    const selection = readSelection(words);
    const objects = this.#select(selection);
    const obscure = [...style.obscure, ...selection.obscure];
    if (selection.xml) return showXml(this.#working, objects, { ...selection, obscure }, cib);
    const text = showText(this.#working, objects, { wrap: style.wrap, obscure });
    return selection.terms.length === 0 && !selection.changedOnly ? text + showSectionComments(this.#working) : text;
  }

  /** The value of a cluster option, else its built-in default (null with `onlySet`). */
  getProperty(name: string, onlySet: boolean): string | null {
    const value = optionValue(this.#working, name);
    if (value !== undefined) return value;
    const option = CLUSTER_OPTIONS.get(name);
    if (option === undefined)
      throw new CrmError("CRM_UNKNOWN_OBJECT", `get_property: there is no cluster option '${name}'${hint(name, CLUSTER_OPTIONS.keys())}`);
    return onlySet ? null : option.default;
  }

  verify(): Finding[] {
    return verifyConfiguration(this.#working, {
      agents: this.#options.agents ?? NO_AGENTS,
      selfFencing: this.#options.selfFencing ?? false,
    });
  }

  /** What a commit has to send. */
  edits(): ConfigurationEdit[] {
    return diffConfigurations(this.#original, this.#working);
  }
}

/**
 * The configuration of a cluster that is just made (docs/decisions/0301): what Quorate recommends, written down so that
 * everybody sees it.
 */
export function initialConfiguration(): Element {
  const pairs = (values: Readonly<Record<string, string>>): Element[] =>
    Object.entries(values).map(([name, value]) => element("nvpair", { name, value }));
  const options = element("cluster_property_set", { id: "cib-bootstrap-options" }, pairs({ "start-failure-is-fatal": "false" }));
  const defaults = element("meta_attributes", { id: "rsc-options" }, pairs({ "resource-stickiness": "1", "migration-threshold": "3" }));
  const pool = new IdPool([]);
  const bare = emptyConfiguration();
  const children = bare.children.map((section) =>
    section.name === "crm_config" ? withChildren(section, [completeIds(options, "cib-bootstrap-options", pool)]) : section,
  );
  return withChildren(bare, [...children, element("rsc_defaults", {}, [completeIds(defaults, "rsc-options", pool)])]);
}

/** Ids of the resources in a configuration, for completion and messages. */
export function resourceIds(configuration: Element): string[] {
  return listObjects(configuration).flatMap((object) =>
    object.section === "resources" && object.type !== "rsc_template" ? [object.id] : [],
  );
}

/** Does the primitive have a recurring monitor? */
export function hasMonitor(primitive: Element): boolean {
  return childrenOf(primitive, "operations").some((holder) => holder.children.some((op) => attributeOf(op, "name") === "monitor"));
}
