export { type DiskOperation, type DiskRange, type DiskRecord, type KeyValueDisk, SLOT_BYTES, type SlotFile } from "./disk.ts";
export type { Finding, Loaded, Opened, RaftStore, StoreIdentity, StoreStats, StoreWrite } from "./types.ts";
