import { readModel } from "../../core/policy/index.ts";
import { type Blast, type BlastEffect, blastRadius, blastSets, clusterNodes } from "../../core/whatif/index.ts";
import { parseArguments } from "./arguments.ts";
import { cibInQuestion, md5 } from "./explain.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { completeNodes } from "./names.ts";
import { asRecord } from "./store.ts";

const USAGE = "blast-radius [NODE...] [--pairs] [--json] [--xml-file FILE]";

/** `blast-radius` at the root: what the loss of each node, or of every two, would stop, move or fence. */
export const blastRadiusCommand: Command = {
  name: "blast-radius",
  usage: USAGE.slice("blast-radius ".length),
  help: "what would end, move or be fenced if a node failed; every node, and with --pairs every two",
  run: async (args, context) => {
    const { words, text, flag } = parseArguments(args, { pairs: "flag", json: "flag", "xml-file": "text" }, USAGE);
    const file = text("xml-file");
    const { cib, nowMs } = await cibInQuestion(context, file);
    const online = clusterNodes(readModel(cib, nowMs, md5));
    for (const word of words) if (!online.includes(word)) throw new CommandError(`no such node is online: ${word}`);
    // Named nodes fail together: that is the question "what if this rack goes".
    const sets = words.length > 0 ? [[...words]] : blastSets(online, flag("pairs"));
    const votes = file === undefined && context.options.cibFile === null ? await votesByNode(context) : undefined;
    const blasts = blastRadius(cib, sets, { nowMs, hash: md5 }, votes === undefined ? {} : { votes });
    if (flag("json")) context.terminal.out(JSON.stringify(blasts, null, 2));
    else for (const blast of blasts) for (const line of renderBlast(blast)) context.terminal.out(line);
    return true;
  },
  complete: completeNodes,
};

/** Votes of the Raft configuration: they, not the number of nodes, decide what is left of quorum. */
async function votesByNode(context: CliContext): Promise<Map<string, number>> {
  const answer = asRecord(await (await context.api()).request("cluster.status"));
  const members = Array.isArray(answer["members"]) ? answer["members"].map(asRecord) : [];
  return new Map(members.map((member) => [String(member["node"]), Number(member["votes"] ?? 0)]));
}

/** One set of nodes: a heading, then one line an effect. */
export function renderBlast(blast: Blast): string[] {
  const others = blast.fenced.filter((node) => !blast.lost.includes(node));
  const notes = [
    blast.quorate ? "" : "QUORUM LOST",
    blast.lost.every((node) => blast.fenced.includes(node)) ? "fenced" : "not fenced",
    others.length > 0 ? `fences ${others.join(", ")} too` : "",
  ].filter((note) => note !== "");
  const lines = blast.effects.map((effect) => `  ${describeEffect(effect)}`);
  return [`loss of ${blast.lost.join(" and ")} (${notes.join("; ")}):`, ...(lines.length === 0 ? ["  nothing changes"] : lines)];
}

function describeEffect(effect: BlastEffect): string {
  const from = effect.from.join(", ");
  const to = effect.to.join(", ");
  switch (effect.effect) {
    case "stopped":
      return `STOPS    ${effect.resource} (was on ${from})`;
    case "moved":
      return `moves    ${effect.resource} ${from} -> ${to}`;
    case "reduced":
      return `reduces  ${effect.resource} (no longer on ${from})`;
    case "promoted":
      return `promotes ${effect.resource} on ${to}`;
  }
}
