import type { Element } from "../../core/cib/index.ts";
import { readModel, schedule, upgradeCib, validateCib } from "../../core/policy/index.ts";
import {
  currentStatusText,
  describeAction,
  executeTransition,
  scoreText,
  simulationText,
  summaryText,
  utilizationText,
} from "../../core/whatif/index.ts";
import { withConfiguration } from "./edits.ts";
import { type Asked, md5 } from "./explain.ts";
import { type CliContext, CommandError } from "./level.ts";
import { knowsNodes, statusEditor } from "./status-editor.ts";

/** What a report of a simulation is to contain. */
export type SimulationWish = {
  readonly scores: boolean;
  readonly utilization: boolean;
  /** Only what would be done, without the states before and after. */
  readonly actionsOnly: boolean;
  /** Stop after the decision: nothing is executed on paper. */
  readonly decisionOnly: boolean;
};

const USAGE = "[nograph] [v...] [scores] [actions] [utilization]";

/** Words of `simulate`, `ptest` and `cibstatus run`. Graphs are not drawn, so `nograph` is always true; reports are always verbose. */
export function readWish(command: string, words: readonly string[], decisionOnly = false): SimulationWish {
  const known = new Set(["nograph", "scores", "actions", "utilization"]);
  const wrong = words.find((word) => !known.has(word) && !/^v+$/.test(word));
  if (wrong !== undefined) throw new CommandError(`${command}: expected ${USAGE}, not '${wrong}'`);
  const has = (word: string): boolean => words.includes(word);
  return { scores: has("scores"), utilization: has("utilization"), actionsOnly: has("actions"), decisionOnly };
}

/** What the policy engine would do with this CIB, as text. Throws `CibError` when the CIB cannot be processed. */
export function simulationReport({ cib: given, nowMs }: Asked, wish: SimulationWish): string {
  validateCib(given);
  const cib = upgradeCib(given);
  const plan = schedule(cib, nowMs, md5, { scores: true });
  const execution = executeTransition(cib, plan.graph, { wallSec: Math.floor(nowMs / 1000), failures: [] });
  if (!wish.actionsOnly && !wish.decisionOnly) {
    return simulationText(plan, execution, readModel(execution.cib, nowMs, md5), wish);
  }
  const none = (lines: readonly string[]): readonly string[] => (lines.length === 0 ? ["  (nothing)"] : lines);
  const lines: string[] = [];
  if (!wish.actionsOnly) lines.push(...currentStatusText(plan));
  if (wish.scores) lines.push("Assignment Scores:", ...scoreText(plan.model), "");
  if (wish.utilization) lines.push("Utilization Information:", ...utilizationText(plan.model), "");
  lines.push("Transition Summary:", ...none(summaryText(plan.summary)));
  if (wish.actionsOnly) lines.push("", "Actions:", ...none(execution.steps.map(({ action }) => `  * ${describeAction(action)}`)));
  return `${lines.join("\n")}\n`;
}

/** `simulate` inside `configure`: the configuration as it is being edited, with the status of the cluster, the file, or `cibstatus`. */
export async function simulateEdited(configuration: Element, words: readonly string[], context: CliContext): Promise<boolean> {
  const wish = readWish("simulate", words);
  const editor = statusEditor(context);
  const asked = await editor.read(context);
  if (editor.isImagined) context.terminal.info("this starts from an imagined state of the cluster: see `cibstatus show changed`");
  if (!knowsNodes(asked.cib)) {
    context.terminal.info("no node is known to be up, so nothing can run; `cibstatus node NODE online` supposes one");
  }
  context.terminal.write(simulationReport({ ...asked, cib: withConfiguration(asked.cib, configuration) }, wish));
  return true;
}
