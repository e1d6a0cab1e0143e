import { incarnation } from "../base/index.ts";
import { type Command, FEATURE_LEVEL_MAX, type NodeStatus } from "../cib/index.ts";
import type { GuardianFacts, NodeOptions } from "./types.ts";

/** What a node says of itself and of its guardian in `node.hello`. */
export type GreetingFacts = Pick<GuardianFacts, "incarnation" | "guarantee" | "kernelGuarantee">;

/** Each start of its daemon is a life of its own: nothing outlives it there. */
export function witnessFacts(options: NodeOptions): GreetingFacts {
  const life = incarnation(`witness-${options.memberId}-${options.boot}`);
  return { incarnation: life, guarantee: "none", kernelGuarantee: "none" };
}

/**
 * A node whose guardian is gone runs what it ran, and nothing stops it when the node falls silent: Tsafe proves nothing there
 * until the guardian is back. Null: that cannot or need not be told now.
 */
export function unguardedFacts(self: NodeStatus): GreetingFacts | null {
  if (self.membership !== "online" || self.incarnation === null) return null;
  return { incarnation: self.incarnation, guarantee: "none", kernelGuarantee: "none" };
}

type Own = {
  /** Number of this greeting; a newer one of the same incarnation is not undone by an older one that comes late. */
  readonly greeting: number;
  readonly clockDifferenceMs: number | null;
  readonly selfFenceMs: number;
  readonly stopBoundMs: number;
  readonly trips: number;
};

export function greetingOf(options: NodeOptions, facts: GreetingFacts, own: Own): Extract<Command, { readonly kind: "node.hello" }> {
  return {
    kind: "node.hello",
    memberId: options.memberId,
    incarnation: facts.incarnation,
    guarantee: facts.guarantee,
    kernelGuarantee: facts.kernelGuarantee,
    greeting: own.greeting,
    ...(own.clockDifferenceMs === null ? {} : { clockDifferenceMs: own.clockDifferenceMs }),
    selfFenceMs: own.selfFenceMs,
    stopBoundMs: own.stopBoundMs,
    trips: own.trips,
    version: options.version,
    featureLevelMax: FEATURE_LEVEL_MAX,
  };
}
