import type { Element } from "./element.ts";

export function upgradeCib(cib: Element): Element {
  return cib;
}
