import type { Proposal } from "../../core/cib/index.ts";
import { emptyConfiguration, type SnapshotMeta } from "../../core/raft/index.ts";
import type { RaftStore, StoreWrite } from "../../io/storage/index.ts";
import type { SeededFault } from "./seeded-faults.ts";

/** What a host hears of its store. */
export type StoreEvents = {
  /** Promises are under way. */
  onPromise(): void;
  /** A write is handed to the disk; and it is durable. */
  onSave(write: StoreWrite<Proposal>): void;
  onStored(write: StoreWrite<Proposal>): void;
  onSnapshot(meta: SnapshotMeta, bytes: Uint8Array): void;
};

/** The production store with a listener around it, and the seeded faults that lie between node and disk. */
export function watchedStore(store: RaftStore<Proposal>, seededFault: SeededFault | null, events: StoreEvents): RaftStore<Proposal> {
  return {
    ...bound(store, events.onPromise),
    identity: store.identity,
    save: (write) => {
      const kept = seededFault === "vote-not-persisted" && write.hard !== null ? { ...write, hard: { ...write.hard, vote: null } } : write;
      events.onSave(write);
      const saved = store.save(kept).then(() => events.onStored(write));
      if (seededFault !== "ack-before-sync") return saved;
      void saved.catch(() => {});
      return Promise.resolve();
    },
    takeSnapshot: (meta, bytes) => {
      events.onPromise();
      const poor = seededFault === "snapshot-without-configuration" ? { ...meta, configuration: emptyConfiguration() } : meta;
      events.onSnapshot(poor, bytes);
      return store.takeSnapshot(poor, bytes);
    },
  };
}

/** The store's methods as plain functions: it has private fields, so a spread alone would lose its `this`. */
function bound(store: RaftStore<Proposal>, onPromise: () => void): Omit<RaftStore<Proposal>, "identity" | "save" | "takeSnapshot"> {
  const told = <T>(work: Promise<T>): Promise<T> => {
    onPromise();
    return work;
  };
  return {
    keepChunks: (chunks) => told(store.keepChunks(chunks)),
    verifySnapshot: (meta) => told(store.verifySnapshot(meta)),
    loadSnapshot: () => told(store.loadSnapshot()),
    compact: (to) => told(store.compact(to)),
    readSnapshot: (last, offset, length) => told(store.readSnapshot(last, offset, length)),
    snapshot: () => store.snapshot(),
    oldestWriteAgeMs: () => store.oldestWriteAgeMs(),
    stats: () => store.stats(),
    close: () => told(store.close()),
  };
}
