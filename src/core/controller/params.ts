import {
  COMMENT,
  type ConfigurationEdit,
  type Element,
  isXmlName,
  type ProposalOrigin,
  SECTIONS,
  unwritableCharacter,
} from "../cib/index.ts";

/** A refusal of a request; the shell turns it into an API error. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: string;
  readonly retryable: boolean;
  readonly facts: unknown;
  constructor(code: string, message: string, options: { readonly retryable?: boolean; readonly facts?: unknown } = {}) {
    super(message);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.facts = options.facts;
  }
}

/** Typed access to the parameters of a request; everything wrong is `BAD_REQUEST` with the name of the parameter. */
export class Params {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(params: unknown) {
    if (params === undefined || params === null) this.#values = {};
    else if (typeof params === "object" && !Array.isArray(params)) this.#values = params as Readonly<Record<string, unknown>>;
    else throw new RequestError("BAD_REQUEST", "params must be an object");
  }

  text(name: string): string {
    const value = this.#own(name);
    if (typeof value !== "string" || value === "") throw bad(name, "a text");
    return writable(value, name);
  }

  optionalText(name: string): string | null {
    const value = this.#own(name);
    if (value === undefined || value === null) return null;
    if (typeof value !== "string") throw bad(name, "a text");
    return writable(value, name);
  }

  /** A whole number, 0 or more. */
  number(name: string): number {
    const value = this.#own(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw bad(name, "a whole number");
    return value;
  }

  /** A SHA-256 in lower-case hex. */
  hash(name: string): string {
    const value = this.#own(name);
    if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) throw bad(name, "a SHA-256 in lower-case hex");
    return value;
  }

  /** The request's place in its client's session; absent: it has none. */
  session(): { readonly origin: ProposalOrigin | null; readonly repeated: boolean } {
    const value = this.#own("session");
    if (value === undefined || value === null) return { origin: null, repeated: false };
    if (typeof value !== "object" || Array.isArray(value)) throw bad("session", "an object");
    const inner = new Params(value);
    return { origin: { client: inner.number("client"), sequence: inner.number("sequence") }, repeated: inner.flag("repeated", false) };
  }

  optionalNumber(name: string): number | null {
    const value = this.#own(name);
    if (value === undefined || value === null) return null;
    if (typeof value !== "number" || !Number.isFinite(value)) throw bad(name, "a number");
    return value;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#own(name);
    if (value === undefined || value === null) return fallback;
    if (typeof value !== "boolean") throw bad(name, "true or false");
    return value;
  }

  oneOf<T extends string>(name: string, values: readonly T[], fallback: T | null): T {
    const value = this.#own(name);
    if ((value === undefined || value === null) && fallback !== null) return fallback;
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw bad(name, `one of ${values.join(", ")}`);
    return found;
  }

  texts(name: string): readonly string[] {
    const value = this.#own(name);
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw bad(name, "a list of texts");
    return value;
  }

  edits(name: string): readonly ConfigurationEdit[] {
    const value = this.#own(name);
    if (!Array.isArray(value)) throw bad(name, "a list of edits");
    return value.map((item, at) => readEdit(item, `${name}[${at}]`));
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }
}

function bad(name: string, wanted: string): RequestError {
  return new RequestError("BAD_REQUEST", `parameter ${name} must be ${wanted}`);
}

/** What XML cannot hold is refused at the door: in the state it could never be shown, saved or loaded again. */
function writable(text: string, name: string): string {
  const found = unwritableCharacter(text);
  if (found !== null) throw bad(name, `without ${found}, which cannot stand in a configuration`);
  return text;
}

function readEdit(value: unknown, where: string): ConfigurationEdit {
  if (typeof value !== "object" || value === null) throw bad(where, "an edit");
  const edit = value as Readonly<Record<string, unknown>>;
  const section = SECTIONS.find((name) => name === edit["section"]);
  if (section === undefined) throw bad(`${where}.section`, `one of ${SECTIONS.join(", ")}`);
  if (typeof edit["id"] !== "string" || edit["id"] === "") throw bad(`${where}.id`, "a text");
  const before = edit["before"] ?? null;
  if (before !== null && typeof before !== "string") throw bad(`${where}.before`, "a text or null");
  const after = edit["after"] ?? null;
  return { section, id: edit["id"], before, after: after === null ? null : readElement(after, `${where}.after`, 0) };
}

/** Elements nest at most this deep. */
const ELEMENT_DEPTH_MAX = 64;

function readElement(value: unknown, where: string, depth: number): Element {
  if (depth > ELEMENT_DEPTH_MAX) throw bad(where, `nested at most ${ELEMENT_DEPTH_MAX} deep`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(where, "an element");
  const plain = value as Readonly<Record<string, unknown>>;
  const { name, attributes, children, text } = plain;
  if (typeof name !== "string" || !(name === COMMENT || isXmlName(name))) throw bad(`${where}.name`, "the name of an element");
  const clean: Record<string, string> = {};
  for (const [key, entry] of Object.entries((attributes ?? {}) as Readonly<Record<string, unknown>>)) {
    if (typeof entry !== "string") throw bad(`${where}.attributes.${key}`, "a text");
    if (!isXmlName(key)) throw bad(`${where}.attributes`, `without ${JSON.stringify(key)}, which is no name`);
    clean[key] = writable(entry, `${where}.attributes.${key}`);
  }
  const list = children ?? [];
  if (!Array.isArray(list)) throw bad(`${where}.children`, "a list");
  const inner = list.map((child, at) => readElement(child, `${where}.children[${at}]`, depth + 1));
  const element: Element = { name, attributes: clean, children: inner };
  return typeof text === "string" ? { ...element, text: writable(text, `${where}.text`) } : element;
}
