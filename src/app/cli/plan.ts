import type { Element } from "../../core/cib/index.ts";
import { type PlannedChange, type PlannedEffect, planChange } from "../../core/whatif/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { type Asked, cibInQuestion, md5 } from "./explain.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { asRecord } from "./store.ts";
import { alignColumns, formatMs } from "./text.ts";

/** What a plan starts from: the CIB as it is, and the epoch of its configuration. */
export type PlanBasis = Asked & { readonly epoch: number };

/** The cluster as it is, whatever shadow is in use; with a plain file, that file. */
export async function planBasis(context: CliContext): Promise<PlanBasis> {
  const real = { ...context, options: { ...context.options, shadow: null } };
  const asked = await cibInQuestion(real, undefined);
  if (context.options.cibFile !== null) return { ...asked, epoch: 0 };
  const status = asRecord(await (await context.api()).request("status"));
  return { ...asked, epoch: Number(status["epoch"] ?? 0) };
}

/** What happens when the basis gets this CIB. */
export function planFrom(basis: PlanBasis, wanted: Element): PlannedChange {
  return planChange(basis.cib, wanted, basis.epoch, { nowMs: basis.nowMs, hash: md5 });
}

/** What would happen if the shadow in use were committed now; without one, what the cluster is about to do. */
export async function planOf(context: CliContext): Promise<PlannedChange> {
  if (context.options.cibFile !== null && context.options.shadow === null) {
    throw new CommandError("a plan is about a cluster; for a file use `quorate simulate --xml-file`");
  }
  const basis = await planBasis({ ...context, options: { ...context.options, cibFile: null } });
  return planFrom(basis, context.options.shadow === null ? basis.cib : (await cibInQuestion(context, undefined)).cib);
}

/**
 * Fails unless the plan is still the one of that id: the configuration or what would be done has changed. Gives the epoch
 * that the commit must meet.
 */
export function requirePlan(plan: PlannedChange, id: string): number {
  if (plan.id !== id) throw new CommandError(`the plan is ${plan.id} now, not ${id}: look at \`plan\` again`);
  return plan.epoch;
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
    const { shadow } = context.options;
    const command = shadow === null ? null : `quorate cib commit ${shadow} --plan ${plan.id}`;
    if (flag("json")) context.terminal.out(JSON.stringify(plan, null, 2));
    else for (const line of renderPlan(plan, command)) context.terminal.out(line);
    return true;
  },
};

const MARKS = { added: "+", changed: "~", deleted: "-" } as const;

/** The plan for people. `command` carries it out; null: there is nothing to carry out, so no edits are listed. */
export function renderPlan(plan: PlannedChange, command: string | null): string[] {
  const none = (lines: string[]): string[] => (lines.length === 0 ? ["  (none)"] : lines);
  const edits = plan.edits.map((edit) => `  ${MARKS[edit.change]} ${edit.section} ${edit.id}`);
  const effects = alignColumns(plan.effects.map(effectRow)).map((line) => `  ${line}`);
  const actions = plan.actions.map((action, index) => `  ${String(index + 1).padStart(3)}. ${action}`);
  const lines = [`Plan ${plan.id}`];
  if (command !== null) lines.push("", "Changed objects:", ...none(edits));
  lines.push("", "What happens:", ...none(effects), "", "Actions in order:", ...none(actions));
  if (command !== null) lines.push("", `\`${command}\` does this, and nothing if it has become another plan.`);
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
