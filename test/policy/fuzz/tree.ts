import { attributeOf, type Element, walk, withAttributes, withChildren } from "../../../src/core/cib/index.ts";

/** The element with every descendant, then itself, changed; null leaves one out. */
export function edited(at: Element, change: (found: Element) => Element | null): Element {
  const children: Element[] = [];
  for (const child of at.children) {
    const kept = edited(child, change);
    const made = change(kept);
    if (made !== null) children.push(made);
  }
  return withChildren(at, children);
}

/** With more children at the end of (or, if `first`, before those of) the one element of that name. */
export function added(at: Element, name: string, more: readonly Element[], first = false): Element {
  return edited(at, (found) => {
    if (found.name !== name) return found;
    return withChildren(found, first ? [...more, ...found.children] : [...found.children, ...more]);
  });
}

/** With a section of the configuration, which is made if there is none. */
export function addedSection(cib: Element, section: Element): Element {
  if (section.children.length === 0) return cib;
  for (const found of walk(cib)) if (found.name === section.name) return added(cib, section.name, section.children);
  return added(cib, "configuration", [section]);
}

/** All elements of a kind, in document order. */
export function all(at: Element, ...names: readonly string[]): readonly Element[] {
  return [...walk(at)].filter((found) => names.includes(found.name));
}

export function id(of: Element): string {
  return attributeOf(of, "id") ?? "";
}

export function replaced(cib: Element, name: string, wanted: string, attributes: Readonly<Record<string, string | null>>): Element {
  return edited(cib, (found) => (found.name === name && id(found) === wanted ? withAttributes(found, attributes) : found));
}
