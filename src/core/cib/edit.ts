import type { Element } from "./element.ts";

/** The sections of `<configuration>`, in schema order. */
export const SECTIONS = [
  "crm_config",
  "nodes",
  "resources",
  "constraints",
  "fencing-topology",
  "op_defaults",
  "rsc_defaults",
  "acls",
  "tags",
  "alerts",
] as const;
export type Section = (typeof SECTIONS)[number];

/**
 * One change of the configuration. An *object* is a direct child of a section, named by section and id: a primitive, a
 * constraint, a property set, a fencing level. `before` is the `canonicalText` of the object as the author of the
 * change read it (null: it was not there); when the object differs at apply time, the whole command is refused with
 * `CIB_CONFLICT` and nothing changes. `after` null deletes.
 */
export type ConfigurationEdit = {
  readonly section: Section;
  readonly id: string;
  readonly before: string | null;
  readonly after: Element | null;
};
