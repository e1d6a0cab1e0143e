import { attributeOf, childrenOf, type Element, idOf, walk } from "../../core/cib/index.ts";
import { CLUSTER_OPTIONS, type CrmObject, listObjects, nodeNames, type ObjectType } from "../../core/crm/index.ts";
import { BUNDLE_WORDS, CLONE_HELP, META_HELP, OPERATION_HELP, OPTION_HELP, type PairHelp } from "./complete-words.ts";
import type { Completion } from "./level.ts";

/** What completion knows: the configuration as it is being edited, and what is typed. */
export type Typing = {
  readonly objects: readonly CrmObject[];
  readonly configuration: Element;
  /** Whole words before the one that is typed, the command first. */
  readonly before: readonly string[];
  /** The word that is typed, maybe empty. */
  readonly last: string;
};

export const plain = (words: Iterable<string>): Completion[] => [...words].map((word) => ({ word }));

/** Names with `=`; after the sign what is known of the name, and the values it takes. */
export function pairs(known: readonly PairHelp[], last: string): Completion[] {
  const at = last.indexOf("=");
  if (at < 0) return known.map((each) => ({ word: `${each.name}=`, help: pairHelp(each) }));
  const found = known.find((each) => each.name === last.slice(0, at));
  if (found === undefined) return [];
  return [{ word: `${found.name}=`, help: pairHelp(found) }, ...plain((found.values ?? []).map((value) => `${found.name}=${value}`))];
}

function pairHelp({ name, help, type, fallback, values }: PairHelp): string {
  const otherwise = fallback === undefined || fallback === "" ? "" : `, default ${fallback}`;
  const taken = values === undefined || values.length === 0 ? "" : `, one of ${values.join(" ")}`;
  return `${name} (${type}${otherwise}${taken})${help === "" ? "" : `: ${help}`}`;
}

export function optionPairs(): PairHelp[] {
  return [...CLUSTER_OPTIONS].map(([name, option]) => ({
    name,
    help: OPTION_HELP.get(name) ?? "",
    type: option.values === undefined ? "text" : option.values.includes("true") ? "boolean" : "enum",
    fallback: option.default,
    ...(option.values === undefined ? {} : { values: option.values.includes("true") ? ["true", "false"] : option.values }),
  }));
}

export function idsOf(typing: Typing, ...types: readonly ObjectType[]): string[] {
  return typing.objects.flatMap((object) => (object.type !== null && types.includes(object.type) ? [object.id] : []));
}

export function resourcesOf(typing: Typing): string[] {
  return idsOf(typing, "primitive", "group", "clone", "ms", "bundle");
}

/** Resources that nothing holds yet. */
function free(typing: Typing, ...types: readonly ObjectType[]): string[] {
  return typing.objects.flatMap(({ type, id, parent }) => (type !== null && types.includes(type) && parent === null ? [id] : []));
}

/** `RSC`, and after a colon `RSC:ROLE` or `RSC:ACTION`. */
export function suffixed(names: readonly string[], last: string, suffixes: Iterable<string>): Completion[] {
  const at = last.indexOf(":");
  if (at < 0) return plain(names);
  return plain([...suffixes].map((suffix) => `${last.slice(0, at)}:${suffix}`));
}

const SCORES = ["inf:", "-inf:", "100:"];
/** Role names, the older ones left out. */
export const CURRENT_ROLES = ["Started", "Stopped", "Promoted", "Unpromoted"];
const ACTIONS = ["start", "stop", "promote", "demote"];

/** What may follow in a line that defines an object, the resources themselves left to others. */
export function objectCandidates(type: ObjectType, typing: Typing): Completion[] {
  const { before, last } = typing;
  switch (type) {
    case "node":
      return nodeWords(typing);
    case "group":
    case "clone":
    case "ms":
      return containerWords(type, typing);
    case "bundle":
      return bundleWords(typing);
    case "location":
      return locationWords(typing);
    case "colocation":
      if (before.length === 1) return [];
      if (before.length === 2) return plain(SCORES);
      return last.startsWith("node-attribute=")
        ? []
        : [...suffixed(resourcesOf(typing), last, CURRENT_ROLES), ...plain(["node-attribute="])];
    case "order":
      return orderWords(typing);
    case "rsc_ticket":
      return ticketWords(typing);
    case "fencing_topology":
      return plain([...nodeNames(typing.configuration).map((name) => `${name}:`), "attr:", "pattern:", ...devicesOf(typing)]);
    case "property":
      return pairs(optionPairs(), last);
    case "rsc_defaults":
      return [...pairs([...META_HELP, ...CLONE_HELP], last), ...ruleWords(typing)];
    case "op_defaults":
      return [...pairs(OPERATION_HELP, last), ...ruleWords(typing)];
    default:
      return otherWords(type, typing);
  }
}

/** Objects that say who may do what, who is told, and what belongs together. */
function otherWords(type: ObjectType, typing: Typing): Completion[] {
  const { before, last } = typing;
  if (before.length === 1) return [];
  switch (type) {
    case "role":
      if (["read", "write", "deny"].includes(before.at(-1) ?? "")) return targetWords(typing);
      return plain(["read", "write", "deny", "description="]);
    case "acl_target":
    case "acl_group":
      return plain(idsOf(typing, "role"));
    case "alert":
      if (before.at(-1) === "select") return plain(["nodes", "fencing", "resources", "attributes"]);
      return before.length === 2 ? [] : [...plain(["attributes", "meta", "select", "to"]), ...pairs(ALERT_META, last)];
    case "tag":
      return plain(typing.objects.map((object) => object.id));
    default:
      return [];
  }
}

const ALERT_META: readonly PairHelp[] = [
  { name: "timeout", help: "how long the program may take", type: "duration", fallback: "30s" },
  { name: "timestamp-format", help: "as date(1) takes it", type: "text", fallback: "%H:%M:%S.%06N" },
  { name: "enabled", help: "is it told at all", type: "boolean", fallback: "true", values: ["true", "false"] },
];

function targetWords(typing: Typing): Completion[] {
  if (typing.last.startsWith("ref:")) return plain(typing.objects.map((object) => `ref:${object.id}`));
  return plain([
    "xpath:",
    "ref:",
    "type:",
    "meta:",
    "params:",
    "utilization:",
    "location:",
    "property",
    "node",
    "nodeattr",
    "nodeutil",
    "status",
    "cib",
  ]);
}

function nodeWords(typing: Typing): Completion[] {
  if (typing.before.length === 1) return plain(nodeNames(typing.configuration));
  const isSet = typing.before.includes("attributes");
  const own: readonly PairHelp[] = [
    { name: "standby", help: "nothing may run here", type: "boolean", fallback: "off", values: ["on", "off"] },
    { name: "maintenance", help: "what runs here is left alone", type: "boolean", fallback: "false", values: ["true", "false"] },
  ];
  return [...plain(["attributes", "utilization", "description="]), ...(isSet ? pairs(own, typing.last) : [])];
}

function containerWords(type: "group" | "clone" | "ms", typing: Typing): Completion[] {
  const { before, last } = typing;
  if (before.length === 1) return [];
  if (before.includes("meta")) return pairs(type === "group" ? META_HELP : [...CLONE_HELP, ...META_HELP], last);
  if (type === "group") return plain([...free(typing, "primitive").filter((id) => !before.includes(id)), "meta", "params", "description="]);
  return plain(before.length === 2 ? free(typing, "primitive", "group") : ["meta", "params", "description="]);
}

function bundleWords(typing: Typing): Completion[] {
  const { before, last } = typing;
  if (before.length === 1) return [];
  if (before.length === 2) return plain(["docker", "podman"]);
  if (before.at(-1) === "primitive") return plain(free(typing, "primitive"));
  const part = [...before].reverse().find((word) => word === "meta" || BUNDLE_WORDS[word] !== undefined) ?? "";
  const parts = ["network", "port-mapping", "storage", "storage-mapping", "meta", "primitive"];
  if (part === "meta") return [...pairs(META_HELP, last), ...plain(parts)];
  return plain([...(BUNDLE_WORDS[part] ?? []).map((name) => `${name}=`), ...parts]);
}

function locationWords(typing: Typing): Completion[] {
  const { before, last } = typing;
  const previous = before.at(-1) ?? "";
  if (before.length === 1) return [];
  if (before.length === 2) return plain([...resourcesOf(typing), ...idsOf(typing, "tag"), "{", "/"]);
  if (before.includes("rule")) return ruleWords(typing);
  if (previous.endsWith(":")) return plain(nodeNames(typing.configuration));
  if (last.startsWith("role=")) return plain(CURRENT_ROLES.map((role) => `role=${role}`));
  if (last.startsWith("resource-discovery=")) return plain(["always", "never", "exclusive"].map((word) => `resource-discovery=${word}`));
  return plain([...SCORES, "rule", "role=", "resource-discovery="]);
}

const COMPARISONS = ["eq", "ne", "lt", "gt", "lte", "gte"];
const DATE_FIELDS = ["hours", "minutes", "seconds", "monthdays", "weekdays", "yeardays", "months", "weeks", "years", "weekyears"];

/** Expressions of a rule, told by the word before. */
function ruleWords(typing: Typing): Completion[] {
  const { before } = typing;
  if (!before.includes("rule")) return plain(["rule"]);
  const previous = before.at(-1) ?? "";
  const attribute = before.at(-2) ?? "";
  if (previous === "date") return plain(["lt", "gt", "in", "spec"]);
  if (previous === "in" || before.at(-2) === "in") return plain(["start=", "end=", ...DATE_FIELDS.map((field) => `${field}=`)]);
  if (previous === "spec" || before.at(-2) === "spec") return plain(DATE_FIELDS.map((field) => `${field}=`));
  if (COMPARISONS.includes(previous) && attribute === "#uname") return plain(nodeNames(typing.configuration));
  if (COMPARISONS.includes(previous) && attribute === "#kind") return plain(["cluster", "container", "remote"]);
  const isStart = previous === "rule" || previous === "and" || previous === "or" || previous.endsWith(":") || previous.startsWith("$");
  if (!isStart && !COMPARISONS.includes(attribute) && !["defined", "not_defined"].includes(attribute))
    return plain([...COMPARISONS, "and", "or"]);
  if (!isStart) return plain(["and", "or"]);
  const scores = previous === "rule" ? SCORES : [];
  return plain([
    ...scores,
    "#uname",
    "#kind",
    "#site-name",
    ...attributesOfNodes(typing),
    "defined",
    "not_defined",
    "date",
    "$role=",
    "$id=",
  ]);
}

function attributesOfNodes(typing: Typing): string[] {
  const nodes = typing.objects.filter((object) => object.type === "node");
  const names = nodes.flatMap(({ element }) => childrenOf(element, "instance_attributes").flatMap((set) => childrenOf(set, "nvpair")));
  return [...new Set(names.map((each) => attributeOf(each, "name") ?? ""))];
}

function orderWords(typing: Typing): Completion[] {
  const { before, last } = typing;
  if (before.length === 1) return [];
  const kinds = before.length === 2 && !last.includes(":") ? ["Mandatory:", "Optional:", "Serialize:"] : [];
  if (last.startsWith("symmetrical=")) return plain(["symmetrical=true", "symmetrical=false"]);
  return [...plain(kinds), ...suffixed(resourcesOf(typing), last, ACTIONS), ...plain(before.length > 3 ? ["symmetrical="] : [])];
}

function ticketWords(typing: Typing): Completion[] {
  const { before, last } = typing;
  if (before.length === 1) return [];
  if (before.length === 2) {
    const known = typing.objects.flatMap(({ type, element }) =>
      type === "rsc_ticket" ? [`${attributeOf(element, "ticket") ?? ""}:`] : [],
    );
    return plain(new Set(known));
  }
  if (last.startsWith("loss-policy=")) return plain(["stop", "demote", "fence", "freeze"].map((word) => `loss-policy=${word}`));
  return [...suffixed(resourcesOf(typing), last, CURRENT_ROLES), ...plain(["loss-policy="])];
}

function devicesOf(typing: Typing): string[] {
  return typing.objects.flatMap(({ type, id, element }) =>
    type === "primitive" && attributeOf(element, "class") === "stonith" ? [id] : [],
  );
}

/** `ID.` and then every attribute that `set` can change there. */
export function settable(typing: Typing): Completion[] {
  const id = typing.last.split(".")[0] ?? "";
  const object = typing.objects.find((each) => each.id === id);
  if (!typing.last.includes(".") || object === undefined) return plain(typing.objects.map((each) => `${each.id}.`));
  const names = [...walk(object.element)].flatMap((each) => (each.name === "nvpair" ? [`${id}.${attributeOf(each, "name") ?? ""}`] : []));
  const operations = [...walk(object.element)]
    .filter((each) => each.name === "op")
    .flatMap((op) =>
      Object.keys(op.attributes)
        .filter((name) => name !== "id" && name !== "name")
        .map((name) => `${id}.${attributeOf(op, "name") ?? ""}.${name}`),
    );
  return plain(new Set([...names, ...operations]));
}

/** Members of a group. */
export function membersIn(typing: Typing, group: string): string[] {
  return typing.objects.flatMap((object) => (object.parent?.id === group ? [object.id] : []));
}

export function typingOf(configuration: Element, before: readonly string[], last: string): Typing {
  return {
    objects: listObjects(configuration).filter((object) => idOf(object.element) !== undefined || object.type === "fencing_topology"),
    configuration,
    before,
    last,
  };
}
