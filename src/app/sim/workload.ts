import { type ConfigurationEdit, canonicalText, type Element, element, renderConfiguration } from "../../core/cib/index.ts";
import type { VirtualHost } from "./host.ts";
import { Violation } from "./invariant.ts";
import type { World } from "./world.ts";

export const RESOURCES = ["web", "db", "vip"] as const;

function nvpairs(owner: string, values: Readonly<Record<string, string>>): readonly Element[] {
  return Object.entries(values).map(([name, value]) => element("nvpair", { id: `${owner}-${name}`, name, value }));
}

function put(section: ConfigurationEdit["section"], after: Element): ConfigurationEdit {
  return { section, id: after.attributes["id"] ?? "", before: null, after };
}

/** One service asks for a longer stop than guardians give of their own, so that the bound of its node moves with it. */
function primitive(id: string, monitorMs: number): Element {
  const operations = [
    { name: "start", interval: "0s", timeout: "5s" },
    { name: "stop", interval: "0s", timeout: id === "db" ? "6s" : "2s" },
    { name: "monitor", interval: `${monitorMs}ms`, timeout: "5s" },
  ];
  const ops = operations.map(({ name, interval, timeout }) => element("op", { id: `${id}-${name}-${interval}`, name, interval, timeout }));
  return element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, [element("operations", {}, ops)]);
}

/** The cluster's first configuration: exclusive services, and a device that can switch every node, if there is one. */
export function firstConfiguration(nodes: readonly string[], hasDevice: boolean): readonly ConfigurationEdit[] {
  const options = { "stonith-enabled": "true", "no-quorum-policy": "stop", "migration-threshold": "3" };
  const edits = [put("crm_config", element("cluster_property_set", { id: "sim-options" }, nvpairs("sim-options", options)))];
  for (const [at, id] of RESOURCES.entries()) edits.push(put("resources", primitive(id, 1_000 + 500 * at)));
  if (hasDevice) {
    const values = nvpairs("fence-params", { pcmk_host_list: nodes.join(" "), pcmk_host_check: "static-list" });
    const device = element("primitive", { id: "fence", class: "stonith", type: "fence_sim" }, [
      element("instance_attributes", { id: "fence-params" }, values),
    ]);
    edits.push(put("resources", device));
  }
  return edits;
}

/**
 * What operators do meanwhile. Each write is an object of its own, so that an acknowledged one must be there in the end;
 * a write without an answer may be there or not, and never twice.
 */
export class Workload {
  readonly #world: World;
  readonly #acknowledged = new Set<string>();
  readonly #refused = new Set<string>();
  #count = 0;
  readonly stats = { asked: 0, acknowledged: 0, refused: 0 };

  constructor(world: World) {
    this.#world = world;
  }

  /** One action of an operator at a random live node. */
  act(): void {
    const { random, hosts } = this.#world;
    const live = hosts.filter((host) => host.shell !== null);
    const host = live[random.below(Math.max(1, live.length))];
    if (host === undefined) return;
    const draw = random.fraction();
    if (draw < 0.6) this.#write(host);
    else if (draw < 0.72) this.#standby(host);
    else if (draw < 0.78) this.#transfer();
    else if (draw < 0.84) this.#votes(host);
    else if (draw < 0.92) this.#world.request(host, "resource.cleanup", { force: true }, () => {});
    else this.#world.request(host, "cib.get", { section: "configuration" }, (answer) => this.#read(answer));
  }

  #write(host: VirtualHost): void {
    this.#count += 1;
    const id = `write-${this.#count}`;
    const edit = put("crm_config", element("cluster_property_set", { id, score: "-1" }, nvpairs(id, { "sim-value": id })));
    this.stats.asked += 1;
    // What was acknowledged before this read began must be in what it returns; see `#read`.
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

  #read(answer: { readonly result: unknown } | { readonly error: unknown }): void {
    if (!("result" in answer)) return;
    const text = JSON.stringify(answer.result);
    for (const id of this.#refused) {
      if (text.includes(`"${id}"`)) throw new Violation("C2", `${id} was refused and is in the configuration`);
    }
  }

  #standby(host: VirtualHost): void {
    const { random, hosts } = this.#world;
    const target = hosts[random.below(hosts.length)];
    if (target === undefined) return;
    this.#world.request(host, "node.standby", { node: target.name, on: random.fraction() < 0.4 }, () => {});
  }

  /** Leadership goes where somebody wants it, the witness and members that lag included: they are refused. */
  #transfer(): void {
    const { random, hosts } = this.#world;
    const target = hosts[random.below(hosts.length)];
    const leader = this.#world.leader();
    if (target !== undefined && leader !== null) this.#world.request(leader, "cluster.transfer", { node: target.name }, () => {});
  }

  /** Weighted votes, demotion to learner and back, always joint. */
  #votes(host: VirtualHost): void {
    const { random, hosts } = this.#world;
    const target = hosts[random.below(hosts.length)];
    if (target !== undefined) this.#world.request(host, "cluster.votes", { node: target.name, votes: random.below(4) }, () => {});
  }

  /** The operators put everything back, so that all services can run. */
  async finish(): Promise<void> {
    const { hosts } = this.#world;
    for (const target of hosts) {
      for (let attempt = 0; ; attempt += 1) {
        const host = this.#world.leader() ?? hosts[0];
        if (host === undefined) return;
        try {
          await this.#world.ask(host, "cluster.promote", { node: target.name });
          if (!this.#world.isWitness(target)) await this.#world.ask(host, "node.standby", { node: target.name, on: false });
          await this.#world.ask(host, "resource.cleanup", { force: true });
          break;
        } catch (error) {
          if (attempt >= 5 || error instanceof Violation) throw error;
        }
      }
    }
  }

  /** No acknowledged change lost, no refused one done (RAFT.md §10 C2). */
  check(): void {
    const present = canonicalText(renderConfiguration(this.#world.replica));
    for (const id of this.#acknowledged) if (!present.includes(`"${id}"`)) throw new Violation("C2", `${id} was acknowledged and is gone`);
    for (const id of this.#refused) if (present.includes(`"${id}"`)) throw new Violation("C2", `${id} was refused and is there`);
  }
}
