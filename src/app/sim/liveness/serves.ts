import { isSettled } from "../../../core/cib/index.ts";
import { CLONES, RESOURCES, TIED } from "../services.ts";
import type { World } from "../world.ts";

/** Every service runs as it is wanted, nothing is under way, and every member is online. */
export function serves(world: World): boolean {
  const { replica, hosts } = world;
  if (replica.intents.size > 0 || replica.fencing.size > 0 || !isSettled(replica) || world.leader() === null) return false;
  const nodes = hosts.filter((host) => !world.isWitness(host));
  const running = (resource: string): number => nodes.filter(({ services }) => services.active.has(resource)).length;
  if (RESOURCES.some((resource) => running(resource) !== 1)) return false;
  if (nodes.some(({ services }) => services.active.has(TIED.dependent) && !services.active.has(TIED.primary))) return false;
  for (const [resource, { copies, promoted }] of Object.entries(CLONES)) {
    if (running(resource) !== Math.min(copies, nodes.length)) return false;
    if (nodes.filter(({ services }) => services.promoted.has(resource)).length !== Math.min(promoted, nodes.length)) return false;
  }
  return hosts.every(({ name, shell }) => shell !== null && replica.nodes.get(name)?.membership === "online");
}
