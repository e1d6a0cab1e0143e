import { pause } from "../cluster.ts";
import { patient, type Scenario } from "../scenario.ts";
import { clocks, setClock, withoutFaketime } from "./clocks.ts";

export const rollingRestart: Scenario = {
  name: "rolling-restart",
  story: "Each daemon is restarted as for an upgrade, one after the other: nothing running is touched, nobody is given up.",
  faults: async ({ cluster, changesGoOn }) => {
    for (const name of cluster.names) {
      const before = await cluster.daemonPid(name);
      cluster.say(`SIGTERM to the daemon of ${name}`);
      await cluster.signal(name, "daemon", "TERM");
      await cluster.until(`${name} is online again`, 30_000, async () => {
        if ((await cluster.daemonPid(name)) === before) return false;
        return (await cluster.status(name)).nodes.some((node) => node.name === name && node.state === "online");
      });
      await changesGoOn();
    }
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true },
};

export const absenceAndClock: Scenario = {
  name: "absence-clock",
  story:
    "No power switch: a daemon is away on purpose, its guardian was promised a minute; the others' clocks jump an hour: nothing starts elsewhere.",
  noPowerSwitch: true,
  skip: withoutFaketime,
  hosts: async () => clocks(),
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    cluster.say(`SIGTERM to the daemon of ${name}, which runs d1`);
    await cluster.endDaemon(name, "TERM");
    await cluster.becomes(name, "detached", 10_000);
    for (const other of cluster.others(name)) setClock(cluster, other, "+3600");
    await pause(14_000);
    await changesGoOn();
    cluster.say(`the daemon of ${name} comes back`);
    await cluster.startProgram(name, "daemon");
    await changesGoOn();
    for (const other of cluster.others(name)) setClock(cluster, other, "+0");
  },
  holds: { fenced: "nobody", untouched: true },
};

export const shutdownAll: Scenario = {
  name: "shutdown-all",
  story: "Every node is asked to shut down at once: resources stop everywhere, daemons end and are started anew, all goes on.",
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("shutdown of every node");
    await Promise.all(cluster.names.map((name) => cluster.request(name, "daemon.stop", { mode: "shutdown" })));
    await changesGoOn(10, 60_000);
  },
};
