import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How the switch behaves; a scenario changes it while the cluster runs. */
export type SwitchWeather = {
  /** Milliseconds before the switch does what it was asked for. */
  readonly slowMs: number;
  /** Requests that it refuses before it works. */
  readonly refuses: number;
  /** Requests that it carries out and answers with a failure. */
  readonly liesFailure: number;
  /** Milliseconds between the deed and the answer. */
  readonly answerMs: number;
};

export const SWITCH_WORKS: SwitchWeather = { slowMs: 0, refuses: 0, liesFailure: 0, answerMs: 0 };

/** What a switch can do with a host; answers with the exit code of a fence agent. */
export type SwitchDeed = (action: string, target: string) => Promise<number>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The other end of `agents/fence_chaos`: serves requests that lie as files in a directory. */
export class PowerSwitch {
  weather: SwitchWeather = SWITCH_WORKS;
  readonly #directory: string;
  readonly #deed: SwitchDeed;
  #closed = false;

  constructor(directory: string, deed: SwitchDeed) {
    this.#directory = directory;
    this.#deed = deed;
  }

  /** To be called again and again. */
  look(): void {
    for (const file of readdirSync(this.#directory)) {
      if (!file.endsWith(".request")) continue;
      const [action = "", target = ""] = readFileSync(join(this.#directory, file), "utf8").trim().split(" ");
      rmSync(join(this.#directory, file));
      void this.#serve(action, target).then((code) => {
        if (this.#closed) return;
        const answer = join(this.#directory, file.replace(/request$/, "answer"));
        writeFileSync(`${answer}.new`, `${code}\n`);
        renameSync(`${answer}.new`, answer);
      });
    }
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    this.#closed = true;
  }

  async #serve(action: string, target: string): Promise<number> {
    if (action === "status") return this.#deed(action, target);
    const { slowMs, refuses, liesFailure, answerMs } = this.weather;
    if (refuses > 0) {
      this.weather = { ...this.weather, refuses: refuses - 1 };
      return 1;
    }
    if (liesFailure > 0) this.weather = { ...this.weather, liesFailure: liesFailure - 1 };
    if (slowMs > 0) await pause(slowMs);
    const code = await this.#deed(action, target);
    if (answerMs > 0) await pause(answerMs);
    return liesFailure > 0 ? 1 : code;
  }
}
