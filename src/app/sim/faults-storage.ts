import { mayLie } from "./damage.ts";
import { type Fault, span } from "./fault.ts";

export const storageFaults: readonly Fault[] = [
  {
    name: "slow disk",
    weight: 1,
    apply: (world, host, draw) => {
      host.disk.setStallMs(span(draw, 20, 1_500));
      world.time.after(span(draw, 500, 5_000), "disk works", () => host.disk.setStallMs(0));
    },
  },
  { name: "failing sync", weight: 1, apply: (_, host) => host.disk.failNextSync() },
  {
    name: "full disk",
    weight: 1,
    apply: (world, host, draw) => {
      host.disk.setFull(true);
      world.time.after(span(draw, 500, 8_000), "disk has room", () => host.disk.setFull(false));
    },
  },
  {
    name: "corrupted sectors",
    weight: 2,
    apply: (world, host, draw) => {
      if (!mayLie(world, host)) return "not now";
      world.powerCycle(host, span(draw, 500, 5_000));
      const hits: (string | null)[] = [];
      for (let n = 1 + draw.below(3); n > 0; n -= 1) hits.push(draw.below(3) === 0 ? host.disk.loseRecord() : host.disk.flip());
      return `${host.name}: ${hits.join(", ")}`;
    },
  },
  {
    name: "wiped store",
    weight: 1,
    apply: (world, host, draw) => {
      if (!mayLie(world, host)) return "not now";
      host.powerOff();
      host.disk.wipe();
      world.replace(host, span(draw, 500, 3_000));
      return undefined;
    },
  },
];
