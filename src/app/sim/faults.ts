import { HEALTHY } from "./agents.ts";
import type { VirtualHost } from "./host.ts";
import { CALM } from "./network.ts";
import type { World } from "./world.ts";

/** Longest pause of a guardian that its guarantee allows for (g of RAFT.md §7), milliseconds. */
const GUARDIAN_PAUSE_MAX_MS = 800;
/** Rate error of clocks (RAFT.md §7). */
const RHO = 0.001;

type Fault = { readonly name: string; readonly weight: number; readonly apply: (world: World, host: VirtualHost) => void };

const span = (world: World, low: number, high: number): number => low + world.random.below(high - low);

/** Chance between 0 and `most`. */
const chance = (world: World, most: number): number => world.random.fraction() * most;

const FAULTS: readonly Fault[] = [
  { name: "daemon killed", weight: 4, apply: (world, host) => world.crashDaemon(host, span(world, 50, 8_000)) },
  {
    name: "guardian killed",
    weight: 2,
    apply: (world, host) => {
      host.killGuardian();
      world.time.after(span(world, 20, GUARDIAN_PAUSE_MAX_MS), "guardian start", () => host.startGuardian());
    },
  },
  { name: "power cut", weight: 3, apply: (world, host) => world.powerCycle(host, span(world, 1_000, 20_000)) },
  { name: "isolated", weight: 3, apply: (world, host) => cutFor(world, (from, to) => from === host || to === host) },
  {
    name: "split",
    weight: 2,
    apply: (world) => {
      const side = new Map(world.hosts.map((host) => [host, world.random.below(2)]));
      cutFor(world, (from, to) => side.get(from) !== side.get(to));
    },
  },
  {
    name: "one-way cut",
    weight: 2,
    apply: (world, host) => {
      const other = world.hosts[world.random.below(world.hosts.length)];
      cutFor(world, (from, to) => from === host && (to === other || other === host));
    },
  },
  {
    name: "bad weather",
    weight: 2,
    apply: (world) => {
      world.network.weather = {
        loss: chance(world, 0.3),
        duplicate: chance(world, 0.1),
        reorder: chance(world, 0.1),
        delayMs: chance(world, 60),
      };
      world.time.after(span(world, 500, 8_000), "calm", () => {
        world.network.weather = CALM;
      });
    },
  },
  {
    name: "daemon paused",
    weight: 3,
    apply: (world, host) => {
      const { daemon } = host;
      daemon?.pause();
      world.time.after(span(world, 50, 15_000), "resume", () => daemon?.resume());
    },
  },
  {
    name: "host paused",
    weight: 2,
    apply: (world, host) => {
      const paused = [host.daemon, host.guardian?.process];
      for (const process of paused) process?.pause();
      world.time.after(span(world, 50, GUARDIAN_PAUSE_MAX_MS), "resume", () => {
        for (const process of paused) process?.resume();
      });
    },
  },
  {
    name: "policy engine throws",
    weight: 1,
    apply: (world) => {
      world.policyBroken = true;
      world.time.after(span(world, 500, 5_000), "policy works", () => {
        world.policyBroken = false;
      });
    },
  },
  {
    name: "policy worker lost",
    weight: 1,
    apply: (world, host) => {
      host.deliver({ kind: "plannerLost", reason: "killed by the simulator" });
      world.time.after(500, "planner up", () => host.deliver({ kind: "plannerStarted" }));
    },
  },
  {
    name: "services fail",
    weight: 2,
    apply: (world, host) => {
      const weather = {
        startFails: chance(world, 0.5),
        monitorFails: chance(world, 0.5),
        stopFails: chance(world, 0.2),
        slow: chance(world, 0.3),
      };
      host.services.weather = weather;
      world.time.after(span(world, 500, 5_000), "services work", () => {
        if (host.services.weather === weather) host.services.weather = HEALTHY;
      });
    },
  },
  {
    name: "fence devices fail",
    weight: 1,
    apply: (world) => {
      world.fenceWeather = {
        fails: chance(world, 0.5),
        hangs: chance(world, 0.3),
        silent: chance(world, 0.3),
        takesMs: span(world, 50, 5_000),
      };
      world.time.after(span(world, 1_000, 10_000), "fence devices work", () => calmFence(world));
    },
  },
  { name: "clock rate", weight: 1, apply: (world, host) => host.clock.setRate(1 + (world.random.fraction() * 2 - 1) * RHO) },
  { name: "wall clock jumps", weight: 1, apply: (world, host) => host.clock.jumpWall(span(world, -3_600_000, 3_600_000)) },
  {
    name: "slow disk",
    weight: 1,
    apply: (world, host) => {
      host.disk.setStallMs(span(world, 20, 1_500));
      world.time.after(span(world, 500, 5_000), "disk works", () => host.disk.setStallMs(0));
    },
  },
];

const TOTAL = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

export function calmFence(world: World): void {
  world.fenceWeather = { fails: 0, hangs: 0, silent: 0, takesMs: 100 };
}

function cutFor(world: World, cut: (from: VirtualHost, to: VirtualHost) => boolean): void {
  for (const from of world.hosts) for (const to of world.hosts) if (from !== to && cut(from, to)) world.network.cut(from.member, to.member);
  world.time.after(span(world, 300, 15_000), "heal", () => {
    world.network.heal();
    world.trace.add(world.time.nowMs, "world", "network healed");
  });
}

/** One fault at one host, both drawn. */
export function strike(world: World): void {
  let draw = world.random.below(TOTAL);
  const fault = FAULTS.find(({ weight }) => {
    draw -= weight;
    return draw < 0;
  });
  const host = world.hosts[world.random.below(world.hosts.length)];
  if (fault === undefined || host === undefined) return;
  world.trace.add(world.time.nowMs, "fault", `${fault.name} (${host.name})`);
  fault.apply(world, host);
}

/** Ends every fault: from here on only what the cluster itself does counts. */
export function healAll(world: World): void {
  world.network.heal();
  world.network.weather = CALM;
  world.policyBroken = false;
  calmFence(world);
  for (const host of world.hosts) {
    host.services.weather = HEALTHY;
    host.disk.setStallMs(0);
    host.daemon?.resume();
    host.guardian?.process.resume();
    host.powerOn();
    host.startGuardian();
    host.startDaemon();
  }
}
