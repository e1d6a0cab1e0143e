import { type Element, element } from "../cib/index.ts";
import type { Draft, GrammarOptions } from "./drafts.ts";
import { modernRole, readRole, readRule } from "./grammar-sets.ts";
import { isScore, normalizeScore, requireId } from "./names.ts";
import type { TokenReader } from "./reader.ts";
import type { Token } from "./tokens.ts";
import { hint, LOSS_POLICIES, ORDER_ACTIONS, ORDER_KINDS, ROLES } from "./words.ts";

/** What may follow a resource after `:` in a set, and the attribute it becomes. */
type Suffix = "role" | "action";

type ResourceSets = {
  readonly sets: readonly Element[];
  /** Set when nothing but a plain list of resources was written. */
  readonly plain: readonly { readonly id: string; readonly suffix: string | null }[] | null;
};

const BRACKETS: Readonly<Record<string, string>> = { "(": ")", "[": "]" };
const BOOLEANS = ["true", "false", "yes", "no", "on", "off", "1", "0", "y", "n"];

/** crmsh's mark for a list of resources that is a set although it could be read as a plain constraint. */
export const SET_MARK = "_rsc_set_";

type OpenSet = { readonly bracket: string | null; suffix: string | null; members: string[]; settings: Record<string, string> };

/**
 * Resources in sets: `A B` ordered; `( A B )` sequential=false; `[ A B ]` also require-all=false; a set may end with
 * `sequential=BOOL`, `require-all=BOOL`. Another role or action starts a new set. Ends before a word of `stop` or the
 * first `name=value` that is not a setting of sets.
 */
function readResourceSets(
  reader: TokenReader,
  suffixKind: Suffix,
  how: { readonly stop: string | null; readonly options: GrammarOptions },
): ResourceSets {
  const closed: OpenSet[] = [];
  let current: OpenSet | null = null;
  let plain: { id: string; suffix: string | null }[] | null = [];
  for (let token = reader.peek(); token !== undefined && token.text !== how.stop; token = reader.peek()) {
    const text = token.quoted ? "" : token.text;
    const setting = /^(sequential|require-all)=(.*)$/.exec(text);
    if (text === SET_MARK && current === null) plain = null;
    else if (setting !== null) {
      if (current === null) reader.fail("expected a resource before it", token);
      if (!BOOLEANS.includes((setting[2] ?? "").toLowerCase())) reader.fail("expected true or false", token);
      (current as OpenSet).settings[setting[1] ?? ""] = (setting[2] ?? "").toLowerCase();
      plain = null;
    } else if (token.text.includes("=")) break;
    else if (Object.hasOwn(BRACKETS, text)) {
      if (current?.bracket) reader.fail("sets cannot be nested", token);
      if (current !== null) closed.push(current);
      current = { bracket: text, suffix: null, members: [], settings: {} };
      plain = null;
    } else if (text === ")" || text === "]") {
      current = closeSet(reader, current, closed, token);
    } else {
      const member = readMember(reader, token, suffixKind, how.options);
      current = addMember(current, closed, member, how.options);
      plain?.push(member);
    }
    reader.skip();
  }
  if (current?.bracket) reader.fail(`expected '${BRACKETS[current.bracket]}'`);
  if (current !== null) closed.push(current);
  return { sets: closed.map((set) => toElement(set, suffixKind, how.options)), plain };
}

function closeSet(reader: TokenReader, current: OpenSet | null, closed: OpenSet[], token: Token): null {
  if (current === null || current.bracket === null) return reader.fail("this bracket was not opened", token);
  const expected = BRACKETS[current.bracket];
  if (expected !== token.text) return reader.fail(`expected '${expected}'`, token);
  if (current.members.length === 0) return reader.fail("a set needs at least one resource", token);
  closed.push(current);
  return null;
}

/** In texts a setting ends a set without brackets; typed, it is about the whole list, whatever follows (measured with crmsh). */
function addMember(
  current: OpenSet | null,
  closed: OpenSet[],
  member: { id: string; suffix: string | null },
  { spelling }: GrammarOptions,
): OpenSet {
  const fits =
    current !== null &&
    (current.members.length === 0 || current.suffix === member.suffix) &&
    !(spelling === "verbatim" && current.bracket === null && Object.keys(current.settings).length > 0);
  if (current !== null && fits) {
    current.suffix = member.suffix;
    current.members.push(member.id);
    return current;
  }
  if (current !== null) closed.push(current);
  return { bracket: current?.bracket ?? null, suffix: member.suffix, members: [member.id], settings: {} };
}

function readMember(reader: TokenReader, token: Token, kind: Suffix, options: GrammarOptions): { id: string; suffix: string | null } {
  const at = token.text.indexOf(":");
  const id = at < 0 ? token.text : token.text.slice(0, at);
  if (id === "" || /[()[\]{}]/.test(id)) reader.fail("expected a resource; brackets stand apart, as in ( a b )", token);
  requireId(id, token.column);
  if (at < 0) return { id, suffix: null };
  const word = token.text.slice(at + 1);
  if (kind === "action") {
    const action = ORDER_ACTIONS.find((each) => each === word.toLowerCase());
    if (action === undefined)
      reader.fail(`'${word}' is no action; expected ${ORDER_ACTIONS.join(", ")}${hint(word, ORDER_ACTIONS)}`, token);
    return { id, suffix: action ?? null };
  }
  const role = readRole(word, options);
  if (role === null) reader.fail(`'${word}' is no role; expected ${[...ROLES.values()].join(", ")}${hint(word, ROLES.values())}`, token);
  return { id, suffix: role };
}

function toElement(set: OpenSet, kind: Suffix, options: GrammarOptions): Element {
  const attributes: Record<string, string> = {};
  const sequential = set.settings["sequential"];
  const requireAll = set.settings["require-all"];
  if (sequential !== undefined) {
    if (!isTrue(sequential) || (options.spelling === "verbatim" && set.bracket === null))
      attributes["sequential"] = isTrue(sequential) ? "true" : "false";
  } else if (set.bracket !== null) attributes["sequential"] = "false";
  if (requireAll !== undefined) {
    if (!isTrue(requireAll) || (options.spelling === "verbatim" && set.bracket !== "["))
      attributes["require-all"] = isTrue(requireAll) ? "true" : "false";
  } else if (set.bracket === "[") attributes["require-all"] = "false";
  if (set.suffix !== null) attributes[kind] = set.suffix;
  return element(
    "resource_set",
    attributes,
    set.members.map((id) => element("resource_ref", { id })),
  );
}

function isTrue(text: string): boolean {
  return ["true", "yes", "on", "1", "y"].includes(text);
}

/** Is this pair a plain constraint between two resources? */
function asPair(found: ResourceSets): readonly [{ id: string; suffix: string | null }, { id: string; suffix: string | null }] | null {
  const [first, second] = found.plain ?? [];
  return found.plain?.length === 2 && first !== undefined && second !== undefined ? [first, second] : null;
}

/** `location ID {RSC|TAG|/REGEX/|{ SETS }} [role=R] [resource-discovery=D] {SCORE: NODE | RULE…}`. */
export function readLocation(reader: TokenReader, options: GrammarOptions): Draft {
  const id = reader.id("the id of the location");
  reader.subject = `location ${id}`;
  const attributes: Record<string, string> = { id };
  const children: Element[] = [];
  readLocated(reader, attributes, children, options);
  readLocationSettings(reader, attributes, options);
  if (reader.take("rule")) {
    do children.push(readRule(reader, options));
    while (reader.take("rule"));
    reader.expectEnd(["and", "or", "rule"]);
  } else {
    const score = reader.next("a score such as 100: or inf:, or a rule");
    if (!/^[^=]+:$/.test(score.text)) reader.fail("expected a score such as 100: or inf:, or a rule", score);
    attributes["score"] = normalizeScore(score.text.slice(0, -1));
    attributes["node"] = reader.next("the name of a node after the score").text;
    reader.expectEnd([]);
  }
  return { type: "location", id, element: element("rsc_location", attributes, children), members: [] };
}

function readLocationSettings(reader: TokenReader, attributes: Record<string, string>, options: GrammarOptions): void {
  while (reader.isPair()) {
    const pair = reader.pair();
    const name = pair.name.replace(/^\$/, "");
    if (name === "role") attributes["role"] = modernRole(pair.value ?? "", options);
    else if (name === "resource-discovery") attributes["resource-discovery"] = pair.value ?? "";
    else
      reader.fail(`expected role=, resource-discovery=, SCORE: NODE or rule${hint(pair.name, ["role", "resource-discovery"])}`, pair.token);
  }
}

function readLocated(reader: TokenReader, attributes: Record<string, string>, children: Element[], options: GrammarOptions): void {
  const token = reader.next("a resource, a tag, /REGEX/ or { SETS }");
  if (token.text === "{" && !token.quoted) {
    const found = readResourceSets(reader, "role", { stop: "}", options });
    const close = reader.next("'}'");
    if (close.text !== "}") reader.fail("expected '}'", close);
    if (found.sets.length === 0) reader.fail("expected at least one resource between the braces", close);
    children.push(...found.sets);
    return;
  }
  const pattern = /^\/(.*)\/$/s.exec(token.text);
  if (pattern !== null) {
    if (pattern[1] === "") reader.fail("the regular expression is empty", token);
    attributes["rsc-pattern"] = pattern[1] ?? "";
    return;
  }
  attributes["rsc"] = requireId(token.text, token.column);
}

/** `colocation ID SCORE: {RSC[:ROLE] RSC[:ROLE] | SETS} [node-attribute=A] [influence=BOOL]`. */
export function readColocation(reader: TokenReader, options: GrammarOptions): Draft {
  const id = reader.id("the id of the colocation");
  reader.subject = `colocation ${id}`;
  const score = reader.next("a score such as inf: or 100:");
  if (!/^[^=]+:$/.test(score.text)) reader.fail("expected a score such as inf: or 100:", score);
  const attributes: Record<string, string> = { id, score: normalizeScore(score.text.slice(0, -1)) };
  const found = readResourceSets(reader, "role", { stop: null, options });
  requireTwo(reader, found, options);
  const pair = asPair(found);
  if (pair !== null) {
    assign(attributes, [
      ["rsc", pair[0].id],
      ["rsc-role", pair[0].suffix],
      ["with-rsc", pair[1].id],
      ["with-rsc-role", pair[1].suffix],
    ]);
  }
  readTrailing(reader, attributes, ["node-attribute", "influence"], options);
  return { type: "colocation", id, element: element("rsc_colocation", attributes, pair === null ? found.sets : []), members: [] };
}

function requireTwo(reader: TokenReader, found: ResourceSets, options: GrammarOptions): void {
  const count = found.sets.reduce((sum, set) => sum + set.children.length, 0);
  if (count === 0) reader.fail("expected two resources or more");
  if (count === 1) options.warn(`${reader.subject}: with one resource it says nothing`);
}

function assign(attributes: Record<string, string>, values: readonly (readonly [string, string | null])[]): void {
  for (const [name, value] of values) if (value !== null) attributes[name] = value;
}

function readTrailing(reader: TokenReader, attributes: Record<string, string>, allowed: readonly string[], options: GrammarOptions): void {
  while (!reader.done) {
    const token = reader.peek();
    const name = (token?.text ?? "").split("=", 1)[0] ?? "";
    if (!reader.isPair() || !allowed.includes(name)) {
      reader.expectEnd(allowed.map((each) => `${each}=`));
      return;
    }
    const pair = reader.pair();
    if (attributes[pair.name] !== undefined) reader.fail("this is said twice", pair.token);
    const isSwitch = pair.name === "symmetrical" || pair.name === "require-all" || pair.name === "influence";
    if (isSwitch && !BOOLEANS.includes((pair.value ?? "").toLowerCase())) reader.fail(`expected ${pair.name}=true or false`, pair.token);
    // The schema knows two of the many words for it; texts keep the one they have.
    const word = isTrue((pair.value ?? "").toLowerCase()) ? "true" : "false";
    attributes[pair.name] = isSwitch && options.spelling === "modern" ? word : (pair.value ?? "");
  }
}

/** `order ID [KIND:|SCORE:] {RSC[:ACTION] RSC[:ACTION] | SETS} [symmetrical=BOOL]`. */
export function readOrder(reader: TokenReader, options: GrammarOptions): Draft {
  const id = reader.id("the id of the order");
  reader.subject = `order ${id}`;
  const attributes: Record<string, string> = { id };
  const first = reader.peek();
  if (first !== undefined && !first.quoted && /^[^=(){}[\]]+:$/.test(first.text)) {
    reader.skip();
    attributes["kind"] = readKind(reader, first);
  }
  const found = readResourceSets(reader, "action", { stop: null, options });
  requireTwo(reader, found, options);
  readTrailing(reader, attributes, ["symmetrical", "require-all"], options);
  const pair = asPair(found);
  if (pair !== null) {
    assign(attributes, [
      ["first", pair[0].id],
      ["first-action", pair[0].suffix],
      ["then", pair[1].id],
      ["then-action", pair[1].suffix],
    ]);
  }
  return { type: "order", id, element: element("rsc_order", attributes, pair === null ? found.sets : []), members: [] };
}

/** Scores were the older way to say it: 0 is Optional, anything else Mandatory (CRM-CLI.md §4). */
function readKind(reader: TokenReader, token: Token): string {
  const word = token.text.slice(0, -1);
  const kind = ORDER_KINDS.find((each) => each.toLowerCase() === word.toLowerCase());
  if (kind !== undefined) return kind;
  const score = normalizeScore(word);
  if (isScore(score)) return Number(score) === 0 ? "Optional" : "Mandatory";
  return reader.fail(`'${word}' is no kind of order; expected ${ORDER_KINDS.join(", ")}${hint(word, ORDER_KINDS)}`, token);
}

/** `rsc_ticket ID TICKET: RSC[:ROLE]… [loss-policy=stop|demote|fence|freeze]`. */
export function readTicket(reader: TokenReader, options: GrammarOptions): Draft {
  const id = reader.id("the id of the rsc_ticket");
  reader.subject = `rsc_ticket ${id}`;
  const ticket = reader.next("a ticket followed by ':'");
  if (!/^[^=]+:$/.test(ticket.text)) reader.fail("expected a ticket followed by ':'", ticket);
  const attributes: Record<string, string> = { id, ticket: ticket.text.slice(0, -1) };
  const found = readResourceSets(reader, "role", { stop: null, options });
  if (found.sets.length === 0) reader.fail("expected a resource after the ticket");
  const single = found.plain?.length === 1 ? found.plain[0] : undefined;
  if (single !== undefined)
    assign(attributes, [
      ["rsc", single.id],
      ["rsc-role", single.suffix],
    ]);
  const before = reader.peek();
  readTrailing(reader, attributes, ["loss-policy"], options);
  const policy = attributes["loss-policy"];
  if (policy !== undefined) {
    const known = LOSS_POLICIES.find((each) => each === policy.toLowerCase());
    if (known === undefined) reader.fail(`expected loss-policy=${LOSS_POLICIES.join("|")}${hint(policy, LOSS_POLICIES)}`, before);
  }
  return { type: "rsc_ticket", id, element: element("rsc_ticket", attributes, single === undefined ? found.sets : []), members: [] };
}
