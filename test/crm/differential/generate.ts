import { type Random, seededRandom } from "../../../src/core/base/index.ts";

/** What a script has made so far, so that later lines speak of things that are there. */
type World = {
  readonly random: Random;
  readonly primitives: string[];
  /** Primitives and groups that nothing contains yet. */
  readonly free: string[];
  readonly containers: string[];
  readonly groups: string[];
  readonly constraints: string[];
  readonly others: string[];
  readonly templates: string[];
  readonly roles: string[];
  next: number;
};

const NODES = ["node1", "node2", "node3"] as const;
const AGENTS = ["Dummy", "ocf:heartbeat:Dummy", "ocf:heartbeat:Stateful", "Dummy", "stonith:fence_legacy", "Dummy"] as const;
const SCORES = ["100:", "inf:", "-inf:", "INFINITY:", "0:", "-5:", "+inf:"] as const;

const pick = <T>(random: Random, from: readonly T[], none: T): T => from[random.below(Math.max(1, from.length))] ?? none;
const chance = (world: World, oneIn: number): boolean => world.random.below(oneIn) === 0;
/** One of these words; now and then the line goes without it. */
const one = (world: World, ...words: readonly string[]): string => pick(world.random, words, "");
const maybe = (world: World, text: () => string, oneIn = 2): string => (chance(world, oneIn) ? ` ${text()}` : "");

function fresh(world: World, letter: string): string {
  world.next += 1;
  return `${letter}${world.next}`;
}

/** A resource that is there, most of the time. */
function resource(world: World): string {
  if (chance(world, 60)) return "nosuch";
  return pick(world.random, [...world.primitives, ...world.primitives, ...world.containers, ...world.groups], "nosuch");
}

function anything(world: World): string {
  const all = [
    ...world.primitives,
    ...world.containers,
    ...world.groups,
    ...world.constraints,
    ...world.others,
    ...world.templates,
    ...world.roles,
  ];
  return chance(world, 25) ? "nosuch" : pick(world.random, all, "nosuch");
}

function rule(world: World): string {
  const expression = (): string =>
    one(
      world,
      "#uname eq node1",
      "#uname ne node2",
      "defined pingd",
      "not_defined pingd",
      "pingd number:gt 100",
      "pingd gte 5",
      "ver version:lt 1.2",
      "site string:eq a",
      "date gt 2030-01-01",
      "date lt 2030-01-01",
      "date in start=2026-01-01 end=2027-01-01",
      "date in start=2026-01-01 years=1",
      "date spec hours=9-16 weekdays=1-5",
      "date spec months=1",
      "#kind eq remote",
    );
  const operator = one(world, "and", "or");
  const more = Array.from({ length: world.random.below(3) }, () => ` ${operator} ${expression()}`).join("");
  const score = one(world, "inf:", "-inf:", "100:", "", "pingd:");
  return `rule${maybe(world, () => `$id=${fresh(world, "rule")}`, 6)}${maybe(world, () => "$role=Started", 6)} ${score} ${expression()}${more}`;
}

function metaSet(world: World): string {
  const pair = (): string =>
    one(
      world,
      "target-role=Stopped",
      "target-role=Started",
      "priority=10",
      "is-managed=false",
      "resource-stickiness=100",
      "migration-threshold=3",
      "failure-timeout=60s",
      "allow-migrate=true",
      "maintenance=true",
      "foo=bar",
      'description="two words"',
      "empty=",
    );
  const scored = maybe(world, () => one(world, "10:", "$id=own-meta", rule(world)), 8);
  return `meta${scored} ${pair()}${maybe(world, pair, 3)}`;
}

function paramSet(world: World, agent: string): string {
  const known: Readonly<Record<string, readonly string[]>> = {
    Dummy: ["fake=1", 'fake="a b"', "state=/run/x", 'fake=""', "fake", "fake=a=b", "state=y"],
    "ocf:heartbeat:Dummy": ["fake=2", "state=/x", 'fake="\\"q\\""', "fake='it is'"],
    "ocf:heartbeat:Stateful": ["state=/run/z"],
    "stonith:fence_legacy": ["pcmk_delay_max=1", "pcmk_host_list=node1", 'pcmk_host_map="node1:1;node2:2"'],
  };
  const pair = (): string => (chance(world, 40) ? "nosuch=1" : one(world, ...(known[agent] ?? ["state=q"])));
  return `${one(world, "params ", "params ", "")}${pair()}${maybe(world, () => `params ${rule(world)} ${pair()}`, 10)}`;
}

function operation(world: World): string {
  const name = one(world, "monitor", "monitor", "start", "stop", "monitor", ...(chance(world, 60) ? ["frobnicate"] : []));
  const attribute = (): string =>
    one(
      world,
      "timeout=20s",
      "timeout=60s",
      "on-fail=restart",
      "on-fail=fence",
      "role=Started",
      "enabled=false",
      "start-delay=5s",
      "record-pending=true",
      ...(chance(world, 20) ? ["on-fail=explode", "role=Promoted", "role=Master"] : []),
    );
  const interval = name === "monitor" ? ` interval=${one(world, "10s", "30s", "1m", "0")}` : maybe(world, () => "interval=0s", 3);
  const level = name === "monitor" ? maybe(world, () => "OCF_CHECK_LEVEL=10", 6) : "";
  return `op ${name}${interval}${maybe(world, attribute)}${maybe(world, attribute, 3)}${level}`;
}

function primitiveTail(world: World, agent: string): string {
  const parts = [
    maybe(world, () => 'description="some text"', 8),
    maybe(world, () => paramSet(world, agent)),
    maybe(world, () => metaSet(world)),
    maybe(world, () => "utilization cpu=1 memory=512", 8),
    maybe(world, () => `operations $id=${fresh(world, "ops")}`, 15),
    maybe(world, () => operation(world)),
    maybe(world, () => operation(world), 3),
  ];
  return parts.join("");
}

function primitive(world: World): string {
  const id = fresh(world, "p");
  const template = world.templates.length > 0 && chance(world, 4) ? `@${pick(world.random, world.templates, "")}` : null;
  const agent = one(world, ...AGENTS);
  const line = `primitive ${id} ${template ?? agent}${primitiveTail(world, template === null ? agent : "Dummy")}`;
  world.primitives.push(id);
  world.free.push(id);
  return line;
}

/** Takes one that is free, so that it will be contained only once; now and then any. */
function takeFree(world: World, among: readonly string[]): string {
  const candidates = among.filter((id) => world.free.includes(id));
  const id = chance(world, 15) ? pick(world.random, world.primitives, "nosuch") : pick(world.random, candidates, "");
  if (world.free.includes(id)) world.free.splice(world.free.indexOf(id), 1);
  return id;
}

function group(world: World): string {
  const id = fresh(world, "g");
  const count = 1 + world.random.below(3);
  const members = Array.from({ length: count }, () => takeFree(world, world.primitives)).filter((each) => each !== "");
  if (members.length === 0) return primitive(world);
  world.groups.push(id);
  world.free.push(id);
  return `group ${id} ${[...new Set(members)].join(" ")}${maybe(world, () => metaSet(world), 3)}${maybe(world, () => "params fake=1", 10)}`;
}

function clone(world: World): string {
  const id = fresh(world, "c");
  const of = takeFree(world, [...world.primitives, ...world.groups]);
  if (of === "") return primitive(world);
  const meta = one(world, "clone-max=2", "promotable=true", "globally-unique=true", "notify=true interleave=false", "priority=3");
  world.containers.push(id);
  return `${one(world, "clone", "clone", "clone", "ms")} ${id} ${of}${maybe(world, () => `meta ${meta}`)}${maybe(world, () => metaSet(world), 6)}`;
}

function location(world: World): string {
  const id = fresh(world, "l");
  world.constraints.push(id);
  const what = chance(world, 6)
    ? one(world, "/^p.*/", `{ ${resource(world)} ${resource(world)} }`, `{ ( ${resource(world)} ${resource(world)} ) }`)
    : resource(world);
  const extra = maybe(
    world,
    () => one(world, "resource-discovery=never", "resource-discovery=exclusive", "role=Promoted", "role=Started"),
    5,
  );
  const where = chance(world, 3)
    ? `${rule(world)}${maybe(world, () => rule(world), 5)}`
    : `${one(world, ...SCORES, ...(chance(world, 12) ? ["lots:"] : []))} ${chance(world, 15) ? "nonode" : one(world, ...NODES)}`;
  return `location ${id} ${what}${extra} ${where}`;
}

function sets(world: World, suffix: () => string): string {
  const member = (): string => `${resource(world)}${suffix()}`;
  const list = (count: number): string => [...new Set(Array.from({ length: count }, member))].join(" ");
  switch (world.random.below(7)) {
    case 0:
      return `( ${list(2)} ) ${list(1)}`;
    case 1:
      return `[ ${list(2)} ] ${list(1)}`;
    case 2:
      return `${list(2)} ( ${list(2)} )`;
    case 3:
      return list(3);
    case 4:
      return `( ${list(2)} sequential=${one(world, "true", "false")} ) ( ${list(2)} require-all=${one(world, "true", "false")} )`;
    default:
      return list(2);
  }
}

function colocation(world: World): string {
  const id = fresh(world, "co");
  world.constraints.push(id);
  const role = (): string =>
    chance(world, 5) ? one(world, ":Promoted", ":Master", ":Started", ":Slave", ...(chance(world, 12) ? [":Boss"] : [])) : "";
  return `${one(world, "colocation", "colocation", "collocation")} ${id} ${one(world, ...SCORES)} ${sets(world, role)}${maybe(world, () => "node-attribute=rack", 20)}`;
}

function order(world: World): string {
  const id = fresh(world, "o");
  world.constraints.push(id);
  const action = (): string =>
    chance(world, 5) ? one(world, ":start", ":stop", ":promote", ":demote", ...(chance(world, 12) ? [":jump"] : [])) : "";
  const kind = one(
    world,
    "",
    "Mandatory:",
    "Optional:",
    "Serialize:",
    "mandatory:",
    "inf:",
    "0:",
    "100:",
    ...(chance(world, 12) ? ["Sometimes:"] : []),
  );
  return `order ${id} ${kind} ${sets(world, action)}${maybe(world, () => one(world, "symmetrical=false", "symmetrical=true", ...(chance(world, 12) ? ["symmetrical=perhaps"] : [])), 4)}`;
}

function ticket(world: World): string {
  const id = fresh(world, "tk");
  world.constraints.push(id);
  const role = (): string => (chance(world, 4) ? one(world, ":Promoted", ":Master", ":Started") : "");
  const list = chance(world, 3) ? sets(world, role) : `${resource(world)}${role()}`;
  return `rsc_ticket ${id} ticketA: ${list}${maybe(world, () => `loss-policy=${one(world, "stop", "freeze", "demote", ...(chance(world, 15) ? ["fence", "shrug"] : []))}`, 2)}`;
}

function accessRole(world: World): string {
  const id = fresh(world, "role");
  world.roles.push(id);
  const permission = (): string =>
    `${one(world, "read", "write", "deny")} ${one(world, "xpath:/cib", `ref:${resource(world)}`, "type:node", `meta:${resource(world)}:target-role`, "property:stonith-enabled", "node", "status", `params:${resource(world)}`)}`;
  return `role ${id} ${permission()}${maybe(world, permission, 2)}${maybe(world, permission, 4)}`;
}

function target(world: World): string {
  const id = fresh(world, "user");
  if (world.roles.length === 0) return accessRole(world);
  world.others.push(id);
  return `acl_target ${id} ${chance(world, 20) ? "norole" : pick(world.random, world.roles, "norole")}`;
}

function alert(world: World): string {
  const id = fresh(world, "a");
  world.others.push(id);
  const parts = [
    maybe(world, () => "attributes x=1 y=two", 3),
    maybe(world, () => "meta timeout=10s", 4),
    maybe(
      world,
      () =>
        `select ${one(world, "nodes", "fencing resources", "attributes { pingd rack }", "nodes resources", ...(chance(world, 15) ? ["stars"] : []))}`,
      3,
    ),
    maybe(world, () => "to /var/log/x", 2),
    maybe(world, () => "to { /var/log/y attributes z=1 meta timeout=5s }", 4),
  ];
  return `alert ${id} /usr/bin/alert${parts.join("")}`;
}

function options(world: World): string {
  const word = one(world, "property", "rsc_defaults", "op_defaults");
  const pairs: Readonly<Record<string, readonly string[]>> = {
    property: [
      "no-quorum-policy=freeze",
      "stonith-action=off",
      "maintenance-mode=true",
      "batch-limit=10",
      "cluster-delay=30s",
      ...(chance(world, 8) ? ["nosuch-option=1", "symmetric-cluster=perhaps"] : []),
    ],
    rsc_defaults: ["resource-stickiness=1", "migration-threshold=3", "target-role=Stopped", "foo=1"],
    op_defaults: ["timeout=30s", "on-fail=block", "record-pending=true"],
  };
  const set = chance(world, 5) ? ` $id=${fresh(world, "set")}` : maybe(world, () => `${fresh(world, "set")}:`, 8);
  const ruled = set !== "" && chance(world, 3) ? ` ${rule(world)}` : "";
  const pair = (): string => one(world, ...(pairs[word] ?? []));
  return `${word}${set}${ruled} ${pair()}${maybe(world, pair, 3)}`;
}

function topology(world: World): string {
  const device = (): string => pick(world.random, world.primitives, "nosuch");
  const target = one(world, "node1: ", "node2: ", "attr:rack=1 ", "pattern:node.* ", "");
  return `fencing_topology ${target}${device()}${maybe(world, device, 3)}${maybe(world, () => `${device()},${device()}`, 4)}${maybe(world, () => `node3: ${device()}`, 4)}`;
}

function change(world: World): string {
  const inGroup = pick(world.random, world.groups, "nosuch");
  const p = pick(world.random, world.primitives, "nosuch");
  const q = pick(world.random, world.primitives, "nosuch");
  const monitored = `${p}${maybe(world, () => one(world, ":Promoted", ":Started", ...(chance(world, 8) ? [":Boss"] : [])), 5).trim()}`;
  switch (world.random.below(12)) {
    case 0:
    case 1:
      return `delete ${anything(world)}${maybe(world, () => anything(world), 4)}`;
    case 2:
    case 3:
      return `rename ${anything(world)} ${chance(world, 6) ? anything(world) : fresh(world, "n")}`;
    case 4:
      return `modgroup ${inGroup} add ${p}${maybe(world, () => `${one(world, "after", "before")} ${q}`, 3)}`;
    case 5:
      return `modgroup ${inGroup} remove ${p}`;
    case 6:
      return `set ${p}.${one(world, "fake", "target-role", "priority", "monitor.timeout", "monitor.interval", "nosuch")} ${one(world, "1", "7s", "Stopped")}`;
    case 7:
      return `monitor ${monitored} ${one(world, "10s", "30s:20s", "1m:1m", "20s", ...(chance(world, 10) ? ["x", "10"] : []))}`;
    case 8:
      return `node ${one(world, ...NODES)}${maybe(world, () => "attributes rack=1 standby=off", 1)}${maybe(world, () => "utilization cpu=4", 3)}`;
    case 9:
      return `tag ${fresh(world, "t")}: ${resource(world)} ${resource(world)}`;
    case 10:
      return `default-timeouts ${p}`;
    default:
      return one(world, "erase", "refresh", "verify", `show ${anything(world)}`, "show xml", "show type:primitive", "show related:Dummy");
  }
}

function template(world: World): string {
  const id = fresh(world, "t");
  world.templates.push(id);
  return `rsc_template ${id} Dummy${primitiveTail(world, "Dummy")}`;
}

function bundle(world: World): string {
  const id = fresh(world, "b");
  world.containers.push(id);
  const inside = maybe(world, () => `primitive ${takeFree(world, world.primitives)}`, 3);
  const network = maybe(
    world,
    () => `network ip-range-start=10.0.0.${1 + world.random.below(9)} port-mapping id=pm${fresh(world, "")} port=80`,
    2,
  );
  const storage = maybe(world, () => `storage storage-mapping id=sm${fresh(world, "")} source-dir=/x target-dir=/y options=rw`, 3);
  return `bundle ${id} docker image=x:1 replicas=${1 + world.random.below(3)}${network}${storage}${maybe(world, () => metaSet(world), 4)}${inside}`;
}

/** Breaks a line the way people do. */
function spoil(world: World, line: string): string {
  const words = line.split(" ");
  const at = world.random.below(words.length);
  switch (world.random.below(5)) {
    case 0:
      return words.filter((_, index) => index !== at).join(" ");
    case 1:
      return words.map((word, index) => (index === at ? `${word}x` : word)).join(" ");
    case 2:
      return [...words.slice(0, at), words[at] ?? "", ...words.slice(at)].join(" ");
    case 3:
      return words.map((word, index) => (index === at ? word.toUpperCase() : word)).join(" ");
    default:
      return `${line} ${one(world, "x", "=", ")", "meta", "op", "params", "x=1")}`;
  }
}

const MAKERS: readonly ((world: World) => string)[] = [
  primitive,
  primitive,
  primitive,
  group,
  group,
  clone,
  location,
  location,
  colocation,
  order,
  ticket,
  accessRole,
  target,
  alert,
  options,
  topology,
  template,
  bundle,
  change,
  change,
  change,
  change,
];

/** A script of a few lines over three nodes. The same seed gives the same script. */
export function generateScript(seed: number): string[] {
  const random = seededRandom(seed);
  const world: World = {
    random,
    primitives: [],
    free: [],
    containers: [],
    groups: [],
    constraints: [],
    others: [],
    templates: [],
    roles: [],
    next: 0,
  };
  const lines = [primitive(world), primitive(world), primitive(world)];
  const count = 2 + random.below(6);
  for (let at = 0; at < count; at += 1) {
    const line = (MAKERS[random.below(MAKERS.length)] ?? primitive)(world);
    lines.push((chance(world, 30) ? spoil(world, line) : line).replaceAll(/ {2,}/g, " ").trim());
  }
  return lines;
}
