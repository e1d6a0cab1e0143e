import type { Invariant } from "../invariant.ts";
import { CLONED } from "../services.ts";

export function neverTwice(): Invariant {
  return {
    id: "H1",
    rule: "no exclusive resource is active on two nodes at one instant",
    onService: (world, host, resource, active) => {
      if (!active || CLONED.has(resource)) return;
      const others = world.hosts.filter((other) => other !== host && other.services.active.has(resource)).map(({ name }) => name);
      if (others.length > 0) world.violated("H1", `${resource} starts on ${host.name} while it is active on ${others.join(", ")}`);
    },
  };
}
