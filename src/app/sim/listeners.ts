import type { Invariant } from "./invariant.ts";

type Hooks = Omit<Invariant, "id" | "rule" | "atEnd">;

/** Who wants to hear of what: asking every invariant about every event costs more than their answers. */
export type Listeners = { readonly [K in keyof Hooks]-?: readonly NonNullable<Hooks[K]>[] };

export function listenersOf(invariants: readonly Invariant[]): Listeners {
  const who = <K extends keyof Hooks>(hook: K): readonly NonNullable<Hooks[K]>[] =>
    invariants.flatMap((invariant) => {
      const hear = invariant[hook];
      return hear === undefined ? [] : [hear];
    });
  return {
    onSend: who("onSend"),
    onDeliver: who("onDeliver"),
    onSave: who("onSave"),
    onStored: who("onStored"),
    onSnapshot: who("onSnapshot"),
    onRestored: who("onRestored"),
    onApplied: who("onApplied"),
    onSpawn: who("onSpawn"),
    onReadAsked: who("onReadAsked"),
    onRead: who("onRead"),
    onEnd: who("onEnd"),
    onService: who("onService"),
    onPromoted: who("onPromoted"),
    after: who("after"),
    afterAll: who("afterAll"),
  };
}
