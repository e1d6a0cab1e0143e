import type { Invariant } from "../invariant.ts";

export function committedIntents(): Invariant {
  /** By log index: a draft that joins an intent in flight takes no place, so positions are not compared. */
  const intents = new Map<string, { readonly resource: string; readonly incarnation: string }[]>();
  const terms = new Map<string, number>();
  return {
    id: "H3",
    rule: "no intent runs that is not committed, or was meant for an older incarnation, or comes under an older term",
    onApplied: (_, { index, command, ok }) => {
      if (!ok || command.kind !== "intents.commit") return;
      intents.set(
        String(index),
        command.intents.map(({ resource, incarnation }) => ({ resource, incarnation })),
      );
    },
    onSpawn: (world, host, { key, origin, resource, operation }) => {
      if (origin === null || !/^\d+\.\d+$/u.test(key)) return;
      const meant = (intents.get(key.split(".")[0] ?? "") ?? []).filter((intent) => intent.resource === resource);
      if (meant.length === 0) world.violated("H3", `${host.name} runs ${operation} of ${resource} (${key}), which is not committed`);
      else if (!meant.some((intent) => intent.incarnation === host.incarnation)) {
        const others = meant.map((intent) => intent.incarnation).join(", ");
        world.violated(
          "H3",
          `${host.name} runs ${operation} of ${resource} (${key}), which was meant for ${others}, in ${host.incarnation}`,
        );
      }
      const lastTerm = terms.get(host.incarnation) ?? 0;
      if (origin.term < lastTerm) world.violated("H3", `${host.name} runs ${key} of term ${origin.term} after one of term ${lastTerm}`);
      terms.set(host.incarnation, origin.term);
    },
  };
}
