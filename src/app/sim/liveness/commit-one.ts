import type { VirtualHost } from "../host.ts";
import type { World } from "../world.ts";

const counts = new WeakMap<World, number>();

/** Proposes one small change at a member; the result tells whether the log holds it. */
export function commitOne(world: World, host: VirtualHost | null): () => boolean {
  const count = (counts.get(world) ?? 0) + 1;
  counts.set(world, count);
  const node = world.hosts[0]?.name ?? "";
  const value = String(count);
  if (host !== null) world.proposeAs(host, null, { kind: "attribute.set", changes: [{ node, name: "probe", value }] });
  return () => Number(world.replica.nodes.get(node)?.attributes.get("probe") ?? 0) >= count;
}
