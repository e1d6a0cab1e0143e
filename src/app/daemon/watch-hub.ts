import { WATCH_HISTORY_MAX, type WatchEvent } from "../../core/controller/index.ts";
import { fault, type WatchSink } from "../../io/api/index.ts";

type Kept = { readonly event: WatchEvent; readonly index: number };

/** All watches of a node, and the latest events for those that resume from an index. */
export class WatchHub {
  /** Each watch with the index up to which its client has seen everything already. */
  readonly #sinks = new Map<WatchSink, number>();
  #kept: Kept[] = [];
  /** Events up to here are no longer held. */
  #floor: number;

  /** `begin` = index of the state that the node starts with: what led to it is not replayed, so nobody can resume there. */
  constructor(begin: number) {
    this.#floor = begin;
  }

  push(event: WatchEvent, index: number): void {
    if (event.kind === "reset") {
      this.#kept = [];
      this.#floor = index;
      for (const sink of this.#sinks.keys()) {
        this.#sinks.set(sink, index);
        sink.reset(index);
      }
      return;
    }
    this.#kept.push({ event, index });
    // Half as many again, so that dropping the oldest costs little per event.
    if (this.#kept.length > 1.5 * WATCH_HISTORY_MAX) {
      const dropped = this.#kept.splice(0, this.#kept.length - WATCH_HISTORY_MAX);
      this.#floor = dropped.at(-1)?.index ?? this.#floor;
    }
    for (const [sink, seen] of this.#sinks) if (!sink.closed && index > seen) sink.push(event, index);
  }

  /**
   * Adds a watch: events after `from` first, or a reset when they are no longer held. This node may be behind the one
   * where the client was before; what it has seen there it does not get again.
   */
  add(sink: WatchSink, from: number | null, nowIndex: number): () => void {
    const lost = from !== null && from < this.#floor;
    this.#sinks.set(sink, lost || from === null ? nowIndex : from);
    if (lost) sink.reset(nowIndex);
    else if (from !== null) for (const kept of this.#kept) if (kept.index > from) sink.push(kept.event, kept.index);
    return () => this.#sinks.delete(sink);
  }

  close(): void {
    for (const sink of this.#sinks.keys()) sink.end(fault("DAEMON_STOPPING", "the daemon is ending", { retryable: true }));
    this.#sinks.clear();
  }
}
