import { type Random, seededRandom } from "../../core/base/index.ts";
import { HEALTHY } from "./agents.ts";
import { type Fault, span } from "./fault.ts";
import { networkFaults } from "./faults-network.ts";
import { storageFaults } from "./faults-storage.ts";
import { CALM } from "./network.ts";
import type { PlannedEvent } from "./plan.ts";
import type { World } from "./world.ts";

/** Longest pause of a guardian that its guarantee allows for (g of RAFT.md §7), milliseconds. */
const GUARDIAN_PAUSE_MAX_MS = 800;
/** Rate error of clocks (RAFT.md §7). */
const RHO = 0.001;

/** Chance between 0 and `most`. */
const chance = (draw: Random, most: number): number => draw.fraction() * most;

const processFaults: readonly Fault[] = [
  { name: "daemon killed", weight: 4, apply: (world, host, draw) => world.crashDaemon(host, span(draw, 50, 8_000)) },
  {
    name: "guardian killed",
    weight: 2,
    apply: (world, host, draw) => {
      host.killGuardian();
      world.time.after(span(draw, 20, GUARDIAN_PAUSE_MAX_MS), "guardian start", () => host.startGuardian());
    },
  },
  { name: "power cut", weight: 3, apply: (world, host, draw) => world.powerCycle(host, span(draw, 1_000, 20_000)) },
  {
    name: "power cut of all",
    weight: 1,
    apply: (world, _, draw) => {
      for (const host of world.hosts) world.powerCycle(host, span(draw, 1_000, 10_000));
    },
  },
  {
    name: "daemon paused",
    weight: 3,
    apply: (world, { daemon }, draw) => {
      daemon?.pause();
      world.time.after(span(draw, 50, 15_000), "resume", () => daemon?.resume());
    },
  },
  {
    name: "guardian paused",
    weight: 1,
    apply: (world, { guardian }, draw) => {
      guardian?.process.pause();
      world.time.after(span(draw, 50, GUARDIAN_PAUSE_MAX_MS), "resume", () => guardian?.process.resume());
    },
  },
  {
    name: "host paused",
    weight: 2,
    apply: (world, host, draw) => {
      const paused = [host.daemon, host.guardian?.process];
      for (const process of paused) process?.pause();
      world.time.after(span(draw, 50, GUARDIAN_PAUSE_MAX_MS), "resume", () => {
        for (const process of paused) process?.resume();
      });
    },
  },
  {
    name: "policy engine throws",
    weight: 1,
    apply: (world, _, draw) => {
      world.policyBroken = true;
      world.time.after(span(draw, 500, 5_000), "policy works", () => {
        world.policyBroken = false;
      });
    },
  },
  { name: "policy worker lost", weight: 1, apply: (world, host) => world.restartPlanner(host, 500) },
  {
    name: "policy engine overruns",
    weight: 1,
    apply: (world, host, draw) => {
      // Its time limit ends the worker in the middle of the computation.
      host.plannerDelayMs = span(draw, 2_000, 10_000);
      world.time.after(span(draw, 1_000, 6_000), "policy limit", () => {
        host.plannerDelayMs = 0;
        world.restartPlanner(host, 500);
      });
    },
  },
  { name: "clock rate", weight: 1, apply: (_, host, draw) => host.clock.setRate(1 + (draw.fraction() * 2 - 1) * RHO) },
  { name: "wall clock jumps", weight: 1, apply: (_, host, draw) => host.clock.jumpWall(span(draw, -3_600_000, 3_600_000)) },
  {
    name: "wall clock strobes",
    weight: 1,
    apply: (world, host, draw) => {
      for (let n = 0; n < 20; n += 1) {
        const byMs = span(draw, -60_000, 60_000);
        world.time.after(n * 200, "clock jump", () => host.clock.jumpWall(byMs));
      }
    },
  },
];

const agentFaults: readonly Fault[] = [
  {
    name: "services fail",
    weight: 2,
    apply: (world, host, draw) => {
      const weather = {
        startFails: chance(draw, 0.5),
        monitorFails: chance(draw, 0.5),
        stopFails: chance(draw, 0.2),
        slow: chance(draw, 0.3),
      };
      host.services.weather = weather;
      world.time.after(span(draw, 500, 5_000), "services work", () => {
        if (host.services.weather === weather) host.services.weather = HEALTHY;
      });
    },
  },
  {
    name: "a service dies",
    weight: 1,
    apply: (_, host, draw) => {
      const active = [...host.services.active].sort();
      const resource = active[draw.below(Math.max(1, active.length))];
      if (resource !== undefined) host.services.set(resource, false);
      return resource;
    },
  },
  {
    name: "fence devices fail",
    weight: 1,
    apply: (world, _, draw) => {
      world.fenceWeather = {
        fails: chance(draw, 0.5),
        hangs: chance(draw, 0.3),
        silent: chance(draw, 0.3),
        takesMs: span(draw, 50, 5_000),
      };
      world.time.after(span(draw, 1_000, 10_000), "fence devices work", () => calmFence(world));
    },
  },
];

const FAULTS: readonly Fault[] = [...processFaults, ...networkFaults, ...storageFaults, ...agentFaults];
const TOTAL = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

export function calmFence(world: World): void {
  world.fenceWeather = { fails: 0, hangs: 0, silent: 0, takesMs: 100 };
}

/** One fault at one host, both drawn from the event's own seed. */
export function strike(world: World, event: PlannedEvent): void {
  const draw = seededRandom(event.seed);
  let pick = draw.below(TOTAL);
  const fault = FAULTS.find(({ weight }) => {
    pick -= weight;
    return pick < 0;
  });
  const host = world.hosts[draw.below(world.hosts.length)];
  if (fault === undefined || host === undefined) return;
  world.trace.add(world.time.nowMs, "fault", `${event.name}: ${fault.name} (${host.name})`);
  const told = fault.apply(world, host, draw);
  if (typeof told === "string") world.trace.add(world.time.nowMs, "fault", told);
}

/** Ends every fault: from here on only what the cluster itself does counts. */
export function healAll(world: World): void {
  world.network.heal();
  world.network.weather = CALM;
  world.policyBroken = false;
  calmFence(world);
  for (const host of world.hosts) {
    host.services.weather = HEALTHY;
    host.plannerDelayMs = 0;
    host.disk.setStallMs(0);
    host.disk.setFull(false);
    host.disk.failNextSync(false);
    host.daemon?.resume();
    host.guardian?.process.resume();
    host.powerOn();
    host.startGuardian();
    host.startDaemon();
  }
}
