import { type LabCluster, pause } from "../cluster.ts";
import { SWITCH_WORKS } from "../power-switch.ts";
import type { Scenario } from "../scenario.ts";

async function isolate(cluster: LabCluster, name: string): Promise<void> {
  cluster.say(`isolate ${name}`);
  cluster.harm(name);
  await cluster.lab.run("split", name, cluster.others(name).join(" "));
}

export const switchSlow: Scenario = {
  name: "switch-slow",
  story: "The power switch takes 12 s, longer than Tsafe: what the lost node ran starts elsewhere by the wait; the late cut harms nobody.",
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    cluster.powerSwitch.weather = { ...SWITCH_WORKS, slowMs: 12_000 };
    await isolate(cluster, name);
    await cluster.becomes(name, "fenced", 40_000);
    cluster.say("heal, with the cut still to come");
    await cluster.lab.run("heal");
    await changesGoOn(10, 30_000);
    await pause(6_000);
    cluster.powerSwitch.weather = SWITCH_WORKS;
    await changesGoOn(5, 30_000);
  },
  holds: { fenced: "harmed" },
};

export const switchFails: Scenario = {
  name: "switch-fails",
  story: "The power switch refuses five times: nothing starts elsewhere before the wait is over or the switch has worked.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.powerSwitch.weather = { ...SWITCH_WORKS, refuses: 5 };
    await isolate(cluster, leader);
    await cluster.becomes(leader, "fenced", 60_000);
    await changesGoOn(10, 30_000);
    await cluster.lab.run("heal");
    await changesGoOn();
  },
  explained: ["quorum", "device"],
  holds: { fenced: "harmed" },
};

export const switchLosesAnswer: Scenario = {
  name: "switch-loses-answer",
  story: "The power switch cuts and says that it failed, twice: the node is cut again, and comes back all the same.",
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d2");
    cluster.powerSwitch.weather = { ...SWITCH_WORKS, liesFailure: 2 };
    cluster.say(`freeze ${name}`);
    cluster.harm(name);
    await cluster.lab.run("freeze", name);
    await changesGoOn(10, 40_000);
    await pause(8_000);
    cluster.powerSwitch.weather = SWITCH_WORKS;
    await cluster.lab.run("thaw", name).catch(() => {});
    await changesGoOn();
  },
  explained: ["quorum", "device"],
  holds: { fenced: "harmed" },
};

export const leaderLostWhileFencing: Scenario = {
  name: "leader-lost-fencing",
  story: "Five hosts: one loses its power, and the leader too while the slow switch is at work for it: another one sees both through.",
  hosts: async () => ({ size: 5 }),
  faults: async ({ cluster, changesGoOn, holder }) => {
    const leader = await cluster.leader();
    const name = ["d1", "d2", "d3"].map(holder).find((one) => one !== "" && one !== leader) ?? cluster.others(leader)[0] ?? leader;
    cluster.powerSwitch.weather = { ...SWITCH_WORKS, slowMs: 4_000, answerMs: 2_000 };
    cluster.say(`power off ${name}`);
    cluster.harm(name, leader);
    await cluster.off(name);
    await cluster.until(`${name} is being fenced`, 20_000, async () =>
      (await cluster.status(leader)).fencing.pending.some(({ target }) => target === name),
    );
    cluster.say(`power off ${leader}, which leads`);
    await cluster.off(leader);
    await changesGoOn(10, 40_000);
    await cluster.becomes(leader, "fenced", 40_000);
    cluster.powerSwitch.weather = SWITCH_WORKS;
    await changesGoOn();
  },
  explained: ["quorum", "device"],
  holds: { fenced: "harmed" },
};

export const twoAtOnce: Scenario = {
  name: "two-at-once",
  story: "Two of three hosts lose their power at the same moment, the third stops what it runs; then the leader and another one.",
  faults: async ({ cluster, changesGoOn }) => {
    for (const withLeader of [false, true]) {
      const leader = await cluster.leader();
      const [one = "n1", two = "n2"] = cluster.others(leader);
      const hit = withLeader ? [leader, one] : [one, two];
      cluster.say(`power off ${hit.join(" and ")}${withLeader ? ", the first of which leads" : ""}`);
      await Promise.all(hit.map((name) => cluster.off(name)));
      await pause(7_000);
      for (const name of hit) await cluster.on(name);
      await changesGoOn(5, 60_000);
    }
  },
};
