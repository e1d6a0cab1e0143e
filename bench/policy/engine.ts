/**
 * One cluster in a process of its own, so that its memory is its own: the engine alone, then `explain` with proposals.
 * Prints one line of JSON for `main.ts`.
 *
 *   node dist/bench/policy/engine.js FILE RUNS QUESTIONS
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Element } from "../../src/core/cib/index.ts";
import { schedule, upgradeCib } from "../../src/core/policy/index.ts";
import { explainModel, proposeFrom } from "../../src/core/whatif/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/** What the process prints. Times are CPU milliseconds: the machine is seldom alone. */
export type EngineFigures = {
  readonly parseMs: number;
  /** The first run, before anything is compiled. */
  readonly coldMs: number;
  /** The best of the others. */
  readonly engineMs: number;
  readonly actions: number;
  readonly rssMb: number;
  /** Of every question, after warm-up, in the order asked. */
  readonly explainMs: readonly number[];
};

const NOW_MS = 1_700_000_000_000;
/** Questions that are asked before any is counted. */
const WARM_UP = 15;

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timed<T>(work: () => T): { readonly value: T; readonly ms: number } {
  const start = cpuMs();
  const value = work();
  return { value, ms: cpuMs() - start };
}

/** Why is that resource not on that node, and what would bring it there: resources and nodes in steps that meet most pairs. */
function explainTimes(cib: Element, questions: number): number[] {
  const { model } = schedule(cib, NOW_MS, md5);
  const ids = [...new Set(model.primitives.map((primitive) => primitive.configId))];
  const nodes = model.nodeList.map((node) => node.name);
  const times: number[] = [];
  for (let at = 0; at < questions + WARM_UP; at++) {
    const resource = ids[(at * 7) % ids.length]!;
    const node = nodes[(at * 5) % nodes.length]!;
    const { ms } = timed(() => {
      const plan = schedule(cib, NOW_MS, md5, { explain: true });
      explainModel(plan.model, resource, node);
      proposeFrom(plan, { cib, nowMs: NOW_MS, hash: md5 }, resource, node);
    });
    if (at >= WARM_UP) times.push(ms);
  }
  return times;
}

function main(file: string, runs: number, questions: number): void {
  const { value: cib, ms: parseMs } = timed(() => upgradeCib(parseXml(readFileSync(file))));
  const first = timed(() => schedule(cib, NOW_MS, md5).graph.actions.length);
  let engineMs = runs > 1 ? Number.POSITIVE_INFINITY : first.ms;
  for (let run = 1; run < runs; run++) engineMs = Math.min(engineMs, timed(() => schedule(cib, NOW_MS, md5)).ms);
  const rssMb = process.resourceUsage().maxRSS / 1024;
  const explainMs = questions === 0 ? [] : explainTimes(cib, questions);
  const figures: EngineFigures = { parseMs, coldMs: first.ms, engineMs, actions: first.value, rssMb, explainMs };
  console.log(JSON.stringify(figures));
}

main(process.argv[2]!, Number(process.argv[3]), Number(process.argv[4]));
