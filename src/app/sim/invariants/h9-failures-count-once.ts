import { type CibState, parseCount } from "../../../core/cib/index.ts";
import type { AgentAction, AgentOutcome } from "../../../core/ports/index.ts";
import type { Invariant } from "../invariant.ts";
import { CLONED } from "../services.ts";

/** Could this run have raised a fail count? Roles are the log's to judge: any recurring monitor of a promotable may. */
function mayCount(action: AgentAction, outcome: AgentOutcome): boolean {
  if (outcome.kind !== "exited") return true;
  const recurring = action.operation === "monitor" && action.intervalMs > 0;
  if (recurring) return CLONED.has(action.resource) || outcome.code !== 0;
  return ![0, 7, 8].includes(outcome.code);
}

/**
 * Each failing run of an agent raises a fail count at most once, whoever led when it was reported, and how often it was.
 * Monitors repeat under one key, so runs are counted against counts. Never lost: a failed run on a node that lives has
 * its result in the log in the end.
 */
export function failuresCountOnce(): Invariant {
  const runs = new Map<string, number>();
  const counted = new Map<string, number>();
  const owed = new Map<string, { readonly host: string; readonly incarnation: string; readonly what: string }>();
  return {
    id: "H9",
    rule: "failure counts survive failover exactly once",
    onEnd: (_, host, run, action, outcome) => {
      // Later runs of a monitor carry a counter behind the key of the intent that began it.
      const key = run.split("~")[0] ?? run;
      if (!mayCount(action, outcome)) return;
      runs.set(key, (runs.get(key) ?? 0) + 1);
      if (action.intervalMs === 0 && action.operation !== "monitor" && /^\d+\.\d+$/u.test(key) && outcome.kind !== "cancelled")
        owed.set(key, { host: host.name, incarnation: host.incarnation, what: `${action.operation} of ${action.resource}` });
    },
    onApplied: (world, { index, command, ok, before }) => {
      if (!ok || command.kind !== "results.record") return;
      for (const { key } of command.results) owed.delete(key);
      const raised = total(world.replica) - total(before);
      if (raised <= 0) return;
      let room = 0;
      for (const key of new Set(command.results.map((result) => result.key))) {
        const left = (runs.get(key) ?? 0) - (counted.get(key) ?? 0);
        room += Math.max(0, left);
        if (left > 0) counted.set(key, (counted.get(key) ?? 0) + 1);
      }
      if (raised > room) world.violated("H9", `entry ${index} raises fail counts by ${raised}, and agents failed ${room} times since`);
    },
    atEnd: (world) => {
      for (const [key, { host, incarnation, what }] of owed) {
        const node = world.replica.nodes.get(host);
        const lives = world.hosts.some((one) => one.name === host && one.incarnation === incarnation);
        if (lives && node?.incarnation === incarnation && world.replica.intents.has(key))
          world.violated("H9", `${what} (${key}) failed on ${host}, and the log never heard of it`);
      }
    },
  };
}

/** Sum of all fail counts; an infinite one is worth 1, however often it is reached. */
function total(state: CibState): number {
  let sum = 0;
  for (const node of state.nodes.values()) {
    for (const [name, value] of node.attributes) {
      if (name.startsWith("fail-count-")) sum += Math.min(parseCount(value), 1_000_000) === 1_000_000 ? 1 : parseCount(value);
    }
  }
  return sum;
}
