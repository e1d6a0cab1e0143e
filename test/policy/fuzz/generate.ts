import { attributeOf, type Element, element } from "../../../src/core/cib/index.ts";
import { makeConstraints } from "./constraints.ts";
import { Draw, NOW_SEC } from "./draw.ts";
import { withExtras } from "./extras.ts";
import { historyOf, type Presence } from "./history.ts";
import { leaned } from "./lean.ts";
import {
  type MadePrimitive,
  type MadeResource,
  makeClone,
  makeFence,
  makeGroup,
  makeGuest,
  makePrimitive,
  makeRemote,
  type Surroundings,
} from "./resources.ts";
import { isJoining, settled } from "./settle.ts";
import { tamed } from "./tame.ts";
import { thinned } from "./thin.ts";
import { all } from "./tree.ts";

/** A generated CIB and the features it shows. */
export type Generated = { readonly seed: number; readonly cib: Element; readonly tags: readonly string[] };

/** Seeds of the draws that thin out are far from those of CIBs. */
const THINNING = 1_000_000_007;
const TAMING = 2_000_000_011;
const SETTLING = 3_000_000_019;
const LEANING = 5_000_000_029;
const RESTING = 4_000_000_007;
/** Percentage of clusters drawn at rest, the state in which they spend their lives: other draws seldom come to it. */
const AT_REST = 2.5;

/** Draws one valid CIB; the seed says everything. */
export function generateCib(seed: number): Generated {
  const draw = new Draw(seed);
  const resting = new Draw(seed + RESTING);
  if (resting.chance(AT_REST)) return atRest(seed, resting);
  const tags = new Set<string>();
  const nodes = Array.from({ length: draw.between(2, 5) }, (_, at) => `node${at + 1}`);
  const options = optionsOf(draw, tags);
  const surroundings: Surroundings = { utilization: options["placement-strategy"] !== undefined, tags, template: null };
  const resources = resourcesOf(draw, surroundings, nodes.length, options["stonith-enabled"] === "true");
  const plain = resources.filter((resource) => !isFence(resource));
  const allNodes = [...nodes, ...resources.flatMap((resource) => (resource.node === null ? [] : [resource.node.name]))];
  const drawn = makeConstraints(draw, plain.length > 0 ? plain : resources, allNodes, tags);
  const constraints = thinned(drawn, resources, new Draw(seed + THINNING), tags);
  const sections = [
    element("crm_config", {}, [withId("cib-bootstrap-options", draw.block("cluster_property_set", options))]),
    element(
      "nodes",
      {},
      nodes.map((name, at) => nodeEntry(draw, name, at, surroundings)),
    ),
    element(
      "resources",
      {},
      resources.map((resource) => resource.xml),
    ),
    element("constraints", {}, constraints),
  ];
  if (draw.chance(25))
    sections.push(element("rsc_defaults", {}, [draw.block("meta_attributes", { "resource-stickiness": draw.pick(["1", "100"]) })]));
  if (draw.chance(15)) sections.push(element("op_defaults", {}, [draw.block("meta_attributes", { timeout: "45s" })]));
  const status = statusOf(draw, nodes, resources, tags);
  const cib = cibOf(draw.chance(90), sections, status);
  const likely = settled(tamed(withExtras(seed, cib), new Draw(seed + TAMING)), new Draw(seed + SETTLING));
  const made = leaned(likely, new Draw(seed + LEANING));
  // Tags of what has been taken back again.
  if (!all(made, "node_state").some(isJoining)) tags.delete("pending");
  if (!all(made, "node").some((node) => all(node, "nvpair").some((pair) => attributeOf(pair, "name") === "maintenance")))
    tags.delete("node-maintenance");
  return { seed, cib: made, tags: [...tags].sort() };
}

function cibOf(quorate: boolean, sections: readonly Element[], status: Element): Element {
  const attributes = {
    "validate-with": "pacemaker-3.7",
    epoch: "1",
    num_updates: "1",
    admin_epoch: "0",
    "have-quorum": quorate ? "1" : "0",
    "dc-uuid": "1",
    crm_feature_set: "3.15.0",
    "execution-date": String(NOW_SEC),
  };
  return element("cib", attributes, [element("configuration", {}, sections), status]);
}

/** A cluster in which everything is where it stays. What has been configured may still ask for something. */
function atRest(seed: number, draw: Draw): Generated {
  const tags = new Set<string>();
  const nodes = Array.from({ length: draw.between(2, 4) }, (_, at) => `node${at + 1}`);
  const surroundings: Surroundings = { utilization: false, tags, template: null };
  const fencing = draw.chance(70);
  const resources = resourcesOf(draw, surroundings, nodes.length, fencing).filter(({ node, promotable }) => node === null && !promotable);
  const histories = new Map<string, Element[]>(nodes.map((node) => [node, []]));
  for (const { kind, primitives } of resources) {
    const home = draw.pick(nodes);
    for (const primitive of primitives) {
      nodes.forEach((node, at) => {
        const runs = kind === "clone" ? at < primitive.instances : node === home;
        const name = primitive.unique ? `${primitive.id}:${at}` : primitive.id;
        histories.get(node)!.push(historyOf(draw, primitive, { name, node, presence: runs ? "started" : "stopped", tags })!);
      });
    }
  }
  const sections = [
    element("crm_config", {}, [
      withId(
        "cib-bootstrap-options",
        draw.block("cluster_property_set", { "stonith-enabled": String(fencing && resources.some(isFence)) }),
      ),
    ]),
    element(
      "nodes",
      {},
      nodes.map((uname, at) => element("node", { id: String(at + 1), uname })),
    ),
    element(
      "resources",
      {},
      resources.map(({ xml }) => xml),
    ),
    element("constraints", {}),
    element("rsc_defaults", {}, [draw.block("meta_attributes", { "resource-stickiness": "100" })]),
  ];
  const states = nodes.map((uname, at) =>
    element("node_state", { id: String(at + 1), uname, ...CONDITIONS[0]!.attributes }, [
      element("lrm", { id: String(at + 1) }, [element("lrm_resources", {}, histories.get(uname)!)]),
    ]),
  );
  return { seed, cib: cibOf(true, sections, element("status", {}, states)), tags: [...tags].sort() };
}

function isFence(resource: MadeResource): boolean {
  return resource.primitives[0]!.isFence;
}

function withId(id: string, block: Element): Element {
  return { ...block, attributes: { ...block.attributes, id } };
}

function optionsOf(draw: Draw, tags: Set<string>): Record<string, string> {
  const options: Record<string, string> = { "stonith-enabled": draw.chance(55) ? "true" : "false" };
  const set = (percent: number, name: string, values: readonly string[], tag: string): void => {
    if (!draw.chance(percent)) return;
    options[name] = draw.pick(values);
    tags.add(tag);
  };
  set(40, "no-quorum-policy", ["ignore", "freeze", "stop", "demote"], "no-quorum-policy");
  set(6, "symmetric-cluster", ["false"], "asymmetric-cluster");
  set(12, "placement-strategy", ["utilization", "minimal", "balanced"], "placement-strategy");
  set(3, "maintenance-mode", ["true"], "maintenance");
  set(3.5, "stop-all-resources", ["true"], "stop-all");
  set(6, "stop-orphan-resources", ["false"], "orphan");
  set(8, "start-failure-is-fatal", ["false"], "start-failure");
  set(5, "node-health-strategy", ["migrate-on-red", "only-green", "progressive"], "node-health");
  set(6, "startup-fencing", ["false"], "startup-fencing");
  return options;
}

function nodeEntry(draw: Draw, name: string, at: number, surroundings: Surroundings): Element {
  const attributes: Record<string, string> = {};
  if (draw.chance(50)) attributes["rack"] = String(draw.between(1, 2));
  if (draw.chance(6)) {
    attributes["standby"] = "on";
    surroundings.tags.add("standby");
  }
  if (draw.chance(4.2)) {
    attributes["maintenance"] = "true";
    surroundings.tags.add("node-maintenance");
  }
  const children: Element[] = [];
  if (Object.keys(attributes).length > 0) children.push(draw.block("instance_attributes", attributes));
  if (surroundings.utilization) {
    children.push(draw.block("utilization", { cpu: String(draw.between(1, 6)) }));
    surroundings.tags.add("utilization");
  }
  return element("node", { id: String(at + 1), uname: name }, children);
}

function resourcesOf(draw: Draw, surroundings: Surroundings, nodes: number, fencing: boolean): MadeResource[] {
  const resources: MadeResource[] = [];
  if (draw.chance(fencing ? 95 : 30)) resources.push(makeFence(draw, "Fencing", surroundings));
  const count = draw.between(1, 6);
  for (let at = 0; at < count; at++) {
    const roll = draw.below(100);
    if (roll < 45) resources.push(makePrimitive(draw, `A${at}`, surroundings));
    else if (roll < 62) resources.push(makeGroup(draw, `G${at}`, surroundings));
    else if (roll < 90) resources.push(makeClone(draw, `C${at}`, surroundings, nodes));
    else if (roll < 95) resources.push(makeGuest(draw, `V${at}`, `guest${at}`, surroundings));
    else resources.push(makeRemote(draw, `remote${at}`, surroundings));
  }
  return resources;
}

/** Conditions of cluster nodes, with their `node_state` attributes. */
const CONDITIONS: readonly {
  readonly weight: number;
  readonly tag: string | null;
  readonly attributes: Readonly<Record<string, string>>;
}[] = [
  { weight: 80, tag: null, attributes: { in_ccm: "true", crmd: "online", join: "member", expected: "member" } },
  { weight: 6, tag: "offline", attributes: { in_ccm: "false", crmd: "offline", join: "down", expected: "down" } },
  { weight: 6, tag: "fencing", attributes: { in_ccm: "false", crmd: "offline", join: "member", expected: "member" } },
  { weight: 3, tag: "fencing", attributes: { in_ccm: "true", crmd: "offline", join: "member", expected: "member" } },
  { weight: 3, tag: "pending", attributes: { in_ccm: "true", crmd: "online", join: "down", expected: "down" } },
];

function conditionFor(roll: number): (typeof CONDITIONS)[number] {
  let left = roll;
  for (const condition of CONDITIONS) {
    left -= condition.weight;
    if (left < 0) return condition;
  }
  return CONDITIONS[0]!;
}

function statusOf(draw: Draw, nodes: readonly string[], resources: readonly MadeResource[], tags: Set<string>): Element {
  const histories = new Map<string, Element[]>();
  const attributes = new Map<string, Record<string, string>>();
  for (const node of nodes) {
    histories.set(node, []);
    attributes.set(node, {});
  }
  const fresh = draw.chance(15);
  for (const resource of resources) {
    let hosts: ReadonlySet<string> | null = null;
    for (const primitive of resource.primitives) {
      // The connection of a guest node is where its launcher is.
      const follows = resource.node?.kind === "guest" ? hosts : null;
      hosts = placeInstances(draw, primitive, follows, { nodes, histories, attributes, tags, fresh });
    }
  }
  if (draw.chance(7)) addOrphan(draw, draw.pick(nodes), histories, tags);
  const states = nodes.map((node, at) => nodeState(draw, node, at, histories.get(node)!, attributes.get(node)!, tags));
  const tickets = draw.chance(50)
    ? [
        element("tickets", {}, [
          element("ticket_state", { id: "ticketA", granted: draw.pick(["true", "false"]), standby: draw.pick(["false", "false", "true"]) }),
        ]),
      ]
    : [];
  return element("status", {}, [...states, ...tickets]);
}

type Placing = {
  readonly nodes: readonly string[];
  readonly histories: Map<string, Element[]>;
  readonly attributes: Map<string, Record<string, string>>;
  readonly tags: Set<string>;
  readonly fresh: boolean;
};

/** Writes the histories of all instances; returns where they were put. */
function placeInstances(draw: Draw, primitive: MadePrimitive, follows: ReadonlySet<string> | null, placing: Placing): ReadonlySet<string> {
  if (placing.fresh) {
    placing.tags.add("probes");
    return new Set();
  }
  const active = draw.chance(75);
  const hosts = new Set<string>(follows ?? []);
  const copies = follows === null ? Math.max(primitive.instances, 1) : 0;
  for (let at = 0; at < copies && active; at++) hosts.add(draw.pick(placing.nodes));
  if (copies === 1 && active && draw.chance(4)) {
    hosts.add(draw.pick(placing.nodes));
    placing.tags.add("multiple-active");
  }
  let promotedLeft = primitive.promotable && draw.chance(70) ? 1 : 0;
  let number = 0;
  for (const node of placing.nodes) {
    let presence: Presence = hosts.has(node) ? "started" : draw.pick(["stopped", "stopped", "stopped", "stopped-by-stop"]);
    if (presence === "started" && promotedLeft > 0) {
      presence = "promoted";
      promotedLeft--;
    }
    if (follows === null) {
      presence = disturbed(draw, presence, primitive);
      if (draw.chance(2)) presence = "unknown";
    }
    if (!isActive(presence)) hosts.delete(node);
    const name = primitive.unique ? `${primitive.id}:${hosts.has(node) ? number++ : 0}` : primitive.id;
    const history = historyOf(draw, primitive, { name, node, presence, tags: placing.tags });
    if (history !== null) placing.histories.get(node)!.push(history);
    addAttributes(draw, primitive, name, presence, placing.attributes.get(node)!, placing.tags);
  }
  return hosts;
}

function isActive(presence: Presence): boolean {
  return presence === "started" || presence === "promoted" || presence === "monitor-failed";
}

/** Failures and pending operations now and then. */
function disturbed(draw: Draw, presence: Presence, primitive: MadePrimitive): Presence {
  if (!draw.chance(6)) return presence;
  if (presence === "stopped") return draw.pick(["probe-masked", "start-failed", "start-failed"]);
  if (presence === "started") return draw.pick(["monitor-failed", "monitor-failed", "stop-failed", "start-pending"]);
  if (presence === "promoted" && primitive.promotable) return "promote-failed";
  return presence;
}

function addAttributes(
  draw: Draw,
  primitive: MadePrimitive,
  name: string,
  presence: Presence,
  attributes: Record<string, string>,
  tags: Set<string>,
): void {
  if (primitive.promotable && (presence === "started" || presence === "promoted" || draw.chance(3))) {
    attributes[`master-${name}`] = draw.pick(["5", "10", "100", "-1"]);
    tags.add("promotion-score");
  }
  if (presence.endsWith("failed") && draw.chance(70)) {
    const task =
      presence === "monitor-failed"
        ? `monitor_${primitive.operations.find((op) => op.intervalMs > 0)?.intervalMs ?? 0}`
        : `${presence.split("-")[0]}_0`;
    attributes[`fail-count-${name}#${task}`] = presence === "monitor-failed" ? draw.pick(["1", "2", "3"]) : draw.pick(["INFINITY", "1"]);
    attributes[`last-failure-${name}#${task}`] = String(NOW_SEC - draw.pick([30, 300, 4000]));
    tags.add("failcount");
  }
}

function addOrphan(draw: Draw, node: string, histories: Map<string, Element[]>, tags: Set<string>): void {
  tags.add("orphan");
  const primitive: MadePrimitive = {
    id: "Gone",
    agentClass: "ocf",
    provider: "pacemaker",
    type: "Dummy",
    parameters: {},
    operations: [{ name: "monitor", intervalMs: 10_000, timeoutMs: 20_000, role: null }],
    promotable: false,
    instances: 1,
    unique: false,
    isRemote: false,
    isFence: false,
  };
  const history = historyOf(draw, primitive, { name: "Gone", node, presence: draw.pick(["started", "stopped"]), tags });
  if (history !== null) histories.get(node)!.push(history);
}

function nodeState(
  draw: Draw,
  name: string,
  at: number,
  histories: readonly Element[],
  attributes: Record<string, string>,
  tags: Set<string>,
): Element {
  const condition = conditionFor(draw.below(98));
  const chosen = at === 0 ? CONDITIONS[0]! : condition;
  if (chosen.tag !== null) tags.add(chosen.tag);
  if (chosen === CONDITIONS[0] && draw.chance(4)) {
    attributes["shutdown"] = String(NOW_SEC - 10);
    tags.add("shutdown");
  }
  if (draw.chance(3)) attributes["#health-x"] = draw.pick(["red", "yellow", "green", "-5"]);
  const children: Element[] = [element("lrm", { id: String(at + 1) }, [element("lrm_resources", {}, histories)])];
  if (Object.keys(attributes).length > 0) {
    children.push(element("transient_attributes", { id: String(at + 1) }, [draw.block("instance_attributes", attributes)]));
  }
  return element("node_state", { id: String(at + 1), uname: name, ...chosen.attributes }, children);
}
