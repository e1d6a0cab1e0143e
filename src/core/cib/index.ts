export { type ConfigurationEdit, SECTIONS, type Section } from "./edit.ts";
export {
  attributeOf,
  COMMENT,
  canonicalText,
  childOf,
  childrenOf,
  type Element,
  element,
  idOf,
  sameElement,
  walk,
  withAttributes,
  withChildren,
} from "./element.ts";
