import { mkdtempSync, rmSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchCommit } from "./commit.ts";
import { benchElections } from "./elections.ts";
import { benchMemory } from "./memory.ts";
import { benchPolicy } from "./policy.ts";
import { benchReplay } from "./replay.ts";
import { benchSnapshot } from "./snapshot.ts";

const USAGE = `usage: npm run bench:raft -- [--only PART,...] [--full] [--seconds N] [--clients N] [--dir DIR] [--json]

  commit     one client and many clients through the API, 256-byte commands, beside the I/O skeleton and etcd
  elections  the leader's daemon is killed until the next commit
  snapshot   a member that lacks it is sent a large snapshot; latency of commits meanwhile, elections
  replay     a daemon is started on a long log; time and memory of an entry
  memory     many commits; memory of leader and followers along the way, its slope
  policy     the policy worker computes without a pause; latency of commits meanwhile, elections

Quick without --full. Numbers of its own may be given: --rounds, --warm in seconds (commit), --runs (elections), --mib (snapshot), --entries
(replay), --commits and --limit in seconds (memory), --resources (policy). With --json one line a part.
`;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "commit,elections,snapshot,replay,memory,policy" },
    full: { type: "boolean", default: false },
    seconds: { type: "string" },
    warm: { type: "string" },
    rounds: { type: "string" },
    clients: { type: "string", default: "256" },
    // Unix sockets take 107 bytes of path, and a temporary directory may be in memory.
    dir: { type: "string", default: "/var/tmp" },
    runs: { type: "string" },
    mib: { type: "string" },
    entries: { type: "string" },
    commits: { type: "string" },
    limit: { type: "string" },
    resources: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const say = (line: string): void => void process.stdout.write(values.json ? "" : `${line}\n`);

/** The given number, or that of the quick or of the full form. */
const amount = (given: string | undefined, quick: number, full: number): number => Number(given ?? (values.full ? full : quick));

async function run(only: string, base: string): Promise<unknown> {
  const clients = Number(values.clients);
  switch (only) {
    case "commit": {
      const warmSeconds = amount(values.warm, 5, 20);
      const options = { seconds: amount(values.seconds, 2, 4), warmSeconds, rounds: amount(values.rounds, 2, 5), clients };
      const report = await benchCommit(base, options, say);
      for (const [name, ratio] of Object.entries(report.ratios)) say(`${name}: ${ratio === null ? "-" : ratio.toFixed(2)}`);
      return report;
    }
    case "elections":
      return benchElections(base, amount(values.runs, 10, 50), say);
    case "snapshot":
      return benchSnapshot(base, amount(values.mib, 20, 100), say);
    case "replay":
      return benchReplay(base, amount(values.entries, 100_000, 1_000_000), say);
    case "memory": {
      const limitS = amount(values.limit, 60, 1_800);
      return benchMemory(base, { commits: amount(values.commits, 50_000, 1_000_000), clients, limitS }, say);
    }
    case "policy":
      return benchPolicy(base, { resources: amount(values.resources, 300, 1_000), seconds: amount(values.seconds, 5, 5) }, say);
    default:
      throw new Error(`there is no part ${only}`);
  }
}

if (values.help) process.stdout.write(USAGE);
else {
  const base = mkdtempSync(join(values.dir, "qb-"));
  try {
    for (const only of values.only.split(",")) {
      say(`--- ${only}, load ${loadavg()[0]!.toFixed(1)}`);
      const report = await run(only, base);
      if (values.json) process.stdout.write(`${JSON.stringify({ part: only, full: values.full, load: loadavg()[0], report })}\n`);
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
