import { attributeOf, childrenOf, type Element, element, idOf, walk, withAttributes, withChildren } from "../cib/index.ts";
import { freeMembers } from "./edit-delete.ts";
import { CrmError } from "./errors.ts";
import { readRole } from "./grammar-sets.ts";
import { completeIds, definedIds, IdPool, isAttributeSet, stripGeneratedIds } from "./ids.ts";
import { durationMs, isDuration, requireId } from "./names.ts";
import { redirectConstraints, redirectIdRefs } from "./references.ts";
import { type CrmObject, findObject, listObjects, membersOf, replaceElement } from "./tree.ts";
import { hint, OPERATION_ATTRIBUTES } from "./words.ts";

/** The object, or a refusal that proposes the nearest id. */
export function requireObject(configuration: Element, id: string, command: string): CrmObject {
  const found = findObject(configuration, id);
  if (found !== undefined) return found;
  const names = listObjects(configuration).map((object) => object.id);
  throw new CrmError("CRM_UNKNOWN_OBJECT", `${command}: there is no object '${id}'${hint(id, names)}`);
}

/** `rename OLD NEW`: constraints, templates' users, topologies and ACL targets follow, and so do generated ids. Tags keep the old name, as in crmsh. */
export function renameObject(configuration: Element, from: string, to: string): Element {
  const object = requireObject(configuration, from, "rename");
  requireId(to, 1);
  if (object.type === "node" || object.type === "fencing_topology") {
    throw new CrmError("CRM_REFUSED", `rename: a ${object.type === "node" ? "node" : "fencing topology"} cannot be renamed`);
  }
  if (findObject(configuration, to) !== undefined || definedIds(configuration).includes(to)) {
    throw new CrmError("CRM_DUPLICATE_ID", `rename: '${to}' is already used`);
  }
  const stripped = withAttributes(stripGeneratedIds(object.element, from), { id: to });
  const finished = completeIds(stripped, to, new IdPool(definedIds(configuration, object.element)));
  const names = new Map<string, string>();
  const before = [...walk(object.element)];
  [...walk(finished)].forEach((each, index) => {
    const old = before[index] === undefined ? undefined : idOf(before[index]);
    const now = idOf(each);
    if (old !== undefined && now !== undefined && old !== now) names.set(old, now);
  });
  const replaced = replaceElement(configuration, object.element, [finished]);
  return renameUses(redirectIdRefs(redirectConstraints(replaced, from, to), names), object, to);
}

function renameUses(root: Element, object: CrmObject, to: string): Element {
  const visit = (each: Element): Element => {
    const changes: Record<string, string> = {};
    if (object.type === "rsc_template" && attributeOf(each, "template") === object.id) changes["template"] = to;
    if (each.name === "fencing-level") changes["devices"] = renameDevices(attributeOf(each, "devices") ?? "", object.id, to);
    if (object.type === "role" && each.name === "role" && idOf(each) === object.id) changes["id"] = to;
    if (each.name === "acl_permission" && attributeOf(each, "reference") === object.id) changes["reference"] = to;
    const children = each.children.map(visit);
    const same = children.every((child, index) => child === each.children[index]);
    const differs = Object.entries(changes).some(([name, value]) => attributeOf(each, name) !== value);
    return same && !differs ? each : withChildren(withAttributes(each, changes), children);
  };
  return visit(root);
}

function renameDevices(devices: string, from: string, to: string): string {
  return devices
    .split(",")
    .map((device) => (device === from ? to : device))
    .join(",");
}

/** `modgroup G add R [after X|before X]`, `modgroup G remove R`. */
export function modifyGroup(configuration: Element, words: readonly string[], warn: (message: string) => void): Element {
  const [groupId, action, member, relation, other, ...rest] = words;
  if (groupId === undefined || action === undefined || member === undefined || rest.length > 0) {
    throw new CrmError("CRM_SYNTAX", "modgroup: expected GROUP add RSC [after|before RSC], or GROUP remove RSC");
  }
  const group = requireObject(configuration, groupId, "modgroup");
  if (group.type !== "group") throw new CrmError("CRM_BAD_VALUE", `modgroup: '${groupId}' is no group`);
  if (action === "remove") return removeMember(configuration, group, member, relation);
  if (action !== "add")
    throw new CrmError("CRM_BAD_VALUE", `modgroup: expected add or remove, not '${action}'${hint(action, ["add", "remove"])}`);
  if (relation !== undefined && ((relation !== "after" && relation !== "before") || other === undefined)) {
    throw new CrmError("CRM_SYNTAX", "modgroup: expected 'after RSC' or 'before RSC'");
  }
  return addMember(configuration, { group, id: member, warn }, relation === undefined ? null : { relation, other: other ?? "" });
}

function removeMember(configuration: Element, group: CrmObject, member: string, extra: string | undefined): Element {
  if (extra !== undefined) throw new CrmError("CRM_SYNTAX", `modgroup: expected nothing after '${member}'`);
  const members = membersOf(group.element).map(idOf);
  if (!members.includes(member)) {
    throw new CrmError("CRM_UNKNOWN_OBJECT", `modgroup: '${member}' is not in group ${group.id}${hint(member, members.map(String))}`);
  }
  if (members.length === 1) {
    throw new CrmError("CRM_REFUSED", `modgroup: '${member}' is the only member of group ${group.id}; delete the group instead`);
  }
  return freeMembers(configuration, group, new Set([member]));
}

type Joining = { readonly group: CrmObject; readonly id: string; readonly warn: (message: string) => void };
type Neighbour = { readonly relation: string; readonly other: string };

/** Constraints on the resource stay as they are, as in crmsh; `verify` advises to name the group instead. */
function addMember(configuration: Element, { group, id, warn }: Joining, place: Neighbour | null): Element {
  const member = findObject(configuration, id);
  if (member === undefined) {
    warn(`modgroup: there is no object '${id}'; group ${group.id} stays as it is`);
    return configuration;
  }
  if (member.type !== "primitive") throw new CrmError("CRM_BAD_VALUE", `modgroup: '${id}' is no primitive`);
  if (member.parent !== null) throw new CrmError("CRM_ALREADY_CONTAINED", `modgroup: '${id}' is already in ${member.parent.id}`);
  const others = group.element.children;
  const at =
    place === null ? others.length : others.findIndex((child) => idOf(child) === place.other && membersOf(group.element).includes(child));
  if (at < 0) throw new CrmError("CRM_UNKNOWN_OBJECT", `modgroup: '${place?.other}' is not in group ${group.id}`);
  const index = place?.relation === "after" ? at + 1 : at;
  const removed = replaceElement(configuration, member.element, []);
  const grown = withChildren(group.element, [...others.slice(0, index), member.element, ...others.slice(index)]);
  return replaceElement(removed, group.element, [grown]);
}

/** `monitor RSC[:ROLE] INTERVAL[:TIMEOUT]`: values are kept as typed. */
export function addMonitor(configuration: Element, words: readonly string[]): Element {
  const [target, times, ...rest] = words;
  if (target === undefined || times === undefined || rest.length > 0) {
    throw new CrmError("CRM_SYNTAX", "monitor: expected RSC[:ROLE] INTERVAL[:TIMEOUT]");
  }
  const [id = "", roleWord, ...moreRoles] = target.split(":");
  const [interval = "", timeout, ...moreTimes] = times.split(":");
  const role = roleWord === undefined ? undefined : readRole(roleWord, { spelling: "modern", nodes: () => [], warn: () => {} });
  if (role === null || moreRoles.length > 0) throw new CrmError("CRM_BAD_VALUE", `monitor: '${target}' does not end in a role`);
  if (moreTimes.length > 0) throw new CrmError("CRM_SYNTAX", "monitor: expected INTERVAL[:TIMEOUT]");
  for (const time of timeout === undefined ? [interval] : [interval, timeout]) {
    if (!isDuration(time)) throw new CrmError("CRM_BAD_VALUE", `monitor: '${time}' is no duration; expected one such as 10s`);
  }
  const object = requireObject(configuration, id, "monitor");
  if (object.type !== "primitive") throw new CrmError("CRM_BAD_VALUE", `monitor: '${id}' is no primitive`);
  const op = element("op", {
    name: "monitor",
    ...(role === undefined ? {} : { role }),
    interval,
    ...(timeout === undefined ? {} : { timeout }),
  });
  return replaceElement(configuration, object.element, [withOperation(configuration, object, op)]);
}

/** `10` and `10s` are one interval. */
function sameTime(a: Element, b: Element): boolean {
  const [one, two] = [attributeOf(a, "interval") ?? "", attributeOf(b, "interval") ?? ""];
  return one === two || (durationMs(one) !== null && durationMs(one) === durationMs(two));
}

function withOperation(configuration: Element, object: CrmObject, op: Element): Element {
  const holders = childrenOf(object.element, "operations");
  const same = holders
    .flatMap((holder) => holder.children)
    .some((each) => attributeOf(each, "name") === attributeOf(op, "name") && sameTime(each, op));
  if (same) {
    // Whatever the roles are: of two recurring monitors with one interval only one would run.
    throw new CrmError("CRM_DUPLICATE_ID", `monitor: ${object.id} already has a monitor with interval ${attributeOf(op, "interval")}`);
  }
  const holder = holders[0];
  if (holder !== undefined && attributeOf(holder, "id-ref") !== undefined) {
    throw new CrmError(
      "CRM_REFUSED",
      `monitor: ${object.id} uses the operations of another resource (${attributeOf(holder, "id-ref")}); add the monitor there`,
    );
  }
  // The id is built from the resource even where the operations have an id of their own, as crmsh does here.
  const id = new IdPool(definedIds(configuration)).draw(`${object.id}-monitor-${attributeOf(op, "interval")}`);
  const named = withAttributes(op, { id });
  if (holder === undefined) return withChildren(object.element, [...object.element.children, element("operations", {}, [named])]);
  return withChildren(
    object.element,
    object.element.children.map((child) => (child === holder ? withChildren(holder, [...holder.children, named]) : child)),
  );
}

/** `set ID.[OP.[INTERVAL.]]ATTR VALUE`: changes an attribute that is there; operations can also be given one. */
export function setAttribute(configuration: Element, path: string, value: string): Element {
  const parts = path.split(".");
  for (let length = parts.length - 1; length >= 1; length -= 1) {
    const object = findObject(configuration, parts.slice(0, length).join("."));
    if (object !== undefined) return setInside(configuration, object, parts.slice(length), value);
  }
  requireObject(configuration, parts[0] ?? "", "set");
  throw new CrmError("CRM_SYNTAX", "set: expected ID.ATTRIBUTE, ID.OPERATION.ATTRIBUTE or ID.OPERATION.INTERVAL.ATTRIBUTE");
}

function setInside(configuration: Element, object: CrmObject, path: readonly string[], value: string): Element {
  const name = path.at(-1) ?? "";
  if (path.length === 1 || isPairName(object, path.join("."))) return setPair(configuration, object, path.join("."), value);
  const [operation, interval] = path.length === 2 ? [path[0], undefined] : [path[0], path.slice(1, -1).join(".")];
  const operations = childrenOf(object.element, "operations").flatMap((holder) => childrenOf(holder, "op"));
  const found = operations.filter(
    (op) => attributeOf(op, "name") === operation && (interval === undefined || attributeOf(op, "interval") === interval),
  );
  const [op, ...more] = found;
  if (op === undefined) {
    throw new CrmError("CRM_UNKNOWN_OBJECT", `set: ${object.id} has no operation '${path.slice(0, -1).join(" ")}'`);
  }
  if (more.length > 0)
    throw new CrmError("CRM_AMBIGUOUS", `set: ${object.id} has several '${operation}' operations; name the interval too`);
  return setOperation(configuration, object, op, name, value);
}

function isPairName(object: CrmObject, name: string): boolean {
  return [...walk(object.element)].some((each) => each.name === "nvpair" && attributeOf(each, "name") === name);
}

function setOperation(configuration: Element, object: CrmObject, op: Element, name: string, value: string): Element {
  const pair = [...walk(op)].find((each) => each.name === "nvpair" && attributeOf(each, "name") === name);
  if (pair !== undefined) return replaceElement(configuration, pair, [withAttributes(pair, { value })]);
  if (!OPERATION_ATTRIBUTES.includes(name) || name === "id") {
    throw new CrmError("CRM_UNKNOWN_OBJECT", `set: the operation has no attribute '${name}'${hint(name, OPERATION_ATTRIBUTES)}`);
  }
  const changed = withAttributes(op, { [name]: value });
  const holder = childrenOf(object.element, "operations").find((each) => each.children.includes(op));
  if (holder === undefined || name !== "interval") return replaceElement(configuration, op, [changed]);
  const owner = idOf(holder) ?? object.id;
  const before = withChildren(holder, [op]);
  const generated = idOf(stripGeneratedIds(before, owner).children[0] ?? op) === undefined;
  if (!generated) return replaceElement(configuration, op, [changed]);
  const stripped = stripGeneratedIds(before, owner).children[0] ?? op;
  const renewed = completeIds(
    withChildren(holder, [withAttributes(stripped, { interval: value })]),
    owner,
    new IdPool(definedIds(configuration, op)),
  );
  return replaceElement(configuration, op, renewed.children);
}

function setPair(configuration: Element, object: CrmObject, name: string, value: string): Element {
  const sets = object.element.children.filter(isAttributeSet);
  const holders = isAttributeSet(object.element) ? [object.element] : sets;
  const [pair, ...more] = holders
    .flatMap((set) => set.children)
    .filter((child) => child.name === "nvpair" && attributeOf(child, "name") === name);
  if (more.length > 0) throw new CrmError("CRM_AMBIGUOUS", `set: ${object.id} has several attributes '${name}'; use edit`);
  if (pair !== undefined) return replaceElement(configuration, pair, [withAttributes(pair, { value })]);
  const names = holders.flatMap((set) => set.children.map((child) => attributeOf(child, "name") ?? ""));
  throw new CrmError("CRM_UNKNOWN_OBJECT", `set: ${object.id} has no attribute '${name}'${hint(name, names)}`);
}
