import { attributeOf, COMMENT, type Element, idOf, SECTIONS } from "../cib/index.ts";
import { isNcName, isScore } from "./names.ts";
import { ROLES } from "./words.ts";

/**
 * The shape of `<configuration>`: which attributes and children an element has. Written from Pacemaker Explained
 * (Pacemaker 2.x and 3.x); a test holds what we write against the RELAX NG schema of Debian's `pacemaker-common`.
 */
type ValueType = "text" | "id" | "boolean" | "score" | "integer" | "index" | readonly string[];
type ElementShape = {
  readonly attributes: Readonly<Record<string, ValueType>>;
  readonly required: readonly string[];
  readonly children: readonly string[];
};

const ROLE_VALUES = ["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"];
const ACTION_VALUES = ["start", "promote", "demote", "stop"];
const SETS = ["instance_attributes", "meta_attributes"];
const SELECTED = ["select_nodes", "select_fencing", "select_resources", "select_attributes"];
const EXPRESSIONS = ["expression", "date_expression", "rsc_expression", "op_expression", "rule"];

/** `name!` is required; `name:type` names a type, `name=a|b` its values; the rest is text. */
function shape(attributes: string, children: readonly string[] = []): ElementShape {
  const types: Record<string, ValueType> = {};
  const required: string[] = [];
  for (const word of attributes.split(" ").filter((each) => each !== "")) {
    const match = /^([a-z-]+)(!?)(?:([:=])(.*))?$/.exec(word);
    const name = match?.[1] ?? word;
    if (match?.[2] === "!") required.push(name);
    const detail = match?.[4] ?? "text";
    types[name] = match?.[3] === "=" ? detail.split("|") : (detail as Exclude<ValueType, readonly string[]>);
  }
  return { attributes: types, required, children };
}

const roles = ROLE_VALUES.join("|");
const actions = ACTION_VALUES.join("|");
const fields = "hours minutes seconds days monthdays weekdays yearsdays yeardays months weeks years weekyears moon";

const SHAPES: ReadonlyMap<string, ElementShape> = new Map<string, ElementShape>([
  ["crm_config", shape("", ["cluster_property_set"])],
  ["nodes", shape("", ["node"])],
  ["resources", shape("", ["primitive", "template", "group", "clone", "master", "bundle"])],
  ["constraints", shape("", ["rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket"])],
  ["fencing-topology", shape("", ["fencing-level"])],
  ["op_defaults", shape("", ["meta_attributes"])],
  ["rsc_defaults", shape("", ["meta_attributes"])],
  ["acls", shape("", ["acl_role", "acl_target", "acl_group", "acl_user"])],
  ["tags", shape("", ["tag"])],
  ["alerts", shape("", ["alert"])],
  ["cluster_property_set", shape("id:id id-ref score:score", ["rule", "nvpair"])],
  ["instance_attributes", shape("id:id id-ref score:score name", ["rule", "nvpair"])],
  ["meta_attributes", shape("id:id id-ref score:score name", ["rule", "nvpair"])],
  ["utilization", shape("id:id id-ref score:score name", ["rule", "nvpair"])],
  ["nvpair", shape("id:id id-ref name value")],
  ["node", shape("id! uname! type=normal|member|ping|remote|pending description score:score", ["instance_attributes", "utilization"])],
  ["primitive", shape("id!:id class provider type template:id description", [...SETS, "utilization", "operations"])],
  ["template", shape("id!:id class! provider type! description", [...SETS, "utilization", "operations"])],
  ["operations", shape("id:id id-ref", ["op"])],
  [
    "op",
    shape(
      `id!:id name! interval! timeout start-delay interval-origin description enabled:boolean record-pending:boolean role=${roles} on-fail=ignore|block|demote|stop|restart|standby|fence|restart-container requires=nothing|quorum|fencing|unfencing`,
      SETS,
    ),
  ],
  ["group", shape("id!:id description", [...SETS, "primitive"])],
  ["clone", shape("id!:id description", [...SETS, "primitive", "group"])],
  ["master", shape("id!:id description", [...SETS, "primitive", "group"])],
  [
    "bundle",
    shape("id!:id description", ["docker", "podman", "rkt", "network", "storage", "meta_attributes", "instance_attributes", "primitive"]),
  ],
  ...["docker", "podman", "rkt"].map((name): [string, ElementShape] => [
    name,
    shape("image! replicas:integer replicas-per-host:integer masters:integer promoted-max:integer run-command network options"),
  ]),
  ["network", shape("ip-range-start control-port:integer host-interface host-netmask add-host:boolean", ["port-mapping"])],
  ["port-mapping", shape("id!:id port:integer internal-port:integer range")],
  ["storage", shape("", ["storage-mapping"])],
  ["storage-mapping", shape("id!:id source-dir source-dir-root target-dir! options")],
  [
    "rsc_location",
    shape(
      `id!:id rsc rsc-pattern node score:score score-attribute score-attribute-mangle role=${roles} resource-discovery=always|never|exclusive`,
      ["resource_set", "rule", "lifetime"],
    ),
  ],
  ["lifetime", shape("", ["rule"])],
  ["rule", shape("id:id id-ref role score:score score-attribute boolean-op=and|or", EXPRESSIONS)],
  [
    "expression",
    shape(
      "id!:id attribute! operation!=lt|gt|lte|gte|eq|ne|defined|not_defined type=string|integer|number|version value value-source=literal|param|meta",
    ),
  ],
  ["date_expression", shape("id!:id operation=in_range|date_spec|gt|lt start end", ["duration", "date_spec"])],
  ["duration", shape(`id:id ${fields}`)],
  ["date_spec", shape(`id:id ${fields}`)],
  ["rsc_expression", shape("id!:id class provider type")],
  ["op_expression", shape("id!:id name! interval")],
  [
    "rsc_colocation",
    shape(
      `id!:id score:score score-attribute score-attribute-mangle rsc with-rsc rsc-role=${roles} with-rsc-role=${roles} rsc-instance:integer with-rsc-instance:integer node-attribute influence:boolean`,
      ["resource_set", "lifetime"],
    ),
  ],
  [
    "rsc_order",
    shape(
      `id!:id kind=Optional|Mandatory|Serialize score:score symmetrical:boolean require-all:boolean first then first-action=${actions} then-action=${actions} first-instance:integer then-instance:integer`,
      ["resource_set", "lifetime"],
    ),
  ],
  ["rsc_ticket", shape(`id!:id ticket! rsc rsc-role=${roles} loss-policy=stop|demote|fence|freeze`, ["resource_set"])],
  [
    "resource_set",
    shape(
      `id:id id-ref sequential:boolean require-all:boolean ordering=group|listed action=${actions} role=${roles} score:score kind=Optional|Mandatory|Serialize`,
      ["resource_ref"],
    ),
  ],
  ["resource_ref", shape("id!:id")],
  ["fencing-level", shape("id!:id index!:index devices! target target-pattern target-attribute target-value")],
  ["acl_role", shape("id!:id description", ["acl_permission", "read", "write", "deny"])],
  ["acl_permission", shape("id!:id kind!=read|write|deny xpath reference object-type attribute description")],
  ["acl_target", shape("id! name", ["role"])],
  ["acl_group", shape("id! name", ["role"])],
  ["role", shape("id!:id")],
  ["tag", shape("id!:id", ["obj_ref"])],
  ["obj_ref", shape("id!:id")],
  ["alert", shape("id!:id path! description", [...SETS, "select", "recipient"])],
  ["select", shape("", SELECTED)],
  ["select_nodes", shape("")],
  ["select_fencing", shape("")],
  ["select_resources", shape("")],
  ["select_attributes", shape("", ["attribute"])],
  ["attribute", shape("id!:id name!")],
  ["recipient", shape("id!:id value! description", SETS)],
]);

/** A place where the configuration departs from the schema. `object` is the id of the object it is in, or the section. */
export type SchemaFault = {
  readonly object: string;
  readonly message: string;
  /** `value`: the shape is right, and only a value is not one of those that mean something. */
  readonly kind: "shape" | "value";
};

/** Checks the shape of a whole `<configuration>`. */
export function checkSchema(configuration: Element): SchemaFault[] {
  const faults: SchemaFault[] = [];
  for (const section of configuration.children) {
    if (section.name === COMMENT) continue;
    if (!(SECTIONS as readonly string[]).includes(section.name)) {
      faults.push({ kind: "shape", object: section.name, message: `<${section.name}> is no section of the configuration` });
      continue;
    }
    for (const child of section.children) {
      if (child.name === COMMENT) continue;
      const object = idOf(child) ?? section.name;
      if (!SHAPES.get(section.name)?.children.includes(child.name)) {
        faults.push({ kind: "shape", object, message: `<${child.name}> does not belong in <${section.name}>` });
      } else checkElement(child, object, faults);
    }
  }
  return faults;
}

function checkElement(of: Element, object: string, faults: SchemaFault[]): void {
  const found = SHAPES.get(of.name);
  // Access rules of Pacemaker 1.x are kept as they are; nothing here reads them.
  if (found === undefined) return;
  checkAttributes(of, found, object, faults);
  for (const child of of.children) {
    if (child.name === COMMENT) continue;
    if (!found.children.includes(child.name))
      faults.push({ kind: "shape", object, message: `<${child.name}> does not belong in <${of.name}>` });
    else checkElement(child, childObject(child, object), faults);
  }
  const message = checkWhole(of);
  if (message !== null) faults.push({ kind: "shape", object, message });
}

function childObject(child: Element, object: string): string {
  return child.name === "primitive" || child.name === "group" ? (idOf(child) ?? object) : object;
}

function checkAttributes(of: Element, found: ElementShape, object: string, faults: SchemaFault[]): void {
  for (const name of found.required) {
    if (attributeOf(of, name) === undefined) faults.push({ kind: "shape", object, message: `<${of.name}> needs ${name}=` });
  }
  for (const [name, value] of Object.entries(of.attributes)) {
    const type = Object.hasOwn(found.attributes, name) ? found.attributes[name] : undefined;
    if (type === undefined) faults.push({ kind: "shape", object, message: `<${of.name}> has no attribute ${name}=` });
    else if (!isValid(type, value))
      faults.push({
        kind: type === "id" ? "shape" : "value",
        object,
        message: `${name}="${value}" in <${of.name}>: expected ${describe(type)}`,
      });
  }
}

function isValid(type: ValueType, value: string): boolean {
  switch (type) {
    case "text":
      return true;
    case "id":
      return isNcName(value);
    case "boolean":
      return ["true", "false", "0", "1"].includes(value);
    case "score":
      return isScore(value);
    case "integer":
      return /^[+-]?\d+$/.test(value);
    case "index":
      return /^[1-9]$/.test(value);
    default:
      return type.includes(value);
  }
}

function describe(type: ValueType): string {
  if (typeof type !== "string") return `one of ${type.join(", ")}`;
  return {
    text: "text",
    id: "an id",
    boolean: "true or false",
    score: "a score (a number, INFINITY or -INFINITY)",
    integer: "a number",
    index: "a number from 1 to 9",
  }[type];
}

/** Rules about an element as a whole; null when they hold. */
function checkWhole(of: Element): string | null {
  const count = (...names: readonly string[]): number => of.children.filter((child) => names.includes(child.name)).length;
  const has = (name: string): boolean => attributeOf(of, name) !== undefined;
  switch (of.name) {
    case "primitive":
      if (has("template") === (has("class") || has("type"))) return "a primitive has either an agent or a template";
      return checkAgentNames(of) ?? (count("operations") > 1 ? "there can be only one <operations>" : null);
    case "template":
      return checkAgentNames(of);
    case "group":
      return count("primitive") === 0 ? "a group needs at least one primitive" : null;
    case "clone":
    case "master":
      return count("primitive", "group") === 1 ? null : `a ${of.name} needs exactly one primitive or group`;
    case "bundle":
      if (count("primitive") > 1) return "a bundle has at most one primitive";
      if (count("network") > 1 || count("storage") > 1) return "a bundle has at most one <network> and one <storage>";
      return count("docker", "podman", "rkt") === 1 ? null : "a bundle needs docker or podman";
    case "rsc_location":
      return checkLocation(count, has);
    case "rsc_colocation":
      if (count("resource_set") > 0 && has("node-attribute")) return "node-attribute goes with two plain resources, not with sets";
      return count("resource_set") > 0 || (has("rsc") && has("with-rsc")) ? null : "a colocation needs two resources or sets";
    case "rsc_order":
      return count("resource_set") > 0 || (has("first") && has("then")) ? null : "an order needs two resources or sets";
    case "rsc_ticket":
      return count("resource_set") > 0 || has("rsc") ? null : "a ticket needs a resource or sets";
    case "resource_set":
      return has("id-ref") || count("resource_ref") > 0 ? null : "a resource set needs at least one resource";
    case "rule":
      if (has("role") && !ROLES.has((attributeOf(of, "role") ?? "").toLowerCase()))
        return `role="${attributeOf(of, "role")}" in <rule>: expected one of ${ROLE_VALUES.join(", ")}`;
      return has("id-ref") || count(...EXPRESSIONS) > 0 ? null : "a rule needs at least one expression";
    case "cluster_property_set":
    case "instance_attributes":
    case "meta_attributes":
    case "utilization":
      return count("rule") > 1 ? `<${of.name}> has at most one rule` : null;
    case "nvpair":
      return has("id-ref") || (has("id") && has("name")) ? null : "a pair needs a name";
    case "select":
      return SELECTED.every((name) => count(name) <= 1) ? null : "<select> names each kind once";
    case "alert":
      return count("select") > 1 ? "an alert has at most one <select>" : null;
    case "tag":
      return count("obj_ref") > 0 ? null : "a tag needs at least one object";
    case "fencing-level":
      return has("target") || has("target-pattern") || (has("target-attribute") && has("target-value"))
        ? null
        : "a fencing level needs a target";
    case "acl_permission":
      return ["xpath", "reference", "object-type"].filter(has).length === 1
        ? null
        : "an access rule needs one of xpath, reference, object-type";
    default:
      return null;
  }
}

function checkAgentNames(of: Element): string | null {
  const agentClass = attributeOf(of, "class");
  if (agentClass === "ocf" && attributeOf(of, "provider") === undefined) return "an ocf agent needs a provider";
  return null;
}

function checkLocation(count: (...names: readonly string[]) => number, has: (name: string) => boolean): string | null {
  if (!has("rsc") && !has("rsc-pattern") && count("resource_set") === 0) return "a location needs a resource, a pattern or sets";
  if (count("resource_set") > 0 && has("role")) return "role goes with one resource; in sets each says its own, as in RSC:ROLE";
  return count("rule", "lifetime") > 0 || (has("node") && (has("score") || has("score-attribute")))
    ? null
    : "a location needs a node and a score, or a rule";
}
