import type { Random } from "../../../src/core/base/index.ts";
import { type LabCluster, pause } from "../cluster.ts";
import type { Scenario } from "../scenario.ts";

const FAULTS = 8;
/** Each fault lasts at least this long, at most three times. */
const FAULT_MS = 800;

type Fault = { readonly text: string; readonly act: () => Promise<unknown>; readonly undo?: () => Promise<unknown> };

function draw(cluster: LabCluster, random: Random): Fault {
  const name = cluster.names[random.below(cluster.names.length)] ?? "n1";
  const other = cluster.others(name)[random.below(2)] ?? "n2";
  const { lab } = cluster;
  const faults: readonly Fault[] = [
    { text: `kill -9 of the daemon of ${name}`, act: () => cluster.signal(name, "daemon", "KILL") },
    { text: `kill -9 of the guardian of ${name}`, act: () => cluster.signal(name, "guardian", "KILL") },
    {
      text: `SIGSTOP to the daemon of ${name}`,
      act: () => cluster.signal(name, "daemon", "STOP"),
      undo: () => cluster.signal(name, "daemon", "CONT"),
    },
    { text: `freeze ${name}`, act: () => lab.run("freeze", name), undo: () => lab.run("thaw", name) },
    { text: `isolate ${name}`, act: () => lab.run("split", name, cluster.others(name).join(" ")) },
    { text: `cut ${name} -> ${other}`, act: () => lab.run("cut", name, other) },
    { text: `half of the frames ${name} -> ${other} are lost`, act: () => lab.run("loss", name, other, "50") },
    { text: `power off ${name}`, act: () => cluster.off(name), undo: () => cluster.on(name) },
    { text: "heal", act: () => lab.run("heal") },
  ];
  return faults[random.below(faults.length)] ?? { text: "heal", act: () => lab.run("heal") };
}

export const storm: Scenario = {
  name: "storm",
  story: "Eight faults drawn by the seed, one upon another, some undone and some left: afterwards everything is whole.",
  faults: async ({ cluster, random, changesGoOn }) => {
    for (let count = 0; count < FAULTS; count += 1) {
      const fault = draw(cluster, random);
      cluster.say(fault.text);
      // A host without power takes no fault: what the seed drew need not be possible.
      await fault.act().catch(() => cluster.say("  (not possible now)"));
      await pause(FAULT_MS + random.below(2 * FAULT_MS));
      await fault.undo?.().catch(() => {});
    }
    cluster.say("heal");
    await cluster.lab.run("heal");
    for (const name of cluster.names) await cluster.on(name);
    await changesGoOn(8, 60_000);
  },
};
