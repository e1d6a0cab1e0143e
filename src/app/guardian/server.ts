import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { QuorateError } from "../../core/base/index.ts";
import type { FromGuardian, ToGuardian } from "../../core/ports/index.ts";
import { encodeFrame, FrameReader, readToGuardian } from "../../io/executor/index.ts";
import type { Log } from "./log.ts";

/** Connections at once: one daemon, its successor, and a few that have not said hello. */
const LINKS_MAX = 8;
/** Bytes that wait for a daemon that does not read; above it the link is closed (results are kept). */
const UNSENT_MAX_BYTES = 16 * 1024 * 1024;
const HELLO_TIMEOUT_MS = 5_000;

export type ServerEvents = {
  readonly message: (link: number, message: ToGuardian) => void;
  readonly closed: (link: number) => void;
};

/** The guardian's socket. Links are numbered; who speaks on them is the core's business. */
export class GuardianServer {
  readonly #path: string;
  readonly #events: ServerEvents;
  readonly #log: Log;
  readonly #links = new Map<number, Socket>();
  readonly #server: Server;
  #nextLink = 1;

  constructor(options: { readonly path: string; readonly events: ServerEvents; readonly log: Log }) {
    this.#path = options.path;
    this.#events = options.events;
    this.#log = options.log;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Throws `GUARDIAN_ALREADY_RUNNING` when somebody answers at the path; a dead socket file is replaced. */
  async listen(): Promise<void> {
    if (existsSync(this.#path)) {
      if (await answers(this.#path)) {
        throw new QuorateError(`another guardian answers at ${this.#path}`, { code: "GUARDIAN_ALREADY_RUNNING" });
      }
      unlinkSync(this.#path);
    }
    // Only the owner may connect, from the first moment on.
    const mask = process.umask(0o177);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#path, resolve);
    }).finally(() => process.umask(mask));
    chmodSync(this.#path, 0o600);
  }

  send(link: number, message: FromGuardian): void {
    const socket = this.#links.get(link);
    if (socket === undefined) return;
    socket.write(encodeFrame(message));
    if (socket.writableLength > UNSENT_MAX_BYTES) {
      this.#log("warn", "the daemon does not read: link closed", { link });
      socket.destroy();
    }
  }

  /** Closes a link after what was sent on it has left. */
  close(link: number): void {
    this.#links.get(link)?.end();
  }

  #accept(socket: Socket): void {
    if (this.#links.size >= LINKS_MAX) {
      this.#log("warn", "too many links: refused", { limit: LINKS_MAX });
      socket.destroy();
      return;
    }
    const link = this.#nextLink;
    this.#nextLink += 1;
    this.#links.set(link, socket);
    const reader = new FrameReader();
    const timer = setTimeout(() => socket.destroy(), HELLO_TIMEOUT_MS);
    socket.on("data", (chunk) => {
      try {
        for (const value of reader.push(chunk)) {
          clearTimeout(timer);
          this.#events.message(link, readToGuardian(value));
        }
      } catch (error) {
        if (!(error instanceof QuorateError)) throw error;
        this.#log("warn", "bad bytes on the socket: link closed", { link, code: error.detail.code, error: error.message });
        socket.destroy();
      }
    });
    // A broken socket is followed by `close`, which is all that matters.
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      this.#links.delete(link);
      this.#events.closed(link);
    });
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
