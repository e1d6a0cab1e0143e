/**
 * What a commit costs with one client: a transient node attribute set through the API of three real daemons, beside an
 * append with fdatasync on the same disk in the same run. usage: node dist/bench/commit/main.js [--runs N]
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DemoCluster } from "../../scripts/demo-cluster.ts";

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function report(name: string, times: readonly number[], unit: number): void {
  const sorted = [...times].sort((a, b) => a - b);
  const p50 = percentile(sorted, 0.5);
  const ratio = (p50 / unit).toFixed(2);
  console.log(`${name}: p50 ${p50.toFixed(3)} ms, p99 ${percentile(sorted, 0.99).toFixed(3)} ms, ${ratio} x fdatasync`);
}

const { values } = parseArgs({ options: { runs: { type: "string" } } });
const runs = Number(values.runs ?? "500");
const cluster = await DemoCluster.create(mkdtempSync("/var/tmp/quorate-demo-"), 3);
try {
  await cluster.form("bench");
  const file = openSync(join(cluster.base, "raw"), "w");
  const client = await cluster.api(cluster.nodes[0]!);
  const raw: number[] = [];
  const commits: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    let began = performance.now();
    writeSync(file, Buffer.alloc(300, run));
    fdatasyncSync(file);
    raw.push(performance.now() - began);
    began = performance.now();
    await client.request("node.attribute", { node: "n1", name: "bench", value: String(run), lifetime: "reboot" });
    commits.push(performance.now() - began);
  }
  closeSync(file);
  const unit = percentile(
    [...raw].sort((a, b) => a - b),
    0.5,
  );
  report("append + fdatasync, 300 B", raw, unit);
  report("commit through the API, one client", commits, unit);
} finally {
  await cluster.destroy();
}
