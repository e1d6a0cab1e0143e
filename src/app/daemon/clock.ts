import { monotonicMs } from "../../io/executor/index.ts";
import type { NodeAdapters } from "./shell.ts";

/** A timer later than this, milliseconds, is taken for a pause of this process. Scheduling noise is well below. */
const LATE_MS = 10;

/** A late timer first lets everything received be delivered (RAFT.md §7: an own pause must not look like a dead leader). */
function after(delayMs: number, then: () => void): () => void {
  let immediate: NodeJS.Immediate | null = null;
  const dueMs = monotonicMs() + delayMs;
  const timer = setTimeout(() => {
    if (monotonicMs() - dueMs < LATE_MS) then();
    else immediate = setImmediate(then);
  }, delayMs);
  return () => {
    clearTimeout(timer);
    if (immediate !== null) clearImmediate(immediate);
  };
}

/** The clocks of this machine and the turns of this process. */
export const systemClock: NodeAdapters["clock"] = { nowMs: monotonicMs, wallMs: () => Date.now(), after, soon: setImmediate };
