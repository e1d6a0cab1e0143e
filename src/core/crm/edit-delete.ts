import { attributeOf, type Element, idOf, withChildren } from "../cib/index.ts";
import { CrmError } from "./errors.ts";
import { dropFromConstraints, dropFromTags, redirectPairs } from "./references.ts";
import { addToSection, type CrmObject, findObject, listObjects, membersOf, replaceElement, withSection } from "./tree.ts";
import { CONTAINER_ELEMENTS, hint } from "./words.ts";

/**
 * Deletes objects and what cannot be without them: the last member takes its container along, constraints that name the
 * object go, sets and tags lose it. A container deleted alone frees what it held: plain constraints then name the
 * first of these, sets lose the container, as in crmsh (measured). Constraints that name a tag stay, because they may mean what is tagged next. All ids are checked before anything is deleted; those that an earlier deletion took along are skipped.
 */
export function deleteObjects(configuration: Element, ids: readonly string[]): Element {
  if (ids.length === 0) throw new CrmError("CRM_SYNTAX", "delete: expected the id of an object");
  const known = listObjects(configuration);
  for (const id of ids) {
    if (findObject(configuration, id) === undefined) {
      const names = known.map((object) => object.id);
      throw new CrmError("CRM_UNKNOWN_OBJECT", `delete: there is no object '${id}'${hint(id, names)}`);
    }
  }
  let result = configuration;
  for (const id of ids) {
    const object = findObject(result, id);
    if (object !== undefined) result = deleteOne(result, object);
  }
  return result;
}

function deleteOne(configuration: Element, object: CrmObject): Element {
  if (object.type === "fencing_topology") return withSection(configuration, "fencing-topology", []);
  if (object.type === "tag") return dropFromTags(replaceElement(configuration, object.element, []), object.id);
  if (object.type === "rsc_template") return removeWithUsers(configuration, object);
  if (object.type !== null && CONTAINER_ELEMENTS.has(object.element.name)) return dissolve(configuration, object);
  return removeWithContainers(configuration, object);
}

/** A primitive made from a template is nothing without it and goes along. */
function removeWithUsers(configuration: Element, template: CrmObject): Element {
  const users = listObjects(configuration).filter((each) => attributeOf(each.element, "template") === template.id);
  const without = users.reduce((result, user) => {
    const found = findObject(result, user.id);
    return found === undefined ? result : removeWithContainers(result, found);
  }, configuration);
  return removeWithContainers(without, findObject(without, template.id) ?? template);
}

function dropEverywhere(configuration: Element, id: string): Element {
  return dropFromTags(dropFromConstraints(configuration, id), id);
}

/** Removes the object; a group left empty, or the clone or bundle around it, is removed too. */
function removeWithContainers(configuration: Element, object: CrmObject): Element {
  const removed = dropEverywhere(replaceElement(configuration, object.element, []), object.id);
  const parent = object.parent;
  if (parent === null) return removed;
  const left = findObject(removed, parent.id);
  if (left === undefined || membersOf(left.element).length > 0) return removed;
  return removeWithContainers(removed, left);
}

function dissolve(configuration: Element, object: CrmObject): Element {
  if (object.parent !== null) {
    const outer = dissolve(configuration, object.parent);
    const inner = findObject(outer, object.id);
    return inner === undefined ? outer : dissolve(outer, inner);
  }
  const members = membersOf(object.element);
  const first = members[0] === undefined ? undefined : idOf(members[0]);
  let result = replaceElement(configuration, object.element, members);
  if (first !== undefined) result = redirectPairs(result, object.id, first);
  return dropEverywhere(result, object.id);
}

/** Takes resources out of their containers to the top level, keeping them; containers left empty are removed. */
export function freeMembers(configuration: Element, container: CrmObject, ids: ReadonlySet<string>): Element {
  const leaving = membersOf(container.element).filter((member) => ids.has(idOf(member) ?? ""));
  if (leaving.length === 0) return configuration;
  const rest = withChildren(
    container.element,
    container.element.children.filter((child) => !leaving.includes(child)),
  );
  return addToSection(replaceElement(configuration, container.element, [rest]), "resources", leaving);
}
