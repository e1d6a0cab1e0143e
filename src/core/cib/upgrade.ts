import { attributeOf, childOf, childrenOf, type Element, element, idOf, withAttributes, withChildren } from "./element.ts";
import { upgradeConstraints } from "./upgrade-constraints.ts";

/** Major version of the schema that needs no upgrade. */
const CURRENT_MAJOR = 4;

/** Schema assumed where none is named: the newest whose forms still need rewriting, which is harmless to current ones. */
const ASSUMED_MAJOR = 3;

/**
 * Rewrites a configuration of an older schema (Pacemaker 1.x to 3.x) to the current forms; status is left alone. A
 * configuration that is current already is returned as it is. Meaning is kept, not ids: added elements get ids derived
 * from the ones they stand next to. What has no meaning any more is dropped (Pacemaker schema upgrade notes).
 */
export function upgradeCib(cib: Element): Element {
  const major = schemaMajor(attributeOf(cib, "validate-with"));
  const configuration = childOf(cib, "configuration");
  if (major >= CURRENT_MAJOR || configuration === undefined) return cib;
  let upgraded = configuration;
  if (major < 3) upgraded = fromVersion2(upgraded);
  upgraded = fromVersion3(upgraded);
  if (upgraded === configuration) return cib;
  return withChildren(
    cib,
    cib.children.map((child) => (child === configuration ? upgraded : child)),
  );
}

function schemaMajor(schema: string | undefined): number {
  const match = /^pacemaker-(\d+)/.exec(schema ?? "");
  return match === null ? ASSUMED_MAJOR : Number(match[1]);
}

/** Rewrites every element bottom up; `null` drops it. Unchanged subtrees are shared. */
function rewrite(
  of: Element,
  change: (element: Element, parent: Element | null) => Element | null,
  parent: Element | null = null,
): Element | null {
  let children: Element[] | null = null;
  for (let at = 0; at < of.children.length; at++) {
    const child = of.children[at]!;
    const after = rewrite(child, change, of);
    if (after !== child && children === null) children = of.children.slice(0, at);
    if (children !== null && after !== null) children.push(after);
  }
  return change(children === null ? of : withChildren(of, children), parent);
}

const PROPERTY_RENAMES: Readonly<Record<string, string>> = {
  "crmd-integration-timeout": "join-integration-timeout",
  "crmd-finalization-timeout": "join-finalization-timeout",
  "crmd-transition-delay": "transition-delay",
};
const DROPPED_META: ReadonlySet<string> = new Set(["remove-after-stop", "restart-type", "can_fail", "role_after_failure"]);

/** 2.x to 3.0: names of properties and attributes. */
function fromVersion2(configuration: Element): Element {
  const renamed = rewrite(configuration, (found, parent) => {
    if (found.name === "nvpair" && parent !== null) return pairFrom2(found, parent);
    return found.name === "primitive" || found.name === "template" ? requiresFromOperations(found) : found;
  });
  return renamed ?? configuration;
}

function pairFrom2(pair: Element, block: Element): Element | null {
  const name = attributeOf(pair, "name");
  if (name === undefined) return pair;
  switch (block.name) {
    case "cluster_property_set": {
      const hyphenated = name.replaceAll("_", "-");
      const current = PROPERTY_RENAMES[hyphenated] ?? hyphenated;
      const value = current === "stonith-action" && attributeOf(pair, "value") === "poweroff" ? "off" : undefined;
      const changes = { ...(current === name ? {} : { name: current }), ...(value === undefined ? {} : { value }) };
      return Object.keys(changes).length === 0 ? pair : withAttributes(pair, changes);
    }
    case "meta_attributes":
      if (DROPPED_META.has(name) || name.startsWith("notification-")) return null;
      return name.startsWith("isolation") ? withAttributes(pair, { name: "target-role", value: "Stopped" }) : pair;
    case "instance_attributes": {
      if (name === "pcmk_arg_map") return withAttributes(pair, { name: "pcmk_host_argument" });
      const command = /^pcmk_(.+)_cmd$/.exec(name);
      return command === null ? pair : withAttributes(pair, { name: `pcmk_${command[1]}_action` });
    }
    default:
      return pair;
  }
}

/** `requires` of start and promote becomes the resource's; on other operations it is dropped. */
function requiresFromOperations(resource: Element): Element {
  const operations = childOf(resource, "operations");
  const listed = operations === undefined ? [] : childrenOf(operations, "op");
  if (operations === undefined || !listed.some((op) => attributeOf(op, "requires") !== undefined)) return resource;
  const given = listed.find(
    (op) => ["start", "promote"].includes(attributeOf(op, "name") ?? "") && attributeOf(op, "requires") !== undefined,
  );
  const stripped = withChildren(
    operations,
    operations.children.map((op) => withAttributes(op, { requires: null })),
  );
  const children = resource.children.map((child) => (child === operations ? stripped : child));
  const requires = given === undefined ? undefined : attributeOf(given, "requires");
  if (requires !== undefined) children.push(metaBlock(`${idOf(resource) ?? "resource"}-requires`, [["requires", requires]]));
  return withChildren(resource, children);
}

function metaBlock(id: string, pairs: readonly (readonly [string, string])[], score?: string): Element {
  const attributes = score === undefined ? { id } : { id, score };
  return element(
    "meta_attributes",
    attributes,
    pairs.map(([name, value]) => element("nvpair", { id: `${id}-${name}`, name, value })),
  );
}

const DROPPED_CLASSES: ReadonlySet<string> = new Set(["nagios", "upstart"]);

/** 3.x to 4.0: elements that went. */
function fromVersion3(configuration: Element): Element {
  const ids = new Map<string, Element>();
  const dropped = new Set<string>();
  const changed = rewrite(configuration, (found) => {
    switch (found.name) {
      case "nvpair":
        return pairFrom3(found, configuration, ids);
      case "date_spec":
        return attributeOf(found, "moon") === undefined ? found : withAttributes(found, { moon: null });
      case "fencing-level":
        return Number(attributeOf(found, "index") ?? 1) > 9 ? null : found;
      case "node":
        return attributeOf(found, "type") === "normal" ? withAttributes(found, { type: "member" }) : found;
      case "primitive":
      case "template":
        return DROPPED_CLASSES.has(attributeOf(found, "class") ?? "") ? drop(found, dropped) : found;
      case "bundle":
        return childOf(found, "rkt") === undefined ? found : drop(found, dropped);
      case "group":
      case "clone":
        return found.children.some((child) => child.name === "primitive" || child.name === "group") ? found : drop(found, dropped);
      case "master":
        return cloneFromMaster(found, dropped);
      default:
        return found;
    }
  });
  return upgradeConstraints(movedDefaults(changed ?? configuration), dropped);
}

function drop(resource: Element, dropped: Set<string>): null {
  const id = idOf(resource);
  if (id !== undefined) dropped.add(id);
  return null;
}

function cloneFromMaster(master: Element, dropped: Set<string>): Element | null {
  if (!master.children.some((child) => child.name === "primitive" || child.name === "group")) return drop(master, dropped);
  const block = metaBlock(`${idOf(master) ?? "master"}-promotable`, [["promotable", "true"]], "INFINITY");
  return { ...master, name: "clone", children: [block, ...master.children] };
}

/** Pairs without value go; a named reference becomes a pair of its own. */
function pairFrom3(pair: Element, configuration: Element, ids: Map<string, Element>): Element | null {
  const reference = attributeOf(pair, "id-ref");
  const name = attributeOf(pair, "name");
  if (reference === undefined) {
    if (attributeOf(pair, "value") === undefined) return null;
    return name === "resource-failure-stickiness" ? failureStickiness(pair) : pair;
  }
  if (name === undefined) return pair;
  if (ids.size === 0) indexPairs(configuration, ids);
  const target = ids.get(reference);
  const value = target === undefined ? undefined : attributeOf(target, "value");
  return value === undefined ? null : element("nvpair", { id: `${reference}-${name}`, name, value });
}

function indexPairs(of: Element, ids: Map<string, Element>): void {
  const id = idOf(of);
  if (of.name === "nvpair" && id !== undefined) ids.set(id, of);
  for (const child of of.children) indexPairs(child, ids);
}

function failureStickiness(pair: Element): Element | null {
  return attributeOf(pair, "value") === "-INFINITY" ? withAttributes(pair, { name: "migration-threshold", value: "1" }) : null;
}

const MOVED: Readonly<Record<string, readonly [section: "rsc_defaults" | "op_defaults", name: string]>> = {
  "default-resource-stickiness": ["rsc_defaults", "resource-stickiness"],
  "is-managed-default": ["rsc_defaults", "is-managed"],
  "default-action-timeout": ["op_defaults", "timeout"],
  "default-resource-failure-stickiness": ["rsc_defaults", "migration-threshold"],
};

/** Cluster properties that became defaults of resources and operations. */
function movedDefaults(configuration: Element): Element {
  const options = childOf(configuration, "crm_config");
  const moved = new Map<"rsc_defaults" | "op_defaults", [string, string][]>();
  for (const set of options?.children ?? []) {
    for (const pair of set.children) {
      const name = attributeOf(pair, "name");
      const target = name === undefined || !Object.hasOwn(MOVED, name) ? undefined : MOVED[name];
      const value = attributeOf(pair, "value");
      if (target === undefined || value === undefined) continue;
      if (name === "default-resource-failure-stickiness" && value !== "-INFINITY") continue;
      const list = moved.get(target[0]) ?? [];
      list.push([target[1], name === "default-resource-failure-stickiness" ? "1" : value]);
      moved.set(target[0], list);
    }
  }
  if (moved.size === 0) return configuration;
  let children = [...configuration.children];
  for (const [section, pairs] of moved) {
    const block = metaBlock(`${section}-from-properties`, pairs);
    const existing = children.find((child) => child.name === section);
    // In front, so that what the section says itself wins among equal scores.
    if (existing === undefined) children.push(element(section, {}, [block]));
    else children = children.map((child) => (child === existing ? withChildren(child, [block, ...child.children]) : child));
  }
  return withChildren(configuration, children);
}
