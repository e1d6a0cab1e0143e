import { pause } from "../cluster.ts";
import type { Scenario } from "../scenario.ts";

export const powerOffOne: Scenario = {
  name: "power-off-one",
  story: "The host that runs d1 loses its power: d1 runs elsewhere after it was fenced; the host comes back.",
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    cluster.say(`power off ${name}, which runs d1`);
    cluster.harm(name);
    await cluster.off(name);
    await cluster.until("d1 runs elsewhere", 30_000, () => {
      const last = cluster.ledger().findLast((line) => line.resource === "d1" && line.action === "start");
      return last !== undefined && last.node !== name;
    });
    await changesGoOn();
    await cluster.on(name);
  },
  holds: { fenced: "harmed" },
};

export const powerOffLeader: Scenario = {
  name: "power-off-leader",
  story: "The leader's host loses its power without a goodbye on the wire: another leads.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say(`power off ${leader}, which leads`);
    cluster.harm(leader);
    await cluster.off(leader);
    await changesGoOn(10, 30_000);
    await cluster.on(leader);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const powerOffAll: Scenario = {
  name: "power-off-all",
  story: "All hosts lose their power at once and come back one after the other: everything is as it was.",
  faults: async ({ cluster, changesGoOn, random }) => {
    cluster.say("power off everything");
    await Promise.all(cluster.names.map((name) => cluster.off(name)));
    for (const name of [...cluster.names].sort(() => random.fraction() - 0.5)) {
      cluster.say(`power on ${name}`);
      await cluster.on(name);
      await pause(random.below(2_000));
    }
    await changesGoOn(10, 60_000);
  },
};
