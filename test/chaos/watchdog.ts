import { execFileSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";

/** How late this process may notice a missing byte: below Toff of RAFT.md §7, milliseconds. */
const LOOK_MS = 50;

/**
 * A watchdog device for a host without one: a FIFO. It sleeps until it is fed first; from then on it resets the host when no
 * byte came within its time, unless the magic close came.
 */
export class FifoWatchdog {
  readonly path: string;
  readonly #fifo: Socket;
  readonly #timer: NodeJS.Timeout;
  #fedMs: number | null = null;

  constructor(path: string, options: { readonly timeoutMs: number; readonly onExpired: () => void }) {
    this.path = path;
    execFileSync("mkfifo", ["-m", "600", path]);
    // For writing too: else the end of one guardian would be the end of the file.
    this.#fifo = new Socket({ fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK), readable: true, writable: false });
    this.#fifo.on("data", (bytes) => {
      this.#fedMs = bytes.includes("V") ? null : performance.now();
    });
    this.#timer = setInterval(() => {
      if (this.#fedMs === null || performance.now() - this.#fedMs < options.timeoutMs) return;
      this.#fedMs = null;
      options.onExpired();
    }, LOOK_MS);
  }

  /** The host has no power: its device sleeps again. */
  disarm(): void {
    this.#fedMs = null;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#fifo.destroy();
  }
}
