import { parentPort } from "node:worker_threads";
import { type FromPlanner, Planner } from "../../core/controller/index.ts";
import { fromHost, type ToWorker } from "./policy-crossing.ts";
import { schedulePlan } from "./schedule.ts";
import { rememberedMd5 } from "./text-hash.ts";

/** `seen` counts messages that were handled: the host limits the time between them. */
export type FromWorker = { readonly seen: number; readonly answers: readonly FromPlanner[] };

if (parentPort !== null) {
  const port = parentPort;
  const planner = new Planner({ schedule: schedulePlan, hash: rememberedMd5(), elapsedMs: () => performance.now() });
  let seen = 0;
  port.on("message", (message: ToWorker) => {
    const answers = planner.handle(fromHost(message));
    seen += 1;
    port.postMessage({ seen, answers } satisfies FromWorker);
  });
}
