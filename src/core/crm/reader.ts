import { CrmError } from "./errors.ts";
import { requireId } from "./names.ts";
import type { Token } from "./tokens.ts";
import { hint } from "./words.ts";

/** Name and value of a `name=value` word; `value` null for a name alone. */
export type Pair = { readonly name: string; readonly value: string | null; readonly token: Token };

/** Walks the words of one logical line. Every refusal names what was expected and points at the word. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  readonly #end: number;
  #at = 0;
  /** What is being read, for messages: `primitive p1`. */
  subject: string;

  /** `end` is the column behind the last word, for what is missing there. */
  constructor(tokens: readonly Token[], subject: string, end: number) {
    this.#tokens = tokens;
    this.subject = subject;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  /** The next word if it could be a keyword: not quoted, no `=`; in lower case. */
  keyword(ahead = 0): string | null {
    const token = this.peek(ahead);
    return token === undefined || token.quoted || token.text.includes("=") ? null : token.text.toLowerCase();
  }

  next(expected: string): Token {
    const token = this.peek();
    if (token === undefined) return this.fail(`expected ${expected}`);
    this.#at += 1;
    return token;
  }

  skip(): void {
    this.#at += 1;
  }

  /** Takes the next word if it is this keyword. */
  take(keyword: string): boolean {
    if (this.keyword() !== keyword) return false;
    this.#at += 1;
    return true;
  }

  fail(message: string, at: Token | undefined = this.peek(), code: "CRM_SYNTAX" | "CRM_BAD_VALUE" = "CRM_SYNTAX"): never {
    throw new CrmError(code, `${this.subject}: ${message}`, { column: at?.column ?? this.#end, near: at?.text ?? "" });
  }

  /** Refuses what is left, saying which words would have been right. */
  expectEnd(allowed: readonly string[]): void {
    const token = this.peek();
    if (token === undefined) return;
    const word = token.text.split("=", 1)[0] ?? "";
    const list = allowed.length === 0 ? "the end of the line" : `${allowed.join(", ")} or the end of the line`;
    this.fail(
      `expected ${list}${hint(
        word,
        allowed.map((each) => each.replace(/=$/, "")),
      )}`,
    );
  }

  /** An object id, also written `id=ID`. */
  id(expected: string): string {
    const token = this.next(expected);
    const text = token.text.replace(/^id=/, "");
    return requireId(text, token.column);
  }

  /** Is the next word `name=value`, by its first equals sign? */
  isPair(): boolean {
    const token = this.peek();
    return token !== undefined && /^[^=]+=/.test(token.text);
  }

  /** Takes `name=value`; refuses names that are only brackets or signs. */
  pair(): Pair {
    const token = this.next("name=value");
    const equals = token.text.indexOf("=");
    const name = equals < 0 ? token.text : token.text.slice(0, equals);
    if (!/[\p{L}\p{N}]/u.test(name) || /[()[\]{}\s"'<>]/.test(name)) {
      this.fail(name === "" ? "expected name=value, without blanks around the =" : "expected name=value", token);
    }
    return { name, value: equals < 0 ? null : token.text.slice(equals + 1), token };
  }

  /** Takes `NAME=value` if the next word has this name (case-insensitive). */
  takePair(name: string): string | null {
    const token = this.peek();
    if (token === undefined || token.text.slice(0, name.length + 1).toLowerCase() !== `${name}=`) return null;
    this.#at += 1;
    return token.text.slice(name.length + 1);
  }
}
