/**
 * The element tree: the form in which configuration and status travel between the crm language, XML text, the
 * replicated state and the policy engine. Immutable, so that states share what did not change. Attribute maps may come
 * from anywhere: read them with `attributeOf`, never with a bare index.
 */
export type Element = {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** Text of a comment (`name` is `COMMENT`) or text content where an element has any. */
  readonly text?: string;
  /** Line in the text it was read from (1-based), for error messages; never part of equality. */
  readonly line?: number;
};

/** The `name` of a comment node. */
export const COMMENT = "#comment";

export function element(name: string, attributes: Readonly<Record<string, string>> = {}, children: readonly Element[] = []): Element {
  return { name, attributes, children };
}

/** The attribute, or undefined. Safe against names such as `constructor`: what objects inherit is never text. */
export function attributeOf(of: Element, name: string): string | undefined {
  const value: unknown = of.attributes[name];
  return typeof value === "string" ? value : undefined;
}

export function idOf(of: Element): string | undefined {
  return attributeOf(of, "id");
}

export function childrenOf(of: Element, name: string): readonly Element[] {
  return of.children.filter((child) => child.name === name);
}

export function childOf(of: Element, name: string): Element | undefined {
  return of.children.find((child) => child.name === name);
}

export function withAttributes(of: Element, changes: Readonly<Record<string, string | null>>): Element {
  const attributes: Record<string, string> = { ...of.attributes };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete attributes[name];
    else attributes[name] = value;
  }
  return { ...of, attributes };
}

export function withChildren(of: Element, children: readonly Element[]): Element {
  return { ...of, children };
}

/** Every element of the tree, parents before children. */
export function walk(of: Element): IterableIterator<Element> {
  return new Walk(of);
}

/** By hand: a generator inside a generator for each level of the tree costs several times as much. */
class Walk implements IterableIterator<Element> {
  readonly #next: Element[];

  constructor(from: Element) {
    this.#next = [from];
  }

  next(): IteratorResult<Element, undefined> {
    const value = this.#next.pop();
    if (value === undefined) return { done: true, value };
    const { children } = value;
    for (let at = children.length - 1; at >= 0; at -= 1) this.#next.push(children[at] as Element);
    return { done: false, value };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/**
 * A text that is equal exactly for equal elements: attributes sorted, lines left out. It is what compare-and-set
 * compares, so that no hash function is needed here.
 */
export function canonicalText(of: Element): string {
  return JSON.stringify(canonicalForm(of));
}

function canonicalForm(of: Element): unknown {
  const attributes = Object.keys(of.attributes)
    .sort()
    .map((name) => [name, of.attributes[name]]);
  return [of.name, attributes, of.text ?? "", of.children.map(canonicalForm)];
}

export function sameElement(a: Element, b: Element): boolean {
  return a === b || canonicalText(a) === canonicalText(b);
}
