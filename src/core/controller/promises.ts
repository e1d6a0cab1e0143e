import { type CibState, DETACH_MAX_MS, type NodeStatus } from "../cib/index.ts";
import { CLOCK_RHO } from "../raft/index.ts";

type Promised = Pick<NodeStatus, "incarnation" | "detachedAtMs" | "detachedUntilMs"> & { readonly endMs: number };

/**
 * Deadlines that planned absences have promised to guardians, by this member's own monotonic clock. Cluster time follows
 * the wall clock of whoever leads, so it cannot say when such a promise is over: a guardian counts it on a monotonic clock.
 * The log gives the length; it counts from when this member first saw the promise, which is after it was committed. The
 * guardian may have been given it up to Tself later, and that much is in every Tsafe.
 */
export class Promises {
  readonly #seen = new Map<string, Promised>();

  /** To be called whenever the state may have changed. */
  look(state: CibState, nowMs: number): void {
    for (const node of state.nodes.values()) this.#note(node, nowMs);
    for (const name of this.#seen.keys()) if (!state.nodes.has(name)) this.#seen.delete(name);
  }

  /** Own clock at which the last promise to the node's incarnation is over; 0: there was none. */
  endMs(node: NodeStatus): number {
    return this.#seen.get(node.name)?.endMs ?? 0;
  }

  #note(node: NodeStatus, nowMs: number): void {
    const { incarnation, detachedAtMs, detachedUntilMs } = node;
    if (detachedUntilMs === null) {
      this.#seen.delete(node.name);
      return;
    }
    const known = this.#seen.get(node.name);
    const same = known !== undefined && known.incarnation === incarnation;
    if (same && known.detachedAtMs === detachedAtMs && known.detachedUntilMs === detachedUntilMs) return;
    const lengthMs = detachedAtMs === undefined ? DETACH_MAX_MS : Math.max(0, detachedUntilMs - detachedAtMs);
    // The guardian's clock may be the slower of the two.
    const endMs = nowMs + Math.ceil(lengthMs * (1 + 2 * CLOCK_RHO));
    const before = same ? known.endMs : 0;
    this.#seen.set(node.name, { incarnation, detachedAtMs, detachedUntilMs, endMs: Math.max(before, endMs) });
  }
}
