import { spawn } from "node:child_process";

/**
 * Runs a command when this process has ended, however it did: a run that is killed cannot clean up after itself. It has to
 * be harmless when there is nothing left to do.
 */
export function afterDeath(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
  const script = 'tail --pid="$0" -f /dev/null; exec "$@"';
  const keeper = spawn("sh", ["-c", script, String(process.pid), program, ...args], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, ...environment },
  });
  keeper.unref();
}
