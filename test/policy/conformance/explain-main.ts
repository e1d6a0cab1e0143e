/**
 * Holds `explain` against the engine on the open policy corpus.
 *
 *   npm run conformance:explain -- [--only REGEX] [--questions N|all] [--list]
 *
 * For every resource and node of every case: the terms add up to the score, and the score is the one by which the engine
 * decided. For `--questions` pairs of resource and node a case (drawn by a fixed rule; `all` asks everything): the proposed
 * changes, made and carried out on paper, bring the resource to that node. Without the shared data the run is skipped
 * loudly, and fails with CI=true.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { seededRandom } from "../../../src/core/base/index.ts";
import type { Element } from "../../../src/core/cib/index.ts";
import { type Model, ROLE, readModel, schedule } from "../../../src/core/policy/index.ts";
import { applyChange, executeTransition, explainModel, findResources, proposeChanges, totalOf } from "../../../src/core/whatif/index.ts";
import { type Case, corpusRoot, md5, readCase, readCases } from "./corpus.ts";

type Question = { readonly resource: string; readonly node: string };
type Tally = { rows: number; asked: number; running: number; answered: number; unanswered: number };

/** Questions of a case unless told otherwise; all of them are asked in the soak. */
const QUESTIONS = 2;
/** Least share of the open questions with a change: of the sample, and of more, most of which large clusters ask. */
const ANSWERED_MIN = { sample: 0.55, more: 0.3 };
const SEED = 20_240_601;

function option(name: string): string | null {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : (process.argv[at + 1] ?? null);
}

/** Every score is what its terms come to, and what the engine reported when it chose. */
function checkScores(model: Model, tally: Tally): string[] {
  const wrong: string[] = [];
  const reported = new Map<string, number>();
  for (const report of model.reports) {
    if (report.label !== "primitive") continue;
    for (const { node, score } of report.scores) reported.set(`${report.resource.id} on ${node.name}`, score);
  }
  for (const primitive of model.primitives) {
    for (const instance of explainModel(model, primitive.id).instances) {
      for (const { node, score, terms } of instance.nodes) {
        tally.rows++;
        const where = `${instance.resource} on ${node}`;
        if (score !== null && totalOf(terms) !== score) wrong.push(`${where}: terms give ${totalOf(terms)}, not ${score}`);
        const engine = reported.get(where);
        if (engine !== undefined && score !== engine) wrong.push(`${where}: explained ${score}, decided by ${engine}`);
      }
    }
  }
  return wrong;
}

/** Resources as they are configured times cluster nodes. */
function questionsOf(model: Model): Question[] {
  const ids = [...new Set(model.primitives.filter((each) => !each.removed && !each.internal).map((each) => each.configId))];
  return ids.flatMap((resource) => model.nodeList.map((node) => ({ resource, node: node.name })));
}

function drawn(questions: readonly Question[], count: number, seed: number): Question[] {
  const random = seededRandom(seed);
  const left = [...questions];
  const taken: Question[] = [];
  while (taken.length < count && left.length > 0) taken.push(...left.splice(random.below(left.length), 1));
  return taken;
}

/**
 * Once everything that was decided has been done on paper: is an instance of the resource active on the node? What was
 * started there and not stopped again is, whatever old entries say of it: paper keeps failures of guests that are recovered
 * with their container, and recorded monitors of a stopped resource.
 */
function runsOn(cib: Element, nowMs: number, { resource, node }: Question): boolean {
  const { graph } = schedule(cib, nowMs, md5);
  const execution = executeTransition(cib, graph, { wallSec: Math.floor(nowMs / 1000) });
  const last = new Map<string, string>();
  for (const { action } of execution.steps) {
    if (action.kind !== "resource" || bare(action.resource) !== resource || action.node !== node) continue;
    if (/^(start|stop|migrate_from)$/.test(action.task)) last.set(action.instance, action.task);
  }
  const after = readModel(execution.cib, nowMs, md5);
  if (after.nodesByName.get(node.toLowerCase())?.online !== true) return false;
  if ([...last.values()].some((task) => task !== "stop")) return true;
  return findResources(after, resource).some(
    (instance) => instance.role > ROLE.stopped && !instance.failed && instance.activeNodes.some((active) => active.name === node),
  );
}

function bare(instance: string): string {
  return instance.replace(/:\d+$/, "");
}

function checkProposal(cib: Element, nowMs: number, question: Question, tally: Tally): string[] {
  tally.asked++;
  const proposal = proposeChanges(cib, nowMs, md5, question.resource, question.node);
  if (proposal === null) {
    tally.unanswered++;
    return [];
  }
  if (proposal.changes.length === 0) tally.running++;
  else tally.answered++;
  const where = `${question.resource} on ${question.node}`;
  if (proposal.node !== question.node) return [`${where}: promised for ${proposal.node}`];
  const changed = proposal.changes.reduce(applyChange, cib);
  if (proposal.changes.length > 0 && sameText(cib, changed)) return [`${where}: the change changes nothing`];
  return runsOn(changed, nowMs, question) ? [] : [`${where}: it does not run there after ${JSON.stringify(proposal.changes)}`];
}

function sameText(one: Element, other: Element): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function judge(root: string, wanted: Case, count: number, tally: Tally): string[] {
  const { cib, nowMs } = readCase(root, wanted);
  const { model } = schedule(cib, nowMs, md5, { explain: true, scores: true });
  const wrong = checkScores(model, tally);
  for (const question of drawn(questionsOf(model), count, SEED)) wrong.push(...checkProposal(cib, nowMs, question, tally));
  return wrong;
}

function main(): void {
  const root = corpusRoot();
  if (!existsSync(path.join(root, "cases"))) {
    console.log("SKIPPED: no policy corpus at QUORATE_SHARED/conformance/policy");
    console.log("0 passed, 0 failed");
    process.exitCode = process.env["CI"] === "true" ? 1 : 0;
    return;
  }
  const only = option("only") === null ? null : new RegExp(option("only")!);
  const asked = option("questions");
  const count = asked === "all" ? Number.POSITIVE_INFINITY : Number(asked ?? QUESTIONS);
  const tally: Tally = { rows: 0, asked: 0, running: 0, answered: 0, unanswered: 0 };
  let passed = 0;
  let failed = 0;
  for (const wanted of readCases(root)) {
    if (only !== null && !only.test(wanted.name)) continue;
    const beganMs = Date.now();
    const wrong = judge(root, wanted, count, tally);
    if (process.argv.includes("--list")) console.log(`${wanted.name}: ${Date.now() - beganMs} ms`);
    for (const line of wrong) console.log(`${wanted.name}: ${line}`);
    if (wrong.length === 0) passed++;
    else failed++;
  }
  const { rows, running, answered, unanswered } = tally;
  console.log(
    `${rows} scores; ${tally.asked} questions (seed ${SEED}): ${running} run there, ${answered} have a change, ${unanswered} none`,
  );
  // An explainer that never proposes anything would be right every time. What runs there already needs no proposal.
  const open = tally.asked - running;
  const least = asked === null ? ANSWERED_MIN.sample : ANSWERED_MIN.more;
  if (only === null && answered < open * least) {
    console.log(`only ${answered} of ${open} questions have a change: fewer than ${least * 100} %`);
    failed++;
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main();
