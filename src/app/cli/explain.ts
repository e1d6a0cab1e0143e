import { createHash } from "node:crypto";
import { formatScore, unreachable } from "../../core/base/index.ts";
import { type Element, element } from "../../core/cib/index.ts";
import { schedule, upgradeCib } from "../../core/policy/index.ts";
import {
  type ExplainedInstance,
  type ExplainedNode,
  explainModel,
  type Proposal,
  type ProposedChange,
  proposeFrom,
} from "../../core/whatif/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { withConfiguration } from "./edits.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { completeResources } from "./names.ts";
import { asRecord, openStore } from "./store.ts";
import { readCibFile } from "./store-file.ts";
import { alignColumns } from "./text.ts";
import { quoteWord } from "./words.ts";

const USAGE = "explain RESOURCE [--node NODE] [--json] [--xml-file FILE]";

/** MD5, as the history's digests are made. */
export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

/** What a question is asked about: a CIB and the time it is true for. */
export type Asked = { readonly cib: Element; readonly nowMs: number };

/** The CIB of a question: a file, the shadow in use with the cluster's status, or the cluster as it is. */
export async function cibInQuestion(context: CliContext, file: string | undefined): Promise<Asked> {
  if (file !== undefined) return { cib: upgradeCib(readCibFile(file)), nowMs: Date.now() };
  const store = openStore(context);
  if (context.options.cibFile !== null) {
    const { configuration, status } = await store.read();
    return { cib: upgradeCib(element("cib", {}, status === null ? [configuration] : [configuration, status])), nowMs: Date.now() };
  }
  const answer = asRecord(await (await context.api()).request("status"));
  const live = answer["cib"] as Element | null | undefined;
  if (live === null || live === undefined) throw new CommandError("this daemon belongs to no cluster yet");
  const nowMs = typeof answer["clockMs"] === "number" && answer["clockMs"] > 0 ? answer["clockMs"] : Date.now();
  if (store.live) return { cib: live, nowMs };
  const { configuration } = await store.read();
  return { cib: withConfiguration(live, configuration), nowMs };
}

/** `explain` at the root: why a resource is where it is, and what would bring it elsewhere. */
export const explainCommand: Command = {
  name: "explain",
  usage: USAGE.slice("explain ".length),
  help: "why a resource runs where it does, and the least that would make it run (on NODE)",
  run: async (args, context) => {
    const { words, text, flag } = parseArguments(args, { node: "text", json: "flag", "xml-file": "text" }, USAGE);
    expectWords(words, 1, 1, USAGE);
    const { cib, nowMs } = await cibInQuestion(context, text("xml-file"));
    const node = text("node") ?? null;
    const plan = schedule(cib, nowMs, md5, { explain: true });
    const explanation = explainModel(plan.model, words[0]!, node);
    const asked = node !== null || explanation.instances.every((instance) => instance.node === null);
    const proposal = asked ? proposeFrom(plan, { cib, nowMs, hash: md5 }, words[0]!, node) : undefined;
    if (flag("json")) {
      context.terminal.out(JSON.stringify(proposal === undefined ? explanation : { ...explanation, proposal }, null, 2));
      return true;
    }
    explanation.instances.forEach((instance, index) => {
      if (index > 0) context.terminal.out("");
      for (const line of renderInstance(instance)) context.terminal.out(line);
    });
    if (proposal !== undefined) for (const line of renderProposal(words[0]!, node, proposal)) context.terminal.out(line);
    return true;
  },
  complete: completeResources,
};

function renderInstance(instance: ExplainedInstance): string[] {
  const rows = instance.nodes.flatMap((node) => nodeRows(node));
  return [instance.verdict, ...alignColumns(rows).map((line) => `  ${line}`)];
}

/** The total first, then one line a term. */
function nodeRows(node: ExplainedNode): string[][] {
  const notes = [node.chosen ? "chosen" : "", node.unavailable ?? ""].filter((note) => note !== "");
  const total = node.score === null ? "not allowed" : formatScore(node.score);
  const terms = node.terms.map((term) => [
    "",
    `${term.score >= 0 ? "+" : ""}${formatScore(term.score)}`,
    term.text + (term.through === null ? "" : ` through ${term.through}`),
  ]);
  return [[node.node, total, notes.join("; ")], ...terms];
}

function renderProposal(resource: string, node: string | null, proposal: Proposal | null): string[] {
  const where = node === null ? "somewhere" : `on ${node}`;
  if (proposal === null) return ["", `No small change was found that would make ${resource} run ${where}.`];
  if (proposal.changes.length === 0) return ["", `${resource} runs on ${proposal.node}, or will, as things are.`];
  return [
    "",
    `The least that would make ${resource} run ${where} (tried on paper, it then goes to ${proposal.node}):`,
    ...proposal.changes.map((change) => `  ${commandFor(change)}`),
  ];
}

/** The command line that makes the change. */
export function commandFor(change: ProposedChange): string {
  const words = (...parts: string[]): string => ["quorate", ...parts.map(quoteWord)].join(" ");
  switch (change.kind) {
    case "drop-constraint":
      return words("configure", "delete", change.id);
    case "clean-up":
      return words("resource", "cleanup", change.resource, change.node);
    case "set-meta":
      return words("resource", "meta", change.resource, "set", change.name, change.value);
    case "set-property":
      return words("configure", "property", `${change.name}=${change.value}`);
    case "set-node-attribute":
      return words("node", "attribute", change.node, "set", change.name, change.value);
    case "grant-ticket":
      return `grant the ticket ${change.ticket}`;
    case "prefer":
      return words("resource", "move", change.resource, change.node);
    default:
      return unreachable(change);
  }
}
