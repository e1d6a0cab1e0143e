import { objectTypeOf } from "./grammar.ts";
import type { ObjectType } from "./words.ts";

/** What a piece of shown text is, for colours. */
export type HighlightKind =
  | "plain"
  | "keyword"
  | "identifier"
  | "attr_name"
  | "attr_value"
  | "resource_reference"
  | "id_reference"
  | "score"
  | "ticket";
export type Highlight = { readonly kind: HighlightKind; readonly text: string };

/** Words that begin a part of an object, or an expression of a rule. */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    "params meta utilization operations op op_params op_meta attributes rule and or date spec in defined not_defined " +
    "lt gt lte gte eq ne to select network storage port-mapping storage-mapping docker podman rkt primitive read write deny"
  ).split(" "),
);
/** Objects whose bare words name resources. */
const NAMES_RESOURCES: ReadonlySet<ObjectType> = new Set([
  "group",
  "clone",
  "ms",
  "location",
  "colocation",
  "order",
  "rsc_ticket",
  "tag",
  "fencing_topology",
]);
const HAS_NO_ID: ReadonlySet<ObjectType> = new Set(["fencing_topology"]);
/** A word as the language writes it: quotes keep blanks together. */
const WORD = /(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/y;
const SCORE = /^(?:[+-]?(?:\d+|inf(?:inity)?)|mandatory|optional|serialize):$/i;

type Line = { readonly type: ObjectType | null; words: number; inSet: boolean };

/**
 * Text that `show` made, cut into pieces with what each is; the pieces joined are the text. It goes by form alone, so that
 * text which the grammar would refuse is coloured as well as it can be.
 */
export function highlight(text: string): readonly Highlight[] {
  const pieces: Highlight[] = [];
  let line: Line | null = null;
  let at = 0;
  while (at < text.length) {
    const character = text[at] ?? "";
    if (/\s/.test(character) || character === "\\") {
      if (character === "\n" && text[at - 1] !== "\\") line = null;
      pieces.push({ kind: "plain", text: character });
      at += 1;
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0] ?? character;
    if (line === null && (word.startsWith("#") || word === "xml")) {
      at = restOfLine(text, at, pieces);
      continue;
    }
    if (line === null) {
      line = { type: objectTypeOf(word), words: 0, inSet: false };
      pieces.push({ kind: line.type === null ? "plain" : "keyword", text: word });
    } else pieces.push(...classify(word, line));
    line.words += 1;
    at += word.length;
  }
  return pieces;
}

/** Comments and XML stay as they are, continued lines included. Returns where the next line begins. */
function restOfLine(text: string, from: number, pieces: Highlight[]): number {
  const isXml = text.startsWith("xml", from);
  let end = from;
  do end = text.indexOf("\n", end + 1);
  while (isXml && end > 0 && text[end - 1] === "\\");
  const stop = end < 0 ? text.length : end;
  pieces.push({ kind: "plain", text: text.slice(from, stop) });
  return stop;
}

function classify(word: string, line: Line): readonly Highlight[] {
  const hasId = line.type !== null && !HAS_NO_ID.has(line.type);
  if (line.words === 1 && hasId && !word.includes("=")) return [{ kind: "identifier", text: word }];
  if (SCORE.test(word)) return [{ kind: "score", text: word }];
  if (line.type === "rsc_ticket" && line.words === 2) return [{ kind: "ticket", text: word }];
  if (KEYWORDS.has(word.toLowerCase())) {
    line.inSet = true;
    return [{ kind: "keyword", text: word }];
  }
  if (word.startsWith("@")) return [{ kind: "id_reference", text: word }];
  const equals = word.indexOf("=");
  if (equals > 0) return pair(word.slice(0, equals), word.slice(equals + 1));
  if (line.type === "role" && word.startsWith("ref:")) return [{ kind: "id_reference", text: word }];
  if (line.type === "acl_target" || line.type === "acl_group") return [{ kind: "id_reference", text: word }];
  const isName = line.type !== null && NAMES_RESOURCES.has(line.type) && !line.inSet && /^[\w.-]/.test(word) && !word.endsWith(":");
  return [{ kind: isName ? "resource_reference" : "plain", text: word }];
}

function pair(name: string, value: string): readonly Highlight[] {
  const kind = name === "$id-ref" ? "id_reference" : "attr_value";
  return [{ kind: "attr_name", text: name }, { kind: "plain", text: "=" }, ...(value === "" ? [] : [{ kind, text: value } as const])];
}
