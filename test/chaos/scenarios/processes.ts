import { pause } from "../cluster.ts";
import { patient, type Scenario } from "../scenario.ts";

export const killLeader: Scenario = {
  name: "kill-leader",
  story: "The daemon of the leader is killed, three times: another leads, nothing running is touched.",
  faults: async ({ cluster, changesGoOn }) => {
    for (let kill = 0; kill < 3; kill += 1) {
      const leader = await cluster.leader();
      cluster.say(`kill -9 of the daemon of ${leader}, which leads`);
      await cluster.signal(leader, "daemon", "KILL");
      await changesGoOn();
    }
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true },
};

export const killFollower: Scenario = {
  name: "kill-follower",
  story: "The daemon of a follower is killed, three times: it comes back, nothing running is touched.",
  faults: async ({ cluster, changesGoOn }) => {
    for (let kill = 0; kill < 3; kill += 1) {
      const follower = await cluster.follower();
      cluster.say(`kill -9 of the daemon of ${follower}`);
      await cluster.signal(follower, "daemon", "KILL");
      await changesGoOn();
    }
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true },
};

export const killBothFollowers: Scenario = {
  name: "kill-both-followers",
  story: "The daemons of both followers are killed at once: the leader alone acknowledges nothing, then all goes on.",
  faults: async ({ cluster, changesGoOn }) => {
    const leader = await cluster.leader();
    cluster.say("kill -9 of both followers");
    cluster.harm(...cluster.others(leader));
    await Promise.all(cluster.others(leader).map((name) => cluster.signal(name, "daemon", "KILL")));
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const killAllDaemons: Scenario = {
  name: "kill-all-daemons",
  story: "All daemons are killed at once: guardians keep the resources until the daemons are back.",
  faults: async ({ cluster, changesGoOn }) => {
    cluster.say("kill -9 of every daemon");
    await Promise.all(cluster.names.map((name) => cluster.signal(name, "daemon", "KILL")));
    await changesGoOn();
  },
};

export const killGuardian: Scenario = {
  name: "kill-guardian",
  story: "Guardians are killed, one after the other: they come back to their journal, nothing running is touched.",
  faults: async ({ cluster, changesGoOn }) => {
    for (const name of cluster.names) {
      cluster.say(`kill -9 of the guardian of ${name}`);
      await cluster.signal(name, "guardian", "KILL");
      await changesGoOn(5);
      await pause(700);
    }
  },
  hosts: patient,
  holds: { fenced: "nobody", untouched: true },
};

export const stopLeaderDaemon: Scenario = {
  name: "stop-leader-daemon",
  story: "SIGSTOP to the leader's daemon, shorter and longer than the lease, its guardian awake: no resource runs twice.",
  faults: async ({ cluster, changesGoOn }) => {
    for (const ms of [500, 1_500, 4_000]) {
      const leader = await cluster.leader();
      cluster.say(`SIGSTOP to the daemon of ${leader} for ${ms} ms`);
      cluster.harm(leader);
      await cluster.signal(leader, "daemon", "STOP");
      await pause(ms);
      // It may have been fenced meanwhile.
      await cluster.signal(leader, "daemon", "CONT").catch(() => {});
      await changesGoOn();
    }
  },
  holds: { fenced: "harmed" },
};

export const freezeLeader: Scenario = {
  name: "freeze-leader",
  story: "The leader's whole host is paused, as a virtual machine is, longer than the lease, and then goes on: it is fenced or harmless.",
  faults: async ({ cluster, changesGoOn, holder }) => {
    const leader = await cluster.leader();
    cluster.say(`freeze ${leader} (d1 runs on ${holder("d1")})`);
    cluster.harm(leader);
    await cluster.lab.run("freeze", leader);
    await changesGoOn(10, 30_000);
    await pause(2_000);
    await cluster.lab.run("thaw", leader).catch(() => {});
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const stopDaemonWithoutSwitch: Scenario = {
  name: "stop-daemon-tsafe",
  story: "SIGSTOP to a daemon until its node is given up, no power switch: its guardian has stopped everything by then.",
  noPowerSwitch: true,
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    cluster.say(`SIGSTOP to the daemon of ${name}, which runs d1`);
    cluster.harm(name);
    await cluster.signal(name, "daemon", "STOP");
    await cluster.becomes(name, "fenced", 60_000);
    await cluster.until("d1 runs elsewhere", 20_000, () => holder("d1") !== name);
    cluster.say("SIGCONT");
    await cluster.signal(name, "daemon", "CONT");
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};
