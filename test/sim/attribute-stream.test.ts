import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulePlan } from "../../src/app/daemon/index.ts";
import { quietPlan, Trace, World } from "../../src/app/sim/index.ts";
import { serves } from "../../src/app/sim/liveness/index.ts";
import { firstConfiguration } from "../../src/app/sim/services.ts";

/** A plan takes longer than the next change of an attribute is away, and a node dies meanwhile. */
for (const everyMs of [20, 2]) {
  test(`attributes that change every ${everyMs} ms do not keep services of a dead node waiting`, async () => {
    const plan = { ...quietPlan(11, 3), device: true };
    const world = new World({ plan, watchdogMs: null, seededFault: null, schedule: schedulePlan, invariants: [], trace: new Trace(null) });
    await world.form();
    const names = world.hosts.map(({ name }) => name);
    await world.insist("config.commit", { edits: firstConfiguration(names, true) });
    await world.until("all services run", 60_000, () => serves(world));
    for (const host of world.hosts) host.plannerDelayMs = 30;
    let written = 0;
    const change = (): void => {
      const leader = world.leader();
      const value = { node: names[written % 3], name: "load", value: String(written), lifetime: "reboot" };
      if (leader !== null)
        world.request(leader, "node.attribute", value, (answer) => {
          if ("result" in answer) written += 1;
        });
      world.time.after(everyMs, "attribute", change);
    };
    change();
    await world.advance(world.time.nowMs + 1_000);
    assert.ok(written > 500 / everyMs, `${written} attributes were written in a second`);
    const victim = world.hosts.find((host) => host !== world.leader() && host.services.active.size > 0);
    assert.ok(victim);
    const lost = [...victim.services.active];
    victim.powerOff();
    const runs = (resource: string): boolean => world.hosts.some((host) => host !== victim && host.services.active.has(resource));
    await world.until(`${lost.join(", ")} elsewhere`, 5_000, () => lost.every(runs));
  });
}
