/**
 * Runs the open policy corpus in this process and compares with the corpus' own comparer.
 *
 *   npm run conformance:policy -- [--only REGEX] [--tag TAG] [--level L1,L2,..] [--diff N] [--list] [--tags] [--document FILE]
 *
 * `--document` writes the results by level and feature into FILE, between its two marks; `docs/conformance.md` has them.
 *
 * Without the shared data (QUORATE_SHARED, default ../shared) the run is skipped loudly, and fails with CI=true.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { readModel, schedule } from "../../../src/core/policy/index.ts";
import { executeTransition, simulationResult } from "../../../src/core/whatif/index.ts";
import { type Case, corpusRoot, md5, readCase, readCases } from "./corpus.ts";

type Level = { readonly pass: boolean; readonly diff: readonly string[] };
type Comparison = { readonly levels: Readonly<Record<string, Level>>; readonly error?: string };
type Comparer = {
  readonly compare: (expected: unknown, got: unknown) => Comparison;
  readonly LEVELS: readonly string[];
};
type Verdict = {
  readonly name: string;
  readonly tags: readonly string[];
  readonly failed: readonly string[];
  readonly error: string | null;
};

/** Levels that a case must pass; the summary is counted but not required. */
const REQUIRED = ["L1", "L2", "L3", "L4", "L5"];

function option(name: string): string | null {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : (process.argv[at + 1] ?? null);
}

function simulate(root: string, wanted: Case): unknown {
  const { cib, nowMs } = readCase(root, wanted);
  const plan = schedule(cib, nowMs, md5, { scores: true });
  const { cib: after } = executeTransition(cib, plan.graph, { wallSec: Math.floor(Date.now() / 1000) });
  return simulationResult(plan, readModel(after, nowMs, md5));
}

function judge(root: string, comparer: Comparer, wanted: Case, levels: readonly string[], diff: number): Verdict {
  let got: unknown;
  let error: string | null = null;
  try {
    got = simulate(root, wanted);
  } catch (problem) {
    error = problem instanceof Error ? `${problem.name}: ${problem.message}` : String(problem);
    if (diff > 0 && problem instanceof Error) console.log(problem.stack);
    got = { error };
  }
  const { levels: result } = comparer.compare(wanted, got);
  const failed = comparer.LEVELS.filter((level) => result[level]?.pass !== true);
  const shown = failed.filter((level) => levels.includes(level));
  if (diff > 0 && shown.length > 0) {
    console.log(`${wanted.name}: ${failed.join(" ")} failed`);
    for (const level of shown) for (const line of result[level]!.diff.slice(0, diff)) console.log(`  ${level} ${line}`);
  }
  return { name: wanted.name, tags: wanted.tags, failed, error };
}

function passing(verdicts: readonly Verdict[], level: string): number {
  return verdicts.filter((verdict) => !verdict.failed.includes(level)).length;
}

function levelLine(verdicts: readonly Verdict[], levels: readonly string[]): string {
  return `${verdicts.length} clusters, equal at ${levels.map((level) => `${level} ${passing(verdicts, level)}`).join(", ")}. By feature:`;
}

const MARKS = ["<!-- written by: npm run conformance:policy -- --document docs/conformance.md -->", "<!-- end -->"] as const;

/** Replaces what stands between the marks. Errors: a file without them. */
function writeTable(file: string, lines: readonly string[]): void {
  const text = readFileSync(file, "utf8");
  const from = text.indexOf(MARKS[0]);
  const to = text.indexOf(MARKS[1], from);
  if (from < 0 || to < 0) throw new Error(`${file}: no place for the results: the marks "${MARKS.join('" and "')}" are missing`);
  writeFileSync(file, `${text.slice(0, from)}${[MARKS[0], "", ...lines, "", ""].join("\n")}${text.slice(to)}`);
}

function tagTable(verdicts: readonly Verdict[], levels: readonly string[]): string[] {
  const tags = [...new Set(verdicts.flatMap((verdict) => verdict.tags))].sort();
  const lines = [`| tag | cases | ${levels.join(" | ")} |`, `| --- | ---: |${levels.map(() => " ---: |").join("")}`];
  for (const tag of tags) {
    const of = verdicts.filter((verdict) => verdict.tags.includes(tag));
    lines.push(`| ${tag} | ${of.length} | ${levels.map((level) => passing(of, level)).join(" | ")} |`);
  }
  return lines;
}

async function main(): Promise<void> {
  const root = corpusRoot();
  if (!existsSync(path.join(root, "cases"))) {
    console.log(`SKIPPED: no policy corpus at QUORATE_SHARED/conformance/policy`);
    console.log("0 passed, 0 failed");
    process.exitCode = process.env["CI"] === "true" ? 1 : 0;
    return;
  }
  const comparer = (await import(pathToFileURL(path.join(root, "compare.mjs")).href)) as Comparer;
  const only = option("only") === null ? null : new RegExp(option("only")!);
  const tag = option("tag");
  const levels = option("level")?.split(",") ?? [...comparer.LEVELS];
  const required = option("level") === null ? REQUIRED : levels;
  const diff = Number(option("diff") ?? 0);
  const verdicts: Verdict[] = [];
  for (const wanted of readCases(root)) {
    if (only !== null && !only.test(wanted.name)) continue;
    if (tag !== null && !wanted.tags.includes(tag)) continue;
    verdicts.push(judge(root, comparer, wanted, levels, diff));
  }
  const bad = verdicts.filter((verdict) => verdict.failed.some((level) => required.includes(level)));
  if (process.argv.includes("--list"))
    for (const verdict of bad) console.log(`${verdict.name}: ${verdict.failed.join(" ")} ${verdict.error ?? ""}`);
  for (const level of comparer.LEVELS) console.log(`${level}: ${passing(verdicts, level)} of ${verdicts.length}`);
  const table = tagTable(verdicts, comparer.LEVELS);
  if (process.argv.includes("--tags")) for (const line of table) console.log(line);
  const document = option("document");
  if (document !== null) writeTable(document, [levelLine(verdicts, comparer.LEVELS), "", ...table]);
  console.log(`${verdicts.length - bad.length} passed, ${bad.length} failed`);
  process.exitCode = bad.length === 0 ? 0 : 1;
}

await main();
