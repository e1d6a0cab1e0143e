import type { VirtualHost } from "../host.ts";
import { Violation } from "../invariant.ts";
import { isQuorum } from "../invariants/tally.ts";
import type { World } from "../world.ts";
import type { Bound } from "./bound.ts";
import { WANTED_MS } from "./l3-the-wanted-state.ts";
import { serves } from "./serves.ts";

const SICK_MS = 4_000;

/** What one node may suffer from; each gives back how it ends. */
const SICKNESSES: readonly {
  readonly name: string;
  readonly begin: (world: World, host: VirtualHost, leader: VirtualHost) => () => void;
}[] = [
  {
    name: "slow disk",
    begin: (_, host) => {
      host.disk.setStallMs(700);
      return () => host.disk.setStallMs(0);
    },
  },
  { name: "is not heard by the leader", begin: (world, host, leader) => world.network.cut(host.member, leader.member) },
  { name: "does not hear the leader", begin: (world, host, leader) => world.network.cut(leader.member, host.member) },
  {
    name: "flapping link",
    begin: (world, host, leader) => {
      let over = false;
      let mends: (() => void)[] = [];
      const flap = (): void => {
        for (const mend of mends) mend();
        if (over) return;
        mends = mends.length > 0 ? [] : [world.network.cut(host.member, leader.member), world.network.cut(leader.member, host.member)];
        world.time.after(200, "flap", flap);
      };
      flap();
      return () => {
        over = true;
      };
    },
  },
];

export const oneSickNode: Bound = {
  id: "L6",
  rule: "one slow, flapping or one-way-cut node never deposes a healthy leader more than once",
  hold: async (world) => {
    const leader = world.leader();
    const others = world.hosts.filter((host) => host !== leader);
    const sick = others[world.random.below(Math.max(1, others.length))];
    const sickness = SICKNESSES[world.random.below(SICKNESSES.length)];
    const configuration = leader?.shell?.core.raftStatus.configuration;
    if (leader === null || configuration === undefined || sick === undefined || sickness === undefined) return;
    // Where no quorum goes without its votes, a sick node is a lost quorum and not a nuisance.
    const sound = world.hosts.filter((host) => host !== sick);
    if (!isQuorum(configuration, new Set(sound.map(({ member }) => member)))) return;
    world.trace.add(world.time.nowMs, "world", `${sick.name}: ${sickness.name}`);
    const leaders = new Set<string>();
    const end = sickness.begin(world, sick, leader);
    await world.advance(world.time.nowMs + SICK_MS, () => {
      const now = world.leader();
      if (now !== null) leaders.add(`${now.name} in term ${now.shell?.core.raftStatus.term}`);
      return false;
    });
    end();
    if (leaders.size > 2) throw new Violation("L6", `${sick.name} (${sickness.name}) made leaders of ${[...leaders].join(", ")}`);
    await world.until("the wanted state after one sick node", WANTED_MS, () => serves(world), "L6");
  },
};
