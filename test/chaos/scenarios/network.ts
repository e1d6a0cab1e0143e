import { type LabCluster, pause } from "../cluster.ts";
import { patient, type Scenario } from "../scenario.ts";

async function heal(cluster: LabCluster): Promise<void> {
  cluster.say("heal");
  await cluster.lab.run("heal");
}

export const isolateLeader: Scenario = {
  name: "isolate-leader",
  story: "The leader is cut off from both: the others elect, fence it, and take over what it ran.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say(`isolate ${leader}, which leads`);
    cluster.harm(leader);
    await cluster.lab.run("split", leader, cluster.others(leader).join(" "));
    await cluster.becomes(leader, "fenced", 30_000);
    await changesGoOn(10, 30_000);
    await pause(2_000);
    await heal(cluster);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const isolateFollower: Scenario = {
  name: "isolate-follower",
  story: "A follower is cut off: the leader stays, the follower is fenced, its resources move.",
  faults: async ({ cluster, changesGoOn }) => {
    const follower = await cluster.follower();
    cluster.say(`isolate ${follower}`);
    cluster.harm(follower);
    await cluster.lab.run("split", follower, cluster.others(follower).join(" "));
    await changesGoOn(20, 30_000);
    await cluster.becomes(follower, "fenced", 30_000);
    await pause(2_000);
    await heal(cluster);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const isolateWithoutSwitch: Scenario = {
  name: "isolate-tsafe",
  story: "The leader is cut off and nobody can cut its power: what it ran starts elsewhere only after it has stopped it itself.",
  noPowerSwitch: true,
  faults: async ({ cluster, changesGoOn, holder }) => {
    const leader = await cluster.leader();
    cluster.say(`isolate ${leader}, which leads (d1 runs on ${holder("d1")})`);
    cluster.harm(leader);
    await cluster.lab.run("split", leader, cluster.others(leader).join(" "));
    await cluster.becomes(leader, "fenced", 40_000);
    await cluster.until("its resources run elsewhere", 20_000, () => ["d1", "d2", "d3"].every((id) => holder(id) !== leader));
    await changesGoOn();
    await heal(cluster);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const shatter: Scenario = {
  name: "shatter",
  story: "Every host is alone: nothing is acknowledged, every guardian stops its resources in time, then all goes on.",
  faults: async ({ cluster, changesGoOn, workload }) => {
    cluster.say("three partitions of one");
    await cluster.lab.run("split", ...cluster.names);
    await pause(1_500);
    const before = workload.changes;
    await pause(9_000);
    if (workload.changes > before) throw new Error(`${workload.changes - before} changes were acknowledged without a majority`);
    await heal(cluster);
    await changesGoOn(10, 40_000);
  },
};

export const minorityFirst: Scenario = {
  name: "majority-minority",
  story: "Majority and minority, twice, a different host alone each time: the majority acknowledges within its bound.",
  faults: async ({ cluster, changesGoOn, random }) => {
    for (let turn = 0; turn < 2; turn += 1) {
      const alone = cluster.names[random.below(cluster.names.length)] ?? "n1";
      cluster.say(`${alone} | ${cluster.others(alone).join(" ")}`);
      cluster.harm(alone);
      await cluster.lab.run("split", alone, cluster.others(alone).join(" "));
      await pause(1_000);
      await changesGoOn(10, 30_000);
      await heal(cluster);
      await cluster.until("all hosts are back", 40_000, async () => {
        const other = cluster.others(alone)[0] ?? alone;
        return (await cluster.status(other)).nodes.every((node) => node.state === "online");
      });
    }
  },
  holds: { fenced: "harmed" },
};

export const oneWayFromLeader: Scenario = {
  name: "one-way-from-leader",
  story: "Frames from the leader to one follower are lost, those back arrive: the cluster goes on.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const follower = cluster.others(leader)[0] ?? leader;
    cluster.say(`cut ${leader} -> ${follower}`);
    cluster.harm(leader, follower);
    await cluster.lab.run("cut", leader, follower);
    await pause(3_000);
    await changesGoOn(10, 30_000);
    await heal(cluster);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const deafLeader: Scenario = {
  name: "one-way-to-leader",
  story: "The leader speaks to both but hears nobody: it gives up its office, the others elect.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say(`cut everybody -> ${leader}`);
    cluster.harm(leader);
    for (const other of cluster.others(leader)) await cluster.lab.run("cut", other, leader);
    await pause(500);
    await changesGoOn(10, 30_000);
    await heal(cluster);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const triangle: Scenario = {
  name: "triangle",
  story: "Leader and one follower cannot reach each other, the third reaches both: one of the pair is lost at most, changes go on.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const follower = cluster.others(leader)[0] ?? leader;
    cluster.say(`cut ${leader} <-> ${follower}`);
    cluster.harm(leader, follower);
    await cluster.lab.run("cut", leader, follower);
    await cluster.lab.run("cut", follower, leader);
    await pause(4_000);
    await changesGoOn(10, 30_000);
    await heal(cluster);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const flapping: Scenario = {
  name: "flapping",
  story: "The cables of one host go out and in every 200 ms for 6 s: whatever becomes of it, changes go on.",
  faults: async ({ cluster, changesGoOn, random }) => {
    const name = cluster.names[random.below(cluster.names.length)] ?? "n1";
    cluster.say(`the cables of ${name} flap`);
    cluster.harm(name);
    for (let turn = 0; turn < 15; turn += 1) {
      for (const state of ["down", "up"]) {
        // While it is being fenced it has no cables.
        for (const ring of ["0", "1"]) await cluster.lab.run("cable", name, ring, state).catch(() => {});
        await pause(200);
      }
    }
    await heal(cluster);
    await changesGoOn(10, 40_000);
  },
  holds: { fenced: "harmed" },
};

export const loss: Scenario = {
  name: "loss",
  story: "30 % of all frames between all hosts are lost for 8 s: changes go on, slower.",
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("30 % loss everywhere");
    // The rule names the port of ring 0 and of ring 1 apart.
    for (const from of cluster.names) {
      for (const to of cluster.others(from)) {
        await cluster.lab.run("loss", from, to, "30");
        await cluster.lab.run("loss", `${from}.1`, `${to}.1`, "30");
      }
    }
    await pause(8_000);
    await heal(cluster);
    await changesGoOn(10, 40_000);
  },
};

export const slowLink: Scenario = {
  name: "slow-link",
  story: "Every host gets 256 kbit/s on both rings, queues included, for 8 s: changes go on, slower.",
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("256 kbit/s for everybody");
    for (const name of cluster.names) await cluster.lab.run("rate", name, "256");
    await pause(8_000);
    await changesGoOn(3, 40_000);
    for (const name of cluster.names) await cluster.lab.run("rate", name, "off").catch(() => {});
    await changesGoOn(10, 40_000);
  },
};

export const oneRing: Scenario = {
  name: "one-ring",
  story: "One ring of two is cut everywhere, then the other instead: no election, no lost node, nothing touched.",
  faults: async ({ cluster, changesGoOn }) => {
    for (const ring of ["0", "1"]) {
      cluster.say(`ring ${ring} is dead`);
      for (const name of cluster.names) await cluster.lab.run("cable", name, ring, "down");
      await pause(4_000);
      await changesGoOn();
      await heal(cluster);
      await pause(3_000);
    }
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true, noElection: true },
};
