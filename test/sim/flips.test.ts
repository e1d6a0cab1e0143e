import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { quietPlan, Trace, World } from "../../src/app/sim/index.ts";
import { attributeOf, canonicalText, type Element, element, walk } from "../../src/core/cib/index.ts";

/** Flips in CI; `FLIPS=2000` is the soak run (issue 5: a flipped byte never changes what the cluster answers). */
const FLIPS = Number(process.env["FLIPS"] ?? "60");
const SEED = Number(process.env["SEED"] ?? "4711");
/** A world is made anew after this many flips, so that all ages of a log are hit. */
const PER_WORLD = 25;

const noted = (value: string): Element =>
  element("cluster_property_set", { id: "noted" }, [element("nvpair", { id: "noted-v", name: "noted", value })]);

/** Three members of the production code, a resource that runs, and the last value that was acknowledged. */
class Flipped {
  readonly world: World;
  acknowledged = "0";
  constructor(seed: number) {
    const options = { plan: quietPlan(seed, 3), watchdogMs: null, seededFault: null };
    this.world = new World({ ...options, schedule: schedulePlan, invariants: [], trace: new Trace(null) });
  }

  async form(): Promise<void> {
    await this.world.form();
    const web = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "dummy" });
    const edits = [
      { section: "resources", id: "web", before: null, after: web },
      { section: "crm_config", id: "noted", before: null, after: noted("0") },
    ];
    await this.world.ask(this.world.hosts[0]!, "config.commit", { edits });
  }

  async change(value: string): Promise<void> {
    const host = this.world.hosts[this.world.random.below(3)]!;
    const edits = [{ section: "crm_config", id: "noted", before: canonicalText(noted(this.acknowledged)), after: noted(value) }];
    await this.world.ask(host, "config.commit", { edits });
    this.acknowledged = value;
  }

  /** What every member answers must be one and the same, and hold the last value that was acknowledged. */
  async answers(what: string): Promise<void> {
    for (const host of this.world.hosts) {
      if (host.shell === null) continue;
      const { cib } = (await this.world.ask(host, "cib.get", { section: "configuration" })) as { cib: Element };
      assert.equal(canonicalText(cib), this.#expected(), `${what}: ${host.name}`);
    }
  }

  #baseline: string | null = null;

  #expected(): string {
    return (this.#baseline ?? "").replace("VALUE", this.acknowledged);
  }

  /** Taken while nothing has been damaged yet. */
  async remember(): Promise<void> {
    const { cib } = (await this.world.ask(this.world.hosts[0]!, "cib.get", { section: "configuration" })) as { cib: Element };
    const ids = [...walk(cib)].map((found) => attributeOf(found, "id"));
    assert.ok(["web", "noted"].every((id) => ids.includes(id)));
    this.#baseline = canonicalText(cib).replace(`["value","${this.acknowledged}"]`, `["value","VALUE"]`);
  }
}

test(`${FLIPS} flipped bits on one disk of three: the cluster answers the same`, async (context) => {
  const found: Record<string, number> = {};
  let flips = 0;
  for (let round = 0; flips < FLIPS; round += 1) {
    const cluster = new Flipped(SEED + round);
    const { world } = cluster;
    await cluster.form();
    await cluster.remember();
    for (let turn = 0; turn < PER_WORLD && flips < FLIPS; turn += 1) {
      flips += 1;
      await cluster.change(`${round}.${turn}`);
      const victim = world.hosts[world.random.below(3)]!;
      victim.killDaemon();
      const what = `seed ${SEED + round}, flip ${turn} on ${victim.name}: ${victim.disk.flip() ?? "nothing"}`;
      victim.startDaemon();
      const outcome = await comesBack(world, victim);
      found[outcome] = (found[outcome] ?? 0) + 1;
      await cluster.answers(what);
    }
  }
  context.diagnostic(`outcomes: ${JSON.stringify(found)}`);
});

/** Runs the world until the member takes part again: a member without memory only under a new id (RAFT.md §6). */
async function comesBack(world: World, victim: World["hosts"][number]): Promise<string> {
  const { member } = victim;
  let wasRecovering = false;
  await world.until(`${victim.name} is back`, 60_000, () => {
    const raft = victim.shell?.core.raftStatus;
    if (raft === undefined || raft.leader === null) return false;
    wasRecovering ||= raft.recovering;
    return !raft.recovering && victim.shell!.core.state.index >= world.replica.index;
  });
  if (victim.member !== member) return "amnesia";
  return wasRecovering ? "recovering" : "harmless";
}
