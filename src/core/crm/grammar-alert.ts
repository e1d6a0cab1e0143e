import { type Element, element } from "../cib/index.ts";
import type { Draft, GrammarOptions } from "./drafts.ts";
import { readSet } from "./grammar-sets.ts";
import type { TokenReader } from "./reader.ts";

const STOP: ReadonlySet<string> = new Set(["attributes", "meta", "select", "to", "{", "}"]);
const SELECTED = ["nodes", "fencing", "resources"];

/**
 * `alert ID PATH [attributes SET] [meta SET] [select nodes|fencing|resources|attributes { A… }] [to [{] VALUE [attributes
 * SET] [meta SET] [}]]…`. Sets after a recipient without braces belong to the recipient.
 */
export function readAlert(reader: TokenReader, options: GrammarOptions): Draft {
  const id = reader.id("the id of the alert");
  reader.subject = `alert ${id}`;
  const attributes: Record<string, string> = { id };
  attributes["path"] = reader.next("the path of the alert agent").text;
  const children: Element[] = [];
  while (!reader.done) {
    const description = reader.takePair("description");
    const word = reader.keyword();
    if (description !== null) attributes["description"] = description;
    else if (word === "attributes" || word === "meta") children.push(readAlertSet(reader, word, options));
    else if (word === "select") children.push(...readSelect(reader));
    else if (word === "to") children.push(readRecipient(reader, options));
    else reader.expectEnd(["description=", "attributes", "meta", "select", "to"]);
  }
  return { type: "alert", id, element: element("alert", attributes, children), members: [] };
}

function readAlertSet(reader: TokenReader, word: string, options: GrammarOptions): Element {
  reader.skip();
  return readSet(reader, word === "meta" ? "meta_attributes" : "instance_attributes", { stop: STOP, options });
}

/** `attributes` belongs to the selection only with braces behind it; a selection of nothing is none (both measured with crmsh). */
function readSelect(reader: TokenReader): Element[] {
  reader.skip();
  const selected: Element[] = [];
  for (let word = reader.keyword(); word !== null; word = reader.keyword()) {
    if (SELECTED.includes(word)) {
      reader.skip();
      selected.push(element(`select_${word}`));
    } else if (word === "attributes" && reader.keyword(1) === "{") {
      reader.skip();
      selected.push(element("select_attributes", {}, readNames(reader)));
    } else break;
  }
  return selected.length === 0 ? [] : [element("select", {}, selected)];
}

/** `{ A… }`; without names every attribute is meant. */
function readNames(reader: TokenReader): Element[] {
  reader.skip();
  const names: Element[] = [];
  for (;;) {
    const token = reader.next("a node attribute or '}'");
    if (token.text === "}" && !token.quoted) return names;
    names.push(element("attribute", { name: token.text }));
  }
}

function readRecipient(reader: TokenReader, options: GrammarOptions): Element {
  reader.skip();
  const open = reader.peek();
  const braced = reader.take("{");
  const attributes: Record<string, string> = { value: reader.next("where the alert goes to").text };
  if (attributes["value"] === "}" && braced) reader.fail("expected where the alert goes to", open);
  const children: Element[] = [];
  for (;;) {
    const word = reader.keyword();
    const description = reader.takePair("description");
    if (description !== null) attributes["description"] = description;
    else if (word === "attributes" || word === "meta") children.push(readAlertSet(reader, word, options));
    else break;
  }
  if (braced && !reader.take("}")) reader.fail("expected '}'");
  return element("recipient", attributes, children);
}
