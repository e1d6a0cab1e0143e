import type { Random } from "../../core/base/index.ts";
import { type Fault, span } from "./fault.ts";
import type { VirtualHost } from "./host.ts";
import { CALM } from "./network.ts";
import type { World } from "./world.ts";

/** Longest cut, milliseconds. */
const CUT_MAX_MS = 15_000;

/** Cuts what `cut` names, at once, and mends it after a while. */
function cutFor(world: World, draw: Random, cut: (from: VirtualHost, to: VirtualHost) => boolean, ring: number | null = null): void {
  const mends: (() => void)[] = [];
  for (const from of world.hosts) {
    for (const to of world.hosts) {
      if (from !== to && cut(from, to)) mends.push(world.network.cut(from.member, to.member, ring));
    }
  }
  world.time.after(span(draw, 300, CUT_MAX_MS), "heal", () => {
    for (const mend of mends) mend();
    world.trace.add(world.time.nowMs, "world", "a cut is mended");
  });
}

function other(world: World, host: VirtualHost, draw: Random): VirtualHost {
  const others = world.hosts.filter((one) => one !== host);
  return others[draw.below(Math.max(1, others.length))] ?? host;
}

export const networkFaults: readonly Fault[] = [
  { name: "isolated", weight: 3, apply: (world, host, draw) => cutFor(world, draw, (from, to) => from === host || to === host) },
  {
    name: "split",
    weight: 2,
    apply: (world, _, draw) => {
      const side = new Map(world.hosts.map((host) => [host, draw.below(2)]));
      cutFor(world, draw, (from, to) => side.get(from) !== side.get(to));
    },
  },
  {
    name: "split with a bridge",
    weight: 1,
    apply: (world, host, draw) => {
      const side = new Map(world.hosts.map((one) => [one, draw.below(2)]));
      cutFor(world, draw, (from, to) => from !== host && to !== host && side.get(from) !== side.get(to));
    },
  },
  {
    name: "swizzled",
    weight: 1,
    apply: (world, _, draw) => {
      // Hosts drop out one after the other and come back in another order (FoundationDB's name for it).
      for (const host of world.hosts) {
        const mends: (() => void)[] = [];
        const fromMs = span(draw, 0, 4_000);
        world.time.after(fromMs, "swizzle", () => {
          for (const to of world.hosts) {
            if (to !== host) mends.push(world.network.cut(host.member, to.member), world.network.cut(to.member, host.member));
          }
        });
        world.time.after(fromMs + span(draw, 200, 6_000), "unswizzle", () => {
          for (const mend of mends) mend();
        });
      }
    },
  },
  {
    name: "one-way cut",
    weight: 2,
    apply: (world, host, draw) => {
      const one = other(world, host, draw);
      cutFor(world, draw, (from, to) => from === host && to === one);
    },
  },
  { name: "hears but is not heard", weight: 1, apply: (world, host, draw) => cutFor(world, draw, (from) => from === host) },
  { name: "is heard but does not hear", weight: 1, apply: (world, host, draw) => cutFor(world, draw, (_, to) => to === host) },
  {
    name: "flapping link",
    weight: 1,
    apply: (world, host, draw) => {
      const one = other(world, host, draw);
      const everyMs = span(draw, 100, 1_500);
      for (let n = 0; n < 8; n += 1) {
        world.time.after(2 * n * everyMs, "flap", () => {
          const mends = [world.network.cut(host.member, one.member), world.network.cut(one.member, host.member)];
          world.time.after(everyMs, "unflap", () => {
            for (const mend of mends) mend();
          });
        });
      }
    },
  },
  {
    name: "one ring cut",
    weight: 2,
    apply: (world, host, draw) => {
      if (world.network.rings === 1) return;
      cutFor(world, draw, (from, to) => from === host || to === host, draw.below(world.network.rings));
    },
  },
  {
    name: "bad weather",
    weight: 2,
    apply: (world, _, draw) => {
      const weather = {
        loss: draw.fraction() * 0.3,
        duplicate: draw.fraction() * 0.1,
        reorder: draw.fraction() * 0.1,
        delayMs: draw.fraction() * 60,
      };
      world.network.weather = weather;
      world.time.after(span(draw, 500, 8_000), "calm", () => {
        if (world.network.weather === weather) world.network.weather = CALM;
      });
    },
  },
  {
    name: "half of all is lost",
    weight: 1,
    apply: (world, _, draw) => {
      const weather = { loss: 0.5, duplicate: 0, reorder: 0, delayMs: 75 };
      world.network.weather = weather;
      world.time.after(span(draw, 500, 5_000), "calm", () => {
        if (world.network.weather === weather) world.network.weather = CALM;
      });
    },
  },
];
