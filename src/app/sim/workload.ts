import { type Random, seededRandom } from "../../core/base/index.ts";
import { canonicalText, DETACH_MAX_MS, element, renderConfiguration } from "../../core/cib/index.ts";
import { CLOCK_RHO } from "../../core/raft/index.ts";
import { mayChangeMembers } from "./damage.ts";
import type { VirtualHost } from "./host.ts";
import { Violation } from "./invariant.ts";
import type { PlannedEvent } from "./plan.ts";
import { Registers } from "./registers.ts";
import { nvpairs, put, RESOURCES } from "./services.ts";
import { Sessions } from "./sessions.ts";
import { Watchers } from "./watchers.ts";
import type { Answer, World } from "./world.ts";

type Deed = { readonly name: string; readonly weight: number; readonly act: (host: VirtualHost, draw: Random) => void };

/**
 * What operators and programs do meanwhile. Each write is an object of its own, so that an acknowledged one must be there
 * in the end; a write without an answer may be there or not, and never twice.
 */
export class Workload {
  readonly registers: Registers;
  readonly #world: World;
  readonly #sessions: Sessions;
  readonly #watchers: Watchers;
  readonly #acknowledged = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #deeds: readonly Deed[];
  readonly #weights: number;
  #count = 0;
  readonly stats = { asked: 0, acknowledged: 0, refused: 0 };

  constructor(world: World) {
    this.#world = world;
    this.registers = new Registers(world);
    this.#sessions = new Sessions(world);
    this.#watchers = new Watchers(world);
    this.#deeds = this.#list();
    this.#weights = this.#deeds.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** One action at a random live node. */
  act(event: PlannedEvent): void {
    const draw = seededRandom(event.seed);
    const live = this.#world.hosts.filter((host) => host.shell !== null);
    const host = live[draw.below(Math.max(1, live.length))];
    if (host === undefined) return;
    let pick = draw.below(this.#weights);
    const deed = this.#deeds.find(({ weight }) => {
      pick -= weight;
      return pick < 0;
    });
    if (deed === undefined) return;
    this.#world.trace.add(this.#world.time.nowMs, "work", `${event.name}: ${deed.name} (${host.name})`);
    deed.act(host, draw);
  }

  #list(): readonly Deed[] {
    const ask = (host: VirtualHost, method: string, params: unknown): void => this.#world.request(host, method, params, () => {});
    const any = (draw: Random): VirtualHost => this.#world.hosts[draw.below(this.#world.hosts.length)] as VirtualHost;
    const resource = (draw: Random): string => RESOURCES[draw.below(RESOURCES.length)] ?? "web";
    return [
      { name: "write", weight: 16, act: (host) => this.#write(host) },
      { name: "register", weight: 24, act: (host, draw) => this.registers.act(host, draw) },
      { name: "session", weight: 12, act: (host, draw) => this.#sessions.act(host, draw) },
      { name: "watch", weight: 6, act: (host, draw) => this.#watchers.act(host, draw) },
      { name: "read", weight: 4, act: (host) => this.#world.request(host, "cib.get", {}, (answer) => this.#read(answer)) },
      { name: "standby", weight: 6, act: (host, draw) => ask(host, "node.standby", { node: any(draw).name, on: draw.fraction() < 0.4 }) },
      { name: "cleanup", weight: 4, act: (host) => ask(host, "resource.cleanup", {}) },
      { name: "target-role", weight: 4, act: (host, draw) => this.#role(host, resource(draw), draw) },
      { name: "transfer", weight: 3, act: (host, draw) => ask(this.#world.leader() ?? host, "cluster.transfer", { node: any(draw).name }) },
      { name: "votes", weight: 3, act: (host, draw) => this.#votes(host, any(draw), draw.below(4)) },
      { name: "detach", weight: 2, act: (host, draw) => this.#restart(host, draw) },
      { name: "fence", weight: 1, act: (host, draw) => ask(host, "node.fence", { node: any(draw).name }) },
      { name: "remove", weight: 1, act: (host, draw) => this.#remove(host, any(draw), draw) },
    ];
  }

  #write(host: VirtualHost): void {
    this.#count += 1;
    const id = `write-${this.#count}`;
    const edit = put("crm_config", element("cluster_property_set", { id, score: "-1" }, nvpairs(id, { "sim-value": id })));
    this.stats.asked += 1;
    this.#world.request(host, "config.commit", { edits: [edit] }, (answer) => {
      if ("result" in answer) {
        this.stats.acknowledged += 1;
        this.#acknowledged.add(id);
      } else if (["REHEARSAL_FAILED", "CIB_CONFLICT"].includes(answer.error.code)) {
        this.stats.refused += 1;
        this.#refused.add(id);
      }
    });
  }

  #read(answer: Answer): void {
    if (!("result" in answer)) return;
    const text = JSON.stringify(answer.result);
    for (const id of this.#refused) {
      if (text.includes(`"${id}"`)) throw new Violation("C2", `${id} was refused and is in the configuration`);
    }
  }

  /** Stops a resource by configuration, or lets it run again. */
  #role(host: VirtualHost, resource: string, draw: Random): void {
    const before = host.shell?.core.state.sections.resources.objects.get(resource)?.element;
    if (before === undefined) return;
    const children = before.children.filter((child) => child.name !== "meta_attributes");
    const meta = element("meta_attributes", { id: `${resource}-meta` }, nvpairs(`${resource}-meta`, { "target-role": "Stopped" }));
    const after = element("primitive", before.attributes, draw.below(2) === 0 ? children : [meta, ...children]);
    const edit = { section: "resources", id: resource, before: canonicalText(before), after };
    this.#world.request(host, "config.commit", { edits: [edit] }, () => {});
  }

  /** Weighted votes, demotion to learner and back, always joint. */
  #votes(host: VirtualHost, target: VirtualHost, votes: number): void {
    if (!mayChangeMembers(this.#world)) return;
    this.#world.request(host, "cluster.votes", { node: target.name, votes }, () => {});
  }

  /** A planned restart of the daemon: it says so first, and its guardian keeps what runs. */
  #restart(host: VirtualHost, draw: Random): void {
    const downMs = 50 + draw.below(3_000);
    this.#world.request(host, "node.detach", { node: host.name, seconds: 10 }, (answer) => {
      if ("result" in answer) this.#world.time.after(1, "planned restart", () => this.#world.crashDaemon(host, downMs));
    });
  }

  /** A member is taken out, and its machine comes back as a new one. */
  #remove(host: VirtualHost, target: VirtualHost, draw: Random): void {
    const world = this.#world;
    if (world.hosts.length < 3 || !mayChangeMembers(world)) return;
    const afterMs = draw.below(3_000);
    world.request(host, "cluster.remove", { node: target.name, force: true }, (answer) => {
      if (!("result" in answer)) return;
      target.powerOff();
      world.replace(target, afterMs);
    });
  }

  /** The operators put everything back, so that all services can run. */
  async finish(): Promise<void> {
    const world = this.#world;
    for (const host of world.hosts) {
      // Taken out for good, or half-way (the node forgotten, the member left): the machine comes back as a new member.
      const removed = host.shell?.core.raftStatus.removed === true || !world.replica.nodes.has(host.name);
      if (!removed) continue;
      // Until the leader has taken it out its votes may be needed for just that: nobody may switch it off before.
      await world.until(`${host.name} is no member`, REMOVAL_MS, () => host.shell === null || !isMember(world, host));
      host.powerOff();
      world.replace(host, 100);
    }
    await world.until("every member is back", REJOIN_MS + absenceLeftMs(world), () => world.hosts.every((host) => isBack(world, host)));
    for (const target of world.hosts) {
      const { votes, witness } = world.planOf(target);
      await world.insist("cluster.votes", { node: target.name, votes: witness ? Math.max(1, votes) : votes });
      if (!witness) await world.insist("node.standby", { node: target.name, on: false });
    }
    await world.insist("resource.cleanup", {});
    for (const resource of RESOURCES) await this.#startAgain(resource);
    this.#watchers.close();
  }

  async #startAgain(resource: string): Promise<void> {
    const before = this.#world.replica.sections.resources.objects.get(resource)?.element;
    if (before === undefined || !before.children.some(({ name }) => name === "meta_attributes")) return;
    const after = element(
      "primitive",
      before.attributes,
      before.children.filter(({ name }) => name !== "meta_attributes"),
    );
    await this.#world.insist("config.commit", { edits: [{ section: "resources", id: resource, before: canonicalText(before), after }] });
  }

  /** No acknowledged change lost, no refused one done (RAFT.md §10 C2); reads and writes were linearizable (C1). */
  check(): void {
    const present = canonicalText(renderConfiguration(this.#world.replica));
    for (const id of this.#acknowledged) if (!present.includes(`"${id}"`)) throw new Violation("C2", `${id} was acknowledged and is gone`);
    for (const id of this.#refused) if (present.includes(`"${id}"`)) throw new Violation("C2", `${id} was refused and is there`);
    this.registers.check();
    this.#watchers.check();
  }
}

/** The leader looks every two seconds for members without a node, and takes out whom it has seen twice; milliseconds. */
const REMOVAL_MS = 20_000;

function isMember(world: World, { member }: VirtualHost): boolean {
  return world.leader()?.shell?.core.raftStatus.configuration.members.has(member) !== false;
}

/** A member whose store was lost needs its old self fenced or proven stopped before it is let in; milliseconds. */
const REJOIN_MS = 60_000;

/**
 * What is left of planned absences, milliseconds: a guardian was promised its deadline until then, so Tsafe of a member whose
 * store was lost meanwhile counts from there (RAFT.md §7), and its name is not free before. A daemon that was started since
 * does not know how much of a promise is over, so if it leads, it counts the whole of it from its own start.
 */
function absenceLeftMs(world: World): number {
  const { nodes, clockMs } = world.replica;
  const startedMs = Math.max(...world.hosts.map(({ shell, daemonSinceMs }) => (shell === null ? world.time.nowMs : daemonSinceMs)));
  const left = [...nodes.values()].map(({ detachedUntilMs, detachedAtMs }) => {
    if (detachedUntilMs === null) return 0;
    const lengthMs = (detachedUntilMs - (detachedAtMs ?? detachedUntilMs - DETACH_MAX_MS)) * (1 + 2 * CLOCK_RHO);
    return Math.max(detachedUntilMs - clockMs, startedMs + lengthMs - world.time.nowMs);
  });
  return Math.max(0, ...left);
}

/** Runs, repeats what the leader has, and belongs to the cluster under its present id. */
function isBack(world: World, host: VirtualHost): boolean {
  const status = host.shell?.core.raftStatus;
  const leader = world.leader()?.shell?.core.raftStatus;
  if (status === undefined || leader === undefined || status.recovering) return false;
  const known = leader.configuration.voters.has(host.member) || leader.configuration.learners.has(host.member);
  return known && world.replica.nodes.get(host.name)?.membership === "online";
}
