import { existsSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { type LabCluster, pause } from "../cluster.ts";
import { command, makeSmallDisk } from "../lab.ts";
import { PATIENT, patient, type Scenario } from "../scenario.ts";
import { clocks, setClock, withoutFaketime } from "./clocks.ts";

export const diskFull: Scenario = {
  name: "disk-full",
  story: "The disk of a follower is full: its daemon ends rather than forget; with room again it comes back.",
  hosts: async () => {
    const mounted: string[] = [];
    return {
      prepareDisk: async (directory) => {
        // Beside the directory, so that it goes with the lab.
        const image = `${directory}.img`;
        await makeSmallDisk(image);
        await command("mount", ["-o", "loop", image, directory]);
        mounted.push(directory);
      },
      releaseDisks: async () => {
        for (const directory of mounted) await command("umount", [directory]);
      },
    };
  },
  skip: () => (existsSync("/dev/loop-control") ? null : "no loop devices here"),
  faults: async ({ cluster, changesGoOn, random }) => {
    const follower = cluster.others(await cluster.leader())[random.below(2)] ?? "n1";
    const filler = join(cluster.lab.data(follower), "filler");
    const { bavail, bsize } = statfsSync(cluster.lab.data(follower));
    const before = await cluster.daemonPid(follower);
    cluster.say(`the disk of ${follower} fills up`);
    cluster.harm(follower);
    await command("fallocate", ["-l", String(bavail * bsize - 4_096), filler]).catch(() => {});
    // What is left over in small pieces.
    await command("sh", ["-c", `cat /dev/zero >>"${filler}" 2>/dev/null || :`]);
    await changesGoOn(30, 40_000);
    await cluster.until(
      `the daemon of ${follower} ended`,
      40_000,
      async () => (await cluster.daemonPid(follower).catch(() => before)) !== before,
    );
    await pause(3_000);
    cluster.say("room again");
    rmSync(filler);
    await changesGoOn();
  },
  explained: ["disk", "quorum"],
  holds: { fenced: "harmed" },
};

export const clockJump: Scenario = {
  name: "clock-jump",
  story: "The wall clock of the daemons jumps an hour ahead, an hour back, and strobes: no election, no lost node.",
  hosts: async () => ({ timing: PATIENT, ...clocks() }),
  skip: withoutFaketime,
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    const follower = await cluster.follower();
    for (const [name, jump] of [
      [leader, "+3600"],
      [leader, "-3600"],
      [follower, "+3600"],
      [leader, "+0"],
      [follower, "-7200"],
      [follower, "+0"],
    ] as const) {
      setClock(cluster, name, jump);
      await changesGoOn(5);
      await pause(700);
    }
  },
  holds: { fenced: "nobody", untouched: true, noElection: true },
};

/** Makes the system calls that a daemon syncs with late or fail, for a time, from outside of it. */
async function injected(cluster: LabCluster, name: string, fault: string, ms: number): Promise<void> {
  const calls = "fdatasync,fsync";
  const inject = `timeout ${ms / 1_000} strace -f -qq -o /dev/null -e trace=${calls} -e inject=${calls}:${fault} -p $(cat /run/daemon.pid)`;
  // It ends by its time, or with the daemon.
  await cluster.lab.exec(name, ["sh", "-c", `${inject} >/dev/null 2>&1 || :`]);
}

const withoutStrace = (): string | null => (existsSync("/usr/bin/strace") ? null : "strace is not installed");

export const slowDisk: Scenario = {
  name: "slow-disk",
  story: "Each sync of the leader's disk takes 300 ms more for 6 s: changes go on, slower or under another leader.",
  skip: withoutStrace,
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say(`slow syncs on ${leader}, which leads`);
    cluster.harm(leader);
    await Promise.all([injected(cluster, leader, "delay_enter=300ms", 6_000), changesGoOn(5, 40_000)]);
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const diskStall: Scenario = {
  name: "disk-stall",
  story: "Each sync of the leader's disk takes 2 s for 10 s: another leads, changes go on at their old pace, nobody is given up.",
  skip: withoutStrace,
  hosts: patient,
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say(`syncs take 2 s on ${leader}, which leads`);
    const moved = cluster.until("another leads", 9_000, async () => {
      for (const other of cluster.others(leader)) {
        const view = await cluster.status(other);
        if (view.quorate && view.leader !== null && view.leader.node !== leader) return true;
      }
      return false;
    });
    await Promise.all([injected(cluster, leader, "delay_enter=2s", 10_000), moved.then(() => changesGoOn(10, 20_000))]);
    await changesGoOn();
  },
  holds: { fenced: "nobody", untouched: true },
};

export const failingSync: Scenario = {
  name: "failing-sync",
  story: "A sync of a follower's disk fails, then one of the leader's: the daemon ends at once rather than trust its disk, and comes back.",
  skip: withoutStrace,
  hosts: patient,
  faults: async ({ cluster, changesGoOn }) => {
    for (const who of ["follower", "leader"] as const) {
      const name = await cluster[who]();
      const before = await cluster.daemonPid(name);
      cluster.say(`syncs fail on ${name} (${who})`);
      await injected(cluster, name, "error=EIO", 3_000);
      await cluster.until(`the daemon of ${name} ended`, 15_000, async () => (await cluster.daemonPid(name)) !== before);
      await changesGoOn();
    }
  },
  explained: ["disk"],
  holds: { fenced: "nobody", untouched: true },
};
