import assert from "node:assert/strict";
import { type MemberId, memberId } from "../../src/core/base/index.ts";
import { emptyConfiguration, memberIds } from "../../src/core/raft/index.ts";
import { checkByIndex, checkLinearizable, describe } from "../support/linearizability.ts";
import { World, type WorldOptions } from "./world.ts";

type Host = NonNullable<ReturnType<World["leaderHost"]>>;

/** Draws faults and work for a while, then heals and demands progress. Throws at the first broken rule. */
export function play(options: WorldOptions, forMs: number): World {
  const world = new World(options);
  const { random } = world;
  const any = (): Host => [...world.hosts.values()][random.below(world.hosts.size)] as Host;
  world.run(1500);
  for (let ms = 0; ms < forMs; ms += 20) {
    world.run(20);
    const dice = random.below(100);
    if (dice < 40) world.write(any(), `k${random.below(4)}`);
    else if (dice < 60) world.read(any(), `k${random.below(4)}`);
    else if (dice < 63) disturbMembership(world, any());
    else if (dice < 65) world.transfer(any(), random.below(2) === 0 ? null : any().id);
    else if (options.leaseReads && dice < 66) transferAndIsolate(world);
    else if (options.faults && dice < 72) disturb(world, any(), any());
  }
  world.heal();
  finish(world);
  world.checkLogMatching();
  assert.equal(checkByIndex(world.wholeHistory()), null, "C1 by index");
  // The check by index decides; the search looks with other eyes, and is cut early where many unknown ends make it long.
  const verdict = checkLinearizable(world.wholeHistory(), 20_000);
  assert.ok(verdict.kind !== "violation", `C1: ${verdict.kind === "violation" ? describe(verdict.stuck) : ""}`);
  return world;
}

function disturb(world: World, host: Host, other: Host): void {
  const { random } = world;
  const down = [...world.hosts.values()].filter((one) => one.core === null || one.disk.damaged);
  switch (random.below(9)) {
    case 0:
      if (down.length * 2 < world.hosts.size) world.crash(host);
      return;
    case 1:
    case 2:
      for (const one of down) if (one.core === null) world.start(one);
      return;
    case 3:
      world.cut(host.id, other.id);
      return;
    case 4:
      for (const one of world.hosts.values())
        if (one !== host)
          for (const [a, b] of [
            [one, host],
            [host, one],
          ] as const)
            world.cut(a.id, b.id);
      return;
    case 5:
      world.heal();
      return;
    case 6:
      host.pausedUntil = world.now + random.below(1500);
      return;
    case 7:
      host.slowDiskUntil = world.now + random.below(3000);
      return;
    case 8:
      // Fewer than half of the votes may lose data (RAFT.md §10, fault classes).
      if (down.length === 0 && world.isMinor(host)) {
        world.crash(host);
        world.damage(host);
        world.start(host);
      }
      return;
  }
}

/** The leader hands over and is cut off at once: whoever still trusts its old lease reads the past. */
function transferAndIsolate(world: World): void {
  const leader = world.leaderHost();
  if (leader === null) return;
  world.transfer(leader, null);
  world.run(5 + world.random.below(20));
  const others = [...world.hosts.values()].filter((one) => one !== leader);
  for (const one of others)
    for (const [a, b] of [
      [one, leader],
      [leader, one],
    ] as const)
      world.cut(a.id, b.id);
  for (let n = 0; n < 12; n += 1) {
    world.run(20);
    for (const one of others) world.propose(one, `t${n}`);
    world.read(leader);
  }
  world.heal();
}

function options(world: World): { readonly replace: boolean } {
  return { replace: world.options.votes === undefined };
}

function disturbMembership(world: World, host: Host): void {
  const { random } = world;
  // While a member is damaged its votes must stay a minority, so nothing moves them.
  if ([...world.hosts.values()].some((one) => one.disk.damaged)) return;
  const id = memberId(1 + random.below(world.options.members));
  const roll = random.below(8);
  const current = world.leaderHost()?.core?.status().configuration;
  if (roll < 2 && options(world).replace && current !== undefined && current.voters.size > 2) {
    // Replaces a member by a new id, as after an amnesia; the old one is left running and must disturb nobody.
    const gone = [...current.voters.keys()][random.below(current.voters.size)] as MemberId;
    const fresh = memberId(Math.max(...world.hosts.keys()) + 1);
    if (fresh > world.options.members + 3) return;
    world.addHost(fresh, null);
    world.change(host, [
      { op: "remove", id: gone },
      { op: "voter", id: fresh, votes: 1 },
    ]);
    return;
  }
  if (roll === 7) world.change(host, [{ op: "learner", id }]);
  else world.change(host, [{ op: "voter", id, votes: 1 + random.below(3) }]);
}

function finish(world: World): void {
  world.run(5000);
  const leader = world.leaderHost();
  // A change that was on its way when a member was damaged may have given it half of the votes: no liveness is owed then.
  if ([...world.hosts.values()].some((host) => host.core?.status().recovering === true && !world.isMinor(host))) return;
  assert.ok(leader !== null, `L1: no leader after healing\n${world.trace.slice(-20).join("\n")}`);
  const before = leader.core?.status().commit ?? 0;
  world.propose(leader, "last");
  world.run(3000);
  const after = world.leaderHost();
  assert.ok((after?.core?.status().commit ?? 0) > before, "L2: nothing commits after healing");
  const commit = after?.core?.status().commit ?? 0;
  world.run(2000);
  const members = memberIds(after?.core?.status().configuration ?? emptyConfiguration());
  for (const host of world.hosts.values()) {
    if (!members.includes(host.id)) continue;
    assert.ok((host.core?.status().commit ?? 0) >= commit, `L4: member ${host.id} stays behind: ${host.core?.status().commit} < ${commit}`);
  }
}
