import type { VirtualHost } from "../host.ts";
import type { Invariant } from "../invariant.ts";
import { CLONES, TIED } from "../services.ts";
import type { World } from "../world.ts";

function holders(world: World, of: (host: VirtualHost) => boolean): readonly string[] {
  return world.hosts.filter(of).map(({ name }) => name);
}

/** Copies as they really are on all hosts; ties at the moment at which a committed action begins. */
export function copiesAndTies(): Invariant {
  return {
    id: "H7",
    rule: "never more copies than configured, promoted ones included; ties hold at every action",
    onService: (world, host, resource, active) => {
      const limit = CLONES[resource]?.copies;
      if (!active || limit === undefined) return;
      const names = holders(world, ({ services }) => services.active.has(resource));
      if (names.length > limit) world.violated("H7", `${resource} starts on ${host.name}: ${names.length} copies on ${names.join(", ")}`);
    },
    onPromoted: (world, host, resource, promoted) => {
      if (!promoted) return;
      const names = holders(world, ({ services }) => services.promoted.has(resource));
      if (names.length > (CLONES[resource]?.promoted ?? 0))
        world.violated("H7", `${resource} is promoted on ${host.name}: promoted on ${names.join(", ")}`);
    },
    onSpawn: (world, host, { resource, operation, origin }) => {
      if (origin === null) return;
      const { dependent, primary } = TIED;
      if (operation === "start" && resource === dependent && !host.services.active.has(primary) && !died(world, host, primary))
        world.violated("H7", `${dependent} starts on ${host.name}, where ${primary} does not run`);
      if (operation === "stop" && resource === primary && host.services.active.has(dependent) && !believedStopped(world, host, dependent))
        world.violated("H7", `${primary} stops on ${host.name} under ${dependent}`);
    },
  };
}

/** A service that died by itself still runs as far as the cluster can know, until its next monitor. */
function died(world: World, host: VirtualHost, resource: string): boolean {
  return world.replica.nodes.get(host.name)?.history.get(resource)?.active === true;
}

/** A stop that failed leaves the service there; its node is to be fenced, and the cluster goes on around it. */
function believedStopped(world: World, host: VirtualHost, resource: string): boolean {
  const node = world.replica.nodes.get(host.name);
  return (
    node?.history.get(resource)?.active !== true ||
    [...node.attributes.keys()].some((name) => name.startsWith(`fail-count-${resource}#stop`))
  );
}
