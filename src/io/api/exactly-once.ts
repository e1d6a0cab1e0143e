import { SESSION_METHODS } from "../../core/ports/index.ts";
import type { ApiClient } from "./client.ts";
import { ApiFault, fault } from "./fault.ts";

/** A change whose answer was lost is asked for again for this long, milliseconds. */
export const REPEAT_FOR_MS = 30_000;
/** Pause before it is sent again, milliseconds. */
const REPEAT_PAUSE_MS = 200;

/** The answer was lost: the change may have happened. */
const LOST: ReadonlySet<string> = new Set(["API_DISCONNECTED", "API_TIMEOUT", "TIMEOUT", "LEADER_CHANGED", "DAEMON_STOPPING"]);
/** While an answer is owed these only mean: not now. */
const NOT_NOW: ReadonlySet<string> = new Set([
  "API_UNREACHABLE",
  "API_BUSY",
  "BUSY",
  "NO_LEADER",
  "NO_QUORUM",
  "CHANGE_IN_PROGRESS",
  "POLICY_WORKER_DOWN",
  "NOT_INITIALISED",
]);

export type ExactlyOnceOptions = {
  /** Opens a connection to a member of the cluster; called again whenever the last one has ended. */
  readonly connect: () => Promise<ApiClient>;
  /** A connection that is open already: used first, and closed by `close` even if nothing was ever asked. */
  readonly first?: ApiClient;
  /** A clock that never goes back, milliseconds, and a wait on it. */
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly repeatForMs?: number;
};

/**
 * A client whose changes happen exactly once (RAFT.md §2 feature 18): each has a number in a session of the cluster, and
 * one whose answer was lost (the daemon ended, the leader changed) is sent again under its number until the answer is
 * there. Given up after `REPEAT_FOR_MS` with `TIMEOUT`; only then the outcome is unknown. The session is opened with the
 * first change and closed by `close`.
 */
export function exactlyOnce(options: ExactlyOnceOptions): ApiClient {
  return new OnceClient(options);
}

class OnceClient implements ApiClient {
  readonly #options: ExactlyOnceOptions;
  #connection: Promise<ApiClient> | null = null;
  #session: { readonly client: number; sequence: number } | null = null;
  #closed = false;

  constructor(options: ExactlyOnceOptions) {
    this.#options = options;
    if (options.first !== undefined) this.#connection = Promise.resolve(options.first);
  }

  get closed(): boolean {
    return this.#closed;
  }

  async request(method: string, params: unknown = {}, options: { readonly timeoutMs?: number } = {}): Promise<unknown> {
    if (!SESSION_METHODS.has(method)) return (await this.#open()).request(method, params, options);
    const plain = params as Readonly<Record<string, unknown>>;
    for (let fresh = false; ; fresh = true) {
      const session = await this.#begin();
      if (session === null) return (await this.#open()).request(method, params, options);
      session.sequence += 1;
      const place = { client: session.client, sequence: session.sequence };
      try {
        return await this.#settle(method, (repeated) => ({ ...plain, session: { ...place, ...(repeated ? { repeated } : {}) } }), options);
      } catch (error) {
        if (codeOf(error) !== "SESSION_EXPIRED") throw error;
        // Refused at the first sending: nothing has happened. A session that nobody used for an hour is gone.
        if (this.#session === session) this.#session = null;
        if (fresh) throw error;
      }
    }
  }

  async watch(method: string, params: unknown = {}): ReturnType<ApiClient["watch"]> {
    return (await this.#open()).watch(method, params);
  }

  close(): void {
    this.#closed = true;
    const session = this.#session;
    this.#connection?.then(
      (client) => {
        // Nobody waits for this: a session that is not closed expires by itself.
        if (session !== null && !client.closed) client.request("session.close", { client: session.client }).catch(() => {});
        client.close();
      },
      () => {},
    );
  }

  async #open(): Promise<ApiClient> {
    const known = this.#connection;
    if (known !== null && !(await known).closed) return known;
    const opening = this.#options.connect();
    this.#connection = opening;
    opening.catch(() => {
      if (this.#connection === opening) this.#connection = null;
    });
    return opening;
  }

  /** The session, opened when there is none; null with a daemon that knows no sessions. */
  async #begin(): Promise<{ readonly client: number; sequence: number } | null> {
    if (this.#session !== null) return this.#session;
    try {
      // Opened twice is one too many, which expires; so this needs no number of its own.
      const answer = (await this.#settle("session.open", () => ({}), {})) as { readonly client: number };
      this.#session = { client: answer.client, sequence: 0 };
      return this.#session;
    } catch (error) {
      if (codeOf(error) === "UNKNOWN_METHOD") return null;
      throw error;
    }
  }

  /** Sends until there is an answer, or the time is over. The first refusal that nothing was sent before is the answer. */
  async #settle(method: string, params: (repeated: boolean) => unknown, options: { readonly timeoutMs?: number }): Promise<unknown> {
    const { nowMs, pause, repeatForMs = REPEAT_FOR_MS } = this.#options;
    let untilMs: number | null = null;
    for (;;) {
      try {
        return await (await this.#open()).request(method, params(untilMs !== null), options);
      } catch (error) {
        const code = codeOf(error);
        if (LOST.has(code)) untilMs ??= nowMs() + repeatForMs;
        else if (untilMs === null || !NOT_NOW.has(code))
          throw untilMs !== null && code === "SESSION_EXPIRED" ? unknownOutcome(method, error) : error;
        if (nowMs() >= untilMs) throw unknownOutcome(method, error);
        await pause(REPEAT_PAUSE_MS);
      }
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof ApiFault ? error.detail.code : "";
}

function unknownOutcome(method: string, last: unknown): ApiFault {
  const reason = last instanceof Error ? last.message : String(last);
  return fault("TIMEOUT", `the outcome of ${method} is unknown: it may or may not have happened (last: ${reason})`, { retryable: true });
}
