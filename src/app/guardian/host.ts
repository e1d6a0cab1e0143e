import { spawn, spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { basename } from "node:path";
import type { Log } from "./log.ts";

/** A hardware or software watchdog; opening it starts it. */
export class Watchdog {
  readonly #fd: number;
  readonly timeoutMs: number;

  private constructor(fd: number, timeoutMs: number) {
    this.#fd = fd;
    this.timeoutMs = timeoutMs;
  }

  /**
   * Sets the timeout with `wdctl -s` (whole seconds), opens the device and reads the timeout back, since drivers round it.
   * A device that cannot be opened gives null, and the guarantee is then the guardian's alone. A FIFO stands in for a device in
   * tests: whoever reads it decides, and `wantedMs` is taken as it is.
   */
  static open(path: string, wantedMs: number, log: Log): Watchdog | null {
    try {
      const isDevice = statSync(path).isCharacterDevice();
      if (isDevice) spawnSync("wdctl", ["-s", String(Math.max(1, Math.ceil(wantedMs / 1000))), path], { stdio: "ignore", timeout: 5_000 });
      // Non-blocking: a FIFO without a reader is refused at once instead of hanging the guardian.
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      const timeoutMs = isDevice ? readTimeoutMs(path) : wantedMs;
      if (timeoutMs === null) {
        writeSync(fd, "V");
        closeSync(fd);
        log("error", "the watchdog does not tell its timeout: not used", { path });
        return null;
      }
      return new Watchdog(fd, timeoutMs);
    } catch (error) {
      log("error", "the watchdog cannot be opened: not used", { path, error: error instanceof Error ? error.message : String(error) });
      return null;
    }
  }

  feed(): void {
    writeSync(this.#fd, ".");
  }

  /** The magic close (Documentation/watchdog/watchdog-api.rst): only when nothing is left to guard. */
  release(): void {
    writeSync(this.#fd, "V");
    closeSync(this.#fd);
  }
}

/** /sys knows the numbered devices only; `/dev/watchdog` is the first of them. */
function readTimeoutMs(path: string): number | null {
  const name = basename(path) === "watchdog" ? "watchdog0" : basename(path);
  try {
    const seconds = Number.parseInt(readFileSync(`/sys/class/watchdog/${name}/timeout`, "utf8"), 10);
    return Number.isNaN(seconds) || seconds <= 0 ? null : seconds * 1000;
  } catch {
    return null;
  }
}

/** The way to reset this host. Opened early, because a host in trouble may refuse new files and processes. */
export class Resetter {
  readonly #sysrq: number | null;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
    let fd: number | null = null;
    try {
      fd = openSync("/proc/sysrq-trigger", "w");
    } catch {
      log("warn", "no sysrq here: a reset will use `reboot -f -f -n`");
    }
    this.#sysrq = fd;
  }

  /** Does not sync and does not ask: what must stop is stopped by the power line, as it were. */
  reset(): void {
    if (this.#sysrq !== null) writeSync(this.#sysrq, "b");
    // Twice -f: once would still ask systemd to stop services first, and wait for them. -n: a dead disk must not hold us.
    const child = spawn("reboot", ["-f", "-f", "-n"], { stdio: "ignore", detached: true });
    child.on("error", (error) => this.#log("error", "reboot -f -f -n failed", { error: error.message }));
  }
}
