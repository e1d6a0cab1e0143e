import { drawPlan } from "./plan.ts";
import { type RunOptions, type RunResult, runSeed } from "./run.ts";

export type Shrunk = { readonly result: RunResult; readonly only: readonly string[]; readonly runs: number };

/**
 * Looks for a shorter story with the same broken promise: leaves out what comes after it, then halves, quarters and at
 * last single events (delta debugging). Every try is a whole run; null when the run does not fail at all.
 */
export async function shrink(options: RunOptions, runsMax: number): Promise<Shrunk | null> {
  const all = options.only ?? new Set(drawPlan(options.seed, options.minutes).events.map(({ name }) => name));
  let best = await runSeed({ ...options, only: all });
  if (best.violation === null) return null;
  const { id } = best.violation;
  let only: readonly string[] = best.happened;
  let runs = 1;
  const attempt = async (candidate: readonly string[]): Promise<boolean> => {
    runs += 1;
    const result = await runSeed({ ...options, only: new Set(candidate) });
    if (result.violation?.id !== id) return false;
    best = result;
    only = result.happened;
    return true;
  };
  for (let size = Math.ceil(only.length / 2); size >= 1 && runs < runsMax; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < only.length && runs < runsMax; ) {
      const without = [...only.slice(0, from), ...only.slice(from + size)];
      if (!(await attempt(without))) from += size;
    }
  }
  return { result: best, only, runs };
}
