import { isAgentName } from "../base/index.ts";
import { attributeOf, childrenOf, type Element, idOf } from "../cib/index.ts";
import { type AgentCatalog, type AgentMetadata, type AgentName, formatAgent } from "./agents.ts";
import { durationMs } from "./names.ts";
import { hideSecrets, SECRET_NAMES } from "./secrets.ts";
import type { CrmObject } from "./tree.ts";
import type { Finding } from "./verify.ts";
import { hint } from "./words.ts";

/** Parameters that the cluster itself reads, whatever the agent says. */
const ALWAYS_ALLOWED = /^(pcmk_|CRM_meta_|OCF_|trace_(ra|file|dir)$|stonith-timeout$|priority$|provides$)/;

/** Parameters of fence agents that the cluster fills in at every call, though the agents say that they are required. */
const FILLED_IN_FOR_FENCING: ReadonlySet<string> = new Set(["action", "plug", "port", "nodename"]);
/** Operations of a fencing device that the cluster carries out itself, without its agent. */
const DEVICE_OPERATIONS: ReadonlySet<string> = new Set(["start", "stop", "monitor"]);

/** Agents name their files after the resource, with what they put before and behind; a file's name has 255 bytes (limits.h). */
const RESOURCE_ID_MAX = 200;
/** systemd.unit(5): escapes begin with a backslash. */
const UNIT_NAME = /^[A-Za-z0-9:_.@\\-]+$/;

function isPossible({ class: agentClass, provider, type }: AgentName): boolean {
  if (agentClass === "systemd" || agentClass === "service") return UNIT_NAME.test(type);
  // Plug-ins of the older fencing daemon are written so; whether one is here is another question.
  if (agentClass === "stonith") return isAgentName(type.replace(/^external\//, ""));
  return isAgentName(type) && (provider === null || isAgentName(provider));
}

function impossibleAgent(object: string, agent: AgentName): Finding {
  return { severity: "error", code: "UNKNOWN_AGENT", object, message: `no agent can be called ${formatAgent(agent)}` };
}

function longId(id: string): Finding {
  const message = `the id has ${id.length} characters; agents name their files after it, so it may have ${RESOURCE_ID_MAX}`;
  return { severity: "error", code: "BAD_VALUE", object: `${id.slice(0, 20)}...`, message };
}

/** Holds every primitive and template against what its agent says of itself; what a template leaves out its users may say. */
export function checkAgents(objects: readonly CrmObject[], agents: AgentCatalog): Finding[] {
  const findings: Finding[] = [];
  const unique = new UniqueValues();
  const templates = new Map(objects.filter((object) => object.type === "rsc_template").map((object) => [object.id, object.element]));
  for (const object of objects) {
    if (object.type !== "primitive" && object.type !== "rsc_template") continue;
    const template = templates.get(attributeOf(object.element, "template") ?? "");
    const agent = agentOf(template ?? object.element);
    if (object.id.length > RESOURCE_ID_MAX) findings.push(longId(object.id));
    if (agent === null) continue;
    if (!isPossible(agent)) {
      findings.push(impossibleAgent(object.id, agent));
      continue;
    }
    const answer = agents.describe(agent);
    if (answer.kind === "missing") findings.push(missingAgent(object.id, agent));
    if (answer.kind === "found" && object.type === "primitive") unique.add(object, template ?? null, agent, answer.metadata);
    if (answer.kind === "found")
      checkPrimitive(object, template ?? null, forUse({ ...answer.metadata, name: agent.type }, agent), findings);
  }
  return [...findings, ...unique.findings()];
}

/** Values that only one resource of an agent may have: two with one address or one state file would take it from each other. */
class UniqueValues {
  readonly #holders = new Map<string, { readonly said: string; readonly ids: Set<string> }>();

  /** What a resource says itself is compared with what others say, what a template says only among its users, as in crmsh (measured). */
  add(object: CrmObject, template: Element | null, agent: AgentName, metadata: AgentMetadata): void {
    const groups = new Set(metadata.parameters.flatMap((each) => each.uniqueGroup ?? []));
    if (groups.size === 0) return;
    const own = childrenOf(object.element, "instance_attributes");
    const names = new Set(own.flatMap((set) => childrenOf(set, "nvpair").map((pair) => attributeOf(pair, "name"))));
    for (const set of own) this.#note(object.id, formatAgent(agent), set, metadata, groups, new Set());
    if (template === null) return;
    for (const set of childrenOf(template, "instance_attributes"))
      this.#note(object.id, `@${idOf(template)}`, set, metadata, groups, names);
  }

  #note(
    id: string,
    source: string,
    set: Element,
    metadata: AgentMetadata,
    groups: ReadonlySet<string>,
    overruled: ReadonlySet<string | undefined>,
  ): void {
    const values = new Map(childrenOf(set, "nvpair").map((pair) => [attributeOf(pair, "name"), attributeOf(pair, "value")]));
    for (const group of groups) {
      const names = metadata.parameters.filter((each) => each.uniqueGroup === group && !overruled.has(each.name)).map((each) => each.name);
      const said = names.flatMap((name) => (values.get(name) === undefined ? [] : `${name}=${values.get(name)}`)).join(" ");
      if (said === "") continue;
      const key = JSON.stringify([source, group, said]);
      const holders = this.#holders.get(key) ?? { said, ids: new Set<string>() };
      holders.ids.add(id);
      this.#holders.set(key, holders);
    }
  }

  findings(): Finding[] {
    return [...this.#holders.values()].flatMap(({ said, ids }) => {
      const [first, ...others] = [...ids];
      if (first === undefined || others.length === 0) return [];
      const message = `${hideSecrets(said, SECRET_NAMES).text} is said of ${others.join(", ")} too, and the agent wants it to be unique`;
      return [{ severity: "error" as const, code: "NOT_UNIQUE", object: first, message }];
    });
  }
}

/** What the agent says, as far as it concerns a person who writes a configuration. */
function forUse(metadata: AgentMetadata, agent: AgentName): AgentMetadata {
  if (agent.class !== "stonith") return metadata;
  const parameters = metadata.parameters.map((each) => (FILLED_IN_FOR_FENCING.has(each.name) ? { ...each, required: false } : each));
  const own = [...DEVICE_OPERATIONS].filter((name) => !metadata.operations.some((each) => each.name === name));
  const operations = [...metadata.operations, ...own.map((name) => ({ name, interval: null, timeout: null, role: null }))];
  return { ...metadata, parameters, operations };
}

function agentOf(of: Element): AgentName | null {
  const agentClass = attributeOf(of, "class");
  const type = attributeOf(of, "type");
  return agentClass === undefined || type === undefined ? null : { class: agentClass, provider: attributeOf(of, "provider") ?? null, type };
}

/** Only OCF agents are known to be complete on this machine; others may be installed elsewhere. */
function missingAgent(object: string, agent: AgentName): Finding {
  const severity = agent.class === "ocf" ? "error" : "warning";
  return { severity, code: "UNKNOWN_AGENT", object, message: `there is no agent ${formatAgent(agent)} on this node` };
}

function checkPrimitive(object: CrmObject, template: Element | null, metadata: AgentMetadata, findings: Finding[]): void {
  const add = (severity: "error" | "warning", code: string, message: string): void => {
    findings.push({ severity, code, object: object.id, message });
  };
  const own = childrenOf(object.element, "instance_attributes");
  const sets = [...own, ...(template === null ? [] : childrenOf(template, "instance_attributes"))];
  const namesIn = (some: readonly Element[]): Set<string | undefined> =>
    new Set(some.flatMap((set) => childrenOf(set, "nvpair").map((pair) => attributeOf(pair, "name"))));
  const named = namesIn(sets);
  const borrowed = sets.some(
    (set) => attributeOf(set, "id-ref") !== undefined || set.children.some((pair) => attributeOf(pair, "id-ref") !== undefined),
  );
  const known = metadata.parameters.map((parameter) => parameter.name);
  // What a template says is told once, of the template.
  for (const name of namesIn(own)) {
    if (name !== undefined && !known.includes(name) && !ALWAYS_ALLOWED.test(name)) {
      add("error", "UNKNOWN_PARAMETER", `the agent ${metadata.name} has no parameter '${name}'${hint(name, known)}`);
    }
  }
  for (const parameter of object.type === "primitive" ? metadata.parameters : []) {
    if (parameter.required && !named.has(parameter.name) && !borrowed) {
      add("error", "MISSING_PARAMETER", `the agent ${metadata.name} needs the parameter '${parameter.name}'`);
    }
  }
  for (const op of childrenOf(object.element, "operations").flatMap((holder) => childrenOf(holder, "op"))) {
    checkOperation(op, metadata, add);
  }
}

type Add = (severity: "error" | "warning", code: string, message: string) => void;

function checkOperation(op: Element, metadata: AgentMetadata, add: Add): void {
  const name = attributeOf(op, "name") ?? "";
  const names = [...new Set(metadata.operations.map((each) => each.name))];
  if (names.length === 0) return;
  if (!names.includes(name)) {
    add("error", "UNKNOWN_OPERATION", `the agent ${metadata.name} has no operation '${name}'${hint(name, names)}`);
    return;
  }
  const role = attributeOf(op, "role");
  const advised = metadata.operations.filter((each) => each.name === name);
  const advice = advised.find((each) => each.role === (role ?? null)) ?? advised[0];
  if (advice === undefined) return;
  const pairs = [
    ["timeout", advice.timeout],
    ["interval", name === "monitor" ? advice.interval : null],
  ] as const;
  for (const [attribute, advisedValue] of pairs) {
    const value = attributeOf(op, attribute);
    const given = value === undefined ? null : durationMs(value);
    const wanted = advisedValue === null ? null : durationMs(advisedValue);
    if (given !== null && wanted !== null && given < wanted && !(attribute === "interval" && given === 0)) {
      add("warning", "BELOW_ADVICE", `${name} ${attribute}=${value} is shorter than the ${advisedValue} the agent advises`);
    }
  }
}
