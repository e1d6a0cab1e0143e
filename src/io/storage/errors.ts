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
  /** Less is free than a member needs. */
  | "STORE_NO_ROOM"
  | "STORE_CLOSED";

/** An operating fault of the store. */
export class StoreError extends QuorateError<{ readonly code: StoreErrorCode; readonly path?: string }> {
  override readonly name = "StoreError";
}

/** Names a refusal of the disk for what it is, with what the disk said: the one that reads it has to act on that. */
export function refusedWrite(cause: unknown, path?: string): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const detail = { code: "STORE_FAILED" as const, ...(path === undefined ? {} : { path }) };
  return new StoreError(`the disk refused a write${path === undefined ? "" : ` in ${path}`}: ${reason}`, detail, cause);
}
