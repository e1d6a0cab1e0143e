import type { Random } from "../../core/base/index.ts";
import { type FromPlanner, Planner, type Schedule, type ToPlanner } from "../../core/controller/index.ts";
import { rememberedMd5 } from "../daemon/index.ts";
import type { VirtualProcess, VirtualTime } from "./time.ts";

const hash = rememberedMd5();

/** The policy worker: the production planner, a few virtual milliseconds away. */
export function virtualPlanner(options: {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly process: VirtualProcess;
  readonly schedule: Schedule;
  /** What it takes longer for everything at present, milliseconds; absent: nothing. */
  readonly delayMs?: () => number;
  readonly onAnswer: (message: FromPlanner) => void;
}): { post(message: ToPlanner): void } {
  const { time, random, process, schedule, onAnswer, delayMs = () => 0 } = options;
  const planner = new Planner({ schedule, hash, elapsedMs: () => 0 });
  let freeAtMs = 0;
  return {
    post: (message) => {
      freeAtMs = Math.max(freeAtMs, time.nowMs) + 0.2 + random.fraction() * 3 + delayMs();
      time.at(freeAtMs, "planner", () => {
        if (!process.alive) return;
        for (const answer of planner.handle(message)) time.after(0.2, "planner answer", () => process.run(() => onAnswer(answer)));
      });
    },
  };
}
