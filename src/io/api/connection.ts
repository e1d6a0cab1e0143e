import { API_VERSION, type ApiRequest } from "../../core/ports/index.ts";
import type { Channel } from "./channel.ts";
import { ApiFault, fault, toApiError } from "./fault.ts";
import { BACKLOG_BYTES_MAX, REQUEST_BYTES_MAX, REQUESTS_OUTSTANDING_MAX, WATCH_BACKLOG_BYTES_MAX, WATCHES_MAX } from "./limits.ts";
import { idIn, parseRequest } from "./requests.ts";

/**
 * Who asks. `local` came through the Unix socket, whose file mode is the permission; `remote` showed a client
 * certificate of this cluster with that subject; `anonymous` reached the TLS port without one and may only join.
 */
export type ApiCaller =
  | { readonly kind: "local" }
  | { readonly kind: "remote"; readonly name: string; readonly address: string }
  | { readonly kind: "anonymous"; readonly address: string };

export type ApiCall = {
  readonly method: string;
  readonly params: unknown;
  readonly caller: ApiCaller;
  /** Aborted when the caller has gone: nobody will read the answer. */
  readonly signal: AbortSignal;
};

/** Events of one watch. After `closed`, and while the reader lags, `push` drops: a `reset` event follows then. */
export interface WatchSink {
  readonly closed: boolean;
  /** `event` is any JSON value with a `kind`; `index` the log index it is true for. */
  push(event: { readonly kind: string }, index: number): void;
  /** Tells the watcher to read everything anew: the handler could not follow (compaction, snapshot installed). */
  reset(index: number): void;
  /** Ends the watch from this side, with the reason as the last event. */
  end(error: ApiFault): void;
}

/** What stands behind the API. Both may throw any `QuorateError`; its code and facts reach the caller. */
export interface ApiHandler {
  request(call: ApiCall): Promise<unknown>;
  /** Opens a watch for methods that `isWatch` names; the result is the answer, `stop` is called once at its end. */
  watch(call: ApiCall, sink: WatchSink): Promise<{ readonly result: unknown; readonly stop: () => void }>;
  isWatch(method: string): boolean;
}

export type ApiLog = { warn(facts: Readonly<Record<string, unknown>>, message: string): void };

export type Connection = { close(): void };

/** Serves one connection until it ends. Requests run side by side; each is answered when it is done. */
export function serveConnection(channel: Channel, caller: ApiCaller, handler: ApiHandler, log: ApiLog, onClose: () => void): Connection {
  const session = new Session(channel, caller, handler, log);
  channel.listen({
    onFrame: (text) => session.onFrame(text),
    onBroken: (code) => session.onBroken(code),
    onClose: () => {
      session.end();
      onClose();
    },
  });
  return { close: () => channel.close() };
}

class Session {
  readonly #channel: Channel;
  readonly #caller: ApiCaller;
  readonly #handler: ApiHandler;
  readonly #log: ApiLog;
  readonly #gone = new AbortController();
  readonly #watches = new Map<number, ServedWatch>();
  readonly #outstanding = new Set<number>();
  constructor(channel: Channel, caller: ApiCaller, handler: ApiHandler, log: ApiLog) {
    this.#channel = channel;
    this.#caller = caller;
    this.#handler = handler;
    this.#log = log;
  }

  onFrame(text: string): void {
    let request: ApiRequest;
    try {
      request = parseRequest(text);
      this.#admit(request.id);
    } catch (thrown) {
      this.#refuse(thrown instanceof ApiFault ? idIn(thrown.detail.facts) : 0, thrown);
      return;
    }
    this.#outstanding.add(request.id);
    this.#serve(request)
      .catch((thrown: unknown) => this.#refuse(request.id, thrown))
      .finally(() => this.#outstanding.delete(request.id));
  }

  onBroken(code: "API_FRAME_TOO_LARGE" | "API_NOT_UTF8"): void {
    const message = code === "API_NOT_UTF8" ? "frames are UTF-8 text" : `a request is at most ${REQUEST_BYTES_MAX} bytes`;
    this.#log.warn({ code, caller: this.#caller.kind }, "closed a connection over a frame that cannot be read");
    this.#refuse(0, fault(code, message));
    this.#channel.close();
  }

  end(): void {
    this.#gone.abort();
    for (const id of [...this.#watches.keys()]) this.#endWatch(id);
  }

  #admit(id: number): void {
    // Answered with id 0: an answer with the id itself would be taken for the answer to the first request.
    if (this.#outstanding.has(id) || this.#watches.has(id)) throw fault("API_BAD_REQUEST", `the id ${id} is in use`);
    if (this.#outstanding.size < REQUESTS_OUTSTANDING_MAX) return;
    throw fault("API_BUSY", `at most ${REQUESTS_OUTSTANDING_MAX} requests may wait`, { facts: { id }, retryable: true });
  }

  #send(frame: unknown): void {
    this.#channel.send(JSON.stringify(frame));
    const backlogBytes = this.#channel.backlogBytes();
    if (backlogBytes <= BACKLOG_BYTES_MAX) return;
    this.#log.warn({ code: "API_READER_TOO_SLOW", backlogBytes, caller: this.#caller.kind }, "closed a connection that does not read");
    this.#channel.close();
  }

  #refuse(id: number, thrown: unknown): void {
    const error = toApiError(thrown);
    if (error.code === "API_INTERNAL") {
      this.#log.warn({ code: error.code, error: thrown instanceof Error ? thrown.stack : String(thrown) }, "request failed");
    }
    this.#send({ v: API_VERSION, id, ok: false, error });
  }

  async #serve(request: ApiRequest): Promise<void> {
    const { id, method, params } = request;
    if (method === "unwatch") {
      const watch = idIn({ id: (params as { watch?: unknown } | null)?.watch });
      this.#send({ v: API_VERSION, id, ok: true, result: { ended: this.#endWatch(watch) } });
      return;
    }
    if (this.#handler.isWatch(method)) {
      await this.#openWatch(request);
      return;
    }
    const result = await this.#handler.request({ method, params, caller: this.#caller, signal: this.#gone.signal });
    this.#send({ v: API_VERSION, id, ok: true, result: result ?? null });
  }

  async #openWatch(request: ApiRequest): Promise<void> {
    const { id, method, params } = request;
    if (this.#watches.size >= WATCHES_MAX) {
      throw fault("API_TOO_MANY_WATCHES", `at most ${WATCHES_MAX} watches a connection`, { retryable: true });
    }
    const watch = new ServedWatch(
      this.#channel,
      (event, index) => this.#send({ v: API_VERSION, id, event, index }),
      () => this.#endWatch(id),
    );
    this.#watches.set(id, watch);
    try {
      const opened = await this.#handler.watch({ method, params, caller: this.#caller, signal: this.#gone.signal }, watch);
      this.#send({ v: API_VERSION, id, ok: true, result: opened.result ?? null });
      watch.opened(opened.stop);
    } catch (thrown) {
      this.#endWatch(id);
      throw thrown;
    }
  }

  #endWatch(id: number): boolean {
    const watch = this.#watches.get(id);
    this.#watches.delete(id);
    watch?.close();
    return watch !== undefined;
  }
}

class ServedWatch implements WatchSink {
  readonly #channel: Channel;
  readonly #send: (event: unknown, index: number) => void;
  readonly #forget: () => void;
  /** Events of the time between the handler's start and the answer: the answer goes first. */
  #early: { readonly event: unknown; readonly index: number }[] | null = [];
  #stop: (() => void) | null = null;
  #lagging = false;
  #lastIndex = 0;
  closed = false;
  constructor(channel: Channel, send: (event: unknown, index: number) => void, forget: () => void) {
    this.#channel = channel;
    this.#send = send;
    this.#forget = forget;
  }

  push(event: { readonly kind: string }, index: number): void {
    this.#lastIndex = Math.max(this.#lastIndex, index);
    if (this.closed || this.#lagging) return;
    if (this.#early !== null) this.#early.push({ event, index });
    else if (this.#channel.backlogBytes() > WATCH_BACKLOG_BYTES_MAX) this.#lag();
    else this.#send(event, index);
  }

  reset(index: number): void {
    this.push({ kind: "reset" }, index);
  }

  end(error: ApiFault): void {
    if (this.closed) return;
    this.#send({ kind: "end", error: toApiError(error) }, this.#lastIndex);
    this.#forget();
  }

  opened(stop: () => void): void {
    this.#stop = stop;
    if (this.closed) stop();
    const early = this.#early ?? [];
    this.#early = null;
    for (const { event, index } of early) if (!this.closed) this.#send(event, index);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#stop?.();
  }

  /** Drops events until the reader has caught up, then says so once: memory stays bounded and nobody is misled. */
  #lag(): void {
    this.#lagging = true;
    this.#channel.whenDrained(() => {
      this.#lagging = false;
      if (!this.closed) this.#send({ kind: "reset" }, this.#lastIndex);
    });
  }
}
