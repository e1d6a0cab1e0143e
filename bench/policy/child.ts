import { spawnSync } from "node:child_process";

const SIGXCPU = 24;
const SIGKILL = 9;

/** What a child process used. `complete` false: it was stopped at its bound, so the CPU time is a lower one. */
export type Usage = { readonly cpuMs: number; readonly rssMb: number; readonly complete: boolean; readonly out: string };

/** Node does not tell what a child used, the system does: CPU of user and kernel, and the highest resident size. */
const WRAPPER = `
import json, os, resource, subprocess, sys
bound = int(sys.argv[1])
def limit():
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (bound, bound + 1))
done = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=limit)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"cpuMs": (used.ru_utime + used.ru_stime) * 1000, "rssMb": used.ru_maxrss / 1024, "rc": done.returncode,
                  "out": done.stdout.decode("utf8", "replace")[-20000:]}))
`;

/** Runs a command under a bound of CPU seconds, niced: waiting for a busy machine costs it no CPU time. Throws if it fails by itself. */
export function runChild(argv: readonly string[], boundSec: number): Usage {
  const run = spawnSync("python3", ["-c", WRAPPER, String(boundSec), ...argv], { encoding: "utf8", maxBuffer: 1 << 24 });
  if (run.status !== 0) throw new Error(`cannot measure ${argv[0]}: ${run.stderr}`);
  const { cpuMs, rssMb, rc, out } = JSON.parse(run.stdout) as { cpuMs: number; rssMb: number; rc: number; out: string };
  const stopped = rc === -SIGXCPU || rc === -SIGKILL;
  if (rc !== 0 && !stopped) throw new Error(`${argv.join(" ")} ended with ${rc}`);
  return { cpuMs, rssMb, complete: !stopped, out };
}
