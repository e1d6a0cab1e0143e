import { CommandError } from "./level.ts";

/**
 * Splits a command line by the shell's quoting rules: blanks separate, `'..'` is literal, in `".."` a backslash escapes
 * `"` and `\`, outside a backslash escapes anything. Throws `CommandError` for a quote that is not closed.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word = "";
  let inWord = false;
  let quote: '"' | "'" | null = null;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at]!;
    if (quote === "'") {
      if (character === "'") quote = null;
      else word += character;
    } else if (character === "\\" && at + 1 < line.length && (quote === null || '"\\'.includes(line[at + 1]!))) {
      at += 1;
      word += line[at]!;
      inWord = true;
    } else if (character === quote) {
      quote = null;
    } else if (quote === null && (character === '"' || character === "'")) {
      quote = character;
      inWord = true;
    } else if (quote === null && /\s/.test(character)) {
      if (inWord) words.push(word);
      word = "";
      inWord = false;
    } else {
      word += character;
      inWord = true;
    }
  }
  if (quote !== null) throw new CommandError(`a ${quote} quote is not closed`);
  if (inWord) words.push(word);
  return words;
}

/** One word such that `splitWords` gives it back. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_.,:;/=@%+#$!?*~^-]+$/.test(word) && !word.startsWith("#") ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Joins continued lines (a backslash at the end) and drops blank lines and lines that start with `#`. Each result keeps
 * the number of its first line.
 */
export function logicalLines(text: string): { readonly line: string; readonly number: number }[] {
  const result: { line: string; number: number }[] = [];
  let joined = "";
  let first = 0;
  text.split(/\r?\n/).forEach((line, index) => {
    if (joined === "") first = index + 1;
    if (line.endsWith("\\")) {
      joined += `${line.slice(0, -1)} `;
      return;
    }
    const whole = joined + line;
    joined = "";
    if (whole.trim() !== "" && !whole.trimStart().startsWith("#")) result.push({ line: whole.trim(), number: first });
  });
  if (joined.trim() !== "") result.push({ line: joined.trim(), number: first });
  return result;
}

export type Match<T> =
  | { readonly kind: "one"; readonly value: T; readonly exact: boolean }
  | { readonly kind: "many"; readonly names: readonly string[] }
  | { readonly kind: "none" };

/** Finds the one that a typed word means: its name or alias, else the only one that begins with it, else the only one that has its letters in order. */
export function matchName<T extends { readonly name: string; readonly aliases?: readonly string[] }>(
  word: string,
  from: readonly T[],
): Match<T> {
  const exact = from.find((item) => item.name === word || item.aliases?.includes(word) === true);
  if (exact !== undefined) return { kind: "one", value: exact, exact: true };
  if (word === "") return { kind: "none" };
  const byPrefix = from.filter((item) => item.name.startsWith(word));
  if (byPrefix.length === 1) return { kind: "one", value: byPrefix[0]!, exact: false };
  if (byPrefix.length > 1) return { kind: "many", names: byPrefix.map((item) => item.name) };
  // Two letters and the same first one: a scattered match must not turn an arbitrary typo into a command.
  const scattered = word.length < 2 ? [] : from.filter((item) => item.name[0] === word[0] && hasInOrder(item.name, word));
  if (scattered.length === 1) return { kind: "one", value: scattered[0]!, exact: false };
  return scattered.length === 0 ? { kind: "none" } : { kind: "many", names: scattered.map((item) => item.name) };
}

function hasInOrder(name: string, letters: string): boolean {
  let at = 0;
  for (const character of name) if (character === letters[at]) at += 1;
  return at === letters.length;
}
