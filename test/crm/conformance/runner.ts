import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, SHARED } from "../support.ts";

/** A run may take this long (milliseconds). */
const RUN_TIMEOUT_MS = 300_000;

/** The program under test: built when the tests are, from sources otherwise. */
export function serverCommand(): string {
  const built = import.meta.url.includes("/dist/");
  const entry = built ? join(ROOT, "dist", "src", "app", "cli", "main.js") : join(ROOT, "src", "app", "cli", "main.ts");
  const loader = built ? "" : "--import tsx ";
  return `cd '${ROOT}' && exec '${process.execPath}' ${loader}'${entry}' configure --server`;
}

export type ConformanceResult = { readonly passed: number; readonly failed: readonly string[]; readonly output: string };

/** Runs the judge of the conformance data over our server with these extra options. */
export async function runConformance(options: readonly string[]): Promise<ConformanceResult> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-conformance-"));
  const report = join(directory, "report.json");
  try {
    const judge = join(SHARED, "conformance", "cli", "compare.mjs");
    const output = await run(process.execPath, [judge, "--server", serverCommand(), "--json", report, ...options]);
    const { results } = JSON.parse(readFileSync(report, "utf8")) as { results: readonly { id: string; pass: boolean }[] };
    return {
      passed: results.filter((result) => result.pass).length,
      failed: results.filter((result) => !result.pass).map((result) => result.id),
      output,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "inherit"], timeout: RUN_TIMEOUT_MS });
    let output = "";
    child.stdout.on("data", (part: Buffer) => {
      output += part.toString("utf8");
    });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 || code === 1 ? resolve(output) : reject(new Error(`the judge ended with ${code}: ${output}`)),
    );
  });
}
