import { addScores, type Score } from "../../base/index.ts";
import { attributeOf, childOf, type Element, idOf } from "../../cib/index.ts";
import type { Model } from "../model.ts";
import type { Location } from "../model-constraints.ts";
import type { PolicyNode } from "../model-node.ts";
import { currentNodeOf } from "../model-queries.ts";
import type { Resource } from "../model-resource.ts";
import { DISCOVERY, type Discovery, ROLE, type Role } from "../model-values.ts";
import { evaluateRule, nodeByName, parametersOf, parseRole, parseScore, type RuleContext, substitute } from "../unpack/index.ts";
import { knownFrom, listed, type MemberList, type References, setsOf } from "./references.ts";

/** What a set or the constraint says in general. */
type Frame = { readonly id: string; readonly role: Role; readonly score: string | undefined; readonly discovery: Discovery | null };

/** Reads one `rsc_location` (assignment.md 4.16–4.18). */
export function readLocation(model: Model, constraint: Element, references: References): void {
  const frame: Frame = {
    id: idOf(constraint) ?? "",
    role: locationRole(attributeOf(constraint, "role")),
    score: attributeOf(constraint, "score"),
    discovery: discoveryOf(attributeOf(constraint, "resource-discovery")),
  };
  const pattern = attributeOf(constraint, "rsc-pattern");
  if (pattern !== undefined) {
    readPattern(model, constraint, frame, pattern);
    return;
  }
  const sets = setsOf(model, constraint);
  if (sets.length > 0) {
    for (const set of sets) {
      const role = attributeOf(set, "role");
      const inSet = {
        ...frame,
        role: role === undefined ? frame.role : locationRole(role),
        score: attributeOf(set, "score") ?? frame.score,
      };
      if (!addLocations(model, constraint, inSet, references.members(set))) return;
    }
    return;
  }
  addLocations(model, constraint, frame, listed(references.find(attributeOf(constraint, "rsc"))));
}

/** No role, Started and Unpromoted all mean "any" (4.18). */
function locationRole(text: string | undefined): Role {
  const role = parseRole(text);
  return role === ROLE.promoted || role === ROLE.stopped ? role : ROLE.unknown;
}

function discoveryOf(text: string | undefined): Discovery | null {
  switch (text?.toLowerCase()) {
    case "never":
      return DISCOVERY.never;
    case "exclusive":
      return DISCOVERY.exclusive;
    case "always":
      return DISCOVERY.always;
    default:
      return null;
  }
}

function readPattern(model: Model, constraint: Element, frame: Frame, pattern: string): void {
  const inverted = pattern.startsWith("!");
  let expression: RegExp;
  try {
    expression = new RegExp(inverted ? pattern.slice(1) : pattern);
  } catch {
    model.warnings.push(`location constraint ${frame.id} has the invalid rsc-pattern ${pattern}`);
    return;
  }
  for (const resource of model.resources) {
    const match = expression.exec(resource.id);
    if ((match !== null) === inverted) continue;
    addLocation(model, constraint, frame, resource, match === null ? undefined : [...match]);
  }
}

/** False at a member that names no resource: there the constraint ends, further sets included. */
function addLocations(model: Model, constraint: Element, frame: Frame, members: MemberList): boolean {
  for (const resource of knownFrom(members)) addLocation(model, constraint, frame, resource);
  if (!members.includes(null)) return true;
  model.warnings.push(`location constraint ${frame.id} names an unknown resource`);
  return false;
}

function addLocation(
  model: Model,
  constraint: Element,
  frame: Frame,
  resource: Resource,
  submatches?: readonly (string | undefined)[],
): void {
  const rule = childOf(constraint, "rule");
  let role = frame.role;
  let pairs: Location["pairs"];
  if (rule === undefined) {
    const node = nodeByName(model, attributeOf(constraint, "node") ?? "");
    if (node === undefined) return;
    pairs = [{ node, score: parseScore(frame.score, model.options) ?? 0 }];
  } else {
    const ruleRole = attributeOf(rule, "role");
    if (ruleRole !== undefined) role = locationRole(ruleRole);
    pairs = rulePairs(model, rule, resource, submatches);
  }
  const location: Location = { id: frame.id, resource, role, pairs, discovery: frame.discovery, health: false };
  model.locations.push(location);
  resource.locations.push(location);
  // Counts for every constraint, also one for a role, which adds nothing to the table.
  if (frame.discovery === DISCOVERY.exclusive) resource.exclusiveDiscovery = true;
}

/** Every node for which the rule passes, with the rule's score or that of an attribute (4.16). */
function rulePairs(model: Model, listed: Element, resource: Resource, submatches?: readonly (string | undefined)[]): Location["pairs"] {
  const referred = attributeOf(listed, "id-ref");
  const rule = referred === undefined ? listed : model.caches.lookup(referred);
  if (rule === undefined) return [];
  let attribute = attributeOf(rule, "score-attribute");
  if (attribute !== undefined && submatches !== undefined) attribute = substitute(attribute, submatches);
  const fixed = parseScore(attributeOf(rule, "score"), model.options) ?? 0;
  // A rule of alternatives begins with a node's base score: so it never lets anything onto the nodes of a bundle.
  const counted = attributeOf(rule, "boolean-op")?.toLowerCase() === "or";
  const pairs: { node: PolicyNode; score: Score }[] = [];
  for (const node of model.nodeList) {
    const context: RuleContext = {
      node: node.attributes,
      agent: null,
      operation: null,
      parameter: (name) => parametersOf(model, resource, node).get(name),
      meta: (name) => resource.meta.get(name),
      submatches,
    };
    if (!evaluateRule(rule, context, model, model.caches.lookup)) continue;
    const score = attribute === undefined ? fixed : parseScore(attributeFor(resource, node, attribute), model.options);
    if (score !== null) pairs.push({ node, score: counted ? addScores(node.baseScore, score) : score });
  }
  return pairs;
}

/** A node attribute as seen for a resource: with `container-attribute-target=host` a guest's is its host's. */
function attributeFor(resource: Resource, node: PolicyNode, name: string): string | undefined {
  const launcher = node.launcher;
  if (!resource.attributesFromHost || launcher === null) return node.attributes.get(name);
  return currentNodeOf(launcher)?.attributes.get(name);
}

/** Node health as location constraints on every top-level resource (assignment.md 4.22–4.25). */
export function addHealthLocations(model: Model): void {
  const { options } = model;
  if (options.healthStrategy === "none") return;
  for (const node of model.nodeList) {
    let health = options.healthBase;
    for (const [name, value] of node.attributes) {
      if (name.startsWith("#health")) health = addScores(health, parseScore(value, options) ?? 0);
    }
    node.health = health;
    if (health === 0) continue;
    for (const resource of model.resources) {
      if (health < 0 && resource.allowUnhealthyNodes) continue;
      const location: Location = {
        id: `health-${node.name}`,
        resource,
        role: ROLE.unknown,
        pairs: [{ node, score: health }],
        discovery: null,
        health: true,
      };
      model.locations.push(location);
      resource.locations.push(location);
    }
  }
}

/** Applies all locations, the last unpacked first (4.19). */
export function applyLocations(model: Model): void {
  for (let at = model.locations.length - 1; at >= 0; at--) {
    const location = model.locations[at]!;
    spread(location, location.resource);
  }
}

/** Spread by kind (4.21). */
function spread(location: Location, resource: Resource): void {
  if (location.role === ROLE.promoted) {
    const target = resource.kind === "bundle" ? (resource.bundle?.innerClone ?? resource) : resource;
    target.promotedLocations.push(location);
    return;
  }
  applyTo(location, resource, false);
  switch (resource.kind) {
    case "primitive":
      return;
    case "group":
      resource.children.forEach((member, position) => {
        applyTo(location, member, position > 0 && resource.collocated);
      });
      return;
    case "clone":
      for (const instance of resource.children) spread(location, instance);
      return;
    default:
      for (const replica of resource.bundle?.replicas ?? []) {
        applyTo(location, replica.container, false);
        if (replica.ip !== null) applyTo(location, replica.ip, false);
      }
  }
}

/** `zero`: entries are created but nothing is added (members of a group but the first). */
function applyTo(location: Location, resource: Resource, zero: boolean): void {
  if (location.role === ROLE.stopped && resource.nextRole !== ROLE.stopped) return;
  const { table } = resource;
  const cause = { kind: location.health ? "health" : "location", id: location.id } as const;
  for (const { node, score } of location.pairs) {
    const value = zero ? 0 : score;
    if (table.has(node.index)) table.add(node.index, value, cause);
    else table.set(node.index, value, cause);
    if (location.discovery !== null && location.discovery > (table.mode(node.index) ?? DISCOVERY.always)) {
      table.setMode(node.index, location.discovery);
    }
  }
  if (location.discovery === DISCOVERY.exclusive) resource.exclusiveDiscovery = true;
}

/** A group's table as a member not its first would have it with the group's locations in full (assignment.md 8.32). */
export function withGroupLocations(group: Resource, member: Resource) {
  const table = member.table.copy();
  for (const location of group.locations) {
    if (location.role === ROLE.promoted) continue;
    for (const { node, score } of location.pairs) {
      if (table.has(node.index)) table.add(node.index, score, { kind: "location", id: location.id });
      else table.set(node.index, score, { kind: "location", id: location.id });
    }
  }
  return table;
}
