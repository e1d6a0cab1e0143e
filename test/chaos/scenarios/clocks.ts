import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterOptions, LabCluster } from "../cluster.ts";

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/** The file in which the clock of the daemons is told; on every host at the same place. */
const CLOCK_FILE = "/data/clock";

export const withoutFaketime = (): string | null => (existsSync(FAKETIME) ? null : "libfaketime is not installed");

/** Wall clocks of daemons can be set, each alone; monotonic clocks stay right. */
export function clocks(): Partial<ClusterOptions> {
  return {
    daemonEnvironment: { LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: CLOCK_FILE, FAKETIME_NO_CACHE: "1", DONT_FAKE_MONOTONIC: "1" },
    prepareDisk: async (directory) => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "clock"), "+0");
    },
  };
}

/** Sets the wall clock of a host's daemon, for example `+3600`: seconds from the right time. */
export function setClock(cluster: LabCluster, name: string, offset: string): void {
  cluster.say(`the clock of ${name} is ${offset} s`);
  writeFileSync(join(cluster.lab.data(name), "clock"), offset);
}
