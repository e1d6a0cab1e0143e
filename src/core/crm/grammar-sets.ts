import { type Element, element } from "../cib/index.ts";
import type { GrammarOptions } from "./drafts.ts";
import { isScore, normalizeScore, requireId } from "./names.ts";
import type { TokenReader } from "./reader.ts";
import type { Token } from "./tokens.ts";
import { COMPARISON_TYPES, COMPARISONS, DATE_SPEC_FIELDS, DURATION_FIELDS, hint, LEGACY_ROLES, ROLES } from "./words.ts";

/** A role in the spelling of the schema, or null when it is none. */
export function readRole(text: string, options: GrammarOptions): string | null {
  if (options.spelling === "verbatim") return ROLES.has(text.toLowerCase()) ? text : null;
  const known = ROLES.get(text.toLowerCase());
  return known === undefined ? null : (LEGACY_ROLES.get(known) ?? known);
}

/** Roles outside resource sets are stored as typed, but for the exact legacy words, so that the schema judges them at commit. */
export function modernRole(text: string, options: GrammarOptions): string {
  return options.spelling === "modern" ? (LEGACY_ROLES.get(text) ?? text) : text;
}

/**
 * Reads the inside of an attribute set: `[$id=ID] [SCORE:] [rule …] NAME=VALUE…`, or `$id-ref=ID`. Ends before a word of
 * `stop`. Names without `=` have no value (CRM-CLI.md §4); `valueRequired` refuses them. Later in the set `$id=A` is a pair
 * like any `$NAME=VALUE`, and a score is taken as it is written, so that the schema judges it (both measured with crmsh).
 */
export function readSet(
  reader: TokenReader,
  name: string,
  how: { readonly stop: ReadonlySet<string>; readonly options: GrammarOptions; readonly valueRequired?: boolean },
): Element {
  const attributes: Record<string, string> = {};
  const rules: Element[] = [];
  const pairs: Element[] = [];
  while (!reader.done) {
    const word = reader.keyword();
    const token = reader.peek();
    const isFirst = Object.keys(attributes).length === 0 && rules.length === 0 && pairs.length === 0;
    if (token === undefined || (word !== null && how.stop.has(word))) break;
    if (word === "rule" && pairs.length === 0) {
      reader.skip();
      rules.push(readRule(reader, how.options));
    } else if (word === "rule") {
      reader.fail("a rule must come before the values it decides about", token);
    } else if (token.text.startsWith("$id-ref=")) {
      reader.skip();
      const following = reader.keyword();
      if (!reader.done && (following === null || !how.stop.has(following)))
        reader.fail("a set that is used again can have no values of its own");
      return element(name, { "id-ref": token.text.slice("$id-ref=".length) });
    } else if (isFirst && token.text.startsWith("$id=")) {
      reader.skip();
      attributes["id"] = requireId(token.text.slice("$id=".length), token.column);
    } else if (pairs.length === 0 && rules.length === 0 && attributes["score"] === undefined && isScoreWord(token)) {
      reader.skip();
      attributes["score"] = token.text.slice(0, -1);
    } else {
      pairs.push(readPair(reader, how.valueRequired ?? false));
    }
  }
  return element(name, attributes, [...rules, ...pairs]);
}

function isScoreWord(token: Token): boolean {
  return !token.quoted && /^[^=$@:]+:$/.test(token.text) && isScore(normalizeScore(token.text.slice(0, -1)));
}

/** `NAME=VALUE`, `NAME`, `$ID:NAME=VALUE` (a pair with an id) or `@ID[:NAME]` (a pair used again). */
function readPair(reader: TokenReader, valueRequired: boolean): Element {
  const token = reader.peek();
  if (token !== undefined && !token.quoted && token.text.startsWith("@")) {
    reader.skip();
    const [id, name] = splitOnce(token.text.slice(1), ":");
    if (id === "") reader.fail("expected the id of a pair after '@'", token);
    return element("nvpair", name === null ? { "id-ref": id } : { "id-ref": id, name });
  }
  const pair = reader.pair();
  if (pair.value === null && (valueRequired || pair.name.includes(":"))) reader.fail("expected name=value", pair.token);
  const value: Record<string, string> = pair.value === null ? {} : { value: pair.value };
  if (!pair.name.startsWith("$")) return element("nvpair", { name: pair.name, ...value });
  const [id, name] = splitOnce(pair.name.slice(1), ":");
  return element("nvpair", { name: name ?? id, ...value, id: requireId(id, pair.token.column) });
}

function splitOnce(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** `[$id=ID|$id-ref=ID] [$role=R] [SCORE:] EXPR [and|or EXPR]…` after the word `rule`. */
export function readRule(reader: TokenReader, options: GrammarOptions): Element {
  const attributes: Record<string, string> = {};
  let explicitAnd = false;
  for (let token = reader.peek(); token !== undefined; token = reader.peek()) {
    const setting = /^\$?(id|id-ref|role|boolean-op)=(.*)$/s.exec(token.text);
    if (setting === null || (!token.text.startsWith("$") && setting[1] !== "role")) break;
    reader.skip();
    const value = setting[2] ?? "";
    if (attributes["role"] !== undefined && setting[1] !== "boolean-op") reader.fail("the id comes before the role, and each once", token);
    if (setting[1] === "id-ref") return element("rule", { "id-ref": value });
    if (setting[1] === "role") attributes["role"] = modernRole(value, options);
    else if (setting[1] === "id") attributes["id"] = requireId(value, token.column);
    else if (value === "and") explicitAnd = true;
    else reader.fail("expected $boolean-op=and", token);
  }
  readRuleScore(reader, attributes);
  const expressions = [readExpression(reader)];
  let operator: string | null = null;
  for (let word = reader.keyword(); word === "and" || word === "or"; word = reader.keyword()) {
    if (operator !== null && operator !== word) reader.fail(`'and' and 'or' cannot be mixed in one rule; expected '${operator}'`);
    // `AND` is what a rule without the word says; `OR` would be written as it is, and the schema does not know it (measured).
    if (word === "or" && reader.peek()?.text !== word) reader.fail("expected 'or'");
    operator = word;
    reader.skip();
    expressions.push(readExpression(reader));
  }
  if (operator === "or") attributes["boolean-op"] = "or";
  else if (explicitAnd) attributes["boolean-op"] = "and";
  return element("rule", attributes, expressions);
}

function readRuleScore(reader: TokenReader, attributes: Record<string, string>): void {
  const token = reader.peek();
  if (token === undefined || token.quoted || !/^[^=]+:$/.test(token.text)) {
    attributes["score"] = "INFINITY";
    return;
  }
  reader.skip();
  const score = normalizeScore(token.text.slice(0, -1));
  if (!isScore(score) && score.includes(":"))
    reader.fail("expected a score such as 100: or inf:, or the name of a node attribute and ':'", token);
  attributes[isScore(score) ? "score" : "score-attribute"] = score;
}

function readExpression(reader: TokenReader): Element {
  const word = reader.keyword();
  if ((word === "defined" || word === "not_defined") && word === reader.peek()?.text) {
    reader.skip();
    const attribute = reader.next("the name of a node attribute");
    if (!attribute.quoted && attribute.text.includes("=")) reader.fail("expected the name of a node attribute", attribute);
    return element("expression", { operation: word, attribute: attribute.text });
  }
  if (word === "date") {
    reader.skip();
    return readDate(reader);
  }
  const following = reader.peek(1)?.text ?? "";
  if (word === "rsc" && /^(class|provider|type)=/.test(following))
    return readMatcher(reader, "rsc_expression", ["class", "provider", "type"]);
  if (word === "op" && /^(name|interval)=/.test(following)) return readMatcher(reader, "op_expression", ["name", "interval"]);
  return readComparison(reader);
}

function readMatcher(reader: TokenReader, name: string, names: readonly string[]): Element {
  reader.skip();
  return element(name, readNamed(reader, names));
}

function readComparison(reader: TokenReader): Element {
  const attribute = reader.next("a condition, such as '#uname eq node1', 'defined pingd' or 'date gt 2030-01-01'");
  const token = reader.next(`a comparison: ${COMPARISONS.join(", ")}`);
  const [first, second] = splitOnce(token.text, ":");
  const operation = second ?? first;
  const type = second === null ? null : first;
  if (!COMPARISONS.includes(operation) || token.quoted) {
    reader.fail(`expected a comparison: ${COMPARISONS.join(", ")}${hint(operation, COMPARISONS)}`, token);
  }
  if (type !== null && !COMPARISON_TYPES.includes(type)) reader.fail(`expected one of ${COMPARISON_TYPES.join(", ")} before ':'`, token);
  const value = reader.next("a value to compare with");
  const source = /^\$(param|meta)=(.+)$/s.exec(value.quoted ? "" : value.text);
  return element("expression", {
    operation,
    attribute: attribute.text,
    ...(type === null ? {} : { type }),
    value: source?.[2] ?? value.text,
    ...(source === null ? {} : { "value-source": source[1] ?? "" }),
  });
}

function readDate(reader: TokenReader): Element {
  const token = reader.next("lt, gt, in or spec after 'date'");
  switch (token.text.toLowerCase()) {
    case "lt":
      return element("date_expression", { operation: "lt", end: reader.next("a date").text });
    case "gt":
      return element("date_expression", { operation: "gt", start: reader.next("a date").text });
    case "in":
    case "in_range":
      return readRange(reader);
    case "spec":
    case "date_spec": {
      const fields = readNamed(reader, DATE_SPEC_FIELDS);
      return element("date_expression", { operation: "date_spec" }, [element("date_spec", fields)]);
    }
    default:
      return reader.fail(`expected lt, gt, in or spec after 'date'${hint(token.text, ["lt", "gt", "in", "spec"])}`, token);
  }
}

function readRange(reader: TokenReader): Element {
  const limits: Record<string, string> = {};
  const fields: Record<string, string> = {};
  for (
    let pair = peekNamed(reader, ["start", "end", ...DURATION_FIELDS]);
    pair !== null;
    pair = peekNamed(reader, ["start", "end", ...DURATION_FIELDS])
  ) {
    reader.skip();
    if (pair.name === "start" || pair.name === "end") limits[pair.name] = pair.value;
    else fields[pair.name] = pair.value;
  }
  const hasFields = Object.keys(fields).length > 0;
  if (limits["end"] === undefined && (limits["start"] === undefined || !hasFields)) {
    reader.fail("expected start=DATE end=DATE, or start=DATE and the fields of a duration");
  }
  return element("date_expression", { operation: "in_range", ...limits }, hasFields ? [element("duration", fields)] : []);
}

function peekNamed(reader: TokenReader, names: readonly string[]): { readonly name: string; readonly value: string } | null {
  const token = reader.peek();
  const match = token === undefined ? null : /^([a-z_-]+)=(.*)$/s.exec(token.text);
  return match !== null && names.includes(match[1] ?? "") ? { name: match[1] ?? "", value: match[2] ?? "" } : null;
}

/** At least one `name=value` whose name is in the list; stops at the first word that is not. */
function readNamed(reader: TokenReader, names: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let pair = peekNamed(reader, names); pair !== null; pair = peekNamed(reader, names)) {
    reader.skip();
    fields[pair.name] = pair.value;
  }
  if (Object.keys(fields).length === 0) {
    const word = (reader.peek()?.text ?? "").split("=", 1)[0] ?? "";
    reader.fail(`expected at least one of ${names.map((each) => `${each}=`).join(", ")}${hint(word, names)}`);
  }
  return fields;
}
