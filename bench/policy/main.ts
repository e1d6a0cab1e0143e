import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { XML_SIZE_MAX_BYTES } from "../../src/io/xml/index.ts";
import { runChild, type Usage } from "./child.ts";
import type { EngineFigures } from "./engine.ts";

/**
 * Times the policy engine in process and as a whole command, with `crm_simulate` beside it where it is installed, on
 * generated clusters; prints memory, growth exponents and whether the targets are met. CPU times, because the machine is
 * seldom alone. `crm_simulate` is stopped at `--oracle-cpu` seconds: what it had used by then proves a lower ratio.
 *
 *   node dist/bench/policy/main.js [--full] [--no-oracle] [--oracle-cpu SECONDS] [--runs N]
 */
const SHARED = process.env["QUORATE_SHARED"] ?? resolve(import.meta.dirname, "../../../../shared");
const GENERATOR = join(SHARED, "conformance/policy/gen-cib");
const COMMAND = resolve(import.meta.dirname, "../../src/app/cli/main.js");
const ENGINE = join(import.meta.dirname, "engine.js");
/** No process of ours may use more CPU than this, seconds. */
const OWN_BOUND_SEC = 300;

type Size = { readonly nodes: number; readonly resources: number };
type Row = Size & {
  readonly state: string;
  readonly engine: EngineFigures;
  readonly command: Usage;
  readonly oracle: Usage | null;
};
type How = { readonly oracleCpuSec: number | null; readonly runs: number };

const SMALL: readonly Size[] = [
  { nodes: 8, resources: 250 },
  { nodes: 16, resources: 500 },
  { nodes: 32, resources: 1000 },
];
const LARGE: readonly Size[] = [...SMALL, { nodes: 100, resources: 2000 }, { nodes: 100, resources: 5000 }];
const STATES = ["fresh", "running"];
/** The cluster for which `explain` is measured, and questions asked there. */
const EXPLAINED: Size = { nodes: 16, resources: 500 };
const QUESTIONS = 40;
/** Heap of the process that is measured, MiB: without a bound Node lets garbage of several runs lie, and with it must do with this. */
const HEAP_MIB = 1_100;
const RUNS_MAX = 25;
const RUN_WORK = 160_000;

function number(argv: readonly string[], name: string, preset: number): number {
  const at = argv.indexOf(name);
  return at < 0 ? preset : Number(argv[at + 1]);
}

function main(argv: readonly string[]): number {
  if (!existsSync(GENERATOR)) {
    console.log("SKIPPED: no generator at QUORATE_SHARED/conformance/policy/gen-cib");
    return process.env["CI"] === "true" ? 1 : 0;
  }
  const oracle = !argv.includes("--no-oracle") && spawnSync("crm_simulate", ["--version"]).status === 0;
  if (!oracle) console.log("crm_simulate is not run beside it");
  const how: How = { oracleCpuSec: oracle ? number(argv, "--oracle-cpu", 60) : null, runs: number(argv, "--runs", 5) };
  const directory = mkdtempSync(join(tmpdir(), "quorate-bench-policy-"));
  try {
    const rows: Row[] = [];
    for (const size of argv.includes("--full") ? LARGE : SMALL) {
      for (const state of STATES) {
        const row = measure(directory, size, state, how);
        if (row !== null) rows.push(row);
      }
    }
    return report(rows) ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function measure(directory: string, size: Size, state: string, how: How): Row | null {
  const file = join(directory, `${size.nodes}-${size.resources}-${state}.xml`);
  const args = [GENERATOR, "--nodes", String(size.nodes), "--resources", String(size.resources), "--state", state, "-o", file];
  const made = spawnSync("python3", args, { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`gen-cib failed: ${made.stderr}`);
  const bytes = statSync(file).size;
  const name = `${size.nodes} x ${size.resources} ${state}`;
  try {
    if (bytes > XML_SIZE_MAX_BYTES) {
      console.log(`${name}: its XML of ${(bytes / 1e6).toFixed(0)} MB is more than is read from a file`);
      return null;
    }
    const questions = size.nodes === EXPLAINED.nodes && size.resources === EXPLAINED.resources ? QUESTIONS : 0;
    const child = runChild(
      [process.execPath, `--max-old-space-size=${HEAP_MIB}`, ENGINE, file, String(runsFor(size, how.runs)), String(questions)],
      OWN_BOUND_SEC,
    );
    const engine = JSON.parse(child.out) as EngineFigures;
    const command = runChild([process.execPath, COMMAND, "simulate", "--xml-file", file, "--format", "json"], OWN_BOUND_SEC);
    const oracle = how.oracleCpuSec === null ? null : runChild(["crm_simulate", "-x", file, "-R", "-Q"], how.oracleCpuSec);
    const row = { ...size, state, engine, command, oracle };
    console.log(`${name}: ${describe(row)}`);
    if (questions > 0) describeExplain(file, row);
    return row;
  } finally {
    rmSync(file);
  }
}

/** Small clusters are decided so quickly that compilation takes more runs than the large ones need. */
function runsFor(size: Size, atLeast: number): number {
  return Math.max(atLeast, Math.min(RUNS_MAX, Math.floor(RUN_WORK / (size.nodes * size.resources))));
}

function describe({ engine, command, oracle }: Row): string {
  const parts = [
    `engine ${engine.engineMs.toFixed(0)} ms (first run ${engine.coldMs.toFixed(0)})`,
    `parse ${engine.parseMs.toFixed(0)} ms`,
    `process at most ${engine.rssMb.toFixed(0)} MiB`,
    `whole command ${command.cpuMs.toFixed(0)} ms, ${command.rssMb.toFixed(0)} MiB`,
    `${engine.actions} actions`,
  ];
  if (oracle !== null) {
    const bound = oracle.complete ? "" : "more than ";
    parts.push(
      `crm_simulate ${bound}${(oracle.cpuMs / 1000).toFixed(2)} s, ${oracle.rssMb.toFixed(0)} MiB = ${bound}${ratio(engine, oracle).toFixed(1)} x`,
    );
  }
  return parts.join("; ");
}

function ratio(engine: EngineFigures, oracle: Usage): number {
  return oracle.cpuMs / engine.engineMs;
}

function describeExplain(file: string, row: Row): void {
  const { p50, max } = spread(row.engine.explainMs);
  const id = "rsc1";
  const whole = runChild([process.execPath, COMMAND, "explain", id, "--node", "node2", "--xml-file", file], OWN_BOUND_SEC);
  console.log(
    `  explain with proposals, ${row.engine.explainMs.length} questions: p50 ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms; ` +
      `whole command (process start and XML too) ${whole.cpuMs.toFixed(0)} ms`,
  );
}

function spread(times: readonly number[]): { readonly p50: number; readonly max: number } {
  const sorted = [...times].sort((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** Slope of log(time) over log(nodes x resources), least squares. */
function exponent(rows: readonly Row[], time: (row: Row) => number | null): number | null {
  const points = rows.flatMap((row) => {
    const value = time(row);
    return value === null || value <= 0 ? [] : [{ x: Math.log(row.nodes * row.resources), y: Math.log(value) }];
  });
  if (points.length < 2) return null;
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const mx = mean((point) => point.x);
  const my = mean((point) => point.y);
  const over = points.reduce((sum, point) => sum + (point.x - mx) * (point.y - my), 0);
  const under = points.reduce((sum, point) => sum + (point.x - mx) ** 2, 0);
  return over / under;
}

type Target = {
  readonly name: string;
  readonly of: (row: Row) => number | null;
  readonly size: Size;
  readonly limit: number;
  readonly atLeast?: true;
};

const against = (row: Row): number | null => (row.oracle === null ? null : ratio(row.engine, row.oracle));

const TARGETS: readonly Target[] = [
  { name: "times faster than crm_simulate", of: against, size: { nodes: 32, resources: 1000 }, limit: 5, atLeast: true },
  { name: "times faster than crm_simulate", of: against, size: { nodes: 100, resources: 2000 }, limit: 10, atLeast: true },
  { name: "ms of the engine after warm-up", of: (row) => row.engine.engineMs, size: EXPLAINED, limit: 150 },
  { name: "ms for the median explain", of: (row) => spread(row.engine.explainMs).p50, size: EXPLAINED, limit: 200 },
  { name: "s of the engine, first run", of: (row) => row.engine.coldMs / 1000, size: { nodes: 100, resources: 5000 }, limit: 12 },
  { name: "MiB of the process", of: (row) => row.engine.rssMb, size: { nodes: 100, resources: 5000 }, limit: 1536 },
];
const EXPONENT_MAX = 1.1;

/** True: no target was missed. */
function report(rows: readonly Row[]): boolean {
  let met = true;
  const judge = (name: string, value: number, limit: number, ok: boolean): void => {
    console.log(`${ok ? "met" : "MISSED"}: ${name} ${value.toFixed(2)} (target ${limit})`);
    met &&= ok;
  };
  for (const state of STATES) {
    const of = rows.filter((row) => row.state === state);
    const engine = exponent(of, (row) => row.engine.engineMs);
    const theirs = exponent(of, (row) => (row.oracle?.complete === true ? row.oracle.cpuMs : null));
    if (engine !== null) judge(`exponent in (nodes x resources), ${state},`, engine, EXPONENT_MAX, engine <= EXPONENT_MAX);
    if (theirs !== null) console.log(`  crm_simulate, where it was let end: ${theirs.toFixed(2)}`);
  }
  for (const target of TARGETS) {
    for (const row of rows.filter((each) => each.nodes === target.size.nodes && each.resources === target.size.resources)) {
      const value = target.of(row);
      if (value === null) continue;
      const ok = target.atLeast === true ? value >= target.limit : value <= target.limit;
      judge(`${row.nodes} x ${row.resources} ${row.state}, ${target.name}:`, value, target.limit, ok);
    }
  }
  return met;
}

process.exitCode = main(process.argv.slice(2));
