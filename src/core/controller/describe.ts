import type { Command, CommandResult } from "../cib/index.ts";

export type Told = {
  /** Null: not worth a line of the log. */
  readonly level: "info" | "warn" | "debug" | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly summary: string;
};

/** One applied command in the words of an operator, for the log and for watches. Parameters of agents stay out. */
export function describeCommand(command: Command, result: CommandResult): Told {
  if (!result.ok) {
    const facts = { command: command.kind, code: result.code };
    return { level: "debug", facts, summary: `${command.kind} refused: ${result.message}` };
  }
  switch (command.kind) {
    case "config.edit":
      return told("info", { objects: command.edits.map((edit) => edit.id) }, "the configuration changed");
    case "node.join":
      return told("info", { node: command.node }, "a node joined");
    case "node.forget":
      return told("info", { node: command.node }, "a node was removed");
    case "node.hello":
      return told("info", { member: command.memberId, guarantee: command.guarantee }, "a node is online");
    case "node.lost":
      return told("warn", { member: command.memberId, reason: command.reason }, "a node is lost");
    case "node.detach":
      return told("info", { member: command.memberId, untilMs: command.untilMs }, "a node's daemon is away on purpose");
    case "node.leave":
      return told("info", { member: command.memberId }, "a node left");
    case "intents.commit":
      return told(
        "info",
        { transition: command.transition, actions: command.intents.map((intent) => `${intent.resource} ${intent.task} on ${intent.node}`) },
        "actions were decided",
      );
    case "results.record":
      return told(
        "info",
        { member: command.memberId, results: command.results.map((entry) => ({ key: entry.key, rc: entry.rc, status: entry.status })) },
        "results were recorded",
      );
    case "fencing.request":
      return told("warn", { target: command.target, action: command.action, reason: command.reason }, "a node is to be fenced");
    case "fencing.attempt":
      return told("info", { target: command.target, device: command.attempt.device, by: command.attempt.by }, "a device fences a node");
    case "fencing.result":
      return told(
        command.ok ? "info" : "warn",
        { target: command.target, ok: command.ok, reason: command.reason },
        "a fencing device answered",
      );
    case "fencing.failed":
      return told("warn", { target: command.target, reason: command.reason }, "fencing failed");
    case "fencing.withdraw":
      return told("info", { target: command.target }, "a node need no longer be fenced");
    case "node.fenced":
      return told("warn", { target: command.target, by: command.by }, "a node is fenced");
    case "policy.failed":
      return told("warn", { code: command.code }, "the policy engine failed");
    case "node.votes":
      return told("info", { node: command.node, votes: command.votes }, "the votes of a node were set");
    case "cluster.forced":
      return told("warn", { member: command.memberId }, "force-new-cluster: this member alone is the cluster now");
    case "cluster.create":
      return told("info", { name: command.name }, "the cluster was made");
    default:
      return told("debug", {}, command.kind);
  }
}

function told(level: "info" | "warn" | "debug", facts: Readonly<Record<string, unknown>>, summary: string): Told {
  return { level, facts, summary };
}
