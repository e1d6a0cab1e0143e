import type { Command } from "../../../core/cib/index.ts";
import { stopBoundMs } from "../guardian.ts";
import type { Invariant } from "../invariant.ts";
import { CLONED } from "../services.ts";
import type { World } from "../world.ts";

type Runner = { readonly node: string; readonly incarnation: string | null };

/** Read off the committed log: what it says must be enough to justify each start; and what it calls proven must be so. */
export function fenceBeforeRecovery(): Invariant {
  const runners = new Map<string, Runner>();
  const intents = new Map<string, { readonly resource: string; readonly task: string; readonly node: string }>();
  const trips = new Map<string, number>();
  const leave = (node: string, incarnation: string | null): void => {
    for (const [resource, runner] of runners) {
      if (runner.node === node && (incarnation === null || runner.incarnation === incarnation)) runners.delete(resource);
    }
  };
  return {
    id: "H2",
    rule: "a start elsewhere follows a proof that the old copy has ended",
    onApplied: (world, { index, command, ok }) => {
      if (!ok) return;
      switch (command.kind) {
        case "intents.commit":
          // Keys from the state: a draft that joins an intent in flight gets none of its own.
          for (const intent of world.replica.intents.values()) if (intent.index === index) intents.set(intent.key, intent);
          command.intents.forEach((intent) => {
            if (intent.task !== "start" || intent.action.agentClass === "stonith" || CLONED.has(intent.resource)) return;
            const runner = runners.get(intent.resource);
            if (runner !== undefined && runner.node !== intent.node) {
              world.violated(
                "H2",
                `entry ${index} starts ${intent.resource} on ${intent.node}, but ${runner.node} was not proven to have stopped it`,
              );
            }
            runners.set(intent.resource, { node: intent.node, incarnation: intent.incarnation });
          });
          return;
        case "results.record":
          for (const { key, rc } of command.results) {
            const intent = intents.get(key);
            if (intent === undefined || runners.get(intent.resource)?.node !== intent.node) continue;
            const stopped = (intent.task === "stop" && rc === 0) || (intent.task === "monitor" && rc === 7);
            if (stopped) runners.delete(intent.resource);
          }
          return;
        case "node.fenced":
          mustHaveEnded(world, index, command);
          leave(command.target, null);
          return;
        case "node.leave":
        case "node.hello": {
          // A new incarnation runs nothing of the old one; a proven walk of the stop plan has ended everything too.
          const name = world.nameOf(command.memberId);
          if (command.kind === "node.leave") leave(name, null);
          else if (command.trips > (trips.get(`${name}/${command.incarnation}`) ?? 0)) {
            trips.set(`${name}/${command.incarnation}`, command.trips);
            leave(name, null);
          }
          for (const [resource, runner] of runners) {
            if (command.kind === "node.hello" && runner.node === name && runner.incarnation !== command.incarnation)
              runners.delete(resource);
          }
          return;
        }
        default:
          return;
      }
    },
  };
}

/**
 * A recovery need not follow at once, or at all, to show that the proof was none: a device that confirmed has switched the
 * host, and Tsafe is over only when this guardian, by its own clock and the deadline that it really holds, is at D + S.
 */
function mustHaveEnded(world: World, index: number, { target, incarnation, by }: Extract<Command, { readonly kind: "node.fenced" }>): void {
  const host = world.hosts.find(({ name }) => name === target);
  if (by === "operator" || host === undefined || !host.powered || host.incarnation !== incarnation) return;
  if (by !== "tsafe") {
    world.violated("H2", `entry ${index} calls ${target} fenced by ${by}, and it was not switched`);
    return;
  }
  const left = [...host.services.active].filter((resource) => !CLONED.has(resource));
  if (left.length > 0) world.violated("H2", `entry ${index} calls ${target} fenced by Tsafe, and ${left.join(", ")} runs there`);
  const { deadlineMs, plan } = host.memory;
  const earlyMs = deadlineMs + stopBoundMs(plan) - host.clock.nowMs();
  if (Number.isFinite(deadlineMs) && earlyMs > 0)
    world.violated("H2", `entry ${index} calls ${target} fenced by Tsafe, ${Math.round(earlyMs)} ms before its D + S`);
}
