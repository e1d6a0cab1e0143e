import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type LabCluster, pause } from "../cluster.ts";
import { patient, type Scenario } from "../scenario.ts";

/** Frames of every host are delayed for a time; each frame passes two hosts' cables. */
async function shaped(cluster: LabCluster, ms: number, ...shape: readonly string[]): Promise<void> {
  for (const name of cluster.names) await cluster.lab.run("shape", name, ...shape);
  await pause(ms);
}

async function straight(cluster: LabCluster): Promise<void> {
  for (const name of cluster.names) await cluster.lab.run("shape", name, "off");
}

export const delay: Scenario = {
  name: "delay",
  story: "Every frame takes 75 ms, 50 more or less, for 8 s: changes go on, slower; nobody is given up.",
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("75 +- 50 ms everywhere");
    await shaped(cluster, 8_000, "37", "25");
    await changesGoOn(5, 40_000);
    await straight(cluster);
    await changesGoOn();
  },
  hosts: patient,
  holds: { fenced: "nobody" },
};

export const reorder: Scenario = {
  name: "reorder",
  story: "A tenth of all frames comes twice and a fifth ahead of others, for 8 s: changes go on; nobody is given up.",
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("frames are duplicated and reordered");
    await shaped(cluster, 8_000, "5", "5", "10", "20");
    await changesGoOn(5, 40_000);
    await straight(cluster);
    await changesGoOn();
  },
  hosts: patient,
  holds: { fenced: "nobody" },
};

export const halfLost: Scenario = {
  name: "half-lost",
  story: "Half of the frames from and to one host are lost for 8 s: the other two go on whatever becomes of it.",
  faults: async ({ cluster, changesGoOn, random }) => {
    const name = cluster.names[random.below(cluster.names.length)] ?? "n1";
    cluster.say(`half of the frames of ${name} are lost`);
    cluster.harm(name);
    for (const other of cluster.others(name)) {
      for (const ring of ["", ".1"]) {
        await cluster.lab.run("loss", `${name}${ring}`, `${other}${ring}`, "50");
        await cluster.lab.run("loss", `${other}${ring}`, `${name}${ring}`, "50");
      }
    }
    await pause(8_000);
    await changesGoOn(5, 40_000);
    await cluster.lab.run("heal");
    await changesGoOn(10, 40_000);
  },
  holds: { fenced: "harmed" },
};

export const resets: Scenario = {
  name: "resets",
  story: "The connections between leader and followers are reset every 200 ms for 5 s: they are made anew, nobody is given up.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say(`connections of ${leader}, which leads, are reset again and again`);
    for (const endMs = Date.now() + 5_000; Date.now() < endMs; ) {
      for (const other of cluster.others(leader)) await cluster.lab.run("reset", leader, other);
      await pause(200);
    }
    await changesGoOn();
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true },
};

export const majoritiesRing: Scenario = {
  name: "majorities-ring",
  story: "Five hosts, each reaches only its two neighbours: every host sees a majority, no two the same. One leads at most.",
  hosts: async () => ({ size: 5 }),
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("each host reaches its neighbours only");
    const { names } = cluster;
    for (const [at, name] of names.entries()) {
      for (const step of [2, 3]) await cluster.lab.run("cut", name, names[(at + step) % names.length] ?? name);
    }
    await pause(8_000);
    await changesGoOn(5, 40_000);
    cluster.say("heal");
    await cluster.lab.run("heal");
    await changesGoOn(10, 40_000);
  },
};

/** More than `keepEntries` of the consensus core: a follower that missed them is sent a snapshot. */
const MISSED = 1_200;
const AT_ONCE = 60;
const VALUE_BYTES = 2_000;

export const slowSnapshot: Scenario = {
  name: "slow-snapshot",
  story: "A follower with a line of 1 Mbit/s has missed more than the log keeps: it gets a snapshot, and nobody is elected meanwhile.",
  hosts: async () => ({ timing: { nodeLossMs: 30_000, selfFenceMs: 90_000 }, snapshotLogBytes: 64 * 1024 }),
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const follower = await cluster.follower();
    cluster.say(`1 Mbit/s for ${follower}, and it is cut off`);
    await cluster.lab.run("rate", follower, "1000");
    await cluster.lab.run("split", follower, cluster.others(follower).join(" "));
    for (let sent = 0; sent < MISSED; sent += AT_ONCE) {
      const wave = Array.from({ length: AT_ONCE }, (_, at) => ({
        node: leader,
        name: `missed-${(sent + at) % 300}`,
        value: `${sent}`.padEnd(VALUE_BYTES, "."),
        lifetime: "reboot",
      }));
      await Promise.all(wave.map((params) => cluster.request(leader, "node.attribute", params)));
    }
    cluster.say(`${MISSED} changes were made without it`);
    await cluster.lab.run("heal");
    await cluster.until(`${follower} has caught up`, 60_000, async () => {
      const [behind, ahead] = [await cluster.status(follower), await cluster.status(leader)];
      return behind.index >= ahead.index - 20;
    });
    const log = readFileSync(join(cluster.shared, "logs", `${follower}-daemon.log`), "utf8");
    if (!log.includes("a snapshot of the leader was taken over")) throw new Error(`${follower} caught up without a snapshot`);
    await changesGoOn();
    await cluster.lab.run("rate", follower, "off");
  },
  holds: { fenced: "nobody", untouched: true, noElection: true },
};
