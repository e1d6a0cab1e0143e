import { childOf, element } from "../../core/cib/index.ts";
import type { EditSession } from "../../core/crm/index.ts";
import { upgradeCib } from "../../core/policy/index.ts";
import type { PlannedChange } from "../../core/whatif/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { commitSession, findingsOf, replaceAll, tellFindings } from "./configure-commit.ts";
import { withConfiguration } from "./edits.ts";
import { type CliContext, CommandError } from "./level.ts";
import { planBasis, planFrom, renderPlan, requirePlan } from "./plan.ts";
import type { ConfigurationStore } from "./store.ts";
import { applyEdits } from "./store-file.ts";

/** What committing this session now would do: its edits on the configuration as it is, not as it was when it was read. */
async function planOfSession(session: EditSession, context: CliContext, force: boolean): Promise<PlannedChange> {
  const basis = await planBasis(context);
  if (context.options.shadow !== null) return planFrom(basis, upgradeCib(withConfiguration(basis.cib, session.configuration)));
  const now = childOf(basis.cib, "configuration") ?? element("configuration");
  return planFrom(basis, upgradeCib(withConfiguration(basis.cib, applyEdits(now, session.edits(), force))));
}

/** `plan [--json]` in `configure`. Errors that would refuse the commit are told and there is no plan, unless forced. */
export async function planSession(words: readonly string[], session: EditSession, context: CliContext): Promise<boolean> {
  const given = parseArguments(words, { json: "flag" }, "plan [--json]");
  expectWords(given.words, 0, 0, "plan [--json]");
  const { force, shadow } = context.options;
  if (!tellFindings(findingsOf(session, context), context) && !force) {
    context.terminal.error("there is no plan: a commit would be refused");
    return false;
  }
  const plan = await planOfSession(session, context, force);
  const command = shadow === null ? `commit --plan ${plan.id}` : `commit, then cib commit ${shadow} --plan ${plan.id}`;
  if (given.flag("json")) context.terminal.out(JSON.stringify(plan, null, 2));
  else for (const line of renderPlan(plan, command)) context.terminal.out(line);
  return true;
}

/** `commit [force] [--plan ID]`: with a plan only while it is the same plan, which the cluster checks once more by its epoch. */
export async function commitWords(
  words: readonly string[],
  open: { readonly session: EditSession; readonly store: ConfigurationStore },
  context: CliContext,
): Promise<boolean> {
  const usage = "commit [force] [replace] [--plan ID]";
  const given = parseArguments(words, { plan: "text", force: "flag" }, usage);
  const force = context.options.force || given.flag("force") || given.words.includes("force");
  const plan = given.text("plan");
  const wrong = given.words.find((word) => word !== "force" && word !== "replace");
  if (wrong !== undefined) throw new CommandError(`${usage}: not '${wrong}'`);
  if (given.words.includes("replace")) {
    if (plan !== undefined) throw new CommandError("commit replace: a plan is about what was changed; leave one of them out");
    return replaceAll(open.session, open.store, context, force);
  }
  if (plan === undefined) return commitSession(open.session, open.store, context, force);
  if (context.options.shadow !== null)
    throw new CommandError("commit --plan: a shadow is in use; `cib commit NAME --plan ID` makes it real");
  const epoch = requirePlan(await planOfSession(open.session, context, force), plan);
  return commitSession(open.session, open.store, context, force, { epoch });
}
