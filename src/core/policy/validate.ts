import { QuorateError } from "../base/index.ts";
import { attributeOf, COMMENT, childOf, type Element, idOf, walk } from "../cib/index.ts";

/** Characters of an id or a name that refers to one. */
export const ID_MAX_CHARS = 1024;

export type CibFault = {
  readonly code:
    | "CIB_NOT_A_CIB"
    | "CIB_UNKNOWN_ELEMENT"
    | "CIB_MISPLACED_ELEMENT"
    | "CIB_ID_MISSING"
    | "CIB_ID_TOO_LONG"
    | "CIB_DUPLICATE_ID"
    | "CIB_DANGLING_REFERENCE"
    | "CIB_SELF_COLOCATION"
    | "CIB_NEGATIVE_INTERVAL"
    | "CIB_CONTAINMENT_LOOP";
  /** Name of the element at fault, and its line where the text is known. */
  readonly element: string;
  readonly line: number | null;
};

/** A configuration that cannot be meant: the message names element, id and line. */
export class CibError extends QuorateError<CibFault> {
  override readonly name = "CibError";
}

const KNOWN_ELEMENTS = new Set(
  (
    "configuration crm_config cluster_property_set nodes node resources primitive group clone master bundle template operations op " +
    "instance_attributes meta_attributes utilization nvpair rule expression date_expression date_spec duration rsc_expression op_expression " +
    "docker podman rkt network port-mapping storage storage-mapping constraints rsc_location rsc_colocation rsc_order rsc_ticket " +
    "resource_set resource_ref lifetime fencing-topology fencing-level rsc_defaults op_defaults acls acl_target acl_group acl_role acl_user " +
    "acl_permission role role_ref read write deny tags tag obj_ref alerts alert recipient select select_attributes select_fencing " +
    "select_nodes select_resources attribute"
  ).split(" "),
);

/** What each kind of resource may be made of. */
const MEMBERS: Readonly<Record<string, ReadonlySet<string>>> = {
  resources: new Set(["primitive", "group", "clone", "master", "bundle", "template"]),
  group: new Set(["primitive"]),
  clone: new Set(["primitive", "group"]),
  master: new Set(["primitive", "group"]),
  bundle: new Set(["primitive"]),
};
/** Everything that `MEMBERS` speaks of. */
const RESOURCES = MEMBERS["resources"]!;

const REFERENCES: Readonly<Record<string, readonly string[]>> = {
  rsc_colocation: ["rsc", "with-rsc"],
  rsc_location: ["rsc"],
  rsc_order: ["first", "then"],
  rsc_ticket: ["rsc"],
  resource_ref: ["id"],
  obj_ref: ["id"],
  primitive: ["template"],
};

/**
 * Refuses configurations that cannot be meant: unknown elements, resources without an id or where none can be, ids used
 * twice or beyond all reason, references to nothing, a resource colocated with itself, negative intervals, containment in a circle. Walks the configuration once.
 * @throws CibError
 */
export function validateCib(cib: Element): void {
  const configuration = childOf(cib, "configuration");
  if (cib.name !== "cib" || configuration === undefined) {
    throw fault(cib, "CIB_NOT_A_CIB", "the input is not a <cib> with a <configuration>");
  }
  const ids = collectIds(configuration);
  for (const element of walk(configuration)) {
    if (element.name !== COMMENT) checkElement(element, ids);
  }
  for (const section of configuration.children) if (section.name === "resources") checkMembers(section);
  checkContainment(configuration);
  checkTags(configuration);
}

function fault(element: Element, code: CibFault["code"], message: string): CibError {
  const line = element.line ?? null;
  const id = idOf(element);
  const shown = id === undefined ? "" : ` id="${id.length > 60 ? `${id.slice(0, 60)}…` : id}"`;
  const where = line === null ? "" : `line ${line}: `;
  return new CibError(`${where}<${element.name}${shown}>: ${message}`, { code, element: element.name, line });
}

/** Ids by which something can be referred to. Node ids are a space of their own: a remote node may be listed there too. */
function collectIds(configuration: Element): ReadonlySet<string> {
  const ids = new Set<string>();
  const nodeIds = new Set<string>();
  for (const section of configuration.children) {
    const own = section.name === "nodes" ? nodeIds : ids;
    for (const element of walk(section)) {
      if (element.name === "nvpair" && attributeOf(element, "name") === "remote-node") {
        const node = attributeOf(element, "value");
        if (node !== undefined) ids.add(node);
      }
      const id = idOf(element);
      if (id === undefined || element.name === "resource_ref" || element.name === "obj_ref" || element.name === "role_ref") continue;
      if (id.length > ID_MAX_CHARS)
        throw fault(element, "CIB_ID_TOO_LONG", `the id has ${id.length} characters, more than ${ID_MAX_CHARS}`);
      if (own.has(id) && element.name !== "attribute") throw fault(element, "CIB_DUPLICATE_ID", "the id is used twice");
      own.add(id);
    }
  }
  for (const id of nodeIds) ids.add(id);
  return ids;
}

function checkElement(element: Element, ids: ReadonlySet<string>): void {
  if (!KNOWN_ELEMENTS.has(element.name)) throw fault(element, "CIB_UNKNOWN_ELEMENT", "the element is not known here");
  for (const name of [...(REFERENCES[element.name] ?? []), "id-ref"]) {
    const target = attributeOf(element, name);
    if (target === undefined) continue;
    if (target.length > ID_MAX_CHARS) throw fault(element, "CIB_ID_TOO_LONG", `${name} has more than ${ID_MAX_CHARS} characters`);
    if (!ids.has(target)) throw fault(element, "CIB_DANGLING_REFERENCE", `${name}="${target}" refers to nothing`);
  }
  if (element.name === "rsc_colocation") {
    const rsc = attributeOf(element, "rsc");
    if (rsc !== undefined && rsc === attributeOf(element, "with-rsc")) {
      throw fault(element, "CIB_SELF_COLOCATION", `${rsc} is colocated with itself`);
    }
  }
  if (element.name === "op" && /^\s*-\s*[\d.]*[1-9]/.test(attributeOf(element, "interval") ?? "")) {
    throw fault(element, "CIB_NEGATIVE_INTERVAL", `interval="${attributeOf(element, "interval")}" is negative`);
  }
}

/** A group in a group, or a clone in anything, is nothing that could be run; without an id nothing could be said of it. */
function checkMembers(parent: Element): void {
  for (const child of parent.children) {
    if (!RESOURCES.has(child.name)) continue;
    const allowed = MEMBERS[parent.name];
    if (allowed === undefined || !allowed.has(child.name)) {
      throw fault(child, "CIB_MISPLACED_ELEMENT", `a ${child.name} cannot be in a ${parent.name}`);
    }
    if (idOf(child) === undefined) throw fault(child, "CIB_ID_MISSING", "the id is missing");
    checkMembers(child);
  }
}

/** `container` and `template` must lead somewhere else in the end. */
function checkContainment(configuration: Element): void {
  const resources = childOf(configuration, "resources");
  if (resources === undefined) return;
  const outer = new Map<string, { readonly element: Element; readonly to: string }>();
  for (const element of walk(resources)) {
    const id = idOf(element);
    if (id === undefined || (element.name !== "primitive" && element.name !== "template")) continue;
    for (const block of element.children) {
      if (block.name !== "meta_attributes") continue;
      for (const pair of block.children) {
        const to = attributeOf(pair, "name") === "container" ? attributeOf(pair, "value") : undefined;
        if (to !== undefined) outer.set(id, { element: pair, to });
      }
    }
  }
  refuseLoops(outer, "container");
}

function checkTags(configuration: Element): void {
  const tags = childOf(configuration, "tags");
  if (tags === undefined) return;
  const names = new Set(tags.children.map(idOf));
  for (const tag of tags.children) {
    for (const reference of tag.children) {
      const target = idOf(reference);
      if (target !== undefined && target === idOf(tag) && names.has(target)) {
        throw fault(reference, "CIB_CONTAINMENT_LOOP", `the tag ${target} contains itself`);
      }
    }
  }
}

function refuseLoops(edges: ReadonlyMap<string, { readonly element: Element; readonly to: string }>, word: string): void {
  const safe = new Set<string>();
  for (const start of edges.keys()) {
    const path = new Set<string>();
    for (let at: string | undefined = start; at !== undefined && !safe.has(at); at = edges.get(at)?.to) {
      if (path.has(at)) throw fault(edges.get(at)!.element, "CIB_CONTAINMENT_LOOP", `${word}: ${[...path, at].join(" in ")}`);
      path.add(at);
    }
    for (const id of path) safe.add(id);
  }
}
