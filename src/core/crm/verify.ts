import { attributeOf, childOf, childrenOf, type Element, idOf, walk } from "../cib/index.ts";
import type { AgentCatalog } from "./agents.ts";
import { checkAgents } from "./check-agents.ts";
import { definedIds } from "./ids.ts";
import { durationMs } from "./names.ts";
import { namedBy } from "./references.ts";
import { checkSchema } from "./schema.ts";
import { HIDDEN_VALUE } from "./secrets.ts";
import { type CrmObject, listObjects, nodeNames, sectionOf } from "./tree.ts";
import { CLUSTER_OPTIONS, hint, metaAttributesOf, ROLES } from "./words.ts";

/** Something `verify` has to say. Errors block a commit, warnings let it pass. */
export type Finding = {
  readonly severity: "error" | "warning";
  /** Stable: what kind of finding it is. */
  readonly code: string;
  /** Id of the object it is about. */
  readonly object: string;
  readonly message: string;
};

export type VerifyOptions = {
  readonly agents: AgentCatalog;
  /**
   * True where a node that falls silent is known to stop by itself (guardian and watchdog), so that a configuration
   * without fencing devices is complete. A plain file knows nothing of that: there it is an error, as in Pacemaker.
   */
  readonly selfFencing: boolean;
};

/** Everything that is wrong or doubtful with a `<configuration>`: shape, references, values, fencing, agents. */
export function verifyConfiguration(configuration: Element, options: VerifyOptions): Finding[] {
  const findings: Finding[] = checkSchema(configuration).map(({ kind, object, message }) => {
    const code = kind === "shape" ? "SCHEMA" : "BAD_VALUE";
    return { severity: "error", code, object, message };
  });
  const objects = listObjects(configuration);
  const add = (severity: "error" | "warning", code: string, object: string, message: string): void => {
    findings.push({ severity, code, object, message });
  };
  checkIds(configuration, add);
  checkReferences(configuration, objects, add);
  checkConstraintPlaces(configuration, objects, add);
  checkBundles(objects, add);
  checkMeta(objects, add);
  checkOperations(objects, add);
  checkOptions(objects, add);
  checkHidden(objects, add);
  checkFencing(configuration, objects, options, add);
  findings.push(...checkAgents(objects, options.agents));
  return findings;
}

type Add = (severity: "error" | "warning", code: string, object: string, message: string) => void;

function checkIds(configuration: Element, add: Add): void {
  const seen = new Set<string>();
  const nodes = new Set((sectionOf(configuration, "nodes")?.children ?? []).map((node) => idOf(node) ?? ""));
  const levels = new Set((sectionOf(configuration, "fencing-topology")?.children ?? []).map((level) => idOf(level) ?? ""));
  for (const id of definedIds(configuration)) {
    // Nodes are named by their own rules, and levels with one id come from other tools; neither confuses anything.
    if (seen.has(id) && !nodes.has(id) && !levels.has(id)) add("error", "DUPLICATE_ID", id, `the id '${id}' is used twice`);
    seen.add(id);
  }
}

function checkReferences(configuration: Element, objects: readonly CrmObject[], add: Add): void {
  // A template stands for the resources that use it; one without users stands for nothing (measured with crm_verify).
  const used = new Set(objects.flatMap((object) => attributeOf(object.element, "template") ?? []));
  const isTarget = ({ section, type, id }: CrmObject): boolean =>
    type === "tag" || (section === "resources" && (type !== "rsc_template" || used.has(id)));
  const targets = new Set(objects.filter(isTarget).map((object) => object.id));
  const roles = new Set(objects.filter((object) => object.type === "role").map((object) => object.id));
  const templates = objects.filter((object) => object.type === "rsc_template").map((object) => object.id);
  const all = new Set(definedIds(configuration));
  for (const object of objects) {
    if (object.section === "constraints") {
      for (const id of new Set(namedBy(object.element))) {
        if (!targets.has(id)) add("error", "MISSING_REFERENCE", object.id, `there is no resource or tag '${id}'${hint(id, targets)}`);
      }
    }
    const template = attributeOf(object.element, "template");
    if (template !== undefined && !templates.includes(template)) {
      add("error", "MISSING_REFERENCE", object.id, `there is no template '${template}'${hint(template, templates)}`);
    }
    if (object.type === "acl_target" || object.type === "acl_group") {
      for (const role of childrenOf(object.element, "role")) {
        const id = idOf(role) ?? "";
        if (!roles.has(id)) add("error", "MISSING_REFERENCE", object.id, `there is no role '${id}'${hint(id, roles)}`);
      }
    }
    for (const each of shallowWalk(object.element)) {
      const reference = attributeOf(each, "id-ref");
      if (reference !== undefined && !all.has(reference))
        add("error", "MISSING_REFERENCE", object.id, `there is nothing with the id '${reference}'`);
      const permission = each.name === "acl_permission" ? attributeOf(each, "reference") : undefined;
      if (permission !== undefined && !all.has(permission))
        add("error", "MISSING_REFERENCE", object.id, `there is nothing with the id '${permission}'`);
    }
  }
}

/** The elements of one object, without the resources inside it. */
function* shallowWalk(of: Element): Iterable<Element> {
  yield of;
  for (const child of of.children) {
    if (child.name !== "primitive" && child.name !== "group") yield* shallowWalk(child);
  }
}

function checkConstraintPlaces(configuration: Element, objects: readonly CrmObject[], add: Add): void {
  const nodes = new Set([...nodeNames(configuration), ...remoteNodes(objects)]);
  const byId = new Map(objects.map((object) => [object.id, object]));
  for (const object of objects) {
    if (object.section !== "constraints") continue;
    const node = attributeOf(object.element, "node");
    if (node !== undefined && !nodes.has(node)) add("warning", "UNKNOWN_NODE", object.id, `there is no node '${node}'${hint(node, nodes)}`);
    for (const id of new Set(namedBy(object.element))) {
      const parent = byId.get(id)?.parent ?? null;
      const top = outermost(parent);
      if (parent === null || top === null) continue;
      // Instances have no name of their own: the policy engine ignores such a constraint (measured with crm_verify).
      const isIgnored = top.type !== "group";
      const advice = isIgnored ? `the constraint would be ignored; name ${top.id} instead` : `name ${parent.id} instead`;
      add(isIgnored ? "error" : "warning", "CONSTRAINT_ON_MEMBER", object.id, `'${id}' is in ${parent.type} ${parent.id}; ${advice}`);
    }
  }
}

function outermost(container: CrmObject | null): CrmObject | null {
  return container === null || container.parent === null ? container : outermost(container.parent);
}

/** The node that stands for a bundle needs an address or a port to be reached at (Pacemaker Explained: Bundles). */
function checkBundles(objects: readonly CrmObject[], add: Add): void {
  for (const { type, id, element } of objects) {
    if (type !== "bundle" || childOf(element, "primitive") === undefined) continue;
    const network = childOf(element, "network");
    const isReachable = ["ip-range-start", "control-port"].some(
      (name) => network !== undefined && attributeOf(network, name) !== undefined,
    );
    if (!isReachable) {
      const message = "the primitive in it cannot be controlled without network ip-range-start= or control-port=";
      add("error", "BUNDLE_UNREACHABLE", id, message);
    }
  }
}

/** Guest nodes and remote nodes are nodes without an element of their own. */
function remoteNodes(objects: readonly CrmObject[]): string[] {
  return objects.flatMap((object) => {
    const remote = [...walk(object.element)].filter((each) => each.name === "nvpair" && attributeOf(each, "name") === "remote-node");
    const own = attributeOf(object.element, "type") === "remote" ? [object.id] : [];
    return [...own, ...remote.map((each) => attributeOf(each, "value") ?? "")];
  });
}

/** Meta attributes with a closed list of values; what else is said is complained of by the policy engine (measured with crm_verify). */
const META_VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ["multiple-active", ["stop_start", "stop_only", "block", "stop_unexpected"]],
  ["requires", ["nothing", "quorum", "fencing", "unfencing"]],
]);

/** Roles of promotable clones only; elsewhere the policy engine ignores them with an error (measured with crm_verify). */
const PROMOTABLE_ROLES = ["promoted", "unpromoted", "master", "slave"];

/** Older tools wrote this for "as if it were not set". */
const DEFAULT_ROLE = "#default";

function checkMeta(objects: readonly CrmObject[], add: Add): void {
  for (const object of objects) {
    if (object.section !== "resources" && object.type !== "rsc_defaults") continue;
    const sets = object.type === "rsc_defaults" ? [object.element] : childrenOf(object.element, "meta_attributes");
    const known = metaAttributesOf(object.type === "rsc_defaults" ? "clone" : object.element.name);
    for (const pair of sets.flatMap((set) => childrenOf(set, "nvpair"))) {
      const name = attributeOf(pair, "name");
      const value = attributeOf(pair, "value") ?? "";
      if (name === "target-role" && !ROLES.has(value.toLowerCase()) && value !== DEFAULT_ROLE) {
        add(
          "error",
          "BAD_VALUE",
          object.id,
          `target-role=${value}: expected ${[...ROLES.values()].join(", ")}${hint(value, ROLES.values())}`,
        );
      } else if (name === "target-role" && PROMOTABLE_ROLES.includes(value.toLowerCase()) && !canPromote(object)) {
        add("error", "BAD_VALUE", object.id, `target-role=${value} means something only for promotable clones`);
      } else if (name !== undefined && META_VALUES.has(name) && !META_VALUES.get(name)?.includes(value)) {
        const values = META_VALUES.get(name) ?? [];
        add("error", "BAD_VALUE", object.id, `${name}=${value}: expected one of ${values.join(", ")}${hint(value, values)}`);
      } else if (name !== undefined && !known.includes(name) && !cloneMetaInside(object, name)) {
        add("warning", "UNKNOWN_META", object.id, `the meta attribute '${name}' means nothing${hint(name, known)}`);
      }
    }
  }
}

/** Is the object a promotable clone, in one, or the container of one? Defaults and templates may be meant for such. */
function canPromote(object: CrmObject): boolean {
  if (object.type === "rsc_defaults" || object.type === "rsc_template" || object.type === "bundle" || object.type === "ms") return true;
  if (object.parent !== null) return canPromote(object.parent);
  const pairs = childrenOf(object.element, "meta_attributes").flatMap((set) => childrenOf(set, "nvpair"));
  const promotable = pairs.find((pair) => attributeOf(pair, "name") === "promotable");
  return (
    object.type === "clone" &&
    promotable !== undefined &&
    !["false", "no", "off", "0", "n"].includes((attributeOf(promotable, "value") ?? "").toLowerCase())
  );
}

/** A template may be meant for clones; a bundle and the resource in it behave like a clone. */
function cloneMetaInside(object: CrmObject, name: string): boolean {
  const passedOn = object.type === "rsc_template" || object.type === "bundle" || object.parent?.type === "bundle";
  return passedOn && metaAttributesOf("clone").includes(name);
}

function checkOperations(objects: readonly CrmObject[], add: Add): void {
  for (const object of objects) {
    const operations = childrenOf(object.element, "operations").flatMap((holder) => childrenOf(holder, "op"));
    const seen = new Set<string>();
    for (const op of operations) {
      if (attributeOf(op, "name") !== "monitor") continue;
      const typed = attributeOf(op, "interval") ?? "";
      const interval = String(durationMs(typed) ?? typed);
      if (seen.has(interval)) add("warning", "SAME_INTERVAL", object.id, `two monitors share the interval ${typed}; only one of them runs`);
      seen.add(interval);
    }
  }
}

/** What a screen shows in place of a secret, taken back as if it were one: the true value would be lost. */
function checkHidden(objects: readonly CrmObject[], add: Add): void {
  for (const object of objects) {
    for (const each of shallowWalk(object.element)) {
      if (each.name !== "nvpair" || attributeOf(each, "value") !== HIDDEN_VALUE) continue;
      const name = attributeOf(each, "name") ?? "";
      add("error", "BAD_VALUE", object.id, `${name}=${HIDDEN_VALUE} is what a screen shows in place of the value; give the value`);
    }
  }
}

function checkOptions(objects: readonly CrmObject[], add: Add): void {
  for (const object of objects) {
    if (object.type !== "property") continue;
    for (const pair of childrenOf(object.element, "nvpair")) {
      const name = attributeOf(pair, "name") ?? "";
      const value = attributeOf(pair, "value") ?? "";
      const option = CLUSTER_OPTIONS.get(name);
      if (option === undefined)
        add("warning", "UNKNOWN_OPTION", object.id, `the cluster option '${name}' is not known${hint(name, CLUSTER_OPTIONS.keys())}`);
      else if (option.values !== undefined && !option.values.includes(value.toLowerCase())) {
        add("error", "BAD_VALUE", object.id, `${name}=${value}: expected one of ${option.values.join(", ")}${hint(value, option.values)}`);
      }
    }
  }
}

function checkFencing(configuration: Element, objects: readonly CrmObject[], options: VerifyOptions, add: Add): void {
  const enabled = optionValue(configuration, "stonith-enabled") ?? optionValue(configuration, "fencing-enabled") ?? "true";
  const fencing = !["false", "no", "off", "n", "0"].includes(enabled.toLowerCase());
  const devices = new Set(objects.filter((object) => isFencingDevice(object, objects)).map((object) => object.id));
  const others = objects.filter((object) => object.type === "primitive" && !devices.has(object.id));
  if (fencing && !options.selfFencing && devices.size === 0 && others.length > 0) {
    const advice = "add a fencing device, or set stonith-enabled=false";
    add("error", "NO_FENCING", others[0]?.id ?? "", `resources need fencing, and there is no fencing device; ${advice}`);
  }
  for (const object of objects) {
    if (object.type === "rsc_ticket" && attributeOf(object.element, "loss-policy") === "fence" && !fencing) {
      add("error", "TICKET_NEEDS_FENCING", object.id, "loss-policy=fence needs fencing, and stonith-enabled is false");
    }
  }
  for (const object of objects) {
    if (devices.has(object.id) && object.parent !== null && object.parent.type !== "bundle" && canPromote(object.parent)) {
      add(
        "error",
        "PROMOTABLE_DEVICE",
        object.parent.id,
        `the fencing device '${object.id}' has no roles and cannot be in a promotable clone`,
      );
    }
  }
  checkTopology(configuration, devices, add);
}

function checkTopology(configuration: Element, devices: ReadonlySet<string>, add: Add): void {
  const nodes = new Set(nodeNames(configuration));
  const told = new Set<string>();
  const once = (code: string, name: string, message: string): void => {
    if (!told.has(`${code} ${name}`)) add("warning", code, "fencing_topology", message);
    told.add(`${code} ${name}`);
  };
  for (const level of sectionOf(configuration, "fencing-topology")?.children ?? []) {
    const target = attributeOf(level, "target");
    if (target !== undefined && !nodes.has(target)) once("UNKNOWN_NODE", target, `there is no node '${target}'${hint(target, nodes)}`);
    for (const device of (attributeOf(level, "devices") ?? "").split(",")) {
      if (!devices.has(device)) once("NOT_A_DEVICE", device, `'${device}' is no fencing device${hint(device, devices)}`);
    }
  }
}

function isFencingDevice(object: CrmObject, objects: readonly CrmObject[]): boolean {
  if (object.type !== "primitive") return false;
  const template = attributeOf(object.element, "template");
  const agent = template === undefined ? object : objects.find((each) => each.type === "rsc_template" && each.id === template);
  return agent !== undefined && attributeOf(agent.element, "class") === "stonith";
}

/** The set's score; another word than a number or infinity counts as none. */
function scoreOf(set: Element): number {
  const score = attributeOf(set, "score") ?? "0";
  return /^-?inf/i.test(score) ? (score.startsWith("-") ? -1_000_000 : 1_000_000) : Number(score) || 0;
}

/** The value of a cluster option, from the set with the highest score among those without a rule; undefined when it is not set. */
export function optionValue(configuration: Element, name: string): string | undefined {
  const holder = childOf(configuration, "crm_config");
  const sets = holder === undefined ? [] : childrenOf(holder, "cluster_property_set");
  // The set every tool writes to comes first, whatever the scores say (Pacemaker Explained: cluster options).
  const rank = (set: Element): number => (idOf(set) === "cib-bootstrap-options" ? Number.POSITIVE_INFINITY : scoreOf(set));
  const plain = sets.filter((set) => childOf(set, "rule") === undefined).sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
  for (const set of plain) {
    for (const pair of childrenOf(set, "nvpair")) if (attributeOf(pair, "name") === name) return attributeOf(pair, "value");
  }
  return undefined;
}
