import { QuorateError } from "../../core/base/index.ts";

export type StoreErrorCode =
  /** The disk refused a write or a sync: the store is dead, the process must stop. */
  | "STORE_FAILED"
  /** A record that is needed now fails its checksum. */
  | "STORE_DAMAGED"
  /** Another process has the database open. */
  | "STORE_LOCKED"
  /** Written by another version. */
  | "STORE_FORMAT"
  /** The store belongs to another member or cluster than the certificate. */
  | "STORE_OTHER_MEMBER"
  /** `createRaftStore` on a store that is not empty. */
  | "STORE_EXISTS"
  /** A file system without the promises that LevelDB needs. */
  | "STORE_FILE_SYSTEM"
  | "STORE_CLOSED";

/** An operating fault of the store. */
export class StoreError extends QuorateError<{ readonly code: StoreErrorCode; readonly path?: string }> {
  override readonly name = "StoreError";
}
