import { attributeOf, type Element } from "../cib/index.ts";

/** Globs of names whose values are hidden on screens, in errors and in the history of typed lines, unless preferences say otherwise. */
export const SECRET_NAMES: readonly string[] = ["passw*"];

/** What stands on a screen instead of a hidden value. */
export const HIDDEN_VALUE = "******";

/** Does one of the globs name this? `*` is any text, `?` any letter. */
export function globMatcher(globs: readonly string[]): (name: string) => boolean {
  const patterns = globs.map(
    (glob) =>
      new RegExp(
        `^${glob
          .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
          .replaceAll("*", ".*")
          .replaceAll("?", ".")}$`,
      ),
  );
  return (name) => patterns.some((pattern) => pattern.test(name));
}

type Span = { readonly from: number; readonly to: number };

/** `name=value` as it is typed: the whole of it in quotes, or only the value, or neither; a quote may lack its end. */
const PAIR = /(?:^|(?<=\s))(["']?)(?:\$[^\s:=]+:)?([^\s"'=:$]+)=/g;
/** A pair as XML writes it, both ways round. */
const XML_PAIRS = [/\bname="([^"]*)"[^<>]*?\bvalue="([^"]*)"/dg, /\bvalue="([^"]*)"[^<>]*?\bname="([^"]*)"/dg] as const;

function secretSpans(text: string, isSecret: (name: string) => boolean): Span[] {
  const spans: Span[] = [];
  for (const match of text.matchAll(PAIR)) {
    if (!isSecret(match[2] ?? "")) continue;
    const from = match.index + match[0].length;
    spans.push({ from, to: from + valueLength(text.slice(from), match[1] ?? "") });
  }
  XML_PAIRS.forEach((pattern, at) => {
    for (const match of text.matchAll(pattern)) {
      const [name, value] = at === 0 ? [1, 2] : [2, 1];
      const [from, to] = match.indices?.[value] ?? [0, 0];
      if (isSecret(match[name] ?? "")) spans.push({ from, to });
    }
  });
  return spans.sort((a, b) => a.from - b.from);
}

function valueLength(rest: string, quote: string): number {
  const pattern = quote === '"' ? /^(?:[^"\\]|\\.)*/s : quote === "'" ? /^[^']*/ : /^(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|\\.|[^\s"'\\])*/s;
  return pattern.exec(rest)?.[0].length ?? 0;
}

/**
 * A typed line, or XML, with the values of secret names hidden. `column` (1-based) moves with the text; one inside a hidden
 * value points at its beginning, and then what stands there is a secret (`isInside`).
 */
export function hideSecrets(text: string, globs: readonly string[], column = 1): Hidden {
  let hidden = "";
  let isInside = false;
  let at = 0;
  let moved = column;
  for (const { from, to } of secretSpans(text, globMatcher(globs))) {
    if (from < at) continue;
    hidden += text.slice(at, from);
    if (column - 1 >= to) moved += HIDDEN_VALUE.length - (to - from);
    else if (column - 1 >= from) {
      moved = hidden.length + 1;
      isInside = true;
    }
    hidden += HIDDEN_VALUE;
    at = to;
  }
  return { text: hidden + text.slice(at), column: moved, isInside };
}

type Hidden = { readonly text: string; readonly column: number; readonly isInside: boolean };

/** Does the line speak of a secret at all? Such lines are better not kept. */
export function namesSecret(line: string, globs: readonly string[]): boolean {
  const isSecret = globMatcher(globs);
  return line.split(/[^A-Za-z0-9_-]+/).some(isSecret);
}

/** An element tree with the values of secret names hidden, for screens. */
export function withoutSecrets(found: Element, isSecret: (name: string) => boolean): Element {
  const children = found.children.map((child) => withoutSecrets(child, isSecret));
  const isHidden = found.name === "nvpair" && found.attributes["value"] !== undefined && isSecret(attributeOf(found, "name") ?? "");
  const attributes = isHidden ? { ...found.attributes, value: HIDDEN_VALUE } : found.attributes;
  return { ...found, attributes, children };
}
