import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DemoCluster } from "../../scripts/demo-cluster.ts";
import { term } from "../../src/core/base/index.ts";
import type { AgentAction } from "../../src/core/ports/index.ts";
import { linkGuardian, monotonicMs } from "../../src/io/executor/index.ts";

const USAGE = `usage: node dist/bench/idle/main.js [--seconds N] [--cluster [--warm N] | --dir DIR ...] [--monitors N] [--interval MS]

Without --dir: an idle guardian of its own, with a daemon's heartbeat of deadlines and N dummy monitors every MS.
With --cluster: three nodes of the demo's kind with 20 dummies a node, monitored every MS, measured N seconds after they run.
With --dir: the daemon and guardian of running nodes, by their arguments. PSS from smaps_rollup, CPU from stat.
`;

/** Clock ticks a second of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;
/** The rhythm in which a daemon extends its deadline (heartbeats of RAFT.md §7). */
const HEARTBEAT_MS = 50;

type Usage = { readonly ownS: number; readonly childrenS: number; readonly pssMb: number };

/** A process, and as its children those that have ended and those that live: the guardian's waiting shells. */
function usage(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const at = (index: number): number => fields[index] ?? 0;
  const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  let childrenS = (at(13) + at(14)) / TICKS_PER_S;
  let pssMb = Number(pss?.[1] ?? 0) / 1024;
  for (const child of livingChildren(pid)) {
    const its = usage(child);
    childrenS += its.ownS + its.childrenS;
    pssMb += its.pssMb;
  }
  return { ownS: (at(11) + at(12)) / TICKS_PER_S, childrenS, pssMb };
}

/** Those that stay. An agent that runs this very moment is counted when it has ended. */
function livingChildren(pid: number): number[] {
  const pids = readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" "));
  const isShell = (child: string): boolean => {
    const path = `/proc/${child}/cmdline`;
    return child !== "" && existsSync(path) && readFileSync(path, "utf8").startsWith("/bin/sh\0-c\0");
  };
  return pids.filter(isShell).map(Number);
}

/** Daemon and guardian of a node, by their arguments. */
function programsOf(directory: string): { readonly name: string; readonly pid: number }[] {
  const found: { name: string; pid: number }[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const args = existsSync(`/proc/${entry}/cmdline`) ? readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0") : [];
    const program = args.map((word) => /app\/(daemon|guardian)\/main\.js$/.exec(word)?.[1]).find((name) => name !== undefined);
    if (program !== undefined && args.includes(directory)) found.push({ name: program, pid: Number(entry) });
  }
  return found;
}

async function measure(name: string, pid: number, seconds: number): Promise<void> {
  const before = usage(pid);
  const startedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const passedS = (performance.now() - startedMs) / 1000;
  const after = usage(pid);
  const percent = (from: number, to: number): string => `${(((to - from) / passedS) * 100).toFixed(2)} %`;
  process.stdout.write(
    `${name}: PSS ${after.pssMb.toFixed(1)} MB, CPU ${percent(before.ownS, after.ownS)} of a core, agents ${percent(before.childrenS, after.childrenS)}, over ${passedS.toFixed(0)} s\n`,
  );
}

async function ownGuardian(seconds: number, monitors: number, intervalMs: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-idle-"));
  const program = join(dirname(fileURLToPath(import.meta.url)), "../../src/app/guardian/main.js");
  writeFileSync(join(directory, "guardian.json"), JSON.stringify({ node: "n1", selfFence: "kill" }));
  const child = spawn(process.execPath, [program, "--dir", directory], { stdio: ["ignore", "ignore", "inherit"] });
  const monitor = (resource: string): AgentAction => ({
    resource,
    agentClass: "ocf",
    provider: "quorate",
    type: "dummy",
    operation: "monitor",
    intervalMs,
    timeoutMs: 20_000,
    params: {},
    meta: {},
    node: "n1",
    target: null,
  });
  const link = linkGuardian({
    socketPath: join(directory, "run", "guardian.sock"),
    node: "n1",
    memberId: 1,
    cluster: "bench",
    daemonBoot: 1,
    onEvent: (event) => {
      if (event.kind === "result") link.ack(event.key);
    },
  });
  const heartbeat = setInterval(() => link.deadline(term(1), monotonicMs() + 5_000), HEARTBEAT_MS);
  let count = 0;
  const repeat = setInterval(() => {
    for (let index = 0; index < monitors; index += 1) {
      count += 1;
      link.run({ key: `m${count}`, origin: null, action: monitor(`r${index}`), planVersion: 0 });
    }
  }, intervalMs);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await measure(`guardian (${monitors} monitors every ${intervalMs} ms)`, child.pid ?? 0, seconds);
  clearInterval(heartbeat);
  clearInterval(repeat);
  link.close();
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  rmSync(directory, { recursive: true, force: true });
}

/** Three nodes with 20 resources each; what has just started still compiles and collects, so it is left alone for a while. */
async function ownCluster(seconds: number, warmS: number, intervalMs: number): Promise<void> {
  const cluster = await DemoCluster.create(mkdtempSync("/var/tmp/quorate-idle-"), 3);
  try {
    await cluster.form("idle");
    const first = cluster.nodes[0]!;
    const op = `op monitor interval=${intervalMs}ms`;
    const dummies = Array.from({ length: 60 }, (_, index) => `primitive d${index} ocf:quorate:dummy ${op}`);
    await cluster.quorate(first, ["-w", "configure"], [...dummies, "property stonith-enabled=false", ""].join("\n"));
    const { leader } = (await cluster.request(first, "status")) as { leader?: { readonly node?: string } };
    await new Promise((resolve) => setTimeout(resolve, warmS * 1000));
    process.stdout.write(`the leader is ${leader?.node ?? "unknown"}\n`);
    await measureAll(
      cluster.nodes.map((node) => node.directory),
      seconds,
    );
  } finally {
    await cluster.destroy();
  }
}

async function measureAll(directories: readonly string[], seconds: number): Promise<void> {
  const all = directories.flatMap((directory) =>
    programsOf(directory).map(({ name, pid }) => measure(`${directory} ${name}`, pid, seconds)),
  );
  if (all.length === 0) process.stdout.write("no daemon or guardian runs with these directories\n");
  await Promise.all(all);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "20" },
      dir: { type: "string", multiple: true },
      cluster: { type: "boolean" },
      warm: { type: "string", default: "60" },
      monitors: { type: "string", default: "3" },
      interval: { type: "string", default: "10000" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const seconds = Number(values.seconds);
  if (values.cluster === true) return ownCluster(seconds, Number(values.warm), Number(values.interval));
  if (values.dir === undefined) return ownGuardian(seconds, Number(values.monitors), Number(values.interval));
  await measureAll(values.dir, seconds);
}

await main();
