import { createConnection } from "node:net";
import { API_VERSION, type ApiError } from "../../core/ports/index.ts";
import { type Channel, lineChannel, webSocketChannel } from "./channel.ts";
import { ApiFault, fault } from "./fault.ts";
import { ANSWER_BYTES_MAX, CONNECT_TIMEOUT_MS, REQUEST_BYTES_MAX } from "./limits.ts";

/** Where a node answers. `certificate` and `key` are PEM; without them the caller is anonymous and may only join. */
export type ApiTarget =
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "tls";
      readonly host: string;
      readonly port: number;
      readonly ca: string;
      readonly certificate?: string;
      readonly key?: string;
    };

/** One event of a watch; `kind` `reset` means: read the state anew, events were lost. */
export type WatchEvent = { readonly event: { readonly kind: string; readonly [fact: string]: unknown }; readonly index: number };

/** An open watch: iterate over it. It ends with `close`, and throws when the connection or the server ends it. */
export interface Watch extends AsyncIterable<WatchEvent> {
  /** The answer to the request that opened the watch. */
  readonly result: unknown;
  close(): void;
}

export interface ApiClient {
  /** Throws `ApiFault`: the server's refusal, `API_DISCONNECTED` (retryable), or `API_TIMEOUT` after `timeoutMs`. */
  request(method: string, params?: unknown, options?: { readonly timeoutMs?: number }): Promise<unknown>;
  watch(method: string, params?: unknown): Promise<Watch>;
  close(): void;
  readonly closed: boolean;
}

type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: ApiFault) => void };
type Frame = { id: number; ok?: boolean; result?: unknown; error?: ApiError; event?: WatchEvent["event"]; index?: number };

/** Opens a connection. Throws `API_UNREACHABLE` (retryable) when nobody answers within `CONNECT_TIMEOUT_MS`. */
export async function connectApi(target: ApiTarget): Promise<ApiClient> {
  const channel = target.kind === "unix" ? await openUnix(target.path) : await openTls(target);
  return clientOver(channel);
}

function openUnix(path: string): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    const timer = setTimeout(() => socket.destroy(new Error("timed out")), CONNECT_TIMEOUT_MS);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeListener("error", failed);
      resolve(lineChannel(socket, ANSWER_BYTES_MAX));
    });
    const failed = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(unreachableAt(path, error));
    };
    socket.once("error", failed);
  });
}

async function openTls(target: Extract<ApiTarget, { kind: "tls" }>): Promise<Channel> {
  const { WebSocket } = await import("ws");
  const address = `${target.host}:${target.port}`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}/api`, {
      ca: target.ca,
      ...(target.certificate === undefined ? {} : { cert: target.certificate }),
      ...(target.key === undefined ? {} : { key: target.key }),
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: ANSWER_BYTES_MAX,
      perMessageDeflate: false,
      // Certificates name members, not addresses: the CA of the cluster is what proves the other side. Node reads the
      // answer as an error or nothing; the package types it as a boolean, and false is nothing.
      checkServerIdentity: () => false,
    });
    const failed = (error: Error): void => reject(unreachableAt(address, error));
    socket.once("error", failed);
    socket.once("open", () => {
      socket.removeListener("error", failed);
      resolve(webSocketChannel(socket));
    });
  });
}

function unreachableAt(where: string, cause: NodeJS.ErrnoException): ApiFault {
  const reason =
    cause.code === "ENOENT" || cause.code === "ECONNREFUSED"
      ? "no daemon listens there"
      : cause.code === "EACCES"
        ? "permission denied"
        : cause.message;
  return new ApiFault(`cannot reach ${where}: ${reason}`, { code: "API_UNREACHABLE", retryable: true, facts: { where } }, cause);
}

/** A client over any channel; exported so that tests can put a fault between the two sides. */
export function clientOver(channel: Channel): ApiClient {
  const waiting = new Map<number, Waiting>();
  const queues = new Map<number, EventQueue>();
  let nextId = 1;
  let closed = false;

  const lost = (error: ApiFault): void => {
    closed = true;
    for (const { reject } of waiting.values()) reject(error);
    for (const queue of queues.values()) queue.fail(error);
    waiting.clear();
    queues.clear();
  };
  const broken = (message: string): void => {
    lost(fault("API_BAD_ANSWER", message));
    channel.close();
  };
  channel.listen({
    onFrame: (text) => {
      const frame = parseFrame(text);
      if (frame === null) return broken("the daemon sent a frame that is not an answer");
      if (frame.event !== undefined) return queues.get(frame.id)?.push({ event: frame.event, index: frame.index ?? 0 });
      const asked = waiting.get(frame.id);
      if (asked === undefined) {
        if (frame.id === 0 && frame.error !== undefined) lost(ApiFault.of(frame.error));
        return;
      }
      waiting.delete(frame.id);
      if (frame.ok === true) asked.resolve(frame.result);
      else asked.reject(frame.error === undefined ? fault("API_BAD_ANSWER", "a refusal without a reason") : ApiFault.of(frame.error));
    },
    onBroken: (code) => broken(`the daemon sent a frame that cannot be read (${code})`),
    onClose: () => lost(fault("API_DISCONNECTED", "the daemon closed the connection", { retryable: true })),
  });
  const send = (id: number, method: string, params: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(fault("API_DISCONNECTED", "the connection is closed", { retryable: true }));
      const text = JSON.stringify({ v: API_VERSION, id, method, params });
      if (Buffer.byteLength(text) > REQUEST_BYTES_MAX) {
        return reject(fault("API_FRAME_TOO_LARGE", `the request ${method} is larger than ${REQUEST_BYTES_MAX} bytes`));
      }
      waiting.set(id, { resolve, reject });
      channel.send(text);
    });
  const request: ApiClient["request"] = async (method, params = {}, options = {}) => {
    const id = nextId++;
    const answer = send(id, method, params);
    if (options.timeoutMs === undefined) return answer;
    return withTimeout(answer, options.timeoutMs, method, () => waiting.delete(id));
  };
  return {
    request,
    watch: async (method, params = {}) => {
      const id = nextId++;
      const queue = new EventQueue(() => {
        queues.delete(id);
        if (!closed) request("unwatch", { watch: id }).catch(() => {});
      });
      queues.set(id, queue);
      try {
        queue.result = await send(id, method, params);
      } catch (error) {
        queues.delete(id);
        throw error;
      }
      return queue;
    },
    close: () => {
      closed = true;
      channel.close();
    },
    get closed() {
      return closed;
    },
  };
}

async function withTimeout(answer: Promise<unknown>, timeoutMs: number, method: string, forget: () => void): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      forget();
      reject(fault("API_TIMEOUT", `no answer to ${method} within ${timeoutMs} ms`, { retryable: true }));
    }, timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function parseFrame(text: string): Frame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const frame = value as Record<string, unknown>;
  if (typeof frame["id"] !== "number") return null;
  if (frame["event"] !== undefined && (typeof frame["event"] !== "object" || typeof frame["index"] !== "number")) return null;
  return frame as Frame;
}

/** Events between the socket and whoever iterates. Unread events are bounded by the server's backlog rule plus this. */
const EVENTS_QUEUED_MAX = 65_536;

class EventQueue implements Watch {
  result: unknown = null;
  readonly #onClose: () => void;
  #events: WatchEvent[] = [];
  #error: ApiFault | null = null;
  #ended = false;
  #wake: (() => void) | null = null;
  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  push(event: WatchEvent): void {
    if (this.#ended) return;
    if (event.event.kind === "end") {
      const error = event.event["error"] as ApiError | undefined;
      this.fail(error === undefined ? fault("API_DISCONNECTED", "the watch ended") : ApiFault.of(error));
      return;
    }
    // A reader that does not keep up gets the same answer as from a server: start again from the state.
    if (this.#events.length >= EVENTS_QUEUED_MAX) this.#events = [{ event: { kind: "reset" }, index: event.index }];
    else this.#events.push(event);
    this.#wake?.();
  }

  fail(error: ApiFault): void {
    this.#error = error;
    this.#ended = true;
    this.#wake?.();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events = [];
    this.#onClose();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    try {
      while (true) {
        const next = this.#events.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        if (this.#error !== null) throw this.#error;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    } finally {
      this.close();
    }
  }
}
