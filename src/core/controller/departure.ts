import type { Command, NodeStatus } from "../cib/index.ts";
import type { Host } from "./host.ts";
import { stampMs } from "./host.ts";
import type { Member } from "./member.ts";
import { isQuorate } from "./status.ts";
import { RETRY_MS } from "./types.ts";

/** A planned restart of the daemon is over within this time, milliseconds; later the node counts as lost. */
export const DETACH_MS = 60_000;
/** Without a quorum nobody hears a goodbye: the daemon ends after this long, milliseconds. */
export const GOODBYE_MS = 2_000;
/** A daemon that was told by its host to shut down waits this long for its resources to stop or move, milliseconds. */
export const SHUTDOWN_MS = 180_000;
/** A node that has left stays this long for others that leave too: without its vote they could not. Milliseconds. */
const LINGER_MS = 60_000;
/** A leader that leaves waits this long for its successor, milliseconds. */
const HANDOVER_MS = 600;

/**
 * How the daemon ends. `detach`: its resources stay with the guardian and nobody recovers them before `DETACH_MS`.
 * `shutdown`: everything stops or moves first, then the node says goodbye. That is begun by its host, or by the cluster:
 * any node with the attribute `shutdown` leaves, also when its daemon was started anew in between.
 */
export class Departure {
  readonly #host: Host;
  readonly #member: Member;
  #mode: "detach" | "shutdown" | null = null;
  #untilMs = 0;
  #sayAgainMs = 0;
  #doneMs: number | null = null;
  /** Since when there is no quorum, by this daemon's clock. */
  #alonedMs: number | null = null;
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
    this.#untilMs = host.nowMs + (mode === "detach" ? GOODBYE_MS : SHUTDOWN_MS);
    if (mode === "shutdown") this.#member.leaving = true;
    this.#say(self);
  }

  /** Tells the cluster, again and again until it is so: the first word may fall into an election or a transfer. */
  #say(self: NodeStatus): void {
    const host = this.#host;
    const { incarnation } = self;
    if (incarnation === null || self.membership !== "online" || host.nowMs < this.#sayAgainMs) return;
    const { memberId } = host.options;
    const stampedMs = stampMs(host);
    let command: Command;
    if (this.#mode === "detach") command = { kind: "node.detach", memberId, incarnation, untilMs: stampedMs + DETACH_MS };
    // A witness runs nothing, so there is nothing to wait for.
    else if (self.witness === true) command = { kind: "node.leave", memberId, incarnation };
    else if (isLeaving(self)) return;
    else {
      const value = String(Math.max(1, Math.floor(stampedMs / 1000)));
      command = { kind: "attribute.set", changes: [{ node: self.name, name: "shutdown", value }] };
    }
    this.#sayAgainMs = host.nowMs + GOODBYE_MS;
    host.propose([command], GOODBYE_MS, ([outcome]) => {
      if (outcome?.kind !== "applied") this.#sayAgainMs = host.nowMs + RETRY_MS;
    });
  }

  duties(): void {
    const host = this.#host;
    if (this.#ended) return;
    this.#followTheCluster();
    if (this.#mode === null) return;
    if (host.self !== undefined) this.#say(host.self);
    const membership = host.self?.membership;
    const done = this.#mode === "detach" ? membership === "detached" : membership === "offline";
    const stranded = this.#isStranded();
    if (!done && !stranded && host.nowMs < this.#untilMs) return;
    if (done && !stranded && this.#othersLeave()) return;
    if (host.raftStatus.role === "leader" && host.raftStatus.peers.size > 0) {
      if (this.#handoverUntilMs === null) {
        this.#handoverUntilMs = host.nowMs + HANDOVER_MS;
        host.raft.step({ kind: "transfer", context: 2_000_000_000, to: null });
      }
      if (host.nowMs < this.#handoverUntilMs) return;
    }
    this.#ended = true;
    const isShutdown = this.#mode === "shutdown";
    if (isShutdown && done) host.emit({ kind: "release" });
    const reason = done ? `${this.#mode} complete` : `${this.#mode} not confirmed in time`;
    host.emit({ kind: "stop", reason, left: isShutdown && (done || stranded || host.self === undefined) });
  }

  /** The cluster wants this node to leave, or has seen it off already: no limit of time, its stops may take long. */
  #followTheCluster(): void {
    const { self } = this.#host;
    if (this.#mode !== null || self === undefined) return;
    // What a daemon sees before the cluster has answered its greeting may be the past, which ended with its predecessor.
    const wanted = isLeaving(self) && self.membership === "online" && this.#member.isGreeted;
    if (!wanted && !this.#member.isSeenOff) return;
    this.#mode = "shutdown";
    this.#member.leaving = true;
    this.#untilMs = Number.POSITIVE_INFINITY;
    this.#host.log("info", {}, "the cluster wants this node to leave: what runs here is stopped or moved first");
  }

  /** When all nodes leave at once, the last ones still need the votes of the first. */
  #othersLeave(): boolean {
    if (this.#mode !== "shutdown") return false;
    const { nowMs, state, self } = this.#host;
    this.#doneMs ??= nowMs;
    if (nowMs >= this.#doneMs + LINGER_MS) return false;
    return [...state.nodes.values()].some((node) => node !== self && node.membership === "online" && isLeaving(node));
  }

  /** Nothing runs here, and there is no quorum any more that could see this node off. */
  #isStranded(): boolean {
    const host = this.#host;
    if (this.#mode !== "shutdown" || isQuorate(host)) {
      this.#alonedMs = null;
      return false;
    }
    this.#alonedMs ??= host.nowMs;
    const runs = [...(host.self?.history.values() ?? [])].some((entry) => entry.active);
    return !runs && host.nowMs >= this.#alonedMs + GOODBYE_MS;
  }
}

/** The transient attribute `shutdown` tells the cluster to take everything off the node, and the node to leave. */
function isLeaving(node: NodeStatus): boolean {
  return (node.attributes.get("shutdown") ?? "0") !== "0";
}
