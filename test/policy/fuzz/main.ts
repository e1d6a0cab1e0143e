/**
 * Differential fuzzing of the policy engine against Debian's `crm_simulate` as a black box, through the corpus'
 * `oracle-run`.
 *
 *   npm run fuzz:policy -- [--cases 300] [--seed 1] [--jobs 2] [--level L1,L2,L3,L4] [--keep DIR] [--diff 6] [--shrink] [--strict]
 *
 * `--strict` excuses nothing (exceptions.ts). Seeds are printed, and `--seed S --cases 1` repeats one case. Without the shared data or crm_simulate the run is
 * skipped loudly, and fails with CI=true.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type Element, upgradeCib } from "../../../src/core/cib/index.ts";
import { readModel, schedule } from "../../../src/core/policy/index.ts";
import { executeTransition, simulationResult } from "../../../src/core/whatif/index.ts";
import { formatXml, parseXml } from "../../../src/io/xml/index.ts";
import { NOW_SEC } from "./draw.ts";
import { excused } from "./exceptions.ts";
import { type Generated, generateCib } from "./generate.ts";
import { shrink } from "./shrink.ts";

type Oracle = { readonly name: string; readonly error?: string; readonly anonymous?: readonly string[] };
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

/** Asks the black box about many CIBs at once. */
function askOracle(cibs: readonly { readonly name: string; readonly cib: Element }[], jobs: string): Map<string, Oracle> {
  const folder = mkdtempSync(path.join(tmpdir(), "quorate-fuzz-"));
  try {
    const lines = cibs.map(({ name, cib }) => {
      const input = path.join(folder, `${name}.xml`);
      writeFileSync(input, formatXml(cib));
      return JSON.stringify({ name, input, now: null });
    });
    const ran = spawnSync(path.join(shared, "oracle-run"), ["--jobs", jobs, "--batch"], {
      input: `${lines.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: 1 << 30,
    });
    const answers = new Map<string, Oracle>();
    for (const line of (ran.stdout ?? "").split("\n")) {
      if (line.trim() === "") continue;
      const answer = JSON.parse(line) as Oracle;
      answers.set(answer.name, answer);
    }
    return answers;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function ours(cib: Element): unknown {
  try {
    const current = upgradeCib(parseXml(formatXml(cib)));
    const plan = schedule(current, NOW_SEC * 1000, md5, { scores: true });
    const { cib: after } = executeTransition(current, plan.graph, { wallSec: Math.floor(Date.now() / 1000) });
    return simulationResult(plan, readModel(after, NOW_SEC * 1000, md5));
  } catch (problem) {
    return { error: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem) };
  }
}

/** 2.1.5 shows resources on nodes in maintenance as plainly unmanaged: the two flags count as one here. */
function plainFlags<T>(result: T): T {
  return JSON.parse(JSON.stringify(result).replaceAll('"maintenance"]', '"unmanaged"]').replaceAll('"maintenance",', '"unmanaged",')) as T;
}

/** The first level of `levels` at which the two disagree, with the differences; null: they agree. */
function disagreement(
  compare: Compare,
  oracle: Oracle,
  cib: Element,
  levels: readonly string[],
): { level: string; diff: readonly string[] } | null {
  const expected = { expected: plainFlags(oracle), anonymous: oracle.anonymous ?? [] };
  const compared = compare(expected, plainFlags(ours(cib))).levels;
  for (const level of levels) {
    const result = compared[level];
    if (result !== undefined && !result.pass) return { level, diff: result.diff };
  }
  return null;
}

async function main(): Promise<void> {
  if (!existsSync(path.join(shared, "oracle-run"))) return skip("no oracle-run at QUORATE_SHARED/conformance/policy");
  if (spawnSync("crm_simulate", ["--version"]).error !== undefined)
    return skip("crm_simulate is not installed (package pacemaker-cli-utils)");
  const { compare } = (await import(pathToFileURL(path.join(shared, "compare.mjs")).href)) as { readonly compare: Compare };
  const first = Number(option("seed", "1"));
  const count = Number(option("cases", "300"));
  const jobs = option("jobs", "2");
  const levels = option("level", "L1,L2,L3").split(",");
  const keep = option("keep", "");
  const maxDiff = Number(option("diff", "6"));
  console.log(`seeds ${first} to ${first + count - 1}`);
  const made: Generated[] = Array.from({ length: count }, (_, at) => generateCib(first + at));
  const answers = askOracle(
    made.map(({ seed, cib }) => ({ name: `fuzz-${seed}`, cib })),
    jobs,
  );
  const tags = new Map<string, number>();
  let different = 0;
  const known = new Map<string, number>();
  let refused = 0;
  for (const generated of made) {
    for (const tag of generated.tags) tags.set(tag, (tags.get(tag) ?? 0) + 1);
    const oracle = answers.get(`fuzz-${generated.seed}`);
    if (oracle === undefined || oracle.error !== undefined) {
      refused++;
      if (maxDiff > 0) console.log(`seed ${generated.seed}: the oracle refused it: ${oracle?.error?.slice(0, 200) ?? "no answer"}`);
      continue;
    }
    const found = disagreement(compare, oracle, generated.cib, levels);
    if (found === null) continue;
    const excuse = process.argv.includes("--strict") ? null : excused(generated.cib);
    if (excuse !== null) {
      known.set(excuse, (known.get(excuse) ?? 0) + 1);
      continue;
    }
    different++;
    console.log(`seed ${generated.seed}: ${found.level} differs`);
    for (const line of found.diff.slice(0, maxDiff)) console.log(`  ${line}`);
    let cib = generated.cib;
    if (process.argv.includes("--shrink")) {
      cib = shrink(cib, (candidate) => {
        const answer = askOracle([{ name: "shrink", cib: candidate }], "1").get("shrink");
        return answer !== undefined && answer.error === undefined && disagreement(compare, answer, candidate, [found.level]) !== null;
      });
    }
    if (keep !== "") {
      mkdirSync(keep, { recursive: true });
      writeFileSync(path.join(keep, `fuzz-${generated.seed}.xml`), formatXml(cib));
    }
  }
  const rare = [...tags].filter(([, times]) => times < count * 0.02).map(([tag, times]) => `${tag} ${times}`);
  console.log(`features: ${tags.size}; in less than 2 %: ${rare.join(", ") || "none"}`);
  let excusedCount = 0;
  for (const [reason, times] of known) {
    console.log(`known, ${times} times: ${reason}`);
    excusedCount += times;
  }
  console.log(`${count} cases: ${different} differ, ${excusedCount} known differences, ${refused} refused by the oracle`);
  console.log(`${count - different - refused} passed, ${different} failed, ${refused} skipped`);
  process.exitCode = different === 0 ? 0 : 1;
}

await main();
