import type { Schedule } from "../../core/controller/index.ts";
import { healAll, strike } from "./faults.ts";
import { Violation } from "./invariant.ts";
import { allInvariants } from "./invariants/index.ts";
import { aLeader, bounds, serves } from "./liveness/index.ts";
import { describePlan, drawPlan, type RunPlan } from "./plan.ts";
import type { SeededFault } from "./seeded-faults.ts";
import { firstConfiguration } from "./services.ts";
import { Trace } from "./trace.ts";
import { Workload } from "./workload.ts";
import { World } from "./world.ts";

export type RunOptions = {
  readonly seed: number;
  /** Virtual minutes of faults. */
  readonly minutes: number;
  readonly schedule: Schedule;
  readonly seededFault?: SeededFault;
  /** Names of the planned events that happen; absent: all. */
  readonly only?: ReadonlySet<string>;
  readonly print?: (line: string) => void;
};

export type RunResult = {
  readonly seed: number;
  readonly violation: { readonly id: string; readonly message: string; readonly atMs: number } | null;
  /** Equal for equal runs. */
  readonly digest: string;
  readonly events: number;
  readonly faults: number;
  readonly entries: number;
  readonly acknowledged: number;
  /** Operations of the register clients that were held against linearizability. */
  readonly operations: number;
  /** How long the crash of the leader stopped writes at the end, milliseconds; null: it was not tried. */
  readonly outageMs: number | null;
  /** Names of the planned events that came before the end, in order. */
  readonly happened: readonly string[];
  readonly tail: readonly string[];
};

/** What a fault began may come to its end by itself before everything that is left is healed, milliseconds. */
const FADE_MS = 20_000;

/** One run: form, configure, faults under load with every invariant watched, then heal, and every bound must hold. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const plan = drawPlan(options.seed, options.minutes);
  const trace = new Trace(options.print ?? null);
  trace.add(0, "world", describePlan(plan));
  const invariants = allInvariants();
  const world = new World({
    plan,
    watchdogMs: null,
    seededFault: options.seededFault ?? null,
    schedule: options.schedule,
    invariants,
    trace,
  });
  const workload = new Workload(world);
  const happened: string[] = [];
  let violation: RunResult["violation"] = null;
  try {
    await prepare(world);
    await trouble(world, workload, plan, (name) => {
      if (options.only?.has(name) === false) return false;
      happened.push(name);
      return true;
    });
    await recover(world, workload);
    for (const invariant of invariants) invariant.atEnd?.(world);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = { id: error.id, message: error.message, atMs: world.time.nowMs };
    trace.add(world.time.nowMs, "world", `VIOLATION ${error.message}`);
  }
  return {
    seed: options.seed,
    violation,
    digest: trace.digest(),
    events: trace.count,
    faults: happened.filter((name) => name.startsWith("fault")).length,
    entries: world.replica.index,
    acknowledged: workload.stats.acknowledged,
    operations: workload.registers.history.length,
    outageMs: world.outageMs,
    happened,
    tail: trace.tail(60),
  };
}

async function prepare(world: World): Promise<void> {
  await world.form();
  const nodes = world.hosts.filter((host) => !world.isWitness(host)).map(({ name }) => name);
  const leader = world.leader();
  if (leader === null) throw new Violation("LIVENESS", "the new cluster has no leader");
  await world.ask(leader, "config.commit", { edits: firstConfiguration(nodes, world.plan.device) });
  await world.until("all services run", 60_000, () => serves(world));
}

async function trouble(world: World, workload: Workload, plan: RunPlan, happens: (name: string) => boolean): Promise<void> {
  const beganMs = world.time.nowMs;
  for (const event of plan.events) {
    world.time.at(beganMs + event.afterMs, event.kind, () => {
      if (!happens(event.name)) return;
      if (event.kind === "fault") strike(world, event);
      else workload.act(event);
    });
  }
  await world.advance(beganMs + plan.minutes * 60_000);
  await world.advance(world.time.nowMs + FADE_MS);
}

/** Faults stop, everybody is healed; then the promises of progress, each with its number. */
async function recover(world: World, workload: Workload): Promise<void> {
  healAll(world);
  world.trace.add(world.time.nowMs, "world", "all faults have ended");
  await aLeader.hold(world);
  await workload.finish();
  for (const bound of bounds) await bound.hold(world);
  workload.check();
}
