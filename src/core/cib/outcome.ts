import { type CibState, type NodeStatus, type RefusalCode, uniformNode } from "./state.ts";

/**
 * What a reducer gives back. `voidsPlans`: what plans computed before this index have not begun must not begin any more.
 * `datesPlans`: a plan made now may be a better one, but the older one may go on until it is there.
 */
export type Change =
  | {
      readonly kind: "accepted";
      readonly state: CibState;
      readonly voidsPlans: boolean;
      readonly datesPlans: boolean;
      readonly value: number | null;
    }
  | { readonly kind: "refused"; readonly code: RefusalCode; readonly message: string };

export function accepted(
  state: CibState,
  how: { readonly voidsPlans: boolean; readonly datesPlans?: boolean; readonly value?: number },
): Change {
  const { voidsPlans, datesPlans = voidsPlans, value = null } = how;
  return { kind: "accepted", state, voidsPlans, datesPlans, value };
}

export function refused(code: RefusalCode, message: string): Change {
  return { kind: "refused", code, message };
}

export function withNode(state: CibState, node: NodeStatus): CibState {
  return { ...state, nodes: state.nodes.set(node.name, uniformNode(node)) };
}
