import type { CibState, NodeStatus, RefusalCode } from "./state.ts";

/** What a reducer gives back. `voidsPlans`: plans computed before this index no longer hold. */
export type Change =
  | { readonly kind: "accepted"; readonly state: CibState; readonly voidsPlans: boolean; readonly value: number | null }
  | { readonly kind: "refused"; readonly code: RefusalCode; readonly message: string };

export function accepted(state: CibState, how: { readonly voidsPlans: boolean; readonly value?: number }): Change {
  return { kind: "accepted", state, voidsPlans: how.voidsPlans, value: how.value ?? null };
}

export function refused(code: RefusalCode, message: string): Change {
  return { kind: "refused", code, message };
}

export function withNode(state: CibState, node: NodeStatus): CibState {
  return { ...state, nodes: state.nodes.set(node.name, node) };
}
