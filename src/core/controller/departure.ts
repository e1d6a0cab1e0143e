import type { Host } from "./host.ts";
import { stampMs } from "./host.ts";
import type { Member } from "./member.ts";

/** A planned restart of the daemon is over within this time, milliseconds; later the node counts as lost. */
export const DETACH_MS = 60_000;
/** Without a quorum nobody hears a goodbye: the daemon ends after this long, milliseconds. */
export const GOODBYE_MS = 2_000;
/** A node that shuts down waits this long for its resources to stop or move, milliseconds. */
export const SHUTDOWN_MS = 180_000;
/** A leader that leaves waits this long for its successor, milliseconds. */
const HANDOVER_MS = 600;

/**
 * How the daemon ends. `detach`: its resources stay with the guardian and nobody recovers them before `DETACH_MS`.
 * `shutdown`: everything stops or moves first, then the node says goodbye.
 */
export class Departure {
  readonly #host: Host;
  readonly #member: Member;
  #mode: "detach" | "shutdown" | null = null;
  #untilMs = 0;
  #handoverUntilMs: number | null = null;
  #ended = false;

  constructor(host: Host, member: Member) {
    this.#host = host;
    this.#member = member;
  }

  get begun(): boolean {
    return this.#mode !== null;
  }

  begin(mode: "detach" | "shutdown"): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    const { host, self } = { host: this.#host, self: this.#host.self };
    if (self?.incarnation == null || self.membership !== "online") {
      this.#untilMs = host.nowMs;
      return;
    }
    if (mode === "detach") {
      this.#untilMs = host.nowMs + GOODBYE_MS;
      const untilMs = stampMs(host) + DETACH_MS;
      host.propose(
        [{ kind: "node.detach", memberId: host.options.memberId, incarnation: self.incarnation, untilMs }],
        GOODBYE_MS,
        () => {},
      );
      return;
    }
    this.#member.leaving = true;
    this.#untilMs = host.nowMs + SHUTDOWN_MS;
    if (self.witness === true) {
      // It runs nothing, so there is nothing to wait for.
      const { incarnation } = self;
      host.propose([{ kind: "node.leave", memberId: host.options.memberId, incarnation }], GOODBYE_MS, () => {});
      return;
    }
    const value = String(Math.max(1, Math.floor(stampMs(host) / 1000)));
    host.propose([{ kind: "attribute.set", changes: [{ node: self.name, name: "shutdown", value }] }], GOODBYE_MS, () => {});
  }

  duties(): void {
    const host = this.#host;
    if (this.#mode === null || this.#ended) return;
    const membership = host.self?.membership;
    const done = this.#mode === "detach" ? membership === "detached" : membership === "offline";
    if (!done && host.nowMs < this.#untilMs) return;
    if (host.raftStatus.role === "leader" && host.raftStatus.peers.size > 0) {
      if (this.#handoverUntilMs === null) {
        this.#handoverUntilMs = host.nowMs + HANDOVER_MS;
        host.raft.step({ kind: "transfer", context: 2_000_000_000, to: null });
      }
      if (host.nowMs < this.#handoverUntilMs) return;
    }
    this.#ended = true;
    if (this.#mode === "shutdown" && done) host.emit({ kind: "release" });
    host.emit({ kind: "stop", reason: done ? `${this.#mode} complete` : `${this.#mode} not confirmed in time` });
  }
}
