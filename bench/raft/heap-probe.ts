import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

/**
 * What lives in the heap of a daemon: this file is loaded into it before its program (so it imports nothing of ours) and
 * answers SIGUSR2 with a full collection and a file. A collection pauses it for less than an election takes.
 */
const DIRECTORY = "QUORATE_BENCH_HEAP";

/** Where the daemon with this pid answers. */
export const heapPath = (directory: string, pid: number): string => join(directory, `heap-${pid}`);

/** Runs `work`, and every daemon that it starts can be asked for its heap. */
export async function probedHeaps(directory: string, work: () => Promise<void>): Promise<void> {
  process.env[DIRECTORY] = directory;
  process.env["NODE_OPTIONS"] = `--import=${fileURLToPath(import.meta.url)}`;
  try {
    await work();
  } finally {
    delete process.env[DIRECTORY];
    delete process.env["NODE_OPTIONS"];
  }
}

const directory = process.env[DIRECTORY];
if (directory !== undefined && isMainThread && (process.argv[1] ?? "").includes("app/daemon/main")) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  process.on("SIGUSR2", () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    writeFileSync(heapPath(directory, process.pid), String(heapUsed + external));
  });
}
