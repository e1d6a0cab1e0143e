import type { LogIndex, MemberId, Term } from "../../core/base/index.ts";
import type { CibState, Proposal } from "../../core/cib/index.ts";
import {
  type Effect,
  NodeCore,
  type NodeEvent,
  type NodeOptions,
  type Persist,
  type ToPlanner,
  type WatchEvent,
} from "../../core/controller/index.ts";
import type { AgentAction, ApiError, IntentOrigin, Log, StopPlan } from "../../core/ports/index.ts";
import type { Configuration, EntryId, Message, SnapshotMeta } from "../../core/raft/index.ts";
import type { RaftStore } from "../../io/storage/index.ts";

/** Events that wait at once; messages above it are dropped (Raft repairs), everything else is bounded at its source. */
export const EVENTS_MAX = 65_536;

/** Work that is done in slices gives way to everything else after so long, milliseconds. */
const SLICE_MS = 5;

/** The guardian as the shell needs it; `GuardianLink` of `io/executor` fits as it is. */
export interface GuardianPort {
  run(request: {
    readonly key: string;
    readonly origin: IntentOrigin | null;
    readonly action: AgentAction;
    readonly planVersion: number;
    readonly trips: number;
  }): boolean;
  cancel(key: string): void;
  ack(key: string): void;
  plan(plan: StopPlan): void;
  deadline(term: Term, atMonotonicMs: number): void;
  release(): void;
  selfFence(reason: string): void;
}

/** Everything outside of the node, real or simulated. */
export type NodeAdapters = {
  readonly clock: {
    /** Monotonic milliseconds; the same clock as the guardian's. */
    nowMs(): number;
    /** Milliseconds since 1970. */
    wallMs(): number;
    /** Calls back once after `delayMs`, with everything received before delivered first; the result cancels. */
    after(delayMs: number, then: () => void): () => void;
    /** Calls back once everything that has arrived by now was delivered. */
    soon(then: () => void): void;
  };
  readonly store: Pick<
    RaftStore<Proposal>,
    "save" | "keepChunks" | "verifySnapshot" | "takeSnapshot" | "loadSnapshot" | "compact" | "readSnapshot"
  >;
  readonly links: {
    send(to: MemberId, message: Message<Proposal>): void;
    setPeers(configuration: Configuration, leaving: Configuration["members"]): void;
  };
  readonly guardian: GuardianPort;
  readonly planner: { post(message: ToPlanner): void };
  readonly snapshots: {
    /** Pauses many times on the way to the bytes and their SHA-256 (lower-case hex). */
    encodeInParts(state: CibState): Generator<void, { readonly bytes: Uint8Array; readonly hash: string }>;
    decode(bytes: Uint8Array): CibState;
  };
  readonly log: Log;
  readonly onAnswer: (id: number, answer: { readonly result: unknown } | { readonly error: ApiError }) => void;
  readonly onWatch: (event: WatchEvent, index: LogIndex) => void;
  /** The node has ended in order. */
  readonly onStop: (reason: string, left: boolean) => void;
  /** The disk failed or an invariant broke: the process must end at once (RAFT.md §6); the guardian goes on alone. */
  readonly onFatal: (error: unknown) => void;
};

export interface NodeShell {
  readonly core: NodeCore;
  /** Hands an event to the node. Events that arrive together are taken together (RAFT.md §2 feature 14), soon. */
  deliver(event: NodeEvent): void;
  /** Begins ticking and takes the first output. */
  start(): void;
  /** Stops ticking; nothing is delivered afterwards. */
  close(): void;
}

/** The production shell around the pure node: carries out effects, in order, and brings back what they answer. */
export function createNodeShell(options: NodeOptions, adapters: NodeAdapters): NodeShell {
  return new Shell(options, adapters);
}

class Shell implements NodeShell {
  readonly core: NodeCore;
  readonly #adapters: NodeAdapters;
  /** Waits for the next `soon`; not empty means that one is asked for. */
  #queue: NodeEvent[] = [];
  #closed = false;
  #cancelTick: (() => void) | null = null;
  #tickAtMs = Number.POSITIVE_INFINITY;
  /** Ends when all writes asked for so far are durable: what depends on them leaves in their order. */
  #written: Promise<unknown> = Promise.resolve();

  constructor(options: NodeOptions, adapters: NodeAdapters) {
    this.#adapters = adapters;
    this.core = new NodeCore(options);
  }

  start(): void {
    this.deliver({ kind: "tick" });
  }

  close(): void {
    this.#closed = true;
    this.#cancelTick?.();
    this.#cancelTick = null;
  }

  deliver(event: NodeEvent): void {
    if (this.#closed) return;
    if (event.kind === "message" && this.#queue.length >= EVENTS_MAX) return;
    this.#queue.push(event);
    if (this.#queue.length === 1) this.#adapters.clock.soon(() => this.#drain());
  }

  #drain(): void {
    if (this.#closed) return;
    const events = this.#queue;
    this.#queue = [];
    const { clock } = this.#adapters;
    try {
      const nowMs = Math.floor(clock.nowMs());
      this.core.stepAll({ nowMs, wallMs: clock.wallMs(), events }, this.#carryOut);
    } catch (error) {
      this.close();
      this.#adapters.onFatal(error);
      return;
    }
    if (!this.#closed) this.#arm();
  }

  #arm(): void {
    const wakeMs = this.core.nextWakeMs();
    if (wakeMs >= this.#tickAtMs) return;
    this.#cancelTick?.();
    this.#tickAtMs = wakeMs;
    // Timers count whole milliseconds from a little earlier: one more, or they fire just before it is time, and again.
    const delayMs = Math.max(1, Math.min(Math.floor(wakeMs - this.#adapters.clock.nowMs()) + 1, 60_000));
    this.#cancelTick = this.#adapters.clock.after(delayMs, () => {
      this.#tickAtMs = Number.POSITIVE_INFINITY;
      // What came meanwhile has moved the time further away: a heartbeat, most often.
      if (this.core.nextWakeMs() > Math.floor(this.#adapters.clock.nowMs())) this.#arm();
      else this.deliver({ kind: "tick" });
    });
  }

  readonly #carryOut = (effect: Effect): void => {
    const { guardian, links, log, planner, store } = this.#adapters;
    switch (effect.kind) {
      case "send":
        for (const { to, message } of effect.envelopes) this.#send(to, message);
        return;
      case "persist":
        this.#persist(effect.write);
        return;
      case "verifySnapshot":
        this.#then(store.verifySnapshot(effect.snapshot), (ok) =>
          this.deliver({ kind: "snapshotVerified", last: effect.snapshot.last, ok }),
        );
        return;
      case "loadSnapshot":
        this.#load(effect.last);
        return;
      case "takeSnapshot":
        this.#takeSnapshot(effect);
        return;
      case "compact":
        this.#then(store.compact(effect.to), () => {});
        return;
      case "peers":
        links.setPeers(effect.configuration, effect.leaving);
        return;
      case "run":
        this.#run(effect);
        return;
      case "cancel":
        guardian.cancel(effect.key);
        return;
      case "ack":
        guardian.ack(effect.key);
        return;
      case "stopPlan":
        guardian.plan(effect.plan);
        return;
      case "deadline":
        guardian.deadline(effect.term, effect.atMs);
        return;
      case "release":
        guardian.release();
        return;
      case "selfFence":
        guardian.selfFence(effect.reason);
        return;
      case "planner":
        planner.post(effect.message);
        return;
      case "answer":
        this.#adapters.onAnswer(effect.id, effect.answer);
        return;
      case "watch":
        this.#adapters.onWatch(effect.event, effect.index);
        return;
      case "log":
        log[effect.level](effect.facts, effect.text);
        return;
      case "stop":
        this.close();
        void this.#written.then(() => this.#adapters.onStop(effect.reason, effect.left));
        return;
    }
  };

  #run(effect: Extract<Effect, { kind: "run" }>): void {
    const { key, origin, action, planVersion, trips } = effect;
    if (this.#adapters.guardian.run({ key, origin, action, planVersion, trips })) return;
    // The link already has this key, or it is full; both heal, the node asks again.
    queueMicrotask(() => this.deliver({ kind: "guardian", message: { kind: "refused", key, code: "QUEUE_FULL" } }));
  }

  /** Chunks of a snapshot get their bytes from the store at the last moment. */
  #send(to: MemberId, message: Message<Proposal>): void {
    if (message.kind !== "snapChunk" || message.data !== null) {
      this.#adapters.links.send(to, message);
      return;
    }
    const { snapshot, offset, length } = message;
    this.#then(this.#adapters.store.readSnapshot(snapshot.last, offset, length), (data) => {
      if (data !== null) this.#adapters.links.send(to, { ...message, data });
    });
  }

  #persist(write: Persist): void {
    const saved = this.#save(write);
    // Its failure is told below; after an earlier failure nobody waits for this one any more.
    saved.catch(() => {});
    this.#written = this.#written.then(() => saved);
    this.#then(this.#written, () => {
      for (const { to, message } of write.sendAfter) this.#send(to, message);
      if (write.ticket !== null) this.deliver({ kind: "stored", ticket: write.ticket });
    });
  }

  /**
   * Writes are handed to the store in the order in which the core asked for them: one that waited for its chunks would come
   * after the next one, with an older term. Chunks beside a snapshot that is installed are of a later snapshot.
   */
  #save(write: Persist): Promise<unknown> {
    const { store } = this.#adapters;
    const { hard, entries, snapshot, recovered, ticket, chunks } = write;
    const saved = ticket === null ? Promise.resolve() : store.save({ hard, entries, snapshot, recovered });
    return chunks.length === 0 ? saved : Promise.all([saved, store.keepChunks(chunks)]);
  }

  #load(last: EntryId): void {
    const { store, snapshots } = this.#adapters;
    const loaded = this.#written.then(() => store.loadSnapshot());
    this.#then(loaded, (bytes) => {
      if (bytes === null) throw new Error("the snapshot that was just installed is not there");
      this.deliver({ kind: "snapshotLoaded", last, state: snapshots.decode(bytes) });
    });
  }

  #takeSnapshot(effect: Extract<Effect, { kind: "takeSnapshot" }>): void {
    const { last, configuration } = effect;
    this.#then(this.#encode(effect.state), ({ bytes, hash }) => {
      const snapshot: SnapshotMeta = { last, configuration, sizeBytes: bytes.length, hash };
      this.#then(this.#adapters.store.takeSnapshot(snapshot, bytes), () => this.deliver({ kind: "snapshotTaken", snapshot }));
    });
  }

  /** In slices (RAFT.md §7): heartbeats and appends go on between them. */
  async #encode(state: CibState): Promise<{ readonly bytes: Uint8Array; readonly hash: string }> {
    const { clock, snapshots } = this.#adapters;
    const encoding = snapshots.encodeInParts(state);
    for (let untilMs = clock.nowMs() + SLICE_MS; ; ) {
      const next = encoding.next();
      if (next.done === true) return next.value;
      if (clock.nowMs() < untilMs) continue;
      await new Promise<void>((resolve) => clock.soon(resolve));
      untilMs = clock.nowMs() + SLICE_MS;
    }
  }

  /** Every promise ends here: what fails on the way is fatal, because the store is dead after its first failure. */
  #then<T>(work: Promise<T>, then: (value: T) => void): void {
    work.then(
      (value) => {
        if (!this.#closed) this.#guarded(() => then(value));
      },
      (error: unknown) => {
        if (this.#closed) return;
        this.close();
        this.#adapters.onFatal(error);
      },
    );
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.close();
      this.#adapters.onFatal(error);
    }
  }
}
