import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { type Bound, livenessBounds, quietPlan, Trace, Violation, World } from "../../src/app/sim/index.ts";
import { firstConfiguration } from "../../src/app/sim/services.ts";

/** Three members at rest, with everything that a run configures. */
async function resting(): Promise<World> {
  const plan = quietPlan(11, 3);
  const world = new World({ plan, watchdogMs: null, seededFault: null, schedule: schedulePlan, invariants: [], trace: new Trace(null) });
  await world.form();
  const edits = firstConfiguration(
    world.hosts.map(({ name }) => name),
    true,
  );
  await world.ask(world.leader() ?? (world.hosts[0] as World["hosts"][number]), "config.commit", { edits });
  await bound("L3").hold(world);
  return world;
}

function bound(id: string): Bound {
  const found = livenessBounds.find((one) => one.id === id);
  assert.ok(found, `there is no bound ${id}`);
  return found;
}

function cutAll(world: World): void {
  for (const from of world.hosts) for (const to of world.hosts) if (from !== to) world.network.cut(from.member, to.member);
}

/** What keeps the cluster from holding each bound. */
const troubles: Readonly<Record<string, (world: World) => Promise<void> | void>> = {
  L1: async (world) => {
    cutAll(world);
    await world.advance(world.time.nowMs + 2_000);
  },
  L2: cutAll,
  L3: cutAll,
  L4: (world) => world.hosts[2]?.killDaemon(),
  L5: (world) => {
    const others = world.hosts.filter((host) => host !== world.leader());
    for (const from of others) for (const to of others) if (from !== to) world.network.cut(from.member, to.member);
  },
  L6: (world) => {
    let looks = 0;
    world.leader = () => {
      looks += 1;
      return world.hosts[Math.floor(looks / 50) % 3] ?? null;
    };
  },
  L7: (world) => {
    for (let n = 0; n < 100; n += 1) {
      world.time.after(n * 10, "storm", () => {
        world.network.sent += 100;
      });
    }
  },
};

test("a cluster at rest holds every bound", async () => {
  const world = await resting();
  for (const one of livenessBounds) await one.hold(world);
  assert.ok(world.outageMs !== null && world.outageMs <= 3_000);
});

for (const [id, trouble] of Object.entries(troubles)) {
  test(`${id} can fail: ${bound(id).rule}`, async () => {
    const world = await resting();
    await trouble(world);
    await assert.rejects(bound(id).hold(world), (error) => error instanceof Violation && error.id === id);
  });
}
