import { parentPort } from "node:worker_threads";
import { decodeSnapshot, type SnapshotData } from "../../core/cib/index.ts";
import { type FromPlanner, Planner, type ToPlanner } from "../../core/controller/index.ts";
import { schedulePlan } from "./schedule.ts";
import { rememberedMd5 } from "./text-hash.ts";

/** What crosses to the worker: as `ToPlanner`, but states as snapshots, because maps with private parts cannot be cloned. */
export type ToWorker = Exclude<ToPlanner, { kind: "load" }> | { readonly kind: "load"; readonly snapshot: SnapshotData };
/** `seen` counts messages that were handled: the host limits the time between them. */
export type FromWorker = { readonly seen: number; readonly answers: readonly FromPlanner[] };

if (parentPort !== null) {
  const port = parentPort;
  const planner = new Planner({ schedule: schedulePlan, hash: rememberedMd5(), elapsedMs: () => performance.now() });
  let seen = 0;
  port.on("message", (message: ToWorker) => {
    const input: ToPlanner = message.kind === "load" ? { kind: "load", state: decodeSnapshot(message.snapshot) } : message;
    const answers = planner.handle(input);
    seen += 1;
    port.postMessage({ seen, answers } satisfies FromWorker);
  });
}
