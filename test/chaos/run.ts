import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/core/base/index.ts";
import { type Element, element } from "../../src/core/cib/index.ts";
import { checkLinearizable, describe } from "../support/linearizability.ts";
import { LabCluster, type Status } from "./cluster.ts";
import { doubleRuns, type LedgerLine, runningOn } from "./ledger.ts";
import { unexplained } from "./logs.ts";
import type { Scenario, Stage } from "./scenario.ts";
import { propertySets, Workload, withoutUnseen } from "./workload.ts";

const RESOURCES = ["d1", "d2", "d3"];
/** Longest time from the end of the faults until the cluster is whole and idle, milliseconds. */
const CONVERGE_MS = 90_000;
/** Longest time of one scenario, milliseconds; afterwards it counts as failed. */
const SCENARIO_MS = 240_000;

/** Resources and power switch, as configuration. */
function resources(cluster: LabCluster, powerSwitch: boolean): readonly Element[] {
  const pairs = (id: string, values: Readonly<Record<string, string>>): Element =>
    element(
      "instance_attributes",
      { id },
      Object.entries(values).map(([name, value]) => element("nvpair", { id: `${id}-${name}`, name, value })),
    );
  const dummies = RESOURCES.map((id) =>
    element("primitive", { id, class: "ocf", provider: "quorate", type: "dummy" }, [
      pairs(`${id}-params`, { ledger: cluster.ledgerPath }),
      element("operations", {}, [element("op", { id: `${id}-monitor`, name: "monitor", interval: "2s", timeout: "20s" })]),
    ]),
  );
  if (!powerSwitch) return dummies;
  const power = element("primitive", { id: "power", class: "stonith", type: "fence_chaos" }, [
    pairs("power-params", { directory: `${cluster.shared}/power`, pcmk_host_list: cluster.dataNames.join(" ") }),
  ]);
  return [...dummies, power];
}

/** Runs a scenario on hosts of its own. Throws what did not hold; logs are kept then, and the error says where. */
export async function runScenario(scenario: Scenario, seed: number): Promise<{ readonly changes: number; readonly reads: number }> {
  const hosts = await scenario.hosts?.();
  let cluster: LabCluster | null = null;
  let failed = true;
  try {
    cluster = await LabCluster.formed({ size: 3, rings: 2, ...hosts });
    const result = await bounded(SCENARIO_MS, play(cluster, scenario, seed));
    failed = false;
    return result;
  } catch (error) {
    const story = cluster === null ? "" : `\n${cluster.story()}logs and ledger: ${cluster.shared}`;
    throw new Error(`${error instanceof Error ? error.message : String(error)}${story}`, { cause: error });
  } finally {
    await cluster?.destroy(failed || process.env["CHAOS_KEEP"] !== undefined);
  }
}

async function play(cluster: LabCluster, scenario: Scenario, seed: number): Promise<{ readonly changes: number; readonly reads: number }> {
  const [first] = cluster.names;
  if (first === undefined) throw new Error("no node");
  const edits = resources(cluster, scenario.noPowerSwitch !== true).map((after) => ({
    section: "resources",
    id: after.attributes["id"],
    before: null,
    after,
  }));
  await cluster.request(first, "config.commit", { edits });
  await whole(cluster, 40_000);
  const termBefore = (await cluster.status(first)).term;
  const workload = new Workload(cluster, seed);
  const stage: Stage = {
    cluster,
    workload,
    random: seededRandom(seed),
    changesGoOn: (count = 8, timeoutMs = 25_000) => {
      const before = workload.changes;
      return cluster.until(`${count} more changes are acknowledged`, timeoutMs, () => workload.changes >= before + count);
    },
    holder: (resource) => runningOn(cluster.ledger(), resource)[0] ?? "",
  };
  workload.start();
  try {
    await stage.changesGoOn();
    await scenario.faults(stage);
    cluster.say("faults are over");
    await cluster.lab.run("heal");
    for (const name of cluster.names) await cluster.on(name);
    await stage.changesGoOn(8, 60_000);
  } finally {
    await workload.stop();
  }
  await whole(cluster, CONVERGE_MS);
  cluster.say("whole again");
  const configuration = await workload.finalReads(await cluster.leader());
  writeFileSync(join(cluster.shared, "history.json"), JSON.stringify(workload.operations, null, 1));
  check(cluster, scenario, workload, configuration);
  await checkSame(cluster);
  const end = await cluster.status(first);
  judgeFencing(scenario, end, cluster.harmed);
  if (scenario.holds?.noElection && end.term !== termBefore)
    throw new Error(`there was an election: term ${termBefore} became ${end.term}`);
  const errors = unexplained(join(cluster.shared, "logs"), scenario.explained ?? explainedBy(scenario));
  if (errors.length > 0) throw new Error(`errors that nothing explains:\n  ${errors.join("\n  ")}`);
  const reads = workload.operations.filter((one) => one.op === "read").length;
  return { changes: workload.changes, reads };
}

/** All nodes online by everybody's account, nothing to do, nothing to fence, every resource running once. */
async function whole(cluster: LabCluster, timeoutMs: number): Promise<void> {
  let missing = "";
  const holds = async (): Promise<boolean> => {
    missing = "";
    for (const [name, view] of await cluster.views()) {
      if (view === null) missing ||= `${name} does not answer`;
      else missing ||= lacks(cluster, name, view);
    }
    for (const id of RESOURCES) {
      const nodes = runningOn(cluster.ledger(), id);
      if (nodes.length !== 1) missing ||= `${id} runs on ${nodes.join(" ") || "no node"}`;
    }
    if (missing !== "") return false;
    await cluster.request(cluster.names[0] ?? "", "wait.idle", { timeoutMs: 5_000 });
    return true;
  };
  try {
    await cluster.until("the cluster is whole", timeoutMs, holds);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}: ${missing || "not idle"}`, { cause: error });
  }
}

function lacks(cluster: LabCluster, name: string, view: Status): string {
  if (!view.quorate || view.stale) return `${name} has no quorum`;
  const absent = cluster.names.filter((other) => !view.nodes.some((node) => node.name === other && node.state === "online"));
  if (absent.length > 0) return `${name} sees ${absent.join(" ")} not online`;
  if (view.fencing.pending.length > 0) return `${name} sees fencing pending`;
  if (view.policyFailure !== null) return `${name}: the policy engine failed: ${JSON.stringify(view.policyFailure)}`;
  return view.transition.state === "idle" ? "" : `${name}: the transition is ${view.transition.state}`;
}

/** What holds of every run: no double run, nothing acknowledged is lost, the history is linearizable. */
function check(cluster: LabCluster, scenario: Scenario, workload: Workload, configuration: Element): void {
  const ledger = cluster.ledger();
  const twice = doubleRuns(ledger);
  if (twice.length > 0) throw new Error(`DOUBLE RUN: ${twice.join("; ")}`);
  if (scenario.holds?.untouched) {
    const seen = touched(ledger);
    if (seen !== null) throw new Error(seen);
  }
  const lost = lostChanges(workload.acknowledged, configuration);
  if (lost.length > 0) throw new Error(`ACKNOWLEDGED CHANGES LOST: ${lost.join(" ")}`);
  const verdict = checkLinearizable(withoutUnseen(workload.operations));
  if (verdict.kind === "unknown") throw new Error(`the history of ${verdict.key} is too wide to be checked`);
  if (verdict.kind === "violation") {
    const around = verdict.prefix.slice(-6).map(describe);
    throw new Error(`NOT LINEARIZABLE: ${describe(verdict.stuck)} fits nowhere after\n  ${around.join("\n  ")}`);
  }
}

/** Acknowledged additions that the configuration does not hold. */
export function lostChanges(acknowledged: readonly string[], configuration: Element): readonly string[] {
  const kept = propertySets(configuration);
  return acknowledged.filter((id) => !kept.has(id));
}

/** What was done to resources beside the first start of each, in words; null: nothing. */
export function touched(ledger: readonly LedgerLine[]): string | null {
  const starts = ledger.filter((line) => line.action === "start").length;
  const others = ledger.length - starts;
  return others === 0 && starts === RESOURCES.length ? null : `resources were touched: ${starts} starts, ${others} stops`;
}

function explainedBy({ holds }: Scenario): readonly "quorum"[] {
  return holds?.untouched === true || holds?.fenced === "nobody" ? [] : ["quorum"];
}

/** Throws when a node was fenced for which nothing called. */
export function judgeFencing(scenario: Pick<Scenario, "holds">, status: Pick<Status, "fencing">, harmed: ReadonlySet<string>): void {
  const allowed = scenario.holds?.fenced;
  if (allowed === undefined) return;
  const wrong = status.fencing.history.filter(({ target }) => allowed === "nobody" || !harmed.has(target));
  const names = wrong.map((one) => `${one.target} (${one.reason})`);
  if (names.length > 0) throw new Error(`fenced although nothing called for it: ${names.join(", ")}`);
}

/** Every member holds the same configuration. */
async function checkSame(cluster: LabCluster): Promise<void> {
  let texts: readonly string[] = [];
  await cluster.until("all members hold one configuration", 20_000, async () => {
    texts = await Promise.all(
      cluster.names.map(async (name) => {
        const answer = (await cluster.request(name, "cib.get", { section: "configuration", linearizable: false })) as {
          cib: Element;
          epoch: number;
        };
        return JSON.stringify([answer.epoch, answer.cib]);
      }),
    );
    return texts.every((text) => text === texts[0]);
  });
}

async function bounded<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | null = null;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}
