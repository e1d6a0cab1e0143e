import { WATCH_HISTORY_MAX, type WatchEvent } from "../../core/controller/index.ts";
import { fault, type WatchSink } from "../../io/api/index.ts";

type Kept = { readonly event: WatchEvent; readonly index: number };

/** All watches of a node, and the latest events for those that resume from an index. */
export class WatchHub {
  readonly #sinks = new Set<WatchSink>();
  #kept: Kept[] = [];
  /** Events up to here are no longer held. */
  #floor = 0;

  push(event: WatchEvent, index: number): void {
    if (event.kind === "reset") {
      this.#kept = [];
      this.#floor = index;
      for (const sink of this.#sinks) sink.reset(index);
      return;
    }
    this.#kept.push({ event, index });
    if (this.#kept.length > WATCH_HISTORY_MAX) {
      const dropped = this.#kept.splice(0, this.#kept.length - WATCH_HISTORY_MAX);
      this.#floor = dropped.at(-1)?.index ?? this.#floor;
    }
    for (const sink of this.#sinks) if (!sink.closed) sink.push(event, index);
  }

  /** Adds a watch: events after `from` first, or a reset when they are no longer held. */
  add(sink: WatchSink, from: number | null, nowIndex: number): () => void {
    this.#sinks.add(sink);
    if (from !== null && (from < this.#floor || (this.#kept.length === 0 && from < nowIndex))) sink.reset(nowIndex);
    else if (from !== null) for (const kept of this.#kept) if (kept.index > from) sink.push(kept.event, kept.index);
    return () => this.#sinks.delete(sink);
  }

  close(): void {
    for (const sink of this.#sinks) sink.end(fault("DAEMON_STOPPING", "the daemon is ending", { retryable: true }));
    this.#sinks.clear();
  }
}
