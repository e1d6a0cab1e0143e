import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Gates of the failover bench: median and worst outage with confirmed fencing, milliseconds. */
const P50_MAX_MS = 2_000;
const WORST_MAX_MS = 4_000;

const STAGES = ["detectedMs", "electedMs", "fencingBegunMs", "fencedMs", "startOrderedMs", "startedMs", "outageMs"] as const;
type Run = { readonly victim: string; readonly survivor: string; readonly victimLed: boolean } & Readonly<
  Record<(typeof STAGES)[number], number | null>
>;

const { values } = parseArgs({ options: { runs: { type: "string" }, json: { type: "boolean" } } });
const runs = Number(values.runs ?? "20");

/** The demo cluster itself does the work: what is measured is what people see. */
function measure(): Promise<Run[]> {
  const demo = fileURLToPath(new URL("../../scripts/demo.js", import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [demo, "--json", "--runs", String(runs)], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(text) as Run[]);
      else reject(new Error(`the demo ended with ${code}`));
    });
  });
}

/** The value below which that share of the sorted numbers lies (nearest rank). */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

type Summary = { readonly count: number; readonly p50: number; readonly p90: number; readonly max: number };

function summarise(numbers: readonly (number | null)[]): Summary | null {
  const sorted = numbers.filter((value) => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  return { count: sorted.length, p50: quantile(sorted, 0.5), p90: quantile(sorted, 0.9), max: sorted[sorted.length - 1]! };
}

const results = await measure();
const stages = Object.fromEntries(STAGES.map((stage) => [stage, summarise(results.map((run) => run[stage]))]));
const outage = stages["outageMs"];
const ok = outage !== null && outage !== undefined && outage.p50 <= P50_MAX_MS && outage.max <= WORST_MAX_MS;
if (values.json === true) process.stdout.write(`${JSON.stringify({ runs: results.length, ok, stages, results })}\n`);
else {
  process.stdout.write(
    `failover, ${results.length} runs, ${results.filter((run) => run.victimLed).length} of them of the leader; ms since the silence\n`,
  );
  process.stdout.write(`${"stage".padEnd(16)}${"n".padStart(5)}${"p50".padStart(8)}${"p90".padStart(8)}${"max".padStart(8)}\n`);
  for (const [stage, summary] of Object.entries(stages)) {
    if (summary === null) continue;
    const cells = [summary.count, summary.p50, summary.p90, summary.max];
    process.stdout.write(
      `${stage.replace("Ms", "").padEnd(16)}${String(cells[0]).padStart(5)}${cells
        .slice(1)
        .map((cell) => String(Math.round(cell)).padStart(8))
        .join("")}\n`,
    );
  }
  process.stdout.write(`outage p50 <= ${P50_MAX_MS} ms and max <= ${WORST_MAX_MS} ms: ${ok ? "yes" : "NO"}\n`);
}
process.exitCode = ok ? 0 : 1;
