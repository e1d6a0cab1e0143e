export type DiskOperation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: Uint8Array };

export type DiskRange = {
  /** First key, inclusive. */
  readonly from: Uint8Array;
  /** End, exclusive. */
  readonly to: Uint8Array;
};

export type DiskRecord = { readonly key: Uint8Array; readonly value: Uint8Array };

/**
 * What the layout needs of a database: atomic batches, in order, and ordered reads. It is trusted for nothing more;
 * what comes back is checked against checksums of our own. The real one is LevelDB, the other lives in `app/sim`.
 */
export interface KeyValueDisk {
  /**
   * Atomic, and in the order of the calls, whether waited for or not. With `sync` it is durable when the promise resolves; until
   * then the bytes stay as they are. A rejection leaves the disk unusable: what waits behind it is rejected too.
   */
  write(operations: readonly DiskOperation[], options: { readonly sync: boolean }): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | null>;
  /** Records in the order of their keys (bytes, unsigned). */
  range(range: DiskRange): AsyncIterable<DiskRecord>;
  close(): Promise<void>;
}

/** Size of one slot of the watermark file, bytes. */
export const SLOT_BYTES = 4096;

/** The watermark file: two slots of `SLOT_BYTES` that are written in turn. */
export interface SlotFile {
  /** Both slots; null where a slot was never written or cannot be read. */
  read(): Promise<readonly [Uint8Array | null, Uint8Array | null]>;
  /** Writes one slot (exactly `SLOT_BYTES`). Durable on return only with `sync`. */
  write(slot: 0 | 1, bytes: Uint8Array, options: { readonly sync: boolean }): Promise<void>;
  close(): Promise<void>;
}
