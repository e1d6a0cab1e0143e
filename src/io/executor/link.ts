import { createConnection, type Socket } from "node:net";
import type { Term } from "../../core/base/index.ts";
import {
  type AgentAction,
  type FromGuardian,
  GUARDIAN_PROTOCOL,
  type HostProcess,
  type IntentOrigin,
  type StopPlan,
  type ToGuardian,
} from "../../core/ports/index.ts";
import { monotonicMs } from "./clock.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { readFromGuardian } from "./messages.ts";

/** Actions that may be asked for and not answered yet; `run` says no above it. */
export const EXECUTOR_QUEUE_MAX = 4096;
/** Bytes that wait for a guardian that does not read; above it the link is closed and made anew. */
const UNSENT_MAX_BYTES = 8 * 1024 * 1024;
const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 500;
/** A guardian that accepts but does not welcome within this time is taken for stuck. */
const WELCOME_TIMEOUT_MS = 5_000;
/**
 * Smaller extensions of the deadline are held back: an earlier D in the guardian is always safe, and each one wakes it. At most
 * so long, and at most this part of the time that is left: a restarted daemon has nearly all of Tself to renew it.
 */
const DEADLINE_STEP_MS = 500;
const DEADLINE_STEP_PART = 1 / 10;

/**
 * A connected guardian is asked for a sign of life this often, milliseconds, and taken for hung when it has left so many
 * unanswered: by then it is late for its deadline, whatever it does. Counted in turns of ours, so that a pause of the whole
 * host is not laid at its door.
 */
const PING_MS = 2_000;
const PINGS_UNANSWERED_MAX = 3;

/** An acknowledgement waits this long, milliseconds, and in this number for a message to go with: alone it wakes the guardian. */
const ACK_HOLD_MS = 1_000;
const ACKS_HELD_MAX = 64;

export type RunRequest = {
  readonly key: string;
  readonly origin: IntentOrigin | null;
  readonly action: AgentAction;
  readonly planVersion: number;
  readonly trips?: number;
};

export type Welcome = Extract<FromGuardian, { readonly kind: "welcome" }>;

/** What the daemon hears. After `connected` each kept result follows as an ordinary `result`. */
export type ExecutorEvent =
  | { readonly kind: "connected"; readonly welcome: Welcome }
  | { readonly kind: "disconnected"; readonly reason: string }
  /** It holds its socket open and answers nothing: only its end brings back what keeps the resources. `disconnected` follows. */
  | { readonly kind: "hung"; readonly process: HostProcess; readonly silentMs: number }
  | Exclude<FromGuardian, Welcome | { readonly kind: "pong" }>;

export type GuardianLinkOptions = {
  readonly socketPath: string;
  readonly node: string;
  /** Start counter of the daemon; a guardian that has seen a greater one rejects this link. */
  readonly daemonBoot: number;
  /** Whose starts and whose terms are counted: a guardian that knows others begins anew. */
  readonly memberId: number;
  readonly cluster: string;
  readonly onEvent: (event: ExecutorEvent) => void;
};

/**
 * The daemon's side of the guardian. It reconnects by itself for ever, and after each welcome says again what the guardian
 * cannot know: the latest plan and deadline, acknowledgements, cancellations, and every action asked for that is neither
 * running there nor answered. So a caller may treat `run` as said once; its answer is one `result` or one `refused`.
 */
export interface GuardianLink {
  /** False when `EXECUTOR_QUEUE_MAX` actions are unanswered. A key asked for already is joined: one run, one answer. */
  run(request: RunRequest): boolean;
  cancel(key: string): void;
  /** The result was handed on durably (its proposal committed): the guardian may forget it. */
  ack(key: string): void;
  plan(plan: StopPlan): void;
  /** Moves D (CLOCK_MONOTONIC, milliseconds, as `monotonicMs()`); Infinity: no exclusive resource here. */
  deadline(term: Term, atMonotonicMs: number): void;
  release(): void;
  selfFence(reason: string): void;
  readonly connected: boolean;
  close(): void;
}

/** Starts the link; never throws for an absent guardian, it keeps trying. */
export function linkGuardian(options: GuardianLinkOptions): GuardianLink {
  const link = new SocketLink(options);
  link.connect();
  return link;
}

class SocketLink implements GuardianLink {
  readonly #options: GuardianLinkOptions;
  readonly #asked = new Map<string, RunRequest>();
  /** Not said yet: held for the next message, or while the guardian cannot hear them. */
  readonly #acks = new Set<string>();
  #ackTimer: NodeJS.Timeout | null = null;
  readonly #cancels = new Set<string>();
  #plan: StopPlan | null = null;
  #deadline: { readonly term: Term; readonly atMonotonicMs: number } | null = null;
  #deadlineSent: { readonly term: Term; readonly atMonotonicMs: number } | null = null;
  #selfFence: string | null = null;
  #socket: Socket | null = null;
  #welcomed = false;
  #backoffMs = BACKOFF_FIRST_MS;
  #timer: NodeJS.Timeout | null = null;
  #pings: NodeJS.Timeout | null = null;
  #unanswered = 0;
  #closed = false;

  constructor(options: GuardianLinkOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#welcomed;
  }

  run(request: RunRequest): boolean {
    if (this.#asked.has(request.key)) return true;
    if (this.#asked.size >= EXECUTOR_QUEUE_MAX) return false;
    this.#asked.set(request.key, request);
    this.#send({ kind: "run", ...request });
    return true;
  }

  cancel(key: string): void {
    if (!this.#asked.has(key) && !this.#welcomed) return;
    this.#cancels.add(key);
    this.#send({ kind: "cancel", key });
  }

  ack(key: string): void {
    this.#acks.add(key);
    // What the guardian has not heard when the link breaks is said after the next welcome, which would offer the result again.
    if (!this.#welcomed) return;
    if (this.#acks.size >= ACKS_HELD_MAX) this.#sayAcks();
    else this.#ackTimer ??= setTimeout(() => this.#sayAcks(), ACK_HOLD_MS);
  }

  plan(plan: StopPlan): void {
    this.#plan = plan;
    this.#send({ kind: "plan", plan });
  }

  deadline(term: Term, atMonotonicMs: number): void {
    const held = this.#deadline;
    if (held !== null && (term < held.term || (term === held.term && atMonotonicMs === held.atMonotonicMs))) return;
    this.#deadline = { term, atMonotonicMs };
    const sent = this.#deadlineSent;
    const nowMs = monotonicMs();
    const stepMs = Math.min(DEADLINE_STEP_MS, (atMonotonicMs - nowMs) * DEADLINE_STEP_PART);
    const worthIt = sent === null || sent.term !== term || Math.abs(atMonotonicMs - sent.atMonotonicMs) >= stepMs;
    const urgent = sent !== null && sent.atMonotonicMs - nowMs < 2 * stepMs;
    if (worthIt || urgent) this.#sendDeadline();
  }

  release(): void {
    this.#send({ kind: "release" });
  }

  selfFence(reason: string): void {
    this.#selfFence = reason;
    this.#send({ kind: "self-fence", reason });
  }

  close(): void {
    this.#closed = true;
    if (this.#ackTimer !== null) clearTimeout(this.#ackTimer);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#stopPings();
    this.#welcomed = false;
    this.#socket?.destroy();
    this.#socket = null;
  }

  connect(): void {
    this.#timer = null;
    const socket = createConnection(this.#options.socketPath);
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on("connect", () => {
      const { node, daemonBoot, memberId, cluster } = this.#options;
      socket.write(encodeFrame({ kind: "hello", protocol: GUARDIAN_PROTOCOL, node, daemonBoot, memberId, cluster }));
    });
    this.#timer = setTimeout(() => this.#lost(socket, "the guardian did not answer"), WELCOME_TIMEOUT_MS);
    socket.on("data", (chunk) => {
      try {
        for (const value of reader.push(chunk)) {
          if (this.#socket !== socket) return;
          this.#receive(readFromGuardian(value));
        }
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "QuorateError") throw error;
        this.#lost(socket, error.message);
      }
    });
    socket.on("drain", () => {
      if (this.#socket === socket && this.#deadline !== this.#deadlineSent) this.#sendDeadline();
    });
    socket.on("error", (error) => this.#lost(socket, error.message));
    socket.on("close", () => this.#lost(socket, "the guardian closed the link"));
  }

  #lost(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    socket.destroy();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#stopPings();
    const wasWelcomed = this.#welcomed;
    this.#welcomed = false;
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.connect(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MAX_MS);
    if (wasWelcomed) this.#options.onEvent({ kind: "disconnected", reason });
  }

  /** Every answer counts, not the one to the latest question alone. */
  #ask(process: HostProcess): void {
    const socket = this.#socket;
    if (socket === null) return;
    if (this.#unanswered < PINGS_UNANSWERED_MAX) {
      this.#unanswered += 1;
      this.#send({ kind: "ping" });
      return;
    }
    const silentMs = this.#unanswered * PING_MS;
    this.#options.onEvent({ kind: "hung", process, silentMs });
    this.#lost(socket, `the guardian has not answered for ${silentMs} ms`);
  }

  #stopPings(): void {
    if (this.#pings !== null) clearInterval(this.#pings);
    this.#pings = null;
    this.#unanswered = 0;
  }

  #receive(message: FromGuardian): void {
    this.#unanswered = 0;
    if (message.kind === "welcome") {
      this.#welcome(message);
      return;
    }
    if (message.kind === "pong") return;
    if (message.kind === "result" || message.kind === "refused") {
      this.#asked.delete(message.key);
      this.#cancels.delete(message.key);
    }
    if (message.kind === "rejected") this.#backoffMs = BACKOFF_MAX_MS;
    this.#options.onEvent(message);
  }

  #welcome(welcome: Welcome): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#welcomed = true;
    this.#stopPings();
    const { servedBy } = welcome;
    if (servedBy !== undefined) this.#pings = setInterval(() => this.#ask(servedBy), PING_MS);
    this.#backoffMs = BACKOFF_FIRST_MS;
    this.#deadlineSent = null;
    const acked = new Set(this.#acks);
    this.#sayAcks();
    const known = new Set<string>(welcome.running.map((item) => item.key));
    for (const result of welcome.results) known.add(result.key);
    if (this.#selfFence !== null) this.#send({ kind: "self-fence", reason: this.#selfFence });
    if (this.#plan !== null && this.#plan.version > welcome.planVersion) this.#send({ kind: "plan", plan: this.#plan });
    if (this.#deadline !== null) this.#sendDeadline();
    for (const request of this.#asked.values()) if (!known.has(request.key)) this.#send({ kind: "run", ...request });
    for (const key of this.#cancels) {
      // A key that nobody knows any more needs no cancelling, and must not be remembered for ever.
      if (this.#asked.has(key) || known.has(key)) this.#send({ kind: "cancel", key });
      else this.#cancels.delete(key);
    }
    this.#options.onEvent({ kind: "connected", welcome });
    for (const result of welcome.results) {
      if (acked.has(result.key)) continue;
      this.#asked.delete(result.key);
      this.#options.onEvent({ kind: "result", ...result });
    }
  }

  #sendDeadline(): void {
    if (this.#deadline === null || this.#socket?.writableNeedDrain) return;
    if (this.#send({ kind: "deadline", ...this.#deadline })) this.#deadlineSent = this.#deadline;
  }

  #sayAcks(): void {
    if (this.#ackTimer !== null) clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    if (!this.#welcomed) return;
    const keys = [...this.#acks];
    this.#acks.clear();
    for (const key of keys) this.#send({ kind: "result.ack", key });
  }

  #send(message: ToGuardian): boolean {
    const socket = this.#socket;
    if (socket === null || !this.#welcomed) return false;
    socket.cork();
    if (message.kind !== "result.ack" && this.#acks.size > 0) this.#sayAcks();
    socket.write(encodeFrame(message));
    socket.uncork();
    if (socket.writableLength > UNSENT_MAX_BYTES) this.#lost(socket, "the guardian does not read");
    return true;
  }
}
