import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { quietPlan, Trace, World } from "../../src/app/sim/index.ts";
import { type ConfigurationEdit, element } from "../../src/core/cib/index.ts";

const SEED = 7;

async function formed(waitForAll: boolean): Promise<World> {
  const plan = quietPlan(SEED, 3);
  const world = new World({ plan, watchdogMs: null, seededFault: null, schedule: schedulePlan, invariants: [], trace: new Trace(null) });
  await world.form();
  const pairs = { "stonith-enabled": "true", "wait-for-all": String(waitForAll) };
  const set = element(
    "cluster_property_set",
    { id: "o" },
    Object.entries(pairs).map(([name, value]) => element("nvpair", { id: `o-${name}`, name, value })),
  );
  const web = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "dummy" });
  const edits: ConfigurationEdit[] = [
    { section: "crm_config", id: "o", before: null, after: set },
    { section: "resources", id: "web", before: null, after: web },
  ];
  const [first] = world.hosts;
  assert.ok(first);
  await world.ask(first, "config.commit", { edits });
  await world.until("web runs", 30_000, () => copies(world) === 1);
  for (const host of world.hosts) host.powerOff();
  await world.advance(world.time.nowMs + 5_000);
  return world;
}

const copies = (world: World): number => world.hosts.filter((host) => host.services.active.has("web")).length;

test("wait-for-all: after a power cut of all, two of three decide nothing until the third is seen", async () => {
  const world = await formed(true);
  const [n1, n2, n3] = world.hosts;
  assert.ok(n1 && n2 && n3);
  n1.powerOn();
  n2.powerOn();
  await world.until("a leader", 30_000, () => world.leader() !== null);
  await world.advance(world.time.nowMs + 60_000);
  assert.equal(copies(world), 0, "nothing was started");
  assert.equal(world.replica.fencing.size, 0, "nobody was fenced");
  const leader = world.leader();
  assert.ok(leader);
  const status = (await world.ask(leader, "status", {})) as { warnings: readonly string[] };
  assert.match(status.warnings.join("\n"), /wait-for-all: nothing is decided before n3 has been seen/);
  n3.powerOn();
  await world.until("web runs again", 60_000, () => copies(world) === 1);
  // From now on the loss of a member is an ordinary loss.
  const holder = world.hosts.find((host) => host.services.active.has("web"));
  holder?.powerOff();
  await world.until("web runs on another node", 60_000, () => copies(world) === 1);
});

test("wait-for-all: a person may vouch for the member that does not come back", async () => {
  const world = await formed(true);
  const [n1, n2] = world.hosts;
  assert.ok(n1 && n2);
  n1.powerOn();
  n2.powerOn();
  await world.until("n3 is lost", 60_000, () => world.replica.nodes.get("n3")?.membership === "lost");
  assert.equal(copies(world), 0);
  await world.ask(world.leader() ?? n1, "node.confirm", { node: "n3" });
  await world.until("web runs again", 60_000, () => copies(world) === 1);
});

test("without wait-for-all two of three go on by themselves", async () => {
  const world = await formed(false);
  const [n1, n2] = world.hosts;
  assert.ok(n1 && n2);
  n1.powerOn();
  n2.powerOn();
  await world.until("web runs again", 90_000, () => copies(world) === 1);
});
