import { rmSync } from "node:fs";
import { join } from "node:path";
import { type LabCluster, pause } from "../cluster.ts";
import { patient, type Scenario, type Stage } from "../scenario.ts";

/** Moves everything away from a node, removes it from the cluster, and lets its host join again with an empty store. */
async function replace({ cluster, changesGoOn }: Stage, name: string, by: string): Promise<void> {
  await cluster.request(by, "node.standby", { node: name, on: true });
  await cluster.request(by, "wait.idle", { timeoutMs: 30_000 });
  cluster.say(`remove ${name}`);
  await cluster.request(by, "cluster.remove", { node: name });
  await changesGoOn(10, 30_000);
  await cluster.endPrograms(name);
  rmSync(join(cluster.lab.data(name), "q"), { recursive: true });
  cluster.writeSettings(name);
  cluster.say(`${name} joins with an empty store`);
  await cluster.startPrograms(name);
  await cluster.join(name, by);
  await standbyOver(cluster, name, by);
  await changesGoOn();
}

async function standbyOver(cluster: LabCluster, name: string, by: string): Promise<void> {
  await cluster.until(`${name} is online`, 30_000, async () =>
    (await cluster.status(by)).nodes.some((node) => node.name === name && node.state === "online"),
  );
  await cluster.request(by, "node.standby", { node: name, on: false });
}

export const memberReplaced: Scenario = {
  name: "member-replaced",
  story: "A follower is removed, its store is wiped, it joins again as a new member, under a steady stream of changes.",
  faults: async (stage) => {
    const leader = await stage.cluster.leader();
    await replace(stage, stage.cluster.others(leader)[0] ?? leader, leader);
  },
  hosts: patient,
  holds: { fenced: "nobody" },
};

export const leaderRemoved: Scenario = {
  name: "leader-removed",
  story: "The leader itself is removed: another leads; the removed one joins again as a new member.",
  faults: async (stage) => {
    const leader = await stage.cluster.leader();
    await replace(stage, leader, stage.cluster.others(leader)[0] ?? leader);
  },
  hosts: patient,
  holds: { fenced: "nobody" },
};

export const wipedMember: Scenario = {
  name: "wiped-member",
  story: "A follower loses its whole store with its power; nobody removed it: one join makes it whole.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const name = cluster.others(leader)[0] ?? leader;
    cluster.say(`power off ${name} and wipe its store`);
    cluster.harm(name);
    await cluster.off(name);
    await changesGoOn();
    // It has been fenced by now, which gave it power again.
    await cluster.on(name);
    await cluster.endPrograms(name);
    rmSync(join(cluster.lab.data(name), "q"), { recursive: true });
    cluster.writeSettings(name);
    await cluster.startPrograms(name);
    await cluster.join(name, await cluster.leader());
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const removedReturns: Scenario = {
  name: "removed-returns",
  story:
    "A host without power is removed and comes back as if nothing had happened: it runs nothing and disturbs nobody, until it joins anew.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const name = cluster.others(leader)[0] ?? leader;
    cluster.say(`power off ${name}`);
    cluster.harm(name);
    await cluster.lab.run("split", name, cluster.others(name).join(" "));
    await cluster.off(name);
    await cluster.becomes(name, "fenced", 30_000);
    cluster.say(`remove ${name}`);
    await cluster.request(leader, "cluster.remove", { node: name, force: true });
    await cluster.on(name);
    // As long as it is cut off it can disturb nobody; a boot takes long on a busy machine.
    const { term } = await cluster.status(await cluster.leader());
    await cluster.lab.run("heal");
    cluster.say(`${name} is back with its old store`);
    await pause(6_000);
    await changesGoOn();
    const after = await cluster.status(await cluster.leader());
    if (after.term !== term) throw new Error(`a removed node caused an election: term ${term} became ${after.term}`);
    const starts = cluster.ledger().slice(cluster.ledger().findLastIndex((line) => line.action === "off" && line.node === name));
    if (starts.some((line) => line.node === name && line.action === "start"))
      throw new Error(`${name} started something after its removal`);
    await cluster.endPrograms(name);
    rmSync(join(cluster.lab.data(name), "q"), { recursive: true });
    cluster.writeSettings(name);
    await cluster.startPrograms(name);
    await cluster.join(name, leader);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const joinedWhileCut: Scenario = {
  name: "joined-while-cut",
  story:
    "A follower is removed and joins anew through the other follower while the leader cannot speak to it: it votes when the line is whole.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const [name = leader, by = leader] = cluster.others(leader);
    await cluster.request(leader, "node.standby", { node: name, on: true });
    await cluster.request(leader, "wait.idle", { timeoutMs: 30_000 });
    await cluster.request(leader, "cluster.remove", { node: name });
    await cluster.endPrograms(name);
    rmSync(join(cluster.lab.data(name), "q"), { recursive: true });
    cluster.writeSettings(name);
    cluster.say(`cut ${leader} -> ${name}; ${name} joins through ${by}`);
    await cluster.lab.run("cut", leader, name);
    await cluster.startPrograms(name);
    const joined = cluster.join(name, by);
    await changesGoOn(20, 30_000);
    cluster.say("heal");
    await cluster.lab.run("heal");
    await joined;
    await standbyOver(cluster, name, leader);
    await changesGoOn();
  },
  hosts: patient,
  holds: { fenced: "nobody" },
};

export const leaderTransferred: Scenario = {
  name: "leader-transferred",
  story: "Leadership goes round by request, six times: nothing is lost, nothing is touched.",
  faults: async ({ cluster, changesGoOn, random }) => {
    for (let turn = 0; turn < 6; turn += 1) {
      const leader = await cluster.leader();
      const next = cluster.others(leader)[random.below(2)] ?? leader;
      cluster.say(`${leader} hands over to ${next}`);
      await cluster.request(leader, "cluster.transfer", { node: next });
      await changesGoOn(5);
    }
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true },
};
