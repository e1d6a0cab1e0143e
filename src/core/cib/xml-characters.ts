/** XML 1.0, production 5 (Name), without the colon that only namespaces use. */
const NAME = /^[\p{L}_][\p{L}\p{N}\p{M}._:-]*$/u;
/** XML 1.0, production 2 (Char), turned round: what no document may hold, not even escaped. Lone surrogates are no characters. */
const UNWRITABLE = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

/** May an element or an attribute be called so in XML? */
export function isXmlName(text: string): boolean {
  return NAME.test(text);
}

/** The first character that XML cannot hold, as `U+0000`; null: there is none. What has one could be kept and never be shown. */
export function unwritableCharacter(text: string): string | null {
  const found = UNWRITABLE.exec(text);
  return found === null ? null : `U+${(found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
