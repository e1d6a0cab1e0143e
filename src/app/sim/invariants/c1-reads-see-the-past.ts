import type { VirtualHost } from "../host.ts";
import type { Invariant } from "../invariant.ts";

/**
 * Stronger than the history of the registers, and of every read, whoever asked: what any member had handed out as committed
 * when the read was asked for may have been acknowledged, so the answer must not lie before it.
 */
export function readsSeeThePast(): Invariant {
  const asked = new WeakMap<VirtualHost, Map<number, number>>();
  return {
    id: "C1",
    rule: "a read sees everything that was committed before it was asked for",
    onRestored: (_, host) => {
      asked.delete(host);
    },
    onReadAsked: (world, host, context) => {
      const reads = asked.get(host) ?? new Map<number, number>();
      asked.set(host, reads.set(context, world.replica.index));
    },
    onRead: (world, host, read) => {
      const reads = asked.get(host);
      const committed = reads?.get(read.context);
      reads?.delete(read.context);
      if (committed === undefined || read.kind !== "ready" || read.index >= committed) return;
      const how = read.lease ? "by its lease" : "by a round";
      world.violated("C1", `${host.name} answers a read ${how} at ${read.index}, and ${committed} was committed when it was asked`);
    },
  };
}
