import { seededRandom } from "../../core/base/index.ts";
import { isSettled } from "../../core/cib/index.ts";
import type { Schedule } from "../../core/controller/index.ts";
import { healAll, strike } from "./faults.ts";
import type { SeededFault } from "./host.ts";
import { Violation } from "./invariant.ts";
import { allInvariants } from "./invariants/index.ts";
import { Trace } from "./trace.ts";
import { firstConfiguration, RESOURCES, Workload } from "./workload.ts";
import { World } from "./world.ts";

export type RunOptions = {
  readonly seed: number;
  /** Virtual minutes of faults. */
  readonly minutes: number;
  readonly schedule: Schedule;
  readonly seededFault?: SeededFault;
  readonly print?: (line: string) => void;
};

export type RunResult = {
  readonly seed: number;
  readonly violation: { readonly id: string; readonly message: string } | null;
  /** Equal for equal runs. */
  readonly digest: string;
  readonly events: number;
  readonly faults: number;
  readonly entries: number;
  readonly acknowledged: number;
  readonly tail: readonly string[];
};

/** Faults come on average this far apart; so do the operators' actions. Milliseconds. */
const FAULT_EVERY_MS = 4_000;
const WORK_EVERY_MS = 1_500;
/** After the last fault the cluster must serve again within this time: two waits for Tsafe, the longest agents, reboots. */
const CONVERGE_MS = 120_000;
const CALM_MS = 10_000;

/** One run: form, configure, faults under load with every invariant watched, then heal, and the cluster must serve. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const { seed, minutes } = options;
  const draw = seededRandom(seed ^ 0x5eed);
  const trace = new Trace(options.print ?? null);
  const size = draw.below(4) === 0 ? 5 : 3;
  const hasDevice = draw.below(3) > 0;
  const selfFence = draw.below(2) === 0 ? "reset" : "kill";
  const witness = draw.below(4) === 0;
  const members = `${size} ${witness ? "members, one a witness" : "nodes"}`;
  trace.add(0, "world", `seed ${seed}: ${members}, ${hasDevice ? "a fence device" : "no fence device"}, self-fence ${selfFence}`);
  const world = new World({
    seed,
    size,
    witness,
    selfFence,
    watchdogMs: null,
    seededFault: options.seededFault ?? null,
    schedule: options.schedule,
    invariants: allInvariants(),
    trace,
  });
  const workload = new Workload(world);
  let faults = 0;
  let violation: RunResult["violation"] = null;
  try {
    await world.form();
    const first = world.hosts[0];
    if (first === undefined) throw new Error("a world needs a host");
    await world.ask(first, "config.commit", {
      edits: firstConfiguration(
        world.hosts.map(({ name }) => name),
        hasDevice,
      ),
    });
    await world.until("all services run", 30_000, () => serves(world));
    const endMs = world.time.nowMs + minutes * 60_000;
    const every = (meanMs: number, what: string, act: () => void): void => {
      const atMs = world.time.nowMs + world.random.fraction() * 2 * meanMs;
      if (atMs >= endMs) return;
      world.time.at(atMs, what, () => {
        act();
        every(meanMs, what, act);
      });
    };
    every(FAULT_EVERY_MS, "fault", () => {
      faults += 1;
      strike(world);
    });
    every(WORK_EVERY_MS, "work", () => workload.act());
    await world.advance(endMs);
    // What was begun before the end (restarts, the end of a cut) still comes; only then nothing more is done to the world.
    await world.advance(endMs + 20_000);
    healAll(world);
    trace.add(world.time.nowMs, "world", "all faults have ended");
    await world.until("a leader", 10_000, () => world.leader() !== null);
    await workload.finish();
    await world.until("all services run again", CONVERGE_MS, () => serves(world));
    await world.advance(world.time.nowMs + CALM_MS);
    if (!serves(world)) throw new Violation("LIVENESS", "the cluster does not stay in the wanted state");
    workload.check();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = { id: error.id, message: error.message };
    trace.add(world.time.nowMs, "world", `VIOLATION ${error.message}`);
  }
  return {
    seed,
    violation,
    digest: trace.digest(),
    events: trace.count,
    faults,
    entries: world.replica.index,
    acknowledged: workload.stats.acknowledged,
    tail: trace.tail(60),
  };
}

/** Every service on exactly one node, everything settled, every member caught up. */
function serves(world: World): boolean {
  const once = RESOURCES.every((resource) => world.hosts.filter(({ services }) => services.active.has(resource)).length === 1);
  if (!once || !isSettled(world.replica) || world.leader() === null) return false;
  return world.hosts.every(({ name, shell }) => {
    const online = world.replica.nodes.get(name)?.membership === "online";
    return online && shell !== null && shell.core.state.index >= world.replica.index - 1;
  });
}
