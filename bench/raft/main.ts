import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchCommit } from "./commit.ts";
import { benchElections } from "./elections.ts";

const USAGE = `usage: npm run bench:raft -- [--only commit,elections] [--seconds N] [--rounds N] [--clients N] [--runs N] [--dir DIR] [--json]

  commit     one client and many clients through the API, 256-byte commands, beside the I/O skeleton and etcd
  elections  the leader's daemon is killed until the next commit, --runs times
`;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "commit,elections" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    clients: { type: "string", default: "256" },
    // Unix sockets take 107 bytes of path, and a temporary directory may be in memory.
    dir: { type: "string", default: "/var/tmp" },
    runs: { type: "string", default: "50" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const say = (line: string): void => void process.stdout.write(values.json ? "" : `${line}\n`);

async function run(only: string, base: string): Promise<unknown> {
  switch (only) {
    case "commit": {
      const report = await benchCommit(
        base,
        { seconds: Number(values.seconds), rounds: Number(values.rounds), clients: Number(values.clients) },
        say,
      );
      for (const [name, ratio] of Object.entries(report.ratios)) say(`${name}: ${ratio === null ? "-" : ratio.toFixed(2)}`);
      return report;
    }
    case "elections":
      return benchElections(base, Number(values.runs), say);
    default:
      throw new Error(`there is no part ${only}`);
  }
}

if (values.help) process.stdout.write(USAGE);
else {
  const base = mkdtempSync(join(values.dir, "qb-"));
  try {
    for (const only of values.only.split(",")) {
      const report = await run(only, base);
      if (values.json) process.stdout.write(`${JSON.stringify({ part: only, report })}\n`);
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
