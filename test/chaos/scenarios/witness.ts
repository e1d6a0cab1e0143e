import { pause } from "../cluster.ts";
import type { Scenario } from "../scenario.ts";

const WITNESS = "n3";
const hosts = async (): Promise<{ readonly witness: string }> => ({ witness: WITNESS });

export const witnessLost: Scenario = {
  name: "witness-lost",
  story:
    "Two data nodes and a witness: the witness loses its power, nothing happens; it comes back, a data node is lost, the other runs all.",
  hosts,
  faults: async ({ cluster, changesGoOn, holder }) => {
    cluster.say(`power off ${WITNESS}, the witness`);
    cluster.harm(WITNESS);
    await cluster.off(WITNESS);
    await changesGoOn(20, 30_000);
    if (cluster.ledger().some((line) => line.action === "stop")) throw new Error("the loss of the witness has stopped a resource");
    await cluster.on(WITNESS);
    await cluster.becomes(WITNESS, "online", 30_000);
    const name = holder("d1");
    const other = cluster.dataNames.find((one) => one !== name) ?? name;
    cluster.say(`power off ${name}, which runs d1`);
    cluster.harm(name);
    await cluster.off(name);
    await cluster.until(`${other} runs all`, 40_000, () => ["d1", "d2", "d3"].every((id) => holder(id) === other));
    await changesGoOn();
    await cluster.on(name);
  },
  holds: { fenced: "harmed" },
};

export const witnessDecides: Scenario = {
  name: "witness-decides",
  story:
    "Two data nodes and a witness: the line between the data nodes is cut, one side goes on; then a data node and the witness are lost: nobody does.",
  hosts,
  faults: async ({ cluster, changesGoOn, workload }) => {
    const [one = "n1", two = "n2"] = cluster.dataNames;
    cluster.say(`cut ${one} <-> ${two}`);
    await cluster.lab.run("split", one, two);
    await pause(4_000);
    await changesGoOn(10, 30_000);
    await cluster.lab.run("heal");
    await changesGoOn(5, 30_000);
    cluster.say(`power off ${two} and ${WITNESS}`);
    await Promise.all([cluster.off(two), cluster.off(WITNESS)]);
    await pause(1_500);
    const before = workload.changes;
    await pause(6_000);
    if (workload.changes > before) throw new Error(`${workload.changes - before} changes were acknowledged by one of three votes`);
    await cluster.on(two);
    await cluster.on(WITNESS);
    await changesGoOn(10, 60_000);
  },
};
