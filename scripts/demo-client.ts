import { request } from "node:http";

/** Milliseconds from one question to the next, and until a question without an answer counts as failed. */
const ASK_EVERY_MS = 10;
const ASK_TIMEOUT_MS = 150;

export type Answer = { readonly atMs: number; readonly node: string };

/**
 * A customer of the service: asks again and again and notes who answered when. Questions overlap, so that one that hangs
 * in a frozen server does not hide the first answer of the next one.
 */
export class ServiceClient {
  readonly #url: string;
  #timer: NodeJS.Timeout | null = null;
  #last: Answer | null = null;
  #waiting: { readonly node: (name: string) => boolean; readonly resolve: (answer: Answer) => void }[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  get last(): Answer | null {
    return this.#last;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#ask(), ASK_EVERY_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** The next answer of a node that `node` accepts. */
  next(node: (name: string) => boolean, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the service did not answer within ${timeoutMs} ms`)), timeoutMs);
      this.#waiting.push({
        node,
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
      });
    });
  }

  #ask(): void {
    // A connection of its own each time: a kept one would stay with the frozen server.
    const asked = request(this.#url, { agent: false, timeout: ASK_TIMEOUT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => this.#answered({ atMs: Date.now(), node: text.trim().split(" ").at(-1) ?? "" }));
      response.on("error", () => {});
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => {});
    asked.end();
  }

  #answered(answer: Answer): void {
    this.#last = answer;
    const served = this.#waiting.filter((item) => item.node(answer.node));
    this.#waiting = this.#waiting.filter((item) => !served.includes(item));
    for (const item of served) item.resolve(answer);
  }
}
