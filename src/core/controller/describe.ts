import { type CibState, type Command, type CommandResult, findMember, type OperationResult, rcMeaning } from "../cib/index.ts";

export type Told = {
  /** Null: not worth a line of the log. */
  readonly level: "info" | "warn" | "debug" | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly summary: string;
};

/**
 * One applied command in the words of an operator, for the log and for watches: nodes by their names, results by what was
 * done. `before` is the state that it was applied to. Parameters of agents stay out.
 */
export function describeCommand(command: Command, result: CommandResult, before: CibState): Told {
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
    case "node.hello": {
      // It greets again when what it has to tell of itself has changed.
      const known = findMember(before, command.memberId);
      const isNews = known?.membership !== "online" || known.incarnation !== command.incarnation;
      const facts = { node: nodeName(before, command.memberId), guarantee: command.guarantee };
      return isNews ? told("info", facts, "a node is online") : told("debug", facts, "a node told what is new of it");
    }
    case "node.lost":
      return told("warn", { node: nodeName(before, command.memberId), reason: command.reason }, "a node is lost");
    case "node.detach": {
      const facts = { node: nodeName(before, command.memberId), untilMs: command.untilMs };
      return told("info", facts, "a node's daemon is away on purpose");
    }
    case "node.leave":
      return told("info", { node: nodeName(before, command.memberId) }, "a node left");
    case "intents.commit":
      return told(
        "info",
        { transition: command.transition, actions: command.intents.map((intent) => `${intent.resource} ${intent.task} on ${intent.node}`) },
        "actions were decided",
      );
    case "results.record":
      return told("info", { results: command.results.map((entry) => resultText(before, command.memberId, entry)) }, "actions ended");
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
      return told("warn", { node: nodeName(before, command.memberId) }, "force-new-cluster: this member alone is the cluster now");
    case "cluster.create":
      return told("info", { name: command.name }, "the cluster was made");
    case "transition.done":
      return told("debug", { transition: command.transition }, "everything decided so far is done");
    default:
      return told("debug", {}, command.kind);
  }
}

function nodeName(state: CibState, member: number): string {
  return findMember(state, member)?.name ?? `member ${member}`;
}

/** `web start on n1: ok`; of a recurring monitor: what it was begun for. */
function resultText(state: CibState, member: number, entry: OperationResult): string {
  const node = findMember(state, member);
  const intent = state.intents.get(entry.key);
  let what = intent === undefined ? entry.key : `${intent.resource} ${intent.task}`;
  for (const history of intent === undefined ? (node?.history.values() ?? []) : []) {
    const found = [...history.recurring.values()].find((one) => one.key === entry.key);
    if (found !== undefined) what = `${history.resource} ${found.task}`;
  }
  const reason = entry.exitReason === null || entry.exitReason === "" ? "" : ` (${entry.exitReason})`;
  const end = entry.status === TIMED_OUT ? "timed out" : rcMeaning(entry.rc);
  return `${what} on ${node?.name ?? `member ${member}`}: ${end}${reason}`;
}

/** Operation status of an agent that did not end in time (policy/status.md 13.5). */
const TIMED_OUT = 2;

function told(level: "info" | "warn" | "debug", facts: Readonly<Record<string, unknown>>, summary: string): Told {
  return { level, facts, summary };
}
