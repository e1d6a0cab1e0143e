import type { VirtualHost } from "./host.ts";
import type { World } from "./world.ts";

/** A change of votes or members that was asked for this long ago has been made, or never will be; milliseconds. */
const CHANGE_MS = 20_000;

/**
 * Disks may lie about members that hold less than half of the votes, and about one at a time (RAFT.md §10): a second one
 * before the first is whole again is outside of the model, as is one that is needed for a quorum, now or by a change of
 * votes that is under way.
 */
export function mayLie(world: World, host: VirtualHost): boolean {
  if (!nobodyDamaged(world) || world.time.nowMs - world.changeAskedMs < CHANGE_MS) return false;
  const configuration = world.leader()?.shell?.core.raftStatus.configuration;
  if (configuration === undefined || configuration.outgoing.size > 0) return false;
  let total = 0;
  for (const votes of configuration.voters.values()) total += votes;
  if (2 * (configuration.voters.get(host.member) ?? 0) >= total) return false;
  // Nobody can let it in again when all others that vote are witnesses, which never lead for long: a human decides then.
  if (![...configuration.voters.keys()].some((other) => other !== host.member && !configuration.witnesses.has(other))) return false;
  world.damaged = host;
  return true;
}

/** Nobody's disk has lied, or it has been made good. */
export function nobodyDamaged(world: World): boolean {
  return world.damaged === null || isWhole(world, world.damaged);
}

/** Does this member hold and repeat all that it should, under an id that the others know? */
function isWhole(world: World, host: VirtualHost): boolean {
  const leader = world.leader();
  const status = host.shell?.core.raftStatus;
  if (leader === null || status === undefined || status.recovering || host.daemon?.paused === true) return false;
  const peer = leader.shell?.core.raftStatus.peers.get(host.member);
  return host === leader || (peer !== undefined && peer.state !== "recovering" && peer.active && status.commit >= world.replica.index - 1);
}

/** Asks for a change of votes or members, unless somebody's disk has lied: then the operators wait until it is whole. */
export function mayChangeMembers(world: World): boolean {
  if (!nobodyDamaged(world)) return false;
  world.changeAskedMs = world.time.nowMs;
  return true;
}
