import { attributeOf, type Element, idOf } from "../cib/index.ts";
import { displayScore } from "./names.ts";
import { HIDDEN_VALUE } from "./secrets.ts";
import { quoteValue, quoteWord } from "./tokens.ts";

/** Thrown inside rendering when the language has no words for something; the object is then shown as XML. */
export class NotSayable extends Error {
  override readonly name = "NotSayable";
}

export type RenderOptions = {
  /** Ids that `id-ref` uses somewhere: their `$id=` must be shown where the language shows it. */
  readonly referenced: ReadonlySet<string>;
  /** Is the value of this name hidden on the screen? */
  readonly obscured: (name: string) => boolean;
};

function only(of: Element, allowed: readonly string[]): void {
  for (const name of Object.keys(of.attributes)) if (!allowed.includes(name)) throw new NotSayable(`${of.name}: ${name}`);
}

/** `KEYWORD [SCORE:] [rule …] name=value …`. */
export function renderSet(set: Element, keyword: string, options: RenderOptions): string {
  return [keyword, ...setWords(set, options)].join(" ");
}

export function setWords(set: Element, options: RenderOptions): string[] {
  only(set, ["id", "id-ref", "score"]);
  const reference = attributeOf(set, "id-ref");
  if (reference !== undefined) return [`$id-ref=${quoteWord(reference)}`];
  const score = attributeOf(set, "score");
  const words = score === undefined ? [] : [`${score}:`];
  for (const child of set.children) if (child.name === "rule") words.push(renderRule(child, options));
  for (const child of set.children) {
    if (child.name === "nvpair") words.push(renderPair(child, options));
    else if (child.name !== "rule") throw new NotSayable(child.name);
  }
  return words;
}

function renderPair(pair: Element, options: RenderOptions): string {
  only(pair, ["id", "name", "value", "id-ref"]);
  const name = attributeOf(pair, "name");
  const value = attributeOf(pair, "value");
  const reference = attributeOf(pair, "id-ref");
  if (reference !== undefined) return name === undefined ? `@${reference}` : `@${reference}:${name}`;
  if (name === undefined || !/^[^\s=$@"'()[\]{}<>\\][^\s="'()[\]{}<>\\]*$/.test(name)) throw new NotSayable("nvpair");
  if (value === undefined) return name;
  return options.obscured(name) ? `${name}="${HIDDEN_VALUE}"` : `${name}=${quoteValue(value)}`;
}

/** `rule [$id=ID] [$role=R] [SCORE:] EXPR [and|or EXPR]…`. */
export function renderRule(rule: Element, options: RenderOptions): string {
  const reference = attributeOf(rule, "id-ref");
  if (reference !== undefined) return `rule $id-ref=${quoteWord(reference)}`;
  only(rule, ["id", "role", "score", "score-attribute", "boolean-op"]);
  const words = ["rule"];
  const id = idOf(rule);
  if (id !== undefined && options.referenced.has(id)) words.push(`$id=${quoteWord(id)}`);
  const role = attributeOf(rule, "role");
  if (role !== undefined) words.push(`$role=${quoteWord(role)}`);
  const operator = attributeOf(rule, "boolean-op");
  if (operator === "and") words.push("$boolean-op=and");
  const score = attributeOf(rule, "score") ?? attributeOf(rule, "score-attribute");
  if (score !== undefined && score !== "INFINITY") words.push(`${quoteWord(displayScore(score))}:`);
  const expressions = rule.children.map(renderExpression);
  if (expressions.length === 0) throw new NotSayable("rule");
  return [...words, expressions.join(operator === "or" ? " or " : " and ")].join(" ");
}

function renderExpression(of: Element): string {
  switch (of.name) {
    case "expression":
      return renderComparison(of);
    case "date_expression":
      return renderDate(of);
    case "rsc_expression":
      return ["rsc", ...named(of)].join(" ");
    case "op_expression":
      return ["op", ...named(of)].join(" ");
    default:
      throw new NotSayable(of.name);
  }
}

function named(of: Element): string[] {
  return Object.entries(of.attributes).flatMap(([name, value]) => (name === "id" ? [] : [`${name}=${quoteValue(value)}`]));
}

function renderComparison(of: Element): string {
  only(of, ["id", "attribute", "operation", "type", "value", "value-source"]);
  const attribute = attributeOf(of, "attribute") ?? "";
  const operation = attributeOf(of, "operation") ?? "";
  if (operation === "defined" || operation === "not_defined") return `${operation} ${quoteAttribute(attribute)}`;
  const type = attributeOf(of, "type");
  // `string` is how values are compared anyway, but for the cluster's own attributes; crmsh leaves it out.
  const shownType = type === undefined || (type === "string" && !attribute.startsWith("#")) ? "" : `${type}:`;
  const source = attributeOf(of, "value-source");
  const value = attributeOf(of, "value") ?? "";
  const shownValue = source === "param" || source === "meta" ? quoteAttribute(`$${source}=${value}`) : quoteValue(value);
  return `${quoteAttribute(attribute)} ${shownType}${operation} ${shownValue}`;
}

function quoteAttribute(name: string): string {
  return /^#?[^\s"'\\#]+$/.test(name) ? name : quoteWord(name);
}

function renderDate(of: Element): string {
  only(of, ["id", "operation", "start", "end"]);
  const start = attributeOf(of, "start");
  const end = attributeOf(of, "end");
  switch (attributeOf(of, "operation") ?? "in_range") {
    case "lt":
      return `date lt ${quoteValue(end ?? "")}`;
    case "gt":
      return `date gt ${quoteValue(start ?? "")}`;
    case "in_range": {
      const limits = Object.entries({ start, end }).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${quoteValue(value)}`],
      );
      return ["date in", ...limits, ...of.children.flatMap(named)].join(" ");
    }
    case "date_spec":
      return ["date spec", ...of.children.flatMap(named)].join(" ");
    default:
      throw new NotSayable("date_expression");
  }
}
