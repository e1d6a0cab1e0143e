import type { Invariant } from "../invariant.ts";

/** A leader may learn of a silence, propose and commit while the node speaks again; milliseconds. */
const MEMORY_MS = 20_000;

/** What ends the reason for a fencing is on its way for so long at most to a node that is carrying it out; milliseconds. */
const CROSSING_MS = 1_000;

/**
 * Two halves. A node is called lost only if somebody has really not heard it for F; and it is fenced only if the log says
 * why: it was lost, a stop on it failed, or an operator asked. What was heard is counted at the ears, not from what the core says.
 */
export function noNeedlessFence(): Invariant {
  /** When each observer heard each member last. */
  const heard = new Map<number, Map<number, number>>();
  /** Since when each observer listens: what it has not heard since is silence, too. */
  const began = new Map<number, number>();
  /** Per member the end of the last silence of F or longer at any other one. */
  const silentAt = new Map<number, number>();
  const reasons = new Map<string, string>();
  /** The entry that ended the last reason, per node. */
  const ended = new Map<string, { readonly index: number; readonly atMs: number }>();
  return {
    id: "H8",
    rule: "no fencing of a node that a quorum hears and that reports no failed stop",
    onDeliver: (world, host, from) => {
      let ears = heard.get(host.member);
      if (ears === undefined) {
        ears = new Map();
        heard.set(host.member, ears);
      }
      const nowMs = world.time.nowMs;
      if (nowMs - (ears.get(from) ?? began.get(host.member) ?? nowMs) >= shortest(world.plan.nodeLossMs)) silentAt.set(from, nowMs);
      ears.set(from, nowMs);
    },
    // Nobody has heard a member before its first word: an observer that just began, or a member that has just begun.
    onRestored: (world, host) => {
      silentAt.set(host.member, world.time.nowMs);
      began.set(host.member, world.time.nowMs);
      for (const { member } of world.hosts) heard.get(host.member)?.delete(member);
    },
    onApplied: (world, { index, command, ok, before }) => {
      if (!ok) return;
      if (command.kind === "node.lost") {
        const name = nameIn(before, command.memberId);
        reasons.set(name, "lost");
        const nowMs = world.time.nowMs;
        const silent = world.hosts.some(({ member }) => {
          const at = heard.get(member)?.get(command.memberId);
          return member !== command.memberId && (at === undefined || nowMs - at >= shortest(world.plan.nodeLossMs));
        });
        if (!silent && nowMs - (silentAt.get(command.memberId) ?? Number.NEGATIVE_INFINITY) > MEMORY_MS)
          world.violated("H8", `${name} is called lost, and everybody has heard it within ${world.plan.nodeLossMs} ms`);
      }
      if (command.kind === "fencing.request" && command.source === "operator") reasons.set(command.target, "an operator");
      if (command.kind === "results.record") {
        for (const { key, rc } of command.results) {
          const intent = before.intents.get(key);
          if ((intent?.task === "stop" || intent?.task === "demote") && rc !== 0) reasons.set(intent.node, "a failed stop");
        }
      }
      if (command.kind === "node.fenced") {
        reasons.delete(command.target);
        ended.set(command.target, { index, atMs: world.time.nowMs });
      }
    },
    onSpawn: (world, host, { agentClass, operation, target }) => {
      if (agentClass !== "stonith" || operation === "monitor" || target === null || reasons.has(target)) return;
      // The order lay in the log before the node was known to be back, and its bearer cannot know yet.
      const end = ended.get(target);
      const unheard = end !== undefined && world.time.nowMs - end.atMs < CROSSING_MS && (host.shell?.core.state.index ?? 0) < end.index;
      if (unheard) return;
      world.violated("H8", `${host.name} fences ${target}, which was not lost, failed no stop, and nobody asked`);
    },
  };
}

/** Clocks differ in their rates, and a leader looks at its nodes in steps. */
const shortest = (nodeLossMs: number): number => nodeLossMs * 0.99 - 5;

function nameIn(
  state: { readonly nodes: { values(): Iterable<{ readonly name: string; readonly memberId: number | null }> } },
  member: number,
): string {
  for (const node of state.nodes.values()) if (node.memberId === member) return node.name;
  return `member ${member}`;
}
