import type { Invariant } from "../invariant.ts";

export function committedIntents(): Invariant {
  const intents = new Map<string, string>();
  const terms = new Map<string, number>();
  return {
    id: "H3",
    rule: "no intent runs that is not committed, or was meant for an older incarnation, or comes under an older term",
    onApplied: (_, { index, command, ok }) => {
      if (!ok || command.kind !== "intents.commit") return;
      for (const [at, intent] of command.intents.entries()) intents.set(`${index}.${at}`, intent.incarnation);
    },
    onSpawn: (world, host, { key, origin, resource, operation }) => {
      if (origin === null || !/^\d+\.\d+$/u.test(key)) return;
      const meant = intents.get(key);
      if (meant === undefined) world.violated("H3", `${host.name} runs ${operation} of ${resource} (${key}), which is not committed`);
      else if (meant !== host.incarnation) {
        world.violated(
          "H3",
          `${host.name} runs ${operation} of ${resource} (${key}), which was meant for ${meant}, in ${host.incarnation}`,
        );
      }
      const lastTerm = terms.get(host.incarnation) ?? 0;
      if (origin.term < lastTerm) world.violated("H3", `${host.name} runs ${key} of term ${origin.term} after one of term ${lastTerm}`);
      terms.set(host.incarnation, origin.term);
    },
  };
}
