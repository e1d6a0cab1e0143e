import type { Random } from "../../../src/core/base/index.ts";
import { type LabCluster, pause } from "../cluster.ts";
import { SWITCH_WORKS, type SwitchWeather } from "../power-switch.ts";
import type { Scenario, Stage } from "../scenario.ts";

const FAULTS = 8;
/** Each fault lasts at least this long, at most three times. */
const FAULT_MS = 800;

type Fault = {
  readonly text: string;
  readonly act: () => Promise<unknown>;
  readonly undo?: () => Promise<unknown>;
  /** Pauses a guardian, which only a power switch makes good (RAFT.md §8, last table). */
  readonly needsSwitch?: true;
};

function switchFaults(cluster: LabCluster): readonly Fault[] {
  const weather = (text: string, of: Partial<SwitchWeather>): Fault => ({
    text: `the power switch ${text}`,
    act: async () => {
      cluster.powerSwitch.weather = { ...SWITCH_WORKS, ...of };
    },
    needsSwitch: true,
  });
  return [
    weather("takes 4 s", { slowMs: 4_000 }),
    weather("refuses three times", { refuses: 3 }),
    weather("loses an answer", { liesFailure: 1 }),
    weather("answers 3 s late", { answerMs: 3_000 }),
  ];
}

function draw(cluster: LabCluster, random: Random, withSwitch: boolean): Fault {
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
    { text: `freeze ${name}`, act: () => lab.run("freeze", name), undo: () => lab.run("thaw", name), needsSwitch: true },
    {
      text: `SIGSTOP to the guardian of ${name}`,
      act: () => cluster.signal(name, "guardian", "STOP"),
      undo: () => cluster.signal(name, "guardian", "CONT"),
      needsSwitch: true,
    },
    { text: `SIGTERM to the daemon of ${name}`, act: () => cluster.signal(name, "daemon", "TERM") },
    { text: `isolate ${name}`, act: () => lab.run("split", name, cluster.others(name).join(" ")) },
    { text: `cut ${name} -> ${other}`, act: () => lab.run("cut", name, other) },
    { text: `half of the frames ${name} -> ${other} are lost`, act: () => lab.run("loss", name, other, "50") },
    { text: `power off ${name}`, act: () => cluster.off(name), undo: () => cluster.on(name) },
    { text: `${name} | the others, one way each`, act: () => cuts(cluster, name, other) },
    { text: "heal", act: () => lab.run("heal") },
    ...switchFaults(cluster),
  ];
  const possible = faults.filter((fault) => withSwitch || fault.needsSwitch !== true);
  return possible[random.below(possible.length)] ?? { text: "heal", act: () => lab.run("heal") };
}

/** One of a pair cannot speak, and the third cannot hear it. */
async function cuts(cluster: LabCluster, name: string, other: string): Promise<void> {
  await cluster.lab.run("cut", name, other);
  for (const third of cluster.others(name)) if (third !== other) await cluster.lab.run("cut", third, name);
}

async function play({ cluster, random, changesGoOn }: Stage, withSwitch: boolean): Promise<void> {
  for (let count = 0; count < FAULTS; count += 1) {
    const fault = draw(cluster, random, withSwitch);
    cluster.say(fault.text);
    // A host without power takes no fault: what the seed drew need not be possible.
    await fault.act().catch(() => cluster.say("  (not possible now)"));
    await pause(FAULT_MS + random.below(2 * FAULT_MS));
    await fault.undo?.().catch(() => {});
  }
  cluster.say("heal");
  cluster.powerSwitch.weather = SWITCH_WORKS;
  await cluster.lab.run("heal");
  for (const name of cluster.names) await cluster.on(name);
  await changesGoOn(8, 60_000);
}

export const storm: Scenario = {
  name: "storm",
  story: "Eight faults drawn by the seed, one upon another, some undone and some left: afterwards everything is whole.",
  faults: (stage) => play(stage, true),
  explained: ["quorum", "device"],
};

export const stormWithoutSwitch: Scenario = {
  name: "storm-tsafe",
  story: "The same without a power switch and without pauses of guardians: nothing but leases keep resources from running twice.",
  noPowerSwitch: true,
  faults: (stage) => play(stage, false),
};
