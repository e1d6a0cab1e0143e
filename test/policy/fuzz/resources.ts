import { type Element, element } from "../../../src/core/cib/index.ts";
import type { Draw } from "./draw.ts";

/** One operation as generated, for the history's digests. */
export type MadeOperation = {
  readonly name: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly role: string | null;
};

/** What the history generator needs to know of a primitive. */
export type MadePrimitive = {
  readonly id: string;
  readonly agentClass: string;
  readonly provider: string | null;
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly operations: readonly MadeOperation[];
  /** Name in history is without instance number. */
  readonly promotable: boolean;
  /** Number of instances; 1 outside clones. */
  readonly instances: number;
  readonly unique: boolean;
  readonly isRemote: boolean;
  readonly isFence: boolean;
};

/** A top-level resource and what it holds. */
export type MadeResource = {
  readonly id: string;
  readonly xml: Element;
  readonly kind: "primitive" | "group" | "clone";
  readonly promotable: boolean;
  readonly primitives: readonly MadePrimitive[];
  /** Node that it makes (guest) or stands for (remote). */
  readonly node: { readonly name: string; readonly kind: "guest" | "remote" } | null;
};

export type Surroundings = { readonly utilization: boolean; readonly tags: Set<string>; readonly template: MadePrimitive | null };

/** Meta-attributes of a resource, drawn. */
function metaOf(draw: Draw, surroundings: Surroundings, inClone: boolean): Record<string, string> {
  const meta: Record<string, string> = {};
  const set = (percent: number, tag: string, name: string, value: () => string): void => {
    if (!draw.chance(percent)) return;
    meta[name] = value();
    surroundings.tags.add(tag);
  };
  set(20, "stickiness", "resource-stickiness", () => draw.pick(["100", "1", "50", "INFINITY", "1000"]));
  set(10, "target-role", "target-role", () => draw.pick(["Stopped", "Stopped", "Started", ...(inClone ? ["Unpromoted", "Promoted"] : [])]));
  set(6, "is-managed", "is-managed", () => "false");
  set(4, "maintenance", "maintenance", () => "true");
  set(10, "priority", "priority", () => draw.pick(["1", "10", "5"]));
  set(12, "migration-threshold", "migration-threshold", () => draw.pick(["1", "2", "3"]));
  set(8, "failure-timeout", "failure-timeout", () => draw.pick(["60", "10min", "3600s"]));
  set(8, "multiple-active", "multiple-active", () => draw.pick(["stop_only", "block", "stop_unexpected"]));
  set(8, "requires", "requires", () => draw.pick(["nothing", "quorum", "fencing"]));
  set(15, "migration", "allow-migrate", () => "true");
  set(4, "critical", "critical", () => "false");
  return meta;
}

function operationsOf(draw: Draw, surroundings: Surroundings, promotable: boolean): { xml: Element[]; made: MadeOperation[] } {
  const made: MadeOperation[] = [];
  const xml: Element[] = [];
  const add = (name: string, interval: number, role: string | null): void => {
    const timeout = draw.pick([20, 20, 30, 60]);
    const attributes: Record<string, string> = { id: draw.id("op"), name, interval: `${interval}s`, timeout: `${timeout}s` };
    if (role !== null) attributes["role"] = role;
    if (draw.chance(8)) {
      surroundings.tags.add("on-fail");
      const words = name === "stop" ? ["ignore", "block", "fence"] : ["ignore", "block", "stop", "restart", "standby", "fence"];
      attributes["on-fail"] = draw.pick(role === "Promoted" ? [...words, "demote"] : words);
    }
    if (interval > 0 && draw.chance(1)) attributes["enabled"] = "false";
    xml.push(element("op", attributes));
    made.push({ name, intervalMs: interval * 1000, timeoutMs: timeout * 1000, role });
  };
  if (draw.chance(70)) {
    surroundings.tags.add("recurring");
    if (promotable) {
      add("monitor", 10, draw.chance(50) ? "Unpromoted" : null);
      if (draw.chance(70)) add("monitor", 11, "Promoted");
    } else add("monitor", draw.pick([10, 30, 60]), draw.chance(10) ? "Started" : null);
    if (draw.chance(6)) add("monitor", 45, "Stopped");
  }
  if (draw.chance(25)) add("start", 0, null);
  if (draw.chance(25)) add("stop", 0, null);
  return { xml, made };
}

type Kind = {
  readonly promotable: boolean;
  readonly instances: number;
  readonly unique: boolean;
  readonly meta: boolean;
  readonly inGroup: boolean;
};
const ALONE: Kind = { promotable: false, instances: 1, unique: false, meta: true, inGroup: false };

/** One ordinary primitive. */
function primitive(draw: Draw, id: string, surroundings: Surroundings, kind: Kind): { xml: Element; made: MadePrimitive } {
  const parameters: Record<string, string> = draw.chance(40) ? { state: `/run/${id}`, delay: String(draw.below(3)) } : {};
  const type = kind.promotable ? "Stateful" : "Dummy";
  const operations = operationsOf(draw, surroundings, kind.promotable);
  const children: Element[] = [];
  const meta = kind.meta ? metaOf(draw, surroundings, kind.promotable) : {};
  // A group that is managed in part leaves 2.1.5 with transitions that never end.
  if (kind.inGroup && draw.chance(85)) for (const name of ["is-managed", "maintenance"]) delete meta[name];
  if (Object.keys(meta).length > 0) children.push(draw.block("meta_attributes", meta));
  if (Object.keys(parameters).length > 0) children.push(draw.block("instance_attributes", parameters));
  if (operations.xml.length > 0) children.push(element("operations", {}, operations.xml));
  if (surroundings.utilization && draw.chance(70)) children.push(draw.block("utilization", { cpu: String(draw.between(1, 3)) }));
  const xml = element("primitive", { id, class: "ocf", provider: "pacemaker", type }, children);
  const made: MadePrimitive = {
    id,
    agentClass: "ocf",
    provider: "pacemaker",
    type,
    parameters,
    operations: operations.made,
    promotable: kind.promotable,
    instances: kind.instances,
    unique: kind.unique,
    isRemote: false,
    isFence: false,
  };
  return { xml, made };
}

export function makePrimitive(draw: Draw, id: string, surroundings: Surroundings): MadeResource {
  const { xml, made } = primitive(draw, id, surroundings, ALONE);
  return { id, xml, kind: "primitive", promotable: false, primitives: [made], node: null };
}

export function makeGroup(draw: Draw, id: string, surroundings: Surroundings, kind: Kind = ALONE): MadeResource {
  surroundings.tags.add("group");
  const members = Array.from({ length: draw.between(2, 3) }, (_, at) =>
    primitive(draw, `${id}m${at + 1}`, surroundings, { ...kind, meta: draw.chance(40), inGroup: true }),
  );
  const meta = metaOf(draw, surroundings, kind.promotable);
  const children = members.map((member) => member.xml);
  if (Object.keys(meta).length > 0 && draw.chance(50)) children.unshift(draw.block("meta_attributes", meta));
  return {
    id,
    xml: element("group", { id }, children),
    kind: "group",
    promotable: kind.promotable,
    primitives: members.map((member) => member.made),
    node: null,
  };
}

export function makeClone(draw: Draw, id: string, surroundings: Surroundings, nodes: number): MadeResource {
  const promotable = draw.chance(45);
  const unique = draw.chance(15);
  const grouped = draw.chance(20);
  const perNode = unique && draw.chance(50) ? 2 : 1;
  const max = draw.chance(40) ? draw.between(1, nodes + 1) : null;
  const instances = max ?? nodes;
  const meta: Record<string, string> = metaOf(draw, surroundings, promotable);
  delete meta["allow-migrate"];
  const tag = (name: string): void => void surroundings.tags.add(name);
  tag(promotable ? "promotable" : "clone");
  if (promotable) meta["promotable"] = "true";
  if (unique) {
    meta["globally-unique"] = "true";
    tag("clone-unique");
  } else if (perNode > 1) meta["globally-unique"] = "true";
  if (max !== null) meta["clone-max"] = String(max);
  if (perNode > 1) meta["clone-node-max"] = String(perNode);
  if (promotable && draw.chance(20)) meta["promoted-max"] = "2";
  for (const name of ["interleave", "notify", "ordered"]) {
    // Between the instances of an ordered clone 2.1.5 has fewer orders (exceptions.ts).
    if (!draw.chance(name === "ordered" ? 3 : 35)) continue;
    meta[name] = "true";
    tag(name);
  }
  // Of cloned groups 2.1.5 counts those that cannot start at all.
  if (!grouped && draw.chance(8)) {
    meta["clone-min"] = "2";
    tag("clone-min");
  }
  if (grouped) tag("clone-of-group");
  const kind: Kind = { promotable, instances, unique, meta: draw.chance(30), inGroup: false };
  const inner = grouped ? makeGroup(draw, `${id}g`, surroundings, kind) : null;
  const single = inner === null ? primitive(draw, `${id}p`, surroundings, kind) : null;
  const xml = element("clone", { id }, [draw.block("meta_attributes", meta), inner?.xml ?? single!.xml]);
  return { id, xml, kind: "clone", promotable, primitives: inner?.primitives ?? [single!.made], node: null };
}

/** A fence device. */
export function makeFence(draw: Draw, id: string, surroundings: Surroundings): MadeResource {
  surroundings.tags.add("fence-device");
  const parameters = { pcmk_host_list: "node1 node2 node3 node4 node5" };
  const operations: MadeOperation[] = draw.chance(50) ? [{ name: "monitor", intervalMs: 60_000, timeoutMs: 30_000, role: null }] : [];
  const children = [draw.block("instance_attributes", parameters)];
  if (operations.length > 0) {
    children.push(element("operations", {}, [element("op", { id: draw.id("op"), name: "monitor", interval: "60s", timeout: "30s" })]));
  }
  const made: MadePrimitive = {
    id,
    agentClass: "stonith",
    provider: null,
    type: "fence_xvm",
    parameters,
    operations,
    promotable: false,
    instances: 1,
    unique: false,
    isRemote: false,
    isFence: true,
  };
  const xml = element("primitive", { id, class: "stonith", type: "fence_xvm" }, children);
  return { id, xml, kind: "primitive", promotable: false, primitives: [made], node: null };
}

/** A remote node's connection. */
export function makeRemote(draw: Draw, id: string, surroundings: Surroundings): MadeResource {
  surroundings.tags.add("remote");
  const operations: MadeOperation[] = [{ name: "monitor", intervalMs: 60_000, timeoutMs: 30_000, role: null }];
  const parameters: Record<string, string> = draw.chance(20) ? { reconnect_interval: "60" } : {};
  const children: Element[] = [];
  if (Object.keys(parameters).length > 0) children.push(draw.block("instance_attributes", parameters));
  children.push(element("operations", {}, [element("op", { id: draw.id("op"), name: "monitor", interval: "60s", timeout: "30s" })]));
  const made: MadePrimitive = {
    id,
    agentClass: "ocf",
    provider: "pacemaker",
    type: "remote",
    parameters,
    operations,
    promotable: false,
    instances: 1,
    unique: false,
    isRemote: true,
    isFence: false,
  };
  const xml = element("primitive", { id, class: "ocf", provider: "pacemaker", type: "remote" }, children);
  return { id, xml, kind: "primitive", promotable: false, primitives: [made], node: { name: id, kind: "remote" } };
}

/** A resource that makes a guest node. */
export function makeGuest(draw: Draw, id: string, node: string, surroundings: Surroundings): MadeResource {
  surroundings.tags.add("guest");
  const { xml, made } = primitive(draw, id, surroundings, { ...ALONE, meta: false });
  const block = draw.block("meta_attributes", { "remote-node": node });
  const guest: MadePrimitive = {
    id: node,
    agentClass: "ocf",
    provider: "pacemaker",
    type: "remote",
    parameters: {},
    operations: [{ name: "monitor", intervalMs: 30_000, timeoutMs: 30_000, role: null }],
    promotable: false,
    instances: 1,
    unique: false,
    isRemote: true,
    isFence: false,
  };
  return {
    id,
    xml: { ...xml, children: [block, ...xml.children] },
    kind: "primitive",
    promotable: false,
    primitives: [made, guest],
    node: { name: node, kind: "guest" },
  };
}
