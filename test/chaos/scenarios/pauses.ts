import { pause } from "../cluster.ts";
import type { Scenario } from "../scenario.ts";
import { clocks, setClock, withoutFaketime } from "./clocks.ts";

export const stopAllDaemons: Scenario = {
  name: "stop-all-daemons",
  story: "SIGSTOP to every daemon for 20 s: the guardians stop everything at their deadlines, then all goes on.",
  faults: async ({ cluster, changesGoOn, holder }) => {
    cluster.say("SIGSTOP to every daemon");
    await Promise.all(cluster.names.map((name) => cluster.signal(name, "daemon", "STOP")));
    await pause(20_000);
    const left = ["d1", "d2", "d3"].filter((resource) => holder(resource) !== "");
    if (left.length > 0) throw new Error(`${left.join(" ")} still run 20 s after the last proof of a quorum`);
    cluster.say("SIGCONT");
    await Promise.all(cluster.names.map((name) => cluster.signal(name, "daemon", "CONT")));
    await changesGoOn(10, 60_000);
  },
};

export const stopGuardian: Scenario = {
  name: "stop-guardian",
  story:
    "SIGSTOP to a guardian, its daemon awake, which kills it: the next one is late for its deadline and stops what it keeps, or resets its host.",
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    cluster.say(`SIGSTOP to the guardian of ${name}, which runs d1`);
    cluster.harm(name);
    await cluster.signal(name, "guardian", "STOP");
    await pause(15_000);
    cluster.say("SIGCONT");
    await cluster.signal(name, "guardian", "CONT").catch(() => {});
    await changesGoOn();
  },
  explained: ["quorum", "guardian"],
  holds: { fenced: "harmed" },
};

export const watchdog: Scenario = {
  name: "watchdog",
  story:
    "No power switch: a host is cut off, its guardian paused and its clock set back. Its watchdog resets it before anything starts elsewhere.",
  noPowerSwitch: true,
  skip: withoutFaketime,
  hosts: async () => ({ ...clocks(), watchdogs: true }),
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    cluster.say(`isolate ${name}, which runs d1; SIGSTOP to its guardian; its clock is an hour behind`);
    cluster.harm(name);
    await cluster.lab.run("split", name, cluster.others(name).join(" "));
    setClock(cluster, name, "-3600");
    await cluster.signal(name, "guardian", "STOP");
    await cluster.until("the watchdog has fired", 15_000, () =>
      cluster.ledger().some((line) => line.action === "off" && line.node === name),
    );
    await cluster.until("d1 runs elsewhere", 40_000, () => holder("d1") !== "" && holder("d1") !== name);
    await changesGoOn();
    cluster.say("heal");
    await cluster.lab.run("heal");
    setClock(cluster, name, "+0");
    await changesGoOn();
  },
  holds: { fenced: "harmed" },
};

export const cutPausedBack: Scenario = {
  name: "cut-paused-back",
  story:
    "A host is cut off, its clock jumps back, its guardian is paused and woken; the switch is slow; then another host is frozen: no resource runs twice.",
  skip: withoutFaketime,
  hosts: async () => clocks(),
  faults: async ({ cluster, changesGoOn, holder }) => {
    const name = holder("d1");
    const other = cluster.others(name)[0] ?? name;
    cluster.powerSwitch.weather = { ...cluster.powerSwitch.weather, slowMs: 3_000 };
    cluster.say(`isolate ${name}, SIGSTOP to its guardian, its clock is an hour behind`);
    cluster.harm(name, other);
    await cluster.lab.run("split", name, cluster.others(name).join(" "));
    await cluster.signal(name, "guardian", "STOP");
    setClock(cluster, name, "-3600");
    await pause(2_000);
    await cluster.signal(name, "guardian", "CONT").catch(() => {});
    await changesGoOn(5, 40_000);
    cluster.say(`freeze ${other}`);
    await cluster.lab.run("freeze", other);
    await pause(3_000);
    cluster.say("heal and thaw");
    await cluster.lab.run("heal");
    await cluster.lab.run("thaw", other).catch(() => {});
    setClock(cluster, name, "+0");
    cluster.powerSwitch.weather = { ...cluster.powerSwitch.weather, slowMs: 0 };
    await changesGoOn(10, 60_000);
  },
};
