export { PACK_BYTES_MAX } from "./batch.ts";
export {
  checkFileSystem,
  checkRoom,
  createStoreDirectory,
  openStoreDirectory,
  ROOM_BYTES,
  type StoreDirectoryOptions,
} from "./directory.ts";
export { type DiskOperation, type DiskRange, type DiskRecord, type KeyValueDisk, SLOT_BYTES, type SlotFile } from "./disk.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { openLevelDisk } from "./level-disk.ts";
export { CHAIN_BYTES, KEYS, keyText, STORE_FORMAT } from "./records.ts";
export { openSlotFile } from "./slot-file.ts";
export {
  createRaftStore,
  openRaftStore,
  SLICE_KEYS_MAX,
  SNAPSHOT_CHUNK_BYTES,
  type StoreOptions,
  WATERMARK_SYNC_MS,
} from "./store.ts";
export type { Finding, Loaded, Opened, RaftStore, StoreIdentity, StoreStats, StoreWrite } from "./types.ts";
