import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatLoad, runLoad } from "./load.ts";
import { startSkeleton } from "./skeleton.ts";

const USAGE = `usage: node dist/bench/raft/skeleton-main.js [--seconds N] [--bytes N] [--clients N,N] [--dir DIR] [--json]

The I/O skeleton of a commit: three processes with the production store, links and API, without Raft.
`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    bytes: { type: "string", default: "256" },
    clients: { type: "string", default: "1,256" },
    dir: { type: "string", default: tmpdir() },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(USAGE);
else {
  const directory = mkdtempSync(join(values.dir, "quorate-skeleton-"));
  const skeleton = await startSkeleton(directory);
  try {
    const data = "x".repeat(Number(values.bytes));
    for (const clients of values.clients.split(",").map(Number)) {
      const connections = Math.min(clients, 16);
      const result = await runLoad({
        socketPath: skeleton.socketPath,
        method: "bench.put",
        params: () => ({ data }),
        clients,
        connections,
        seconds: Number(values.seconds),
      });
      process.stdout.write(values.json ? `${JSON.stringify({ name: "skeleton", ...result })}\n` : `${formatLoad("skeleton", result)}\n`);
    }
  } finally {
    await skeleton.stop();
    rmSync(directory, { recursive: true });
  }
}
