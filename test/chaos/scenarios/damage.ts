import { closeSync, existsSync, openSync, readdirSync, readSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../../src/core/base/index.ts";
import type { LabCluster } from "../cluster.ts";
import { command, makeSmallDisk } from "../lab.ts";
import { PATIENT, patient, type Scenario } from "../scenario.ts";

/** Files of a store, biggest first. */
function storeFiles(cluster: LabCluster, name: string): readonly string[] {
  const root = join(cluster.lab.data(name), "q", "store");
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return paths.filter((path) => statSync(path).size > 0).sort((a, b) => statSync(b).size - statSync(a).size);
}

function flip(path: string, random: Random): void {
  const file = openSync(path, "r+");
  const at = random.below(statSync(path).size);
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Uint8Array.of((byte[0] ?? 0) ^ (1 << random.below(8))), 0, 1, at);
  closeSync(file);
}

/** Starts a daemon whose store was damaged; one that has lost its memory joins anew with an empty store. */
async function comesBack(cluster: LabCluster, name: string, by: string): Promise<void> {
  await cluster.startProgram(name, "daemon");
  const online = async (): Promise<boolean> =>
    (await cluster.status(by)).nodes.some((node) => node.name === name && node.state === "online") &&
    (await cluster.status(name)).phase === "member";
  try {
    await cluster.until(`${name} is a member again`, 20_000, online);
  } catch {
    cluster.say(`${name} joins with an empty store`);
    await cluster.endPrograms(name);
    rmSync(join(cluster.lab.data(name), "q"), { recursive: true });
    cluster.writeSettings(name);
    await cluster.startPrograms(name);
    await cluster.join(name, by);
  }
}

export const flippedBytes: Scenario = {
  name: "flipped-bytes",
  story:
    "Bits flip in store files of a follower while its daemon is down, three times: it notices or they do not matter; answers stay right.",
  hosts: patient,
  faults: async ({ cluster, random, changesGoOn }) => {
    for (let turn = 0; turn < 3; turn += 1) {
      const leader = await cluster.leader();
      const name = cluster.others(leader)[random.below(2)] ?? leader;
      await cluster.endDaemon(name, "KILL");
      const files = storeFiles(cluster, name);
      const hit = Array.from({ length: 3 }, () => files[random.below(Math.min(3, files.length))] ?? "");
      for (const path of hit) flip(path, random);
      cluster.say(`flipped bits on ${name} in ${hit.map((path) => path.split("/store/")[1]).join(" ")}`);
      await comesBack(cluster, name, leader);
      await changesGoOn();
    }
  },
  explained: ["damage", "disk", "quorum"],
};

export const tornTail: Scenario = {
  name: "torn-tail",
  story:
    "The newest file of a follower's store loses its end with its daemon, three times: what it had promised, it gets back before it votes.",
  hosts: patient,
  faults: async ({ cluster, random, changesGoOn }) => {
    for (let turn = 0; turn < 3; turn += 1) {
      const leader = await cluster.leader();
      const name = cluster.others(leader)[random.below(2)] ?? leader;
      await cluster.endDaemon(name, "KILL");
      const [log] = storeFiles(cluster, name).filter((path) => path.endsWith(".log"));
      if (log === undefined) throw new Error("the store has no log");
      const cut = 1 + random.below(Math.min(4_000, statSync(log).size));
      cluster.say(`the store of ${name} loses its last ${cut} bytes`);
      truncateSync(log, statSync(log).size - cut);
      await comesBack(cluster, name, leader);
      await changesGoOn();
    }
  },
  explained: ["damage", "disk", "quorum"],
};

const withoutXfsIo = (): string | null => {
  if (!existsSync("/dev/loop-control")) return "no loop devices here";
  return existsSync("/usr/sbin/xfs_io") ? null : "xfsprogs is not installed";
};

export const unsyncedLost: Scenario = {
  name: "unsynced-lost",
  story: "Power cuts that also lose whatever was not synced, of each host in turn, then of all at once: nothing acknowledged is lost.",
  skip: withoutXfsIo,
  hosts: async () => {
    const mounted: string[] = [];
    return {
      timing: PATIENT,
      prepareDisk: async (directory) => {
        await makeSmallDisk(imageOf(directory));
        await mountDisk(directory);
        mounted.push(directory);
      },
      releaseDisks: async () => {
        for (const directory of mounted) await command("umount", [directory]);
      },
    };
  },
  faults: async ({ cluster, changesGoOn }) => {
    // Whoever writes settings sees to it that they stay; here that is the test.
    for (const name of cluster.names) {
      const directory = join(cluster.lab.data(name), "q");
      await command("sync", [join(directory, "quorated.json"), join(directory, "guardian.json"), directory]);
    }
    for (const name of cluster.names) {
      await powerCut(cluster, name);
      await cluster.on(name);
      await changesGoOn(10, 40_000);
    }
    await Promise.all(cluster.names.map((name) => powerCut(cluster, name)));
    for (const name of cluster.names) await cluster.on(name);
    await changesGoOn(10, 60_000);
  },
  // A daemon may meet the dead disk before its host is dead.
  explained: ["disk", "quorum"],
};

/** Beside the directory, so that it goes with the lab. */
const imageOf = (directory: string): string => `${directory}.img`;

/** A commit interval that no run lives to see: only a sync brings anything to this disk. */
async function mountDisk(directory: string): Promise<void> {
  await command("mount", ["-o", "loop,commit=300", imageOf(directory), directory]);
}

async function powerCut(cluster: LabCluster, name: string): Promise<void> {
  const directory = cluster.lab.data(name);
  cluster.say(`power off ${name}, and what was not synced is lost`);
  await command("/usr/sbin/xfs_io", ["-x", "-c", "shutdown", directory]);
  await cluster.off(name);
  await command("umount", [directory]);
  await mountDisk(directory);
}
