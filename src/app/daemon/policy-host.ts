import { Worker } from "node:worker_threads";
import type { FromPlanner, ToPlanner } from "../../core/controller/index.ts";
import type { Log } from "../../core/ports/index.ts";
import { toWorker } from "./policy-crossing.ts";
import type { FromWorker } from "./policy-worker.ts";

/** One message may keep the policy worker busy for this long; then it is ended and begun anew. Milliseconds. */
export const POLICY_TIME_MAX_MS = 30_000;
/** Heap of the policy worker, MiB. */
export const POLICY_HEAP_MAX_MIB = 512;
/** Pause before an ended worker is begun anew, milliseconds. */
const RESTART_MS = 500;

export type PolicyEvents = {
  readonly onStarted: () => void;
  readonly onAnswer: (message: FromPlanner) => void;
  readonly onLost: (reason: string) => void;
};

/** The policy engine in a thread of its own, with limits of time and memory: its defects never stop the node. */
export class PolicyHost {
  readonly #events: PolicyEvents;
  readonly #log: Log;
  #worker: Worker | null = null;
  #posted = 0;
  #seen = 0;
  #watch: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(events: PolicyEvents, log: Log) {
    this.#events = events;
    this.#log = log;
  }

  start(): void {
    const self = import.meta.url;
    const source = self.endsWith(".ts") ? "./policy-worker.ts" : "./policy-worker.js";
    const worker = new Worker(new URL(source, self), {
      resourceLimits: { maxOldGenerationSizeMb: POLICY_HEAP_MAX_MIB },
      ...(self.endsWith(".ts") ? { execArgv: ["--import", "tsx"] } : {}),
    });
    this.#worker = worker;
    this.#posted = 0;
    this.#seen = 0;
    worker.on("online", () => {
      if (this.#worker === worker) this.#events.onStarted();
    });
    worker.on("message", (message: FromWorker) => {
      if (this.#worker !== worker) return;
      this.#seen = message.seen;
      this.#guard();
      for (const answer of message.answers) this.#events.onAnswer(answer);
    });
    worker.on("error", (error) => this.#lost(worker, error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => this.#lost(worker, `the worker ended with code ${code}`));
  }

  post(message: ToPlanner): void {
    if (this.#worker === null) return;
    this.#posted += 1;
    const { crossing, moved } = toWorker(message);
    this.#worker.postMessage(crossing, moved);
    if (this.#watch === null) this.#guard();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#watch !== null) clearTimeout(this.#watch);
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  #guard(): void {
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watch = null;
    const worker = this.#worker;
    if (worker === null || this.#seen >= this.#posted) return;
    this.#watch = setTimeout(() => {
      this.#watch = null;
      void worker.terminate();
      this.#lost(worker, `the policy engine did not finish within ${POLICY_TIME_MAX_MS} ms`);
    }, POLICY_TIME_MAX_MS);
  }

  #lost(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watch = null;
    if (this.#closed) return;
    this.#log.error({ reason }, "the policy worker was lost; it is started anew");
    this.#events.onLost(reason);
    setTimeout(() => {
      if (!this.#closed) this.start();
    }, RESTART_MS);
  }
}
