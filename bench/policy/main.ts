import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readModel, schedule, upgradeCib } from "../../src/core/policy/index.ts";
import { executeTransition } from "../../src/core/whatif/index.ts";
import { parseXml } from "../../src/io/xml/index.ts";

/**
 * Times the policy engine in process and as a whole command, with `crm_simulate` beside it where it is installed, on
 * generated clusters; prints growth exponents. CPU times, because the machine is seldom alone.
 *
 *   node dist/bench/policy/main.js [--full] [--no-oracle] [--runs N]
 */
const SHARED = process.env["QUORATE_SHARED"] ?? resolve(import.meta.dirname, "../../../../shared");
const GENERATOR = join(SHARED, "conformance/policy/gen-cib");
const COMMAND = resolve(import.meta.dirname, "../../src/app/cli/main.js");
const NOW_MS = 1_700_000_000_000;
/** Beyond this the field's tool is not waited for; the row then has no comparison. */
const ORACLE_TIMEOUT_MS = 240_000;

type Size = { readonly nodes: number; readonly resources: number };
type Row = Size & {
  readonly state: string;
  readonly engineMs: number;
  readonly parseMs: number;
  readonly commandMs: number | null;
  readonly oracleMs: number | null;
  readonly actions: number;
  readonly rssMb: number;
};

const SMALL: readonly Size[] = [
  { nodes: 8, resources: 250 },
  { nodes: 16, resources: 500 },
  { nodes: 32, resources: 1000 },
];
const LARGE: readonly Size[] = [...SMALL, { nodes: 100, resources: 2000 }, { nodes: 100, resources: 5000 }];
const STATES = ["fresh", "running"];

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function main(argv: readonly string[]): number {
  if (!existsSync(GENERATOR)) {
    console.error(`SKIPPED: ${GENERATOR} is not there (QUORATE_SHARED)`);
    return process.env["CI"] === "true" ? 1 : 0;
  }
  const oracle = !argv.includes("--no-oracle") && spawnSync("crm_simulate", ["--version"]).status === 0;
  if (!oracle) console.log("crm_simulate is not run beside it");
  const at = argv.indexOf("--runs");
  const runs = at < 0 ? 3 : Number(argv[at + 1]);
  const directory = mkdtempSync(join(tmpdir(), "quorate-bench-policy-"));
  try {
    const rows: Row[] = [];
    for (const size of argv.includes("--full") ? LARGE : SMALL) {
      for (const state of STATES) rows.push(measure(directory, size, state, { oracle, runs }));
    }
    report(rows);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return 0;
}

function measure(directory: string, size: Size, state: string, how: { readonly oracle: boolean; readonly runs: number }): Row {
  const file = join(directory, `${size.nodes}-${size.resources}-${state}.xml`);
  const args = [GENERATOR, "--nodes", String(size.nodes), "--resources", String(size.resources), "--state", state, "-o", file];
  const made = spawnSync("python3", args, { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`gen-cib failed: ${made.stderr}`);
  const beforeParse = cpuMs();
  const cib = upgradeCib(parseXml(readFileSync(file)));
  const parseMs = cpuMs() - beforeParse;
  let engineMs = Number.POSITIVE_INFINITY;
  let actions = 0;
  for (let run = 0; run < how.runs; run++) {
    const start = cpuMs();
    const plan = schedule(cib, NOW_MS, md5);
    engineMs = Math.min(engineMs, cpuMs() - start);
    actions = plan.graph.actions.length;
    if (run === 0 && size.nodes <= 16) readModel(executeTransition(cib, plan.graph, { wallSec: NOW_MS / 1000 }).cib, NOW_MS, md5);
  }
  const rssMb = Math.round(process.memoryUsage().rss / 1e6);
  const commandMs = timedChild(process.execPath, [COMMAND, "simulate", "--xml-file", file, "--format", "json"]);
  const oracleMs = how.oracle ? timedChild("crm_simulate", ["-x", file, "-S", "-Q"]) : null;
  const row = { ...size, state, engineMs, parseMs, commandMs, oracleMs, actions, rssMb };
  console.log(describe(row, statSync(file).size));
  rmSync(file);
  return row;
}

/** CPU milliseconds of a child, by the shell's own clock; null if it failed or took too long. */
function timedChild(command: string, args: readonly string[]): number | null {
  const quoted = [command, ...args].map((word) => `'${word}'`).join(" ");
  const script = `TIMEFORMAT='cpu %U %S'; time ${quoted} >/dev/null 2>/dev/null`;
  const run = spawnSync("bash", ["-c", script], { encoding: "utf8", timeout: ORACLE_TIMEOUT_MS });
  const match = /cpu ([\d.]+) ([\d.]+)/.exec(run.stderr ?? "");
  if (run.status !== 0 || match === null) return null;
  return (Number(match[1]) + Number(match[2])) * 1000;
}

function describe(row: Row, bytes: number): string {
  const against =
    row.oracleMs === null ? "" : `, crm_simulate ${row.oracleMs.toFixed(0)} ms = ${(row.oracleMs / row.engineMs).toFixed(1)} x`;
  const command = row.commandMs === null ? "-" : `${row.commandMs.toFixed(0)} ms`;
  return (
    `${row.nodes} x ${row.resources} ${row.state}: engine ${row.engineMs.toFixed(0)} ms, parse ${row.parseMs.toFixed(0)} ms ` +
    `(${(bytes / 1e6).toFixed(1)} MB), whole command ${command}${against}; ${row.actions} actions, rss ${row.rssMb} MB`
  );
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

function report(rows: readonly Row[]): void {
  for (const state of STATES) {
    const of = rows.filter((row) => row.state === state);
    const show = (value: number | null): string => (value === null ? "-" : value.toFixed(2));
    console.log(
      `growth in (nodes x resources), ${state}: engine ${show(exponent(of, (row) => row.engineMs))}, crm_simulate ${show(exponent(of, (row) => row.oracleMs))}`,
    );
  }
}

process.exitCode = main(process.argv.slice(2));
