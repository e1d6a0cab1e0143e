import { type HighlightKind, highlight } from "../../core/crm/index.ts";
import { HIGHLIGHTS, type Preferences, preference } from "./preferences.ts";

const CODES: Readonly<Record<string, string>> = {
  normal: "0",
  bold: "1",
  underline: "4",
  reverse: "7",
  black: "30",
  red: "31",
  green: "32",
  yellow: "33",
  blue: "34",
  magenta: "35",
  cyan: "36",
  white: "37",
};

/** The text of a configuration in the colours of these preferences. */
export function colorConfiguration(text: string, preferences: Preferences): string {
  const codes = new Map<HighlightKind, string>(
    HIGHLIGHTS.map(({ kind }) => {
      const words = preference(preferences, `color.${kind}`).split(" ");
      return [kind, words.flatMap((word) => CODES[word] ?? []).join(";")];
    }),
  );
  return highlight(text)
    .map(({ kind, text: piece }) => {
      const code = codes.get(kind) ?? "";
      return code === "" || code === "0" ? piece : `\u001b[${code}m${piece}\u001b[0m`;
    })
    .join("");
}

/** `-D uppercase`: words of the language in capitals, for terminals without colour. */
export function upperKeywords(text: string): string {
  return highlight(text)
    .map(({ kind, text: piece }) => (kind === "keyword" ? piece.toUpperCase() : piece))
    .join("");
}
