import type { Element } from "../../core/cib/index.ts";
import { type PlannedChange, type PlannedEffect, planChange } from "../../core/whatif/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { cibInQuestion, md5 } from "./explain.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { asRecord } from "./store.ts";
import { alignColumns, formatMs } from "./text.ts";

/** What would happen if the shadow in use were committed now; without one, what the cluster is about to do. */
async function planOf(context: CliContext): Promise<PlannedChange> {
  if (context.options.cibFile !== null && context.options.shadow === null) {
    throw new CommandError("a plan is about a cluster; for a file use `quorate simulate --xml-file`");
  }
  const status = asRecord(await (await context.api()).request("status"));
  const live = await cibInQuestion({ ...context, options: { ...context.options, shadow: null, cibFile: null } }, undefined);
  const wanted: Element = context.options.shadow === null ? live.cib : (await cibInQuestion(context, undefined)).cib;
  return planChange(live.cib, wanted, Number(status["epoch"] ?? 0), { nowMs: live.nowMs, hash: md5 });
}

/** Fails unless the plan is still the one of that id: the configuration or what would be done has changed. */
export async function requirePlan(context: CliContext, id: string): Promise<void> {
  const plan = await planOf(context);
  if (plan.id !== id) throw new CommandError(`the plan is ${plan.id} now, not ${id}: look at \`plan\` again`);
}

/** `plan` at the root. */
export const planCommand: Command = {
  name: "plan",
  usage: "[--json]",
  help: "what the cluster would do: with the shadow in use, or as things are",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { json: "flag" }, "plan [--json]");
    expectWords(words, 0, 0, "plan [--json]");
    const plan = await planOf(context);
    if (flag("json")) context.terminal.out(JSON.stringify(plan, null, 2));
    else for (const line of renderPlan(plan, context.options.shadow)) context.terminal.out(line);
    return true;
  },
};

const MARKS = { added: "+", changed: "~", deleted: "-" } as const;

function renderPlan(plan: PlannedChange, shadow: string | null): string[] {
  const none = (lines: string[]): string[] => (lines.length === 0 ? ["  (none)"] : lines);
  const edits = plan.edits.map((edit) => `  ${MARKS[edit.change]} ${edit.section} ${edit.id}`);
  const effects = alignColumns(plan.effects.map(effectRow)).map((line) => `  ${line}`);
  const actions = plan.actions.map((action, index) => `  ${String(index + 1).padStart(3)}. ${action}`);
  const lines = [`Plan ${plan.id}`];
  if (shadow !== null) lines.push("", "Changed objects:", ...none(edits));
  lines.push("", "What happens:", ...none(effects), "", "Actions in order:", ...none(actions));
  if (shadow !== null)
    lines.push("", `\`quorate cib commit ${shadow} --plan ${plan.id}\` does this, and nothing if it has become another plan.`);
  return lines;
}

function effectRow(effect: PlannedEffect): string[] {
  const notes = [
    effect.reason === null ? "" : `due to ${effect.reason}`,
    effect.blocked ? "blocked" : "",
    effect.awayMs === null ? "" : `away for about ${formatMs(effect.awayMs)}`,
  ];
  return [effect.verb, effect.subject, effect.detail, notes.filter((note) => note !== "").join("; ")];
}
