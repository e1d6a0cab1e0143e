import type { RawData, WebSocket } from "ws";
import type { MemberId } from "../../core/base/index.ts";
import type { ClusterId } from "../wire/index.ts";
import { type Hello, readHello, sealHello } from "./hello.ts";
import { CONNECT_TIMEOUT_MS } from "./limits.ts";
import { CLOSE_REFUSED, closeReason, parseReason } from "./refusals.ts";
import type { Address, LinkRefusal } from "./types.ts";

export type SessionEnd = {
  readonly cause: "closed" | "silent" | "error";
  /** The peer's kernel told us, so its host was alive then. */
  readonly hostAnswers: boolean;
  /** Set when the peer refused us and said why. */
  readonly rejection: { readonly code: LinkRefusal; readonly reason: string } | null;
  /** Set when this end refused what the peer sent. */
  readonly refusal: { readonly code: LinkRefusal; readonly reason: string } | null;
};

export type SessionOptions = {
  readonly socket: WebSocket;
  readonly cluster: ClusterId;
  readonly self: MemberId;
  /** The member that the peer's certificate names. */
  readonly peer: MemberId;
  readonly boot: number;
  /** Null on the accepting side: the hello says it. */
  readonly ring: number | null;
  readonly address: Address;
  readonly now: () => number;
  /** The hello is in order; false closes (the handler has called `refuse`). */
  readonly onHello: (hello: Hello) => boolean;
  readonly onUp: () => void;
  readonly onFrame: (bytes: Uint8Array) => void;
  /** Room in the socket again. */
  readonly onDrain: () => void;
  readonly onEnd: (end: SessionEnd) => void;
};

/** One WebSocket between two members: hello first, then frames. Knows nothing of queues or other rings. */
export class Session {
  readonly #options: SessionOptions;
  readonly #socket: WebSocket;
  readonly dialled: boolean;
  readonly openedAtMs: number;
  #up = false;
  #ended = false;
  #cause: "closed" | "silent" | "error" = "closed";
  #hostAnswers = true;
  #refusal: SessionEnd["refusal"] = null;
  #helloTimer: NodeJS.Timeout | null;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  #peerReport: { readonly silentMs: number; readonly atMs: number } | null = null;
  lastReceivedMs: number;
  ring: number;
  peerBoot = 0;
  /** Bytes handed to the socket and not yet to the kernel. */
  socketBytes = 0;
  sentBytes = 0;
  receivedBytes = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.dialled = options.ring !== null;
    this.ring = options.ring ?? 0;
    this.openedAtMs = options.now();
    this.lastReceivedMs = this.openedAtMs;
    this.#helloTimer = setTimeout(() => this.refuse("LINK_HELLO_TIMEOUT", "no hello in time"), CONNECT_TIMEOUT_MS);
    this.#listen();
    if (this.dialled) this.#sendHello();
  }

  get address(): Address {
    return this.#options.address;
  }

  get isUp(): boolean {
    return this.#up && !this.#ended;
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("message", (data: RawData, isBinary: boolean) => this.#onMessage(data, isBinary));
    socket.on("ping", (payload: Buffer) => {
      this.#heard(payload.length);
      if (payload.length === 4) this.#peerReport = { silentMs: payload.readUInt32BE(0), atMs: this.#options.now() };
    });
    socket.on("pong", (payload: Buffer) => this.#heard(payload.length));
    socket.on("error", (error: Error & { code?: string }) => this.#onError(error));
    socket.on("close", (code: number, reason: Buffer) => this.#onClose(code, reason.toString("utf8")));
  }

  #heard(bytes: number): void {
    this.lastReceivedMs = this.#options.now();
    this.receivedBytes += bytes;
  }

  #sendHello(): void {
    const { cluster, self, peer, boot } = this.#options;
    this.#socket.send(sealHello({ cluster, from: self, to: peer, boot, ring: this.ring }));
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#ended || this.#refusal !== null) return;
    // `nodebuffer` is the default type of ws: one Buffer a message.
    if (!isBinary || !Buffer.isBuffer(data)) {
      this.refuse("LINK_GARBAGE", "a text message");
      return;
    }
    this.#heard(data.length);
    if (this.#up) this.#options.onFrame(data);
    else this.#onHello(data);
  }

  #onHello(bytes: Uint8Array): void {
    const { cluster, self, peer } = this.#options;
    const read = readHello(bytes, { cluster, self, peer });
    if (read.kind === "refused") {
      this.refuse(read.code, read.reason);
      return;
    }
    this.peerBoot = read.hello.boot;
    if (!this.dialled) this.ring = read.hello.ring;
    if (!this.#options.onHello(read.hello)) return;
    this.#clearTimer();
    if (!this.dialled) this.#sendHello();
    this.#up = true;
    this.#options.onUp();
  }

  #clearTimer(): void {
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer);
    this.#helloTimer = null;
  }

  #onError(error: Error & { code?: string }): void {
    const code = error.code ?? "";
    if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.refuse("LINK_FRAME_TOO_LARGE", "a frame above the limit");
    else if (code.startsWith("WS_ERR_")) this.refuse("LINK_GARBAGE", error.message);
    else if (code !== "ECONNRESET" && code !== "EPIPE") {
      this.#cause = "error";
      this.#hostAnswers = false;
    }
  }

  #onClose(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#clearTimer();
    const rejection = code === CLOSE_REFUSED && this.#refusal === null ? parseReason(reason) : null;
    this.#options.onEnd({ cause: this.#cause, hostAnswers: this.#hostAnswers, rejection, refusal: this.#refusal });
  }

  /** Closes because of what the peer sent or is; the peer is told the reason. */
  refuse(code: LinkRefusal, reason: string): void {
    if (this.#ended || this.#refusal !== null) return;
    this.#refusal = { code, reason };
    this.close(CLOSE_REFUSED, closeReason(code, reason));
  }

  close(code: number, reason: string): void {
    this.#clearTimer();
    this.#socket.close(code, reason);
    // A peer that does not answer the close frame must not hold the connection.
    const timer = setTimeout(() => this.#socket.terminate(), CONNECT_TIMEOUT_MS);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  /** Ends a half-open connection at once. */
  abandon(): void {
    this.#cause = "silent";
    this.#hostAnswers = false;
    this.#socket.terminate();
  }

  send(bytes: Uint8Array): void {
    this.socketBytes += bytes.length;
    this.sentBytes += bytes.length;
    this.#socket.send(bytes, { binary: true }, () => {
      this.socketBytes -= bytes.length;
      if (!this.#ended) this.#options.onDrain();
    });
  }

  /** Pings carry how long this end has heard nothing, so that the peer learns of a path that is cut one way. */
  pingIfDue(nowMs: number, everyMs: number): void {
    if (!this.isUp || nowMs - this.#lastPingMs < everyMs) return;
    this.#lastPingMs = nowMs;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(Math.min(0xffff_ffff, Math.max(0, Math.round(nowMs - this.lastReceivedMs))));
    this.#socket.ping(payload);
  }

  /** How long this path has been silent, in the worse of the two directions, milliseconds. */
  silentMs(nowMs: number): number {
    const own = nowMs - this.lastReceivedMs;
    const report = this.#peerReport;
    return report === null || nowMs - report.atMs > own + 1000 ? own : Math.max(own, report.silentMs);
  }
}
