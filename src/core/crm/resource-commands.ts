import { attributeOf, childrenOf, type Element, element, idOf, withAttributes, withChildren } from "../cib/index.ts";
import { requireObject } from "./edit-change.ts";
import { CrmError } from "./errors.ts";
import { completeIds, definedIds, IdPool } from "./ids.ts";
import { type CrmObject, membersOf, replaceElement } from "./tree.ts";
import { hint, RESOURCE_ELEMENTS } from "./words.ts";

/**
 * The commands of the `resource` and `node` levels that are edits of the configuration, as functions from one
 * configuration to the next. Commands that need a running cluster are not here.
 */

/** Words that name an attribute set at these levels, and its element. */
const SETS = {
  param: "instance_attributes",
  meta: "meta_attributes",
  utilization: "utilization",
  attribute: "instance_attributes",
} as const;
export type SetWord = keyof typeof SETS;

function requireResource(configuration: Element, id: string, command: string): CrmObject {
  const object = requireObject(configuration, id, command);
  if (object.section !== "resources" || object.type === "rsc_template")
    throw new CrmError("CRM_BAD_VALUE", `${command}: '${id}' is no resource`);
  return object;
}

/** Sets an attribute in every set of the kind that has it, else in the first set, creating one when there is none. */
export function setInSets(
  configuration: Element,
  object: CrmObject,
  word: SetWord,
  change: { readonly name: string; readonly value: string },
): Element {
  const { name, value } = change;
  const setName = SETS[word];
  const pairs = childrenOf(object.element, setName).flatMap((set) =>
    childrenOf(set, "nvpair").filter((pair) => attributeOf(pair, "name") === name),
  );
  if (pairs.length > 0) {
    return pairs.reduce((result, pair) => replaceElement(result, pair, [withAttributes(pair, { value })]), configuration);
  }
  const first = childrenOf(object.element, setName).find(
    (set) => attributeOf(set, "id-ref") === undefined && childrenOf(set, "rule").length === 0,
  );
  const pair = element("nvpair", { name, value });
  const changed =
    first === undefined
      ? insertSet(object.element, element(setName, {}, [pair]))
      : withChildren(
          object.element,
          object.element.children.map((child) => (child === first ? withChildren(child, [...child.children, pair]) : child)),
        );
  const owner = object.type === "node" ? (attributeOf(object.element, "uname") ?? object.id) : object.id;
  const finished = completeIds(changed, owner, new IdPool(definedIds(configuration, object.element)));
  return replaceElement(configuration, object.element, [finished]);
}

/** A new set goes before the resources of a container. */
function insertSet(of: Element, set: Element): Element {
  const at = of.children.findIndex((child) => RESOURCE_ELEMENTS.has(child.name));
  const place = at < 0 ? of.children.length : at;
  return withChildren(of, [...of.children.slice(0, place), set, ...of.children.slice(place)]);
}

/** Removes an attribute from every set of the kind; a set left empty goes. */
export function unsetInSets(configuration: Element, object: CrmObject, word: SetWord, name: string): Element {
  const children = object.element.children.flatMap((child) => {
    if (child.name !== SETS[word]) return [child];
    const left = child.children.filter((pair) => attributeOf(pair, "name") !== name);
    if (left.length === child.children.length) return [child];
    return left.length === 0 ? [] : [withChildren(child, left)];
  });
  const changed =
    children.length !== object.element.children.length || children.some((child, index) => child !== object.element.children[index]);
  return changed ? replaceElement(configuration, object.element, [withChildren(object.element, children)]) : configuration;
}

/** The value of an attribute in the first set that has it. */
export function readFromSets(object: CrmObject, word: SetWord, name: string): string | undefined {
  const pairs = childrenOf(object.element, SETS[word]).flatMap((set) => childrenOf(set, "nvpair"));
  const found = pairs.find((pair) => attributeOf(pair, "name") === name);
  return found === undefined ? undefined : attributeOf(found, "value");
}

/** Sets a meta attribute on a resource; what is inside a container must not say otherwise, so it is removed there. */
export function setMeta(configuration: Element, id: string, name: string, value: string): Element {
  let result = configuration;
  for (const inner of innerIds(requireResource(configuration, id, name).element)) {
    result = unsetInSets(result, requireResource(result, inner, name), "meta", name);
  }
  return setInSets(result, requireResource(result, id, name), "meta", { name, value });
}

function innerIds(of: Element): string[] {
  return membersOf(of).flatMap((member) => [idOf(member) ?? "", ...innerIds(member)]);
}

const TARGET_ROLES: Readonly<Record<string, string>> = { start: "Started", stop: "Stopped", promote: "Promoted", demote: "Unpromoted" };
/** `resource` commands that this file can carry out on a plain configuration. */
export const RESOURCE_EDITS: readonly string[] = [
  "start",
  "stop",
  "promote",
  "demote",
  "manage",
  "unmanage",
  "maintenance",
  "param",
  "meta",
  "utilization",
];

export type EditOutcome = { readonly configuration: Element; readonly output: readonly string[] };

/** Carries out `resource COMMAND ARGS…`. */
export function editResource(configuration: Element, command: string, words: readonly string[]): EditOutcome {
  const subject = `resource ${command}`;
  const role = Object.hasOwn(TARGET_ROLES, command) ? TARGET_ROLES[command] : undefined;
  if (role !== undefined) {
    if (words.length === 0) throw new CrmError("CRM_SYNTAX", `${subject}: expected the id of a resource`);
    for (const id of words) requireResource(configuration, id, subject);
    return quiet(words.reduce((result, id) => setMeta(result, id, "target-role", role), configuration));
  }
  const [id, ...rest] = words;
  if (id === undefined) throw new CrmError("CRM_SYNTAX", `${subject}: expected the id of a resource`);
  requireResource(configuration, id, subject);
  switch (command) {
    case "manage":
    case "unmanage":
      if (rest.length > 0) throw new CrmError("CRM_SYNTAX", `${subject}: expected one resource`);
      return quiet(setMeta(configuration, id, "is-managed", command === "manage" ? "true" : "false"));
    case "maintenance":
      return quiet(setMeta(configuration, id, "maintenance", onOff(rest[0] ?? "on", subject)));
    case "param":
    case "meta":
    case "utilization":
      return editSet(configuration, requireResource(configuration, id, subject), command, rest, subject);
    default:
      throw new CrmError("CRM_UNKNOWN_COMMAND", `resource.${command}: No such command${hint(command, RESOURCE_EDITS)}`);
  }
}

function quiet(configuration: Element): EditOutcome {
  return { configuration, output: [] };
}

function onOff(word: string, subject: string): string {
  if (["on", "true", "yes"].includes(word.toLowerCase())) return "true";
  if (["off", "false", "no"].includes(word.toLowerCase())) return "false";
  throw new CrmError("CRM_BAD_VALUE", `${subject}: expected on or off, not '${word}'`);
}

/** `set ATTR VALUE`, `delete ATTR`, `show ATTR` on an attribute set of an object. */
function editSet(configuration: Element, object: CrmObject, word: SetWord, words: readonly string[], subject: string): EditOutcome {
  const [action, name, value, ...rest] = words;
  const arity = action === "set" ? 3 : 2;
  if (
    action === undefined ||
    name === undefined ||
    !["set", "delete", "show"].includes(action) ||
    words.length !== arity ||
    rest.length > 0
  ) {
    const advice = action === undefined ? "" : hint(action, ["set", "delete", "show"]);
    throw new CrmError("CRM_SYNTAX", `${subject}: expected set ATTRIBUTE VALUE, delete ATTRIBUTE or show ATTRIBUTE${advice}`);
  }
  if (action === "set") {
    if (word === "meta" && ["target-role", "is-managed", "maintenance"].includes(name))
      return quiet(setMeta(configuration, object.id, name, value ?? ""));
    return quiet(setInSets(configuration, object, word, { name, value: value ?? "" }));
  }
  const found = readFromSets(object, word, name);
  if (found === undefined) throw new CrmError("CRM_UNKNOWN_OBJECT", `${subject}: ${object.id} has no attribute '${name}'`);
  return action === "show" ? { configuration, output: [found] } : quiet(unsetInSets(configuration, object, word, name));
}

/** `node` commands that are edits of the configuration. */
export const NODE_EDITS: readonly string[] = ["attribute", "utilization", "standby", "online", "maintenance", "ready"];

/** Carries out `node COMMAND NODE ARGS…` for permanent attributes. */
export function editNode(configuration: Element, command: string, words: readonly string[]): EditOutcome {
  const subject = `node ${command}`;
  const [name, ...rest] = words;
  if (!NODE_EDITS.includes(command))
    throw new CrmError("CRM_UNKNOWN_COMMAND", `node.${command}: No such command${hint(command, NODE_EDITS)}`);
  if (name === undefined) throw new CrmError("CRM_SYNTAX", `${subject}: expected the name of a node`);
  const object = requireObject(configuration, name, subject);
  if (object.type !== "node") throw new CrmError("CRM_BAD_VALUE", `${subject}: '${name}' is no node`);
  if (command === "attribute" || command === "utilization") return editSet(configuration, object, command, rest, subject);
  const attribute = command === "standby" || command === "online" ? "standby" : "maintenance";
  const value = command === "standby" ? "on" : command === "online" ? "off" : command === "maintenance" ? "true" : "false";
  return quiet(setInSets(configuration, object, "attribute", { name: attribute, value }));
}
