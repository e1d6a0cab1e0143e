/**
 * Differential fuzzing of the policy engine against Debian's `crm_simulate` as a black box, through the corpus'
 * `oracle-run`.
 *
 *   npm run fuzz:policy -- [--cases 300] [--seed 1] [--jobs 2] [--level L1,L2,L3,L4] [--keep DIR] [--diff 6] [--shrink] [--strict] [--allow 0]
 *
 * `--allow N` lets a short run pass with N unexplained differences. `--strict` excuses nothing (exceptions.ts). From 2000 cases on the run also fails when a feature is in less than 2 % of
 * them, known differences are more than 2 % or others more than 0.2 %. Seeds are printed, and `--seed S --cases 1` repeats one case. Without the shared data or crm_simulate the run is
 * skipped loudly, and fails with CI=true.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type Element, upgradeCib, withAttributes } from "../../../src/core/cib/index.ts";
import { type Model, readModel, schedule } from "../../../src/core/policy/index.ts";
import { executeTransition, simulationResult } from "../../../src/core/whatif/index.ts";
import { formatXml, parseXml } from "../../../src/io/xml/index.ts";
import { NOW_SEC } from "./draw.ts";
import { EXCEPTIONS, excusedCase, excusedLine, type Result, type Shown, withoutHidden } from "./exceptions.ts";
import { FEATURES, featuresOf } from "./features.ts";
import { type Generated, generateCib } from "./generate.ts";
import { PLACEMENTS } from "./placements.ts";
import { shrink } from "./shrink.ts";

type Oracle = Partial<Result> & { readonly name: string; readonly error?: string; readonly anonymous?: readonly string[] };
type Comparison = { readonly levels: Readonly<Record<string, { readonly pass: boolean; readonly diff: readonly string[] }>> };
type Compare = (expected: unknown, got: unknown) => Comparison;

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

function option(name: string, preset: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? preset : (process.argv[at + 1] ?? preset);
}

const shared = path.resolve(process.env["QUORATE_SHARED"] ?? path.join(process.cwd(), "..", "shared"), "conformance", "policy");

function skip(why: string): void {
  console.log(`SKIPPED: ${why}`);
  process.exitCode = process.env["CI"] === "true" ? 1 : 0;
}

type Question = { readonly name: string; readonly cib: Element };

/** One in so many questions has its CIB checked against the schema too. Reading the schema takes a third of an answer's time. */
const CHECKED = 10;

/** The CIB as the black box is to read it. */
function written(cib: Element, at: number): string {
  return formatXml(at % CHECKED === 0 ? cib : withAttributes(cib, { "validate-with": "none" }));
}

/** Asks the black box about many CIBs at once. */
async function askOracle(questions: readonly Question[], jobs: string): Promise<Map<string, Oracle>> {
  const folder = mkdtempSync(path.join(tmpdir(), "quorate-fuzz-"));
  try {
    const lines = questions.map(({ name, cib }, at) => {
      const input = path.join(folder, `${name}.xml`);
      writeFileSync(input, written(cib, at));
      return JSON.stringify({ name, input, now: null });
    });
    const running = spawn(path.join(shared, "oracle-run"), ["--jobs", jobs, "--batch"], { stdio: ["pipe", "pipe", "inherit"] });
    running.stdin.end(`${lines.join("\n")}\n`);
    const answers = new Map<string, Oracle>();
    for await (const line of createInterface({ input: running.stdout })) {
      if (line.trim() === "") continue;
      const answer = JSON.parse(line) as Oracle;
      answers.set(answer.name, answer);
    }
    return answers;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function ours(cib: Element): { readonly result: Result; readonly model: Model } | { readonly error: string } {
  try {
    const current = upgradeCib(parseXml(formatXml(cib)));
    const plan = schedule(current, NOW_SEC * 1000, md5, { scores: true });
    const { cib: after } = executeTransition(current, plan.graph, { wallSec: Math.floor(Date.now() / 1000) });
    const result = simulationResult(plan, readModel(after, NOW_SEC * 1000, md5)) as unknown as Result;
    return { result, model: plan.model };
  } catch (problem) {
    return { error: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem) };
  }
}

type Flagged = { readonly flags?: readonly string[] };

/** 2.1.5 shows resources on nodes in maintenance as plainly unmanaged: the two flags count as one here. */
function plainFlags(result: Result): Result {
  const plain = <T extends Flagged>(shown: Readonly<Record<string, readonly T[]>>): Record<string, T[]> =>
    Object.fromEntries(
      Object.entries(shown).map(([id, instances]) => [
        id,
        instances.map((one) => ({ ...one, flags: (one.flags ?? []).map((flag) => (flag === "maintenance" ? "unmanaged" : flag)) })),
      ]),
    );
  const { resources, bundles } = result.final;
  return {
    ...result,
    final: { ...result.final, resources: plain(resources), ...(bundles === undefined ? {} : { bundles: plain(bundles) }) },
  };
}

/** Same; or differing at a level, for reasons that exceptions.ts names or not. */
type Verdict =
  | { readonly kind: "same" }
  | { readonly kind: "known"; readonly reasons: readonly string[] }
  | { readonly kind: "different"; readonly level: string; readonly diff: readonly string[] };

function compareResults(compare: Compare, answer: Oracle, cib: Element, levels: readonly string[], made = ours(cib)): Verdict {
  if ("error" in made) return { kind: "different", level: levels[0]!, diff: [made.error] };
  const { result: own, model } = made;
  const against = (oracle: Result, mine: Result): Comparison["levels"] =>
    compare({ expected: plainFlags(oracle), anonymous: answer.anonymous ?? [] }, plainFlags(mine)).levels;
  const failed = (compared: Comparison["levels"]): string | undefined => levels.find((level) => compared[level]?.pass === false);
  const plain = against(answer as Result, own);
  const level = failed(plain);
  if (level === undefined) return { kind: "same" };
  if (process.argv.includes("--strict")) return { kind: "different", level, diff: plain[level]!.diff };
  const shown: Shown = { cib, oracle: answer as Result, ours: own, model };
  const used = new Set<string>();
  const compared = against(withoutHidden(shown, "oracle", used), withoutHidden(shown, "ours", used));
  for (const each of levels) {
    const left = compared[each]!.diff.filter((line) => {
      const reason = excusedLine(shown, each, line);
      if (reason !== null) used.add(reason);
      return reason === null;
    });
    // At L3 everything that an excused action takes part in differs too.
    const follows = each === "L3" && compared["L2"]?.pass === false && used.size > 0;
    if (left.length === 0 || follows) continue;
    const cause = excusedCase(shown);
    return cause === null ? { kind: "different", level: each, diff: left } : { kind: "known", reasons: [cause] };
  }
  return { kind: "known", reasons: [...used] };
}

/** Limits of a long run (issue: the policy engine), in per mille of the cases; tags are checked from `LONG_RUN` cases on. */
const LONG_RUN = 2000;
const KNOWN_MAX = 20;
const UNEXPLAINED_MAX = 2;
const TAG_MIN = 20;
/** Cases that are drawn and asked about at a time; while they are, those before them are compared. */
const CHUNK = 200;

/** What a run has seen so far. */
class Tally {
  count = 0;
  refused = 0;
  different = 0;
  excused = 0;
  readonly known = new Map<string, number>();
  /** Every feature of the corpus is expected, so those never seen count as rare too. */
  readonly tags = new Map<string, number>(FEATURES.map((feature) => [feature, 0]));

  addKnown(reasons: readonly string[]): void {
    this.excused++;
    for (const reason of reasons) this.known.set(reason, (this.known.get(reason) ?? 0) + 1);
  }

  /** Prints the figures; false: a limit is broken. */
  report(): boolean {
    const share = (times: number): string => `${((100 * times) / this.count).toFixed(2)} %`;
    const sorted = [...this.tags].sort(([, a], [, b]) => a - b);
    console.log(`features: ${sorted.map(([tag, times]) => `${tag} ${share(times)}`).join(", ")}`);
    const rare = sorted.filter(([, times]) => times * 1000 < this.count * TAG_MIN).map(([tag]) => tag);
    console.log(`features: ${sorted.length}; in less than 2 %: ${rare.join(", ") || "none"}`);
    for (const [reason, times] of this.known) console.log(`known, ${times} times: ${reason}`);
    console.log(
      `${this.count} cases: ${this.different} differ (${share(this.different)}), ${this.excused} known differences ` +
        `(${share(this.excused)}, ${EXCEPTIONS.length + PLACEMENTS.length} predicates), ${this.refused} refused by the oracle`,
    );
    // Differences that the caller allows are neither passed nor failed: the stage counts what is printed here.
    const allowed = this.count < LONG_RUN && this.different <= Number(option("allow", "0")) ? this.different : 0;
    const failed = this.different - allowed;
    console.log(`${this.count - this.different - this.refused} passed, ${failed} failed, ${this.refused + allowed} skipped`);
    if (this.count < LONG_RUN) return failed === 0;
    const within = (times: number, perMille: number): boolean => times * 1000 <= this.count * perMille;
    return rare.length === 0 && within(this.different, UNEXPLAINED_MAX) && within(this.excused, KNOWN_MAX);
  }
}

async function judge(generated: Generated, oracle: Oracle | undefined, tally: Tally, how: Settings): Promise<void> {
  const made = ours(generated.cib);
  const features = "error" in made ? [] : featuresOf(generated.cib, made.result);
  // What the corpus has no tag for is told by the generator.
  const drawn = generated.tags.filter((tag) => !FEATURES.includes(tag));
  for (const tag of [...features, ...drawn]) tally.tags.set(tag, (tally.tags.get(tag) ?? 0) + 1);
  tally.count++;
  if (oracle === undefined || oracle.error !== undefined) {
    tally.refused++;
    if (how.maxDiff > 0) console.log(`seed ${generated.seed}: the oracle refused it: ${why(oracle)}`);
    return;
  }
  const verdict = compareResults(how.compare, oracle, generated.cib, how.levels, made);
  if (verdict.kind === "same") return;
  if (verdict.kind === "known") {
    tally.addKnown(verdict.reasons);
    if (how.maxDiff > 0) console.log(`seed ${generated.seed}: known: ${verdict.reasons.join("; ")}`);
    return;
  }
  tally.different++;
  console.log(`seed ${generated.seed}: ${verdict.level} differs`);
  for (const line of verdict.diff.slice(0, how.maxDiff)) console.log(`  ${line}`);
  if (how.keep === "") return;
  let cib = generated.cib;
  if (process.argv.includes("--shrink")) {
    cib = await shrink(cib, async (candidate) => {
      const answer = (await askOracle([{ name: "shrink", cib: candidate }], "1")).get("shrink");
      if (answer === undefined || answer.error !== undefined) return false;
      const again = compareResults(how.compare, answer, candidate, how.levels);
      // Another difference that removals bring about is not the one looked for.
      return again.kind === "different" && again.diff.includes(verdict.diff[0]!);
    });
  }
  mkdirSync(how.keep, { recursive: true });
  writeFileSync(path.join(how.keep, `fuzz-${generated.seed}.xml`), formatXml(cib));
}

/** The last line says what was wrong, after notices. */
function why(oracle: Oracle | undefined): string {
  return oracle?.error?.split("\n").at(-1)?.slice(0, 200) ?? "no answer";
}

type Settings = { readonly compare: Compare; readonly levels: readonly string[]; readonly keep: string; readonly maxDiff: number };

async function main(): Promise<void> {
  if (!existsSync(path.join(shared, "oracle-run"))) return skip("no oracle-run at QUORATE_SHARED/conformance/policy");
  if (spawnSync("crm_simulate", ["--version"]).error !== undefined)
    return skip("crm_simulate is not installed (package pacemaker-cli-utils)");
  const { compare } = (await import(pathToFileURL(path.join(shared, "compare.mjs")).href)) as { readonly compare: Compare };
  const first = Number(option("seed", "1"));
  const count = Number(option("cases", "300"));
  const jobs = option("jobs", "2");
  const how: Settings = {
    compare,
    levels: option("level", "L1,L2,L3").split(","),
    keep: option("keep", ""),
    maxDiff: Number(option("diff", "6")),
  };
  console.log(`seeds ${first} to ${first + count - 1}`);
  const tally = new Tally();
  let waiting: { readonly made: readonly Generated[]; readonly answers: Promise<Map<string, Oracle>> } | null = null;
  for (let from = first; waiting !== null || from < first + count; from += CHUNK) {
    const made = Array.from({ length: Math.max(0, Math.min(CHUNK, first + count - from)) }, (_, at) => generateCib(from + at));
    const known = await waiting?.answers;
    const before = waiting?.made ?? [];
    const questions = made.map(({ seed, cib }) => ({ name: `fuzz-${seed}`, cib }));
    waiting = made.length === 0 ? null : { made, answers: askOracle(questions, jobs) };
    for (const generated of before) {
      await judge(generated, known?.get(`fuzz-${generated.seed}`), tally, how);
      // Lets answers in.
      await setImmediate();
    }
  }
  process.exitCode = tally.report() ? 0 : 1;
}

await main();
